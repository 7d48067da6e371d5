// SPDX-License-Identifier: GPL-2.0
/*
 * Packets for which there was no memory for an entry, told apart from the
 * other drops of the kernel by a kretprobe on __nf_conntrack_alloc(). It costs
 * every new flow, full table or not, and is there with attribution=on only.
 *
 * -ENOMEM is that function's answer also when early_drop() refused (5.10 to
 * 7.x). Then the hook has left a mark in this context, for as long as marks are
 * left at all; where a hook that is blind, or a kretprobe, has missed it, or no
 * slot was free for a mark, the table most likely has no room. Neither is counted
 * here.
 *
 * Attaching and detaching are serialised by ctk_attach_lock; ctk_nomem_lock
 * guards what readers are told.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "attach.h"
#include "attribution.h"
#include "mark.h"
#include "netns.h"
#include "nomem.h"

#define CTK_SYMBOL "__nf_conntrack_alloc"

/* Which argument of it is the hash; 0 for insertions, as in hook.c. */
#define CTK_HASH_ARGUMENT 5

static DEFINE_SPINLOCK(ctk_nomem_lock);
static struct ctk_hook_info ctk_nomem_now = {
	.symbol = CTK_SYMBOL,
	.form = CTK_HOOK_FORM_KRETPROBE,
};

static char ctk_nomem_target[MODULE_NAME_LEN + sizeof(":" CTK_SYMBOL)];

struct ctk_nomem_call {
	const struct net *net;
	bool counts;
};

static int ctk_nomem_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct ctk_nomem_call *call = (struct ctk_nomem_call *)ri->data;

	call->net = (const struct net *)regs_get_kernel_argument(regs, 0);
	call->counts = READ_ONCE(ctk_marking) &&
		       (u32)regs_get_kernel_argument(regs, CTK_HASH_ARGUMENT);
	ctk_mark_drop();
	return 0;
}

static bool ctk_nomem_has_room(const struct net *net)
{
	const struct ctk_conntrack *ct = ctk_conntrack_rcu();
	u32 limit;

	if (!ct)
		return false;
	limit = READ_ONCE(*ct->max);
	return !limit || ctk_conntrack_entries(ct, net) < limit;
}

static int ctk_nomem_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct ctk_nomem_call *call = (struct ctk_nomem_call *)ri->data;
	struct ctk_netns *ns;

	if ((long)regs_return_value(regs) != -ENOMEM || !call->counts ||
	    !READ_ONCE(ctk_marking) || ctk_mark_find(ctk_mark_context()))
		return 0;
	rcu_read_lock();
	ns = ctk_netns_of_rcu(call->net);
	if (ns && ctk_nomem_has_room(call->net)) {
		this_cpu_inc(ns->percpu->no_memory_drops);
		smp_wmb();	/* pairs with smp_rmb() in ctk_netns_gather() */
		ctk_mark_leave(ns, CTK_DROP_REASON_NO_MEMORY);
	}
	rcu_read_unlock();
	return 0;
}

static struct kretprobe ctk_nomem_probe;

static u64 ctk_nomem_missed(void)
{
	return ctk_nomem_probe.kp.nmissed +
	       (unsigned int)ctk_nomem_probe.nmissed;
}

static void ctk_nomem_set(enum ctk_hook_state state, int error)
{
	spin_lock(&ctk_nomem_lock);
	if (ctk_nomem_now.state != CTK_HOOK_STATE_OFF)
		ctk_nomem_now.missed += ctk_nomem_missed();
	ctk_nomem_now.state = state;
	ctk_nomem_now.error = error;
	spin_unlock(&ctk_nomem_lock);
}

/**
 * ctk_nomem_attach() - tell want of memory from other drops
 * @module: where __nf_conntrack_alloc() lives; NULL when it is built in
 *
 * Does nothing when it is attached. Where it cannot be had, such losses are
 * among the other drops, and readers are told why.
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_nomem_attach(const char *module)
{
	int error;

	if (ctk_nomem_now.state != CTK_HOOK_STATE_OFF)
		return;
	if (module)
		snprintf(ctk_nomem_target, sizeof(ctk_nomem_target),
			 "%s:" CTK_SYMBOL, module);
	else
		strscpy(ctk_nomem_target, CTK_SYMBOL, sizeof(ctk_nomem_target));
	memset(&ctk_nomem_probe, 0, sizeof(ctk_nomem_probe));
	ctk_nomem_probe.kp.symbol_name = ctk_nomem_target;
	ctk_nomem_probe.entry_handler = ctk_nomem_entry;
	ctk_nomem_probe.handler = ctk_nomem_return;
	ctk_nomem_probe.data_size = sizeof(struct ctk_nomem_call);
	ctk_nomem_probe.maxactive = max_t(int, 64, 4 * num_possible_cpus());
	error = register_kretprobe(&ctk_nomem_probe);
	ctk_nomem_set(error ? CTK_HOOK_STATE_OFF : CTK_HOOK_STATE_ON, error);
	if (error)
		pr_warn("no hook on %s: %d; want of memory is not told from other drops\n",
			ctk_nomem_target, error);
}

/**
 * ctk_nomem_detach() - take the hook off, if it is on
 *
 * Context: process, under ctk_attach_lock. Sleeps.
 */
void ctk_nomem_detach(void)
{
	if (ctk_nomem_now.state == CTK_HOOK_STATE_OFF)
		return;
	unregister_kretprobe(&ctk_nomem_probe);
	ctk_nomem_set(CTK_HOOK_STATE_OFF, 0);
}

/**
 * ctk_nomem_read() - what there is to tell of the hook
 * @info: filled
 *
 * Context: process.
 *
 * Return: false when no such hook is wanted.
 */
bool ctk_nomem_read(struct ctk_hook_info *info)
{
	spin_lock(&ctk_nomem_lock);
	*info = ctk_nomem_now;
	if (info->state != CTK_HOOK_STATE_OFF)
		info->missed += ctk_nomem_missed();
	spin_unlock(&ctk_nomem_lock);
	return ctk_attribution_policy() == CTK_ATTRIBUTION_ON;
}
