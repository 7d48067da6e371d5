/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nf_conntrack as ctk holds it: by address, never by reference.
 */
#ifndef _CTK_ATTACH_H
#define _CTK_ATTACH_H

#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "actor.h"
#include "attribution.h"
#include "compat.h"
#include "hook.h"

/**
 * struct ctk_conntrack - a live nf_conntrack
 * @module: it, or NULL where it is built in
 * @max: nf_conntrack_max
 * @buckets: nf_conntrack_htable_size
 * @hash: nf_conntrack_hash; as the next two NULL where it is not exported
 * @locks: nf_conntrack_locks, %CONNTRACK_LOCKS of them
 * @lock: nf_conntrack_lock(), which takes one of them, with BH disabled
 * @count: nf_conntrack_count(), where it is exported
 * @since: CLOCK_BOOTTIME nanoseconds when it was found live
 * @by: who loaded it
 *
 * Valid inside the RCU read-side section that ctk_conntrack_rcu() was called
 * in, and no longer.
 */
struct ctk_conntrack {
	const struct module *module;
	const unsigned int *max;
	const unsigned int *buckets;
	struct hlist_nulls_head **hash;
	spinlock_t *locks; /* of chains */
	void (*lock)(spinlock_t *lock);
#ifdef CTK_COUNT_SYMBOL
	u32 (*count)(const struct net *net);
#endif
	u64 since;
	struct ctk_actor by;
};

/**
 * struct ctk_status - what a reader is told of ctk itself
 * @attached: nf_conntrack is live
 * @attached_since: CLOCK_REALTIME nanoseconds; counts with @attached only
 * @attached_by: likewise
 * @limit: likewise
 * @buckets: likewise
 * @bucket_size: bytes a bucket takes
 * @entry_size: bytes of an entry without its extensions
 * @hook: the hook on early_drop()
 * @nomem: that on __nf_conntrack_alloc(); counts with @has_nomem only
 * @has_nomem: there is to be such a hook
 * @attribution: of lost packets
 */
struct ctk_status {
	bool attached;
	u64 attached_since;
	struct ctk_actor attached_by;
	u32 limit;
	u32 buckets;
	u32 bucket_size;
	u32 entry_size;
	struct ctk_hook_info hook;
	struct ctk_hook_info nomem;
	bool has_nomem;
	struct ctk_attribution_info attribution;
};

const struct ctk_conntrack *ctk_conntrack_rcu(void);
void ctk_status_read(struct ctk_status *status);

/**
 * ctk_conntrack_entries() - entries of a namespace
 * @ct: from ctk_conntrack_rcu()
 * @net: a namespace that the kernel lists
 *
 * Context: any, in the RCU read-side section that @ct was got in.
 */
static inline u32 ctk_conntrack_entries(const struct ctk_conntrack *ct,
					const struct net *net)
{
#ifdef CTK_COUNT_SYMBOL
	return ct->count(net);
#else
	return ctk_count_in_net(net);
#endif
}

int ctk_attach_init(void);
void ctk_attach_exit(void);
void ctk_attach_nomem(void);

#endif /* _CTK_ATTACH_H */
