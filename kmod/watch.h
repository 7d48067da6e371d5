/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The look at every namespace, once a second while nf_conntrack is there.
 */
#ifndef _CTK_WATCH_H
#define _CTK_WATCH_H

#include <linux/jiffies.h>

/* An episode ends when nothing was lost for this long. */
#define CTK_QUIET (10 * HZ)

void ctk_watch_start(void);
void ctk_watch_stop(void);

#endif /* _CTK_WATCH_H */
