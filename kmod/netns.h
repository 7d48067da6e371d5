/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A namespace as ctk sees it: the counters that the hook writes, what has
 * been gathered of the kernel's own, and the one function that turns both
 * into numbers for readers.
 */
#ifndef _CTK_NETNS_H
#define _CTK_NETNS_H

#include <linux/cache.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <linux/ctk.h>
#include "mark.h"
#include "moment.h"

/* Samples of the growth rate's window, one a second. */
#define CTK_WINDOW 8

/**
 * struct ctk_netns_percpu - what one CPU counted in one namespace
 * @table_full_drops: packets refused by early_drop()
 * @refused_inserts: insertions of ctnetlink or BPF refused by it
 * @admitted_by_eviction: calls that it answered by evicting a chain
 * @no_memory_drops: packets that found no memory; counted by nomem.c
 * @last_loss: jiffies_64 of the last refused packet, 0 for none
 * @chains_seen: how much of this CPU's chaintoolong lost.c has looked at
 * @failed_seen: likewise of insert_failed
 * @seen: how much of this CPU's net->ct.stat is in &ctk_netns.kernel;
 *	under &ctk_netns.lock
 *
 * All but @seen are written on this CPU alone while packets can be lost:
 * @chains_seen and @failed_seen with interrupts off, save where lost.c begins
 * to look, the others with operations that no interrupt can tear. They are read
 * by anyone.
 */
struct ctk_netns_percpu {
	u64 table_full_drops;
	u64 refused_inserts;
	u64 admitted_by_eviction;
	u64 no_memory_drops;
	u64 last_loss;
	u32 chains_seen;
	u32 failed_seen;
	struct ip_conntrack_stat seen;
};

/**
 * struct ctk_losses - running totals since ctk saw the namespace first
 * @table_full_drops: see ctk.yaml, as all of these
 * @chain_too_long_drops: 0 on kernels that do not count them
 * @no_memory_drops: told apart with attribution on
 * @other_drops: never falls
 * @refused_inserts: not packets
 * @admitted_by_eviction: not losses
 */
struct ctk_losses {
	u64 table_full_drops;
	u64 chain_too_long_drops;
	u64 no_memory_drops;
	u64 other_drops;
	u64 refused_inserts;
	u64 admitted_by_eviction;
};

/**
 * struct ctk_watch_state - what watch.c remembers of a namespace
 * @window: entries at the last %CTK_WINDOW looks
 * @window_time: jiffies_64 of each
 * @next: slot of @window that the next look writes
 * @filled: slots of @window that hold a look
 * @idle: nothing in the table and nothing lost, so a look can be short
 * @skipped: looks that were cut short since the last full one
 * @growth_rate: entries per second over @window
 * @loss_rate: packets lost per second between the last two full looks
 * @lost: all packets lost, at the last full look
 * @other: of these, other_drops
 * @chains: of these, chain_too_long_drops
 * @calls: verdicts that the hook counted, at the last full look
 * @threshold: thresholds that the table is above
 * @chain_since: CLOCK_BOOTTIME nanoseconds of the look that found the first
 *	loss to a chain of the present episode, 0 for none
 * @chain_told: the begin of the present episode has been told
 * @chain_loss: of the one that found the last
 * @chain_quiet: chain_too_long_drops when the last such episode had ended
 * @looked: jiffies_64 of the last full look
 *
 * Under &ctk_netns.lock.
 */
struct ctk_watch_state {
	u32 window[CTK_WINDOW];
	u64 window_time[CTK_WINDOW];
	u8 next;
	u8 filled;
	bool idle;
	u8 skipped;
	s32 growth_rate;
	u32 loss_rate;
	u64 lost;
	u64 other;
	u64 chains;
	u64 calls;
	u8 threshold;
	u64 chain_since;
	bool chain_told;
	u64 chain_loss;
	u64 chain_quiet;
	u64 looked;
};

/**
 * struct ctk_netns - a namespace
 * @net: valid for as long as this can be found
 * @id: never 0, never used twice
 * @percpu: the hook's counters
 * @losing_since: CLOCK_BOOTTIME nanoseconds of the first loss of the present
 *	episode, 0 when nothing was lost to a full table for a while; set by
 *	cmpxchg() on a packet's path, cleared by watch.c
 * @offenders: who lost packets; NULL until somebody did. Set once, by
 *	attribution.c
 * @listed: the kernel lists @net, so each pernet init has succeeded; without
 *	it net->ct.stat may dangle from an init that failed
 * @leaving: its exits have begun, so net->ct.stat may be freed; under @lock
 * @events: that were told of it; under ctk_event_lock
 * @lock: all that follows; process context only, never taken by the hook
 * @kernel: the kernel's statistics, widened; by CTK_A_KERNEL_STATS_*
 * @epoch_drop: the kernel's drop when the present epoch began
 * @epoch_counted: drops that the hooks had counted when it began
 * @epoch_other: other_drops of all epochs before
 * @other: the most that other_drops has been
 * @chain_base: the kernel's chaintoolong when ctk saw it first
 * @insert_failed_base: likewise
 * @slow: losses that no hook reports, as last gathered
 * @hook_loss: jiffies_64 of the last loss that the hook reported
 * @full_loss: when a packet was last lost to a full table
 * @last_loss: when a packet was last lost
 * @zero: the totals at the last reset
 * @told: the begin of the present episode has been told
 * @told_time: when a begin was last told
 * @chain_told_time: when that of losses to long chains was
 * @quiet_lost: all packets lost when the last episode had ended
 * @peak: most entries seen
 * @peak_time: when @peak was reached
 * @watch: rates
 * @moments: begins of episodes that a census is still to be taken of, or 0
 * @rcu: frees it two grace periods after the namespace's exit
 *
 * Times are CLOCK_BOOTTIME nanoseconds unless said otherwise. An epoch is the
 * time from one attachment to nf_conntrack to its end.
 */
struct ctk_netns {
	struct net *net;
	u64 id;
	struct ctk_netns_percpu __percpu *percpu;
	u64 losing_since;
	struct ctk_offenders *offenders;
	bool listed;
	u64 events;

	spinlock_t lock ____cacheline_aligned_in_smp;
	bool leaving;
	u64 kernel[CTK_A_KERNEL_STATS_MAX + 1];
	u64 epoch_drop;
	u64 epoch_counted;
	u64 epoch_other;
	u64 other;
	u64 chain_base;
	u64 insert_failed_base;
	u64 slow;
	u64 hook_loss;
	u64 full_loss;
	u64 last_loss;
	struct ctk_losses zero;
	bool told;
	u64 told_time;
	u64 chain_told_time;
	u64 quiet_lost;
	u32 peak;
	u64 peak_time;
	struct ctk_watch_state watch;
	u64 moments[CTK_MOMENT_KINDS];
	struct rcu_head rcu;
};

/**
 * struct ctk_netns_info - what a reader is told of a namespace
 *
 * Names, units and meaning are those of the netns attributes in ctk.yaml.
 * Times are CLOCK_REALTIME nanoseconds, 0 for absent. @nsid is negative,
 * @cookie 0 and @seconds_to_full %CTK_NEVER where absent; @entries, @limit
 * and @fill count only with @attached, @fill only with a @limit. @no_memory
 * says that no_memory_drops are told apart.
 */
struct ctk_netns_info {
	u64 id;
	u64 cookie;
	u32 inum;
	int nsid;
	bool attached;
	u32 entries;
	u32 limit;
	u32 fill;
	u32 peak;
	u64 peak_time;
	s32 growth_rate;
	u32 seconds_to_full;
	u64 full_since;
	u64 last_loss_time;
	u64 lost;
	u64 attributed;
	bool no_memory;
	u64 episode_lost;
	u32 loss_rate;
	struct ctk_losses losses;
	u64 kernel[CTK_A_KERNEL_STATS_MAX + 1];
};

#define CTK_NEVER U32_MAX

/**
 * ctk_kernel_stat_offset() - where the kernel keeps one of its statistics
 * @attr: CTK_A_KERNEL_STATS_*
 *
 * Return: offset in struct ip_conntrack_stat, or -1 where this kernel has
 * no such statistic.
 */
int ctk_kernel_stat_offset(int attr);

extern unsigned int ctk_netns_id;
extern atomic64_t ctk_netns_uncounted;

/**
 * struct ctk_netns_ref - the pernet slot
 * @ns: NULL once the namespace's exit has run
 */
struct ctk_netns_ref {
	struct ctk_netns *ns;
};

void ctk_netns_mark_losing(struct ctk_netns *ns);

static inline struct ctk_netns *ctk_netns_of(const struct net *net)
{
	const struct ctk_netns_ref *ref = net_generic(net, ctk_netns_id);

	return READ_ONCE(ref->ns);
}

/*
 * The same for a packet's path, which is in a read-side section already; with
 * net_generic()'s own this would take three times as long.
 */
static inline struct ctk_netns *ctk_netns_of_rcu(const struct net *net)
{
	const struct net_generic *gen = rcu_dereference_raw(net->gen);
	const struct ctk_netns_ref *ref = gen->ptr[ctk_netns_id];

	return READ_ONCE(ref->ns);
}

/**
 * ctk_netns_count() - count one verdict of early_drop()
 * @net: the namespace whose table was full
 * @packet: a packet asked for room, not ctnetlink or BPF
 * @admitted: a chain was evicted, the caller gets its entry
 *
 * An episode is marked and a loss has its time before it is counted, so
 * whoever reads a loss and then no mark knows that it belongs to an episode
 * that has ended. It is counted here before the kernel counts it as dropped;
 * ctk_netns_gather() reads the two the other way round.
 *
 * Context: any but NMI, under rcu_read_lock(). Takes no lock.
 */
static __always_inline void ctk_netns_count(const struct net *net,
					    bool packet, bool admitted)
{
	struct ctk_netns *ns = ctk_netns_of_rcu(net);
	struct ctk_netns_percpu __percpu *p;

	if (unlikely(!ns)) {
		atomic64_inc(&ctk_netns_uncounted);
	} else if (admitted) {
		this_cpu_inc(ns->percpu->admitted_by_eviction);
	} else if (!packet) {
		this_cpu_inc(ns->percpu->refused_inserts);
	} else {
		if (unlikely(!READ_ONCE(ns->losing_since)))
			ctk_netns_mark_losing(ns);
		p = ns->percpu;
		this_cpu_write(p->last_loss, get_jiffies_64());
		this_cpu_inc(p->table_full_drops);
		smp_wmb();	/* pairs with smp_rmb() in ctk_netns_gather() */
		if (READ_ONCE(ctk_marking))
			ctk_mark_leave(ns, CTK_DROP_REASON_TABLE_FULL);
	}
}

/**
 * ctk_fill() - how full a table is
 * @entries: in it
 * @limit: of it
 *
 * Return: millionths; 0 without a limit.
 */
static inline u32 ctk_fill(u32 entries, u32 limit)
{
	return limit ? min_t(u64, div_u64((u64)entries * 1000000, limit),
			     U32_MAX) : 0;
}

static inline struct ctk_offenders *ctk_offenders_of(const struct ctk_netns *ns)
{
	/* Filled before it was published, by attribution.c. */
	return smp_load_acquire(&ns->offenders);
}

void ctk_netns_gather(struct ctk_netns *ns, struct ctk_losses *losses);
u64 ctk_netns_hook_loss(const struct ctk_netns *ns);
void ctk_netns_note_peak(struct ctk_netns *ns, u32 entries);
u64 ctk_boottime_to_real(u64 ns);

/**
 * ctk_losses_sum() - packets lost
 * @l: totals
 */
static inline u64 ctk_losses_sum(const struct ctk_losses *l)
{
	return l->table_full_drops + l->chain_too_long_drops +
	       l->no_memory_drops + l->other_drops;
}

void ctk_netns_fill_info(struct ctk_netns *ns, struct net *reader,
			 struct ctk_netns_info *info);
void ctk_netns_reset(struct net *net);
void ctk_netns_chains_seen(struct ctk_netns *ns, void *unused);
void ctk_netns_epoch_begins(void);
void ctk_netns_epoch_ends(void);

/* netns.c */
void ctk_netns_read(struct net *net, struct net *reader,
		    struct ctk_netns_info *info);
bool ctk_netns_read_next(u64 id, struct net *reader,
			 struct ctk_netns_info *info);
u64 ctk_netns_id_of(const struct net *net);
void ctk_netns_refresh(void);
struct net *ctk_netns_get(u64 id);
struct net *ctk_netns_get_by_inum(u32 inum);
struct net *ctk_netns_get_next(u64 *id,
			       bool (*wanted)(const struct ctk_netns *ns));
unsigned int ctk_netns_generation(void);

void ctk_netns_for_each(void (*fn)(struct ctk_netns *ns, void *arg),
			void *arg);

int ctk_netns_init(void);
void ctk_netns_exit(void);

#endif /* _CTK_NETNS_H */
