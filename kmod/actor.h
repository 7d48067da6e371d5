/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who caused a load or an unload of nf_conntrack, or a change of its limit or
 * buckets.
 */
#ifndef _CTK_ACTOR_H
#define _CTK_ACTOR_H

#include <linux/module.h>
#include <linux/sched.h>
#include <linux/types.h>

struct ctk_conntrack;

/**
 * struct ctk_actor - who did something, as seen at that moment
 * @pid: in the initial pid namespace; 0 when nobody is known
 * @comm: the process
 * @parent_comm: its parent; empty when not known
 * @request: the module it asked the kernel for; empty when it did not
 */
struct ctk_actor {
	pid_t pid;
	char comm[TASK_COMM_LEN];
	char parent_comm[TASK_COMM_LEN];
	char request[MODULE_NAME_LEN];
};

void ctk_actor_of_load(struct ctk_actor *actor);
void ctk_actor_of_current(struct ctk_actor *actor);

void ctk_actor_attach(const char *module);
void ctk_actor_detach(void);
void ctk_actor_baseline(const struct ctk_conntrack *ct);
void ctk_actor_look(const struct ctk_conntrack *ct);

void ctk_actor_init(void);
void ctk_actor_exit(void);

#endif /* _CTK_ACTOR_H */
