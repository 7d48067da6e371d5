/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The look at every namespace, once a second while nf_conntrack is there, and
 * at once when a packet is the first to be lost.
 */
#ifndef _CTK_WATCH_H
#define _CTK_WATCH_H

struct ctk_losses;
struct ctk_netns;
struct ctk_watch_state;

void ctk_watch_restart(struct ctk_watch_state *w, const struct ctk_losses *l);

void ctk_watch_end(struct ctk_netns *ns, struct ctk_losses *l);
void ctk_watch_kick(void);

void ctk_watch_start(void);
void ctk_watch_stop(void);
void ctk_watch_exit(void);

#endif /* _CTK_WATCH_H */
