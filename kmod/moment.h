/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What filled a table when an episode of losses began.
 */
#ifndef _CTK_MOMENT_H
#define _CTK_MOMENT_H

#include <linux/types.h>

struct ctk_census;
struct ctk_netns;

/* Losses that a census is kept of; of each, the last few of a namespace. */
enum ctk_moment_kind {
	CTK_MOMENT_FULL,
	CTK_MOMENT_CHAIN,
	CTK_MOMENT_KINDS
};

void ctk_moment_want(struct ctk_netns *ns, enum ctk_moment_kind kind,
		     u64 since);
void ctk_moment_forget(struct ctk_netns *ns);
bool ctk_moment_next(u64 after, u64 netns_id, u64 *seq,
		     struct ctk_census *census);

void ctk_moment_exit(void);

#endif /* _CTK_MOMENT_H */
