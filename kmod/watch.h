/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The look at every namespace, once a second while nf_conntrack is there.
 */
#ifndef _CTK_WATCH_H
#define _CTK_WATCH_H

struct ctk_losses;
struct ctk_watch_state;

void ctk_watch_restart(struct ctk_watch_state *w, const struct ctk_losses *l);

void ctk_watch_start(void);
void ctk_watch_stop(void);

#endif /* _CTK_WATCH_H */
