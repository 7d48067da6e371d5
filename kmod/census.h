/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One pass over nf_conntrack's table.
 */
#ifndef _CTK_CENSUS_H
#define _CTK_CENSUS_H

#include <linux/types.h>
#include <net/net_namespace.h>
#include "tally.h"

/**
 * struct ctk_census - what fills a table
 * @netns_id: whose entries; 0 for all namespaces together
 * @netns_inum: likewise
 * @time: CLOCK_BOOTTIME nanoseconds when the counting ended
 * @since: when the episode began that it was kept for, or 0
 * @limit: nf_conntrack_max then
 * @buckets: nf_conntrack_htable_size then
 * @consistent: no resize disturbed it
 * @duration: nanoseconds that it took
 * @counts: the entries
 */
struct ctk_census {
	u64 netns_id;
	u32 netns_inum;
	u64 time;
	u64 since;
	u32 limit;
	u32 buckets;
	bool consistent;
	u64 duration;
	struct ctk_counts counts;
};

int ctk_census_take(struct net *net, bool crowd, struct ctk_census *census);

#endif /* _CTK_CENSUS_H */
