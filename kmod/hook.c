// SPDX-License-Identifier: GPL-2.0
/*
 * The hook on early_drop(), in its two forms, and the only code of ctk on a
 * packet's path.
 *
 * __nf_conntrack_alloc() calls early_drop(net, hash) when a namespace has
 * more entries than nf_conntrack_max and never otherwise, so a packet that
 * finds room executes nothing of this. True means that it evicted a chain to
 * make room, false that the caller is refused. Packets come with the hash of
 * their tuple, ctnetlink and BPF with 0 (net/netfilter/nf_conntrack_core.c,
 * nf_conntrack_netlink.c, nf_conntrack_bpf.c, 5.10 to 7.x); one packet in 2^32
 * hashes to 0 and is taken for an insertion.
 *
 * First form: a wrapper. An ftrace_ops with IPMODIFY sends callers of
 * early_drop() to ctk_early_drop(), which calls the original behind its
 * fentry call and counts the verdict. Exact. It is refused where another such
 * ops, a livepatch say, has the function.
 *
 * Second form: a kretprobe, which cannot run inside another kprobe handler
 * on its CPU and skips what interrupts one. It counts what it skipped.
 *
 * Attaching and detaching are serialised by ctk_attach_lock. ctk_hook_lock
 * guards what readers are told, and is never taken on a packet's path.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "compat.h"
#include "events.h"
#include "hook.h"
#include "netns.h"

#define CTK_SYMBOL "early_drop"

static const char * const ctk_hook_policies[] = {
	"auto", "wrapper", "kretprobe"
};

static enum { CTK_AUTO, CTK_WRAPPER, CTK_KRETPROBE } ctk_hook_policy;

static DEFINE_SPINLOCK(ctk_hook_lock);
static struct ctk_hook_info ctk_hook_now = { .symbol = CTK_SYMBOL };

static char ctk_hook_target[MODULE_NAME_LEN + sizeof(":" CTK_SYMBOL)];

#ifdef CTK_HAVE_WRAPPER

/*
 * early_drop() returns bool: only the low byte of the register is defined.
 * The wrapper hands the whole register back as it got it.
 */
typedef int (*ctk_early_drop_fn)(struct net *net, unsigned int hash);

static int ctk_early_drop_absent(struct net *net, unsigned int hash)
{
	return false;
}

DEFINE_STATIC_CALL(ctk_early_drop_original, ctk_early_drop_absent);

/*
 * A call of ctnetlink's, which on PREEMPT_RT can sleep on a lock inside the
 * original; see ctk_wrapper_detach().
 */
static notrace noinline int ctk_early_drop_insert(struct net *net)
{
	int verdict;

	rcu_read_lock();
	verdict = static_call(ctk_early_drop_original)(net, 0);
	ctk_netns_count(net, false, verdict & 0xff);
	rcu_read_unlock();
	return verdict;
}

/*
 * Stands in for early_drop(): same callers, same contexts. All that handle
 * packets do so in a read-side section.
 */
static notrace noinline int ctk_early_drop(struct net *net, unsigned int hash)
{
	int verdict;

	if (unlikely(!hash))
		return ctk_early_drop_insert(net);
	verdict = static_call(ctk_early_drop_original)(net, hash);
	ctk_netns_count(net, true, verdict & 0xff);
	return verdict;
}

static void notrace ctk_redirect(unsigned long ip, unsigned long parent_ip,
				 struct ftrace_ops *ops,
				 struct ctk_ftrace_regs *regs)
{
	ctk_ftrace_set_ip(regs, (unsigned long)ctk_early_drop);
}

static struct ftrace_ops ctk_wrapper_ops = {
	.func = ctk_redirect,
	.flags = CTK_FTRACE_OPS_FLAGS,
};

static unsigned long ctk_wrapper_ip;

/*
 * A kprobe that is born disabled changes no text; it finds the address by
 * the module's name as well, which ftrace's filter by name would not.
 */
static int ctk_find_target(unsigned long *ip)
{
	struct kprobe finder = {
		.symbol_name = ctk_hook_target,
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&finder);

	if (err)
		return err;
	*ip = (unsigned long)finder.addr;
	unregister_kprobe(&finder);
	return 0;
}

static void ctk_wrapper_forget(void)
{
	ftrace_set_filter_ip(&ctk_wrapper_ops, ctk_wrapper_ip, 1, 0);
	static_call_update(ctk_early_drop_original, ctk_early_drop_absent);
}

/*
 * The filter is set anew, whatever is left in it: forgetting may have failed
 * for lack of memory, and no other address may ever be redirected.
 *
 * The original is entered behind the fentry call: other tracers of it see
 * one call, not two, and it is a direct call, which indirect branch tracking
 * has no say in.
 */
static int ctk_wrapper_attach(void)
{
	int err = ctk_find_target(&ctk_wrapper_ip);

	if (err)
		return err;
	err = ftrace_set_filter_ip(&ctk_wrapper_ops, ctk_wrapper_ip, 0, 1);
	if (err)
		return err;
	static_call_update(ctk_early_drop_original,
			   (ctk_early_drop_fn)(ctk_wrapper_ip +
					       MCOUNT_INSN_SIZE));
	err = register_ftrace_function(&ctk_wrapper_ops);
	if (err)
		ctk_wrapper_forget();
	return err;
}

/*
 * Unregistering stops new calls. How long it waits itself is ftrace's affair,
 * and has changed; all the waiting that ctk needs is done here. A task can
 * still be on its way into ctk_early_drop(), inside a read-side section, or
 * on its way out. It cannot sleep on the way in or out, only be preempted, and
 * that is what synchronize_rcu_tasks() waits for; it may sleep in the section,
 * which is what synchronize_rcu() waits for. In this order nobody is left.
 */
static void ctk_wrapper_detach(void)
{
	WARN_ON_ONCE(unregister_ftrace_function(&ctk_wrapper_ops));
	synchronize_rcu_tasks();
	synchronize_rcu();
	synchronize_rcu_tasks();
	ctk_wrapper_forget();
}

#else

static int ctk_wrapper_attach(void)
{
	return -EOPNOTSUPP;
}

static void ctk_wrapper_detach(void)
{
}

#endif /* CTK_HAVE_WRAPPER */

struct ctk_call {
	struct net *net;
	unsigned int hash;
};

static int ctk_probe_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct ctk_call *call = (struct ctk_call *)ri->data;

	call->net = (struct net *)regs_get_kernel_argument(regs, 0);
	call->hash = regs_get_kernel_argument(regs, 1);
	return 0;
}

static int ctk_probe_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct ctk_call *call = (struct ctk_call *)ri->data;

	rcu_read_lock();
	ctk_netns_count(call->net, call->hash, regs_return_value(regs) & 0xff);
	rcu_read_unlock();
	return 0;
}

static struct kretprobe ctk_probe;

/*
 * early_drop() does not sleep but on PREEMPT_RT, so each CPU has at most a
 * task and a softirq in it; the rest is for preempted tasks. Too few is no
 * harm: those are counted as missed. Registering anew wants a clean struct,
 * and zeroes the two counts of what was missed.
 */
static int ctk_probe_attach(void)
{
	memset(&ctk_probe, 0, sizeof(ctk_probe));
	ctk_probe.kp.symbol_name = ctk_hook_target;
	ctk_probe.entry_handler = ctk_probe_entry;
	ctk_probe.handler = ctk_probe_return;
	ctk_probe.data_size = sizeof(struct ctk_call);
	ctk_probe.maxactive = max_t(int, 64, 4 * num_possible_cpus());
	return register_kretprobe(&ctk_probe);
}

static u64 ctk_probe_missed(void)
{
	return ctk_probe.kp.nmissed + (unsigned int)ctk_probe.nmissed;
}

/* What the kretprobe missed is kept before its own count is lost. */
static void ctk_hook_set(enum ctk_hook_form form, enum ctk_hook_state state,
			 int wrapper_error, int error)
{
	spin_lock(&ctk_hook_lock);
	if (ctk_hook_now.state != CTK_HOOK_STATE_OFF &&
	    ctk_hook_now.form == CTK_HOOK_FORM_KRETPROBE)
		ctk_hook_now.missed += ctk_probe_missed();
	ctk_hook_now.form = form;
	ctk_hook_now.state = state;
	ctk_hook_now.wrapper_error = wrapper_error;
	ctk_hook_now.error = error;
	spin_unlock(&ctk_hook_lock);
}

/**
 * ctk_hook_set_policy() - choose the form of the hook
 * @name: the module parameter: auto, wrapper or kretprobe
 *
 * Context: module init, before anything is attached.
 *
 * Return: 0, or -EINVAL for a name that is none of these.
 */
int ctk_hook_set_policy(const char *name)
{
	int i = match_string(ctk_hook_policies, ARRAY_SIZE(ctk_hook_policies),
			     name);

	if (i < 0)
		return -EINVAL;
	ctk_hook_policy = i;
	return 0;
}

/**
 * ctk_hook_attach() - hook early_drop(), in the best form there is
 * @module: where it lives; NULL when it is built in
 *
 * A hook that cannot be had is no reason not to load: the kernel's own
 * counters still tell the losses, only not their kind. Readers are told.
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_hook_attach(const char *module)
{
	enum ctk_hook_form form = CTK_HOOK_FORM_WRAPPER;
	int wrapper_error = 0;
	int error;

	if (module)
		snprintf(ctk_hook_target, sizeof(ctk_hook_target),
			 "%s:" CTK_SYMBOL, module);
	else
		strscpy(ctk_hook_target, CTK_SYMBOL, sizeof(ctk_hook_target));

	if (ctk_hook_policy != CTK_KRETPROBE) {
		error = ctk_wrapper_attach();
		wrapper_error = error;
	}
	if (ctk_hook_policy == CTK_KRETPROBE ||
	    (ctk_hook_policy == CTK_AUTO && wrapper_error)) {
		form = CTK_HOOK_FORM_KRETPROBE;
		error = ctk_probe_attach();
	}

	ctk_hook_set(form, error ? CTK_HOOK_STATE_OFF : CTK_HOOK_STATE_ON,
		     wrapper_error, error);
	if (wrapper_error)
		pr_info("no wrapper on %s: %d\n", ctk_hook_target,
			wrapper_error);
	if (error)
		pr_warn("no hook on %s: %d; table-full drops are not told from others\n",
			ctk_hook_target, error);
}

/**
 * ctk_hook_detach() - take the hook off, if it is on
 *
 * No packet runs code of ctk when it returns.
 *
 * Context: process, under ctk_attach_lock. Sleeps.
 */
void ctk_hook_detach(void)
{
	if (ctk_hook_now.state == CTK_HOOK_STATE_OFF)
		return;
	if (ctk_hook_now.form == CTK_HOOK_FORM_WRAPPER)
		ctk_wrapper_detach();
	else
		unregister_kretprobe(&ctk_probe);
	ctk_hook_set(ctk_hook_now.form, CTK_HOOK_STATE_OFF,
		     ctk_hook_now.wrapper_error, 0);
}

/**
 * ctk_hook_sees() - the hook was seen to count
 *
 * Context: process.
 */
void ctk_hook_sees(void)
{
	spin_lock(&ctk_hook_lock);
	if (ctk_hook_now.state == CTK_HOOK_STATE_BLIND)
		ctk_hook_now.state = CTK_HOOK_STATE_ON;
	spin_unlock(&ctk_hook_lock);
}

/**
 * ctk_hook_is_blind() - the kernel dropped at a full table, the hook saw none
 * @missed: how many
 *
 * It stays blind until ctk_hook_sees(). Of the look in which it went blind,
 * what was lost after the last call it saw is not in @missed; no loss is
 * missing from other_drops.
 *
 * Context: process.
 */
void ctk_hook_is_blind(u64 missed)
{
	struct ctk_event event = { .type = CTK_EVENT_HOOK_BLIND };

	spin_lock(&ctk_hook_lock);
	if (ctk_hook_now.state == CTK_HOOK_STATE_ON) {
		ctk_hook_now.state = CTK_HOOK_STATE_BLIND;
		ctk_event_add(&event, NULL);
	}
	ctk_hook_now.missed += missed;
	spin_unlock(&ctk_hook_lock);
}

/**
 * ctk_hook_read() - what there is to tell of the hook
 * @info: filled
 *
 * Context: process.
 */
void ctk_hook_read(struct ctk_hook_info *info)
{
	spin_lock(&ctk_hook_lock);
	*info = ctk_hook_now;
	if (info->state != CTK_HOOK_STATE_OFF &&
	    info->form == CTK_HOOK_FORM_KRETPROBE)
		info->missed += ctk_probe_missed();
	spin_unlock(&ctk_hook_lock);
	info->missed += atomic64_read(&ctk_netns_uncounted);
}

/**
 * ctk_hook_summary() - in one word, for whoever reads table-full drops
 * @info: from ctk_hook_read()
 */
enum ctk_hook ctk_hook_summary(const struct ctk_hook_info *info)
{
	if (info->state != CTK_HOOK_STATE_ON)
		return CTK_HOOK_BLIND;
	return info->form == CTK_HOOK_FORM_WRAPPER ? CTK_HOOK_WRAPPER :
						     CTK_HOOK_KRETPROBE;
}
