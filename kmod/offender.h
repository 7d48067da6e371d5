/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who lost packets in a namespace: the records that offender-get tells.
 */
#ifndef _CTK_OFFENDER_H
#define _CTK_OFFENDER_H

#include <linux/compiler.h>
#include <linux/netfilter.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include "topk.h"

struct ctk_netns;

/* Records of a namespace; n losses leave no error above n / 128. */
#define CTK_OFFENDER_SLOTS 128

/*
 * It is held for some hundred instructions; a loss that finds it taken for many
 * times as long, by others or by one that does not run, is not recorded.
 */
#define CTK_OFFENDER_TRIES 200

/*
 * Namespaces that have a table, 27 kB each. Most tables are made by a worker,
 * to whose memory nobody is charged, for namespaces that anybody may make.
 */
#define CTK_OFFENDERS_MOST 4096

/**
 * struct ctk_offender_key - what makes lost packets alike
 * @src: IPv4 in the first four bytes, the rest 0
 * @dst: likewise
 * @cgroup_id: of the sending socket; 0 where not known
 * @ifindex: came in by; 0 for one's own
 * @pid: of the sending process, in the initial pid namespace; 0 where not known
 * @dport: network order; ICMP: @icmp instead
 * @icmp: type and code
 * @zone: of conntrack; 0 where not known
 * @l4proto: IPPROTO_*
 * @version: 4 or 6, of IP
 * @reason: CTK_DROP_REASON_*
 * @unused: 0
 */
struct ctk_offender_key {
	union nf_inet_addr src;
	union nf_inet_addr dst;
	u64 cgroup_id;
	u32 ifindex;
	u32 pid;
	union {
		__be16 dport;
		u8 icmp[2];
	};
	u16 zone;
	u8 l4proto;
	u8 version;
	u8 reason;
	u8 unused;
};

/**
 * struct ctk_offender_note - of the last of such packets, beside the key
 * @first: jiffies_64 of the first
 * @last: jiffies_64
 * @comm: of the process, where the key has a pid
 * @sport: network order
 */
struct ctk_offender_note {
	u64 first;
	u64 last;
	char comm[TASK_COMM_LEN];
	__be16 sport;
};

/**
 * struct ctk_offenders - those of a namespace
 * @lock: all that follows; interrupts off while it is held, since packets
 *	are lost in any context, and never waited for on a packet's path
 * @attributed: losses that the records speak of
 * @topk: by &struct ctk_offender_key
 * @note: of each of its slots
 */
struct ctk_offenders {
	raw_spinlock_t lock;
	u64 attributed;
	struct ctk_topk *topk;
	struct ctk_offender_note note[CTK_OFFENDER_SLOTS];
};

/**
 * struct ctk_offender - a record, as a reader is told it
 * @key: of all the packets
 * @note: of the last; its times are CLOCK_BOOTTIME nanoseconds
 * @slot: how many they are
 */
struct ctk_offender {
	struct ctk_offender_key key;
	struct ctk_offender_note note;
	struct ctk_topk_slot slot;
};

struct ctk_offenders *ctk_offenders_alloc(void);
void ctk_offenders_free(struct ctk_offenders *o);
void ctk_offenders_forget(struct ctk_netns *ns);
u64 ctk_offenders_attributed(const struct ctk_netns *ns);
bool ctk_offender_read(struct ctk_netns *ns, unsigned int i,
		       struct ctk_offender *offender);

/**
 * ctk_offenders_count() - a packet was lost
 * @o: the namespace's; NULL where it has none
 * @key: the packet
 * @comm: of the process that sent it; NULL where not known
 * @sport: likewise; 0
 *
 * Inline, since it is most of what a lost packet pays for.
 *
 * Context: interrupts off.
 */
static __always_inline void ctk_offenders_count(struct ctk_offenders *o,
						const struct ctk_offender_key *key,
						const char *comm, __be16 sport)
{
	struct ctk_offender_note *note;
	bool is_new;
	int i;

	if (!o)
		return;
	/* Nobody else on this CPU holds it, since interrupts are off. */
	for (i = 0; !raw_spin_trylock(&o->lock); i++) {
		if (i == CTK_OFFENDER_TRIES)
			return;
		cpu_relax();
	}
	note = &o->note[ctk_topk_count_sized(o->topk, key, sizeof(*key),
					     &is_new)];
	OPTIMIZER_HIDE_VAR(note);	/* or it is calculated thrice */
	note->last = get_jiffies_64();
	if (is_new)
		note->first = note->last;
	note->sport = sport;
	if (comm)
		memcpy(note->comm, comm, sizeof(note->comm));
	WRITE_ONCE(o->attributed, o->attributed + 1);
	raw_spin_unlock(&o->lock);
}

#endif /* _CTK_OFFENDER_H */
