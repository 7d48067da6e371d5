// SPDX-License-Identifier: GPL-2.0
/*
 * Who did it: what loaded or unloaded nf_conntrack, and who changed its limit
 * or its buckets. All of this happens a few times a day; nothing here is on a
 * packet's path, and where somebody cannot be seen the answer is nobody.
 *
 * Three things are watched. The tracepoint module_request, for who asks the
 * kernel for modules. Returns of the sysctl handlers of int, of which those
 * that wrote nf_conntrack_max are picked by the address they wrote
 * (kernel/sysctl.c; nf_conntrack_standalone.c uses proc_dointvec up to some
 * stable release of each kernel, proc_dointvec_minmax since). Returns of
 * nf_conntrack_hash_resize(), where the sysctl and the module parameter end.
 * What was changed without any of these seeing it is found by a look.
 *
 * ctk_actor_lock guards the requests and the values last known. It is a raw
 * spinlock taken with interrupts off, since probes and tracepoints take it;
 * ctk_event_lock nests inside it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include "actor.h"
#include "attach.h"
#include "events.h"

/* The kernel runs at most 50 modprobes at once, and few wait for long. */
#define CTK_REQUESTS 16

#define CTK_RESIZE "nf_conntrack_hash_resize"

/**
 * struct ctk_setting - a value of nf_conntrack whose changes are told
 * @type: the event
 * @known: what has been told
 * @seen: what the last look saw
 */
struct ctk_setting {
	enum ctk_event_type type;
	u32 known;
	u32 seen;
};

static DEFINE_RAW_SPINLOCK(ctk_actor_lock);
static struct ctk_actor ctk_requests[CTK_REQUESTS];
static unsigned int ctk_requests_made;
static struct ctk_setting ctk_limit = { .type = CTK_EVENT_LIMIT_CHANGED };
static struct ctk_setting ctk_buckets = { .type = CTK_EVENT_BUCKETS_CHANGED };

/**
 * ctk_actor_of_current() - the process that runs now
 * @actor: filled
 *
 * Context: any but NMI; a process is told only where the caller knows that
 * the present one is to blame.
 */
void ctk_actor_of_current(struct ctk_actor *actor)
{
	*actor = (struct ctk_actor){ .pid = task_pid_nr(current) };
	strscpy(actor->comm, current->comm, sizeof(actor->comm));
	rcu_read_lock();
	strscpy(actor->parent_comm,
		rcu_dereference(current->real_parent)->comm,
		sizeof(actor->parent_comm));
	rcu_read_unlock();
}

static void ctk_note_request(void *data, char *name, bool wait,
			     unsigned long ip)
{
	struct ctk_actor actor;
	unsigned long flags;

	ctk_actor_of_current(&actor);
	strscpy(actor.request, name, sizeof(actor.request));
	raw_spin_lock_irqsave(&ctk_actor_lock, flags);
	ctk_requests[ctk_requests_made++ % CTK_REQUESTS] = actor;
	raw_spin_unlock_irqrestore(&ctk_actor_lock, flags);
}

static bool ctk_find_request(const char *name, struct ctk_actor *actor)
{
	unsigned long flags;
	unsigned int i;
	bool found = false;

	raw_spin_lock_irqsave(&ctk_actor_lock, flags);
	for (i = 1; i <= CTK_REQUESTS && !found; i++) {
		const struct ctk_actor *request =
			&ctk_requests[(ctk_requests_made - i) % CTK_REQUESTS];

		found = request->pid && !strcmp(request->request, name);
		if (found)
			*actor = *request;
	}
	raw_spin_unlock_irqrestore(&ctk_actor_lock, flags);
	return found;
}

static bool ctk_run_by_kernel(void)
{
	bool by_kernel;

	rcu_read_lock();
	by_kernel = rcu_dereference(current->real_parent)->flags & PF_KTHREAD;
	rcu_read_unlock();
	return by_kernel;
}

/*
 * The last word of the present process' command line, which is the module
 * where the kernel runs modprobe (kernel/module/kmod.c, call_modprobe()).
 */
static const char *ctk_last_argument(char *buf, size_t size)
{
	const struct mm_struct *mm = current->mm;
	unsigned long len;
	char *word;

	if (!mm || mm->arg_end <= mm->arg_start)
		return "";
	len = min_t(unsigned long, mm->arg_end - mm->arg_start, size);
	if (copy_from_user(buf, (const void __user *)(mm->arg_end - len), len))
		return "";
	buf[len - 1] = '\0';
	for (word = buf + len - 1; word > buf && word[-1]; word--)
		;
	return word;
}

/**
 * ctk_actor_of_load() - who made the present process load a module
 * @actor: filled: the process itself, or the one whose request to the kernel
 *	it was run for
 *
 * Context: process. May sleep.
 */
void ctk_actor_of_load(struct ctk_actor *actor)
{
	char buf[MODULE_NAME_LEN];

	if (!ctk_run_by_kernel() ||
	    !ctk_find_request(ctk_last_argument(buf, sizeof(buf)), actor))
		ctk_actor_of_current(actor);
}

/*
 * Tells a change of what is at @value. The value is read under the lock, lest
 * one that is outdated be told after the one that replaced it.
 *
 * Without an actor it is a look, for changes that no probe saw. That such a
 * value is there at two looks leaves a probe that is under way the time to
 * tell it with its actor.
 */
static void ctk_setting_is(struct ctk_setting *setting,
			   const unsigned int *value,
			   const struct ctk_actor *actor)
{
	struct ctk_event event = {
		.type = setting->type,
		.has = CTK_EVENT_HAS(OLD) | CTK_EVENT_HAS(NEW),
	};
	unsigned long flags;
	bool settled = true;

	if (actor)
		event.actor = *actor;
	raw_spin_lock_irqsave(&ctk_actor_lock, flags);
	event.old = setting->known;
	event.new = READ_ONCE(*value);
	if (!actor) {
		settled = event.new == setting->seen;
		setting->seen = event.new;
	}
	if (settled && event.new != event.old) {
		setting->known = event.new;
		ctk_event_add(&event, NULL);
	}
	raw_spin_unlock_irqrestore(&ctk_actor_lock, flags);
}

/**
 * ctk_actor_look() - tell the changes that no probe saw
 * @ct: nf_conntrack, in the caller's RCU read-side section
 *
 * Context: process, of watch.c's work only.
 */
void ctk_actor_look(const struct ctk_conntrack *ct)
{
	ctk_setting_is(&ctk_limit, ct->max, NULL);
	ctk_setting_is(&ctk_buckets, ct->buckets, NULL);
}

/**
 * ctk_actor_baseline() - what limit and buckets are to begin with
 * @ct: nf_conntrack, before anybody can look at it
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_actor_baseline(const struct ctk_conntrack *ct)
{
	ctk_limit.known = READ_ONCE(*ct->max);
	ctk_limit.seen = ctk_limit.known;
	ctk_buckets.known = READ_ONCE(*ct->buckets);
	ctk_buckets.seen = ctk_buckets.known;
}

/* Of (table, write, ...): only writes of the limit are followed. */
static int ctk_sysctl_entry(struct kretprobe_instance *ri,
			    struct pt_regs *regs)
{
	const struct ctl_table *table =
		(const struct ctl_table *)regs_get_kernel_argument(regs, 0);
	bool write = (int)regs_get_kernel_argument(regs, 1);
	const struct ctk_conntrack *ct;
	bool wanted = false;

	if (write) {
		rcu_read_lock();
		ct = ctk_conntrack_rcu();
		wanted = ct && table->data == ct->max;
		rcu_read_unlock();
	}
	return !wanted;
}

static int ctk_setting_written(const struct ctk_setting *setting)
{
	const struct ctk_conntrack *ct;
	struct ctk_actor actor;

	ctk_actor_of_current(&actor);
	rcu_read_lock();
	ct = ctk_conntrack_rcu();
	if (ct && setting == &ctk_limit)
		ctk_setting_is(&ctk_limit, ct->max, &actor);
	else if (ct)
		ctk_setting_is(&ctk_buckets, ct->buckets, &actor);
	rcu_read_unlock();
	return 0;
}

static int ctk_sysctl_return(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	return ctk_setting_written(&ctk_limit);
}

static int ctk_resize_return(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	return ctk_setting_written(&ctk_buckets);
}

static const char * const ctk_sysctl_handlers[] = {
	"proc_dointvec", "proc_dointvec_minmax"
};

static struct kretprobe ctk_sysctl_probes[ARRAY_SIZE(ctk_sysctl_handlers)];
static struct kretprobe ctk_resize_probe;
static char ctk_resize_target[MODULE_NAME_LEN + sizeof(":" CTK_RESIZE)];

/* Whoever writes may sleep in between, so more than a CPU's worth. */
static void ctk_probe_register(struct kretprobe *probe, const char *symbol,
			       kretprobe_handler_t entry,
			       kretprobe_handler_t handler)
{
	memset(probe, 0, sizeof(*probe));
	probe->kp.symbol_name = symbol;
	probe->entry_handler = entry;
	probe->handler = handler;
	probe->maxactive = 32;
	if (register_kretprobe(probe))
		probe->kp.symbol_name = NULL;
}

/* Where it was refused there is nothing to unregister. */
static void ctk_probe_unregister(struct kretprobe *probe)
{
	if (probe->kp.symbol_name)
		unregister_kretprobe(probe);
	probe->kp.symbol_name = NULL;
}

/**
 * ctk_actor_attach() - watch for who resizes nf_conntrack's hash
 * @module: where it lives; NULL when it is built in
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_actor_attach(const char *module)
{
	snprintf(ctk_resize_target, sizeof(ctk_resize_target), "%s%s" CTK_RESIZE,
		 module ?: "", module ? ":" : "");
	ctk_probe_register(&ctk_resize_probe, ctk_resize_target, NULL,
			   ctk_resize_return);
}

/**
 * ctk_actor_detach() - let go of nf_conntrack
 *
 * Context: process, under ctk_attach_lock. Sleeps.
 */
void ctk_actor_detach(void)
{
	ctk_probe_unregister(&ctk_resize_probe);
}

static struct tracepoint *ctk_module_request;

static void ctk_find_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "module_request"))
		ctk_module_request = tp;
}

/**
 * ctk_actor_init() - watch for requests of modules and writes of the limit
 *
 * What cannot be watched leaves its actors unknown.
 *
 * Context: module init.
 */
void ctk_actor_init(void)
{
	int i;

	for_each_kernel_tracepoint(ctk_find_tracepoint, NULL);
	if (ctk_module_request &&
	    tracepoint_probe_register(ctk_module_request, ctk_note_request,
				      NULL))
		ctk_module_request = NULL;
	for (i = 0; i < ARRAY_SIZE(ctk_sysctl_handlers); i++)
		ctk_probe_register(&ctk_sysctl_probes[i],
				   ctk_sysctl_handlers[i], ctk_sysctl_entry,
				   ctk_sysctl_return);
}

/**
 * ctk_actor_exit() - watch no more
 *
 * Context: module exit. Sleeps.
 */
void ctk_actor_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ctk_sysctl_probes); i++)
		ctk_probe_unregister(&ctk_sysctl_probes[i]);
	if (!ctk_module_request)
		return;
	tracepoint_probe_unregister(ctk_module_request, ctk_note_request, NULL);
	tracepoint_synchronize_unregister();
}
