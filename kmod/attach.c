// SPDX-License-Identifier: GPL-2.0
/*
 * nf_conntrack's comings and goings, and the one way to look at its data.
 *
 * ctk must not change what it diagnoses: nf_conntrack's reload is part of the
 * disease, so ctk neither depends on it nor holds a reference to it, however
 * short, save the one symbol_get() when it goes live. Readers are safe for
 * another reason. delete_module() sets MODULE_STATE_GOING before it calls
 * nf_conntrack's exit, and that exit unregisters pernet operations, which
 * waits for an RCU grace period before anything is freed (kernel/module,
 * net/core/net_namespace.c, 5.10 to 7.x). Whoever sees MODULE_STATE_LIVE
 * inside an RCU read-side section can therefore use nf_conntrack's data until
 * the end of that section. The notifier's own GOING comes after the exit, too
 * late for that, but early enough to take the hook off: the text is still
 * there.
 *
 * ctk_attach_lock serialises attaching and detaching. It is taken inside the
 * module notifier chain's rwsem and thus never held around registering with
 * that chain.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/ktime.h>
#include <net/netfilter/nf_conntrack.h>
#include "actor.h"
#include "attach.h"
#include "events.h"
#include "hook.h"
#include "netns.h"
#include "nomem.h"
#include "watch.h"

#define CONNTRACK "nf_conntrack"

static DEFINE_MUTEX(ctk_attach_lock);

/*
 * Under ctk_attach_lock: a hook was tried since it came; on a module, not on
 * what is built in; ctk is unloading.
 */
static bool ctk_hooked;
static const char *ctk_hooked_module;
static bool ctk_leaving;

static struct ctk_conntrack ctk_conntrack;
static const struct ctk_conntrack __rcu *ctk_conntrack_live;

/**
 * ctk_conntrack_rcu() - nf_conntrack, if it is there to be looked at
 *
 * Context: any; the caller is in an RCU read-side section and uses the
 * result in that section only.
 *
 * Return: NULL when it is absent, still coming, or going.
 */
const struct ctk_conntrack *ctk_conntrack_rcu(void)
{
	const struct ctk_conntrack *ct = rcu_dereference(ctk_conntrack_live);

	if (ct && ct->module &&
	    READ_ONCE(ct->module->state) != MODULE_STATE_LIVE)
		return NULL;
	return ct;
}

/**
 * ctk_status_read() - what ctk is attached to, and how
 * @status: filled
 *
 * Context: process.
 */
void ctk_status_read(struct ctk_status *status)
{
	const struct ctk_conntrack *ct;

	*status = (struct ctk_status){
		.bucket_size = sizeof(struct hlist_nulls_head),
		.entry_size = sizeof(struct nf_conn),
	};
	ctk_hook_read(&status->hook);
	status->has_nomem = ctk_nomem_read(&status->nomem);
	ctk_attribution_read(&status->attribution);
	rcu_read_lock();
	ct = ctk_conntrack_rcu();
	if (ct) {
		status->attached = true;
		status->attached_since = ctk_boottime_to_real(ct->since);
		status->attached_by = ct->by;
		status->limit = READ_ONCE(*ct->max);
		status->buckets = READ_ONCE(*ct->buckets);
	}
	rcu_read_unlock();
}

/*
 * An address outlives the reference it was got with for as long as the
 * module is live, which ctk_conntrack_rcu() makes sure of.
 */
static void *ctk_symbol_address(const char *name)
{
	void *address = __symbol_get(name);

	if (address)
		__symbol_put(name);
	return address;
}

static int ctk_conntrack_resolve(const struct module *module)
{
	ctk_conntrack.module = module;
	ctk_conntrack.max = ctk_symbol_address("nf_conntrack_max");
	ctk_conntrack.buckets = ctk_symbol_address("nf_conntrack_htable_size");
	ctk_conntrack.hash = ctk_symbol_address("nf_conntrack_hash");
	ctk_conntrack.locks = ctk_symbol_address("nf_conntrack_locks");
	ctk_conntrack.lock = ctk_symbol_address("nf_conntrack_lock");
	ctk_conntrack.since = ktime_get_boottime_ns();
#ifdef CTK_COUNT_SYMBOL
	ctk_conntrack.count = ctk_symbol_address(CTK_COUNT_SYMBOL);
	if (!ctk_conntrack.count)
		return -ENOENT;
#endif
	return ctk_conntrack.max && ctk_conntrack.buckets ? 0 : -ENOENT;
}

static void ctk_conntrack_is_coming(const struct module *module)
{
	lockdep_assert_held(&ctk_attach_lock);
	if (ctk_hooked)
		return;
	ctk_hooked_module = module ? CONNTRACK : NULL;
	ctk_hook_attach(ctk_hooked_module);
	if (ctk_attribution_policy() == CTK_ATTRIBUTION_ON)
		ctk_nomem_attach(ctk_hooked_module);
	ctk_actor_attach(ctk_hooked_module);
	ctk_hooked = true;
}

static void ctk_tell(enum ctk_event_type type, const struct ctk_actor *actor)
{
	struct ctk_event event = {
		.type = type,
		.has = CTK_EVENT_HAS(LIMIT) | CTK_EVENT_HAS(BUCKETS),
		.limit = READ_ONCE(*ctk_conntrack.max),
		.buckets = READ_ONCE(*ctk_conntrack.buckets),
		.actor = *actor,
	};

	ctk_event_add(&event, NULL);
}

/*
 * Usually the hook is on by now, since nf_conntrack was seen to come, and has
 * counted from zero as the kernel has. Where ctk came later, what the kernel
 * dropped before is not ctk's to explain: a new epoch begins once the packets
 * are through that were in early_drop() before the hook was. Who loaded it is
 * not known then: the present process is only the one that loads ctk.
 */
static void ctk_conntrack_is_live(const struct module *module)
{
	bool late = !ctk_hooked;

	if (rcu_access_pointer(ctk_conntrack_live))
		return;
	ctk_conntrack_is_coming(module);
	if (ctk_conntrack_resolve(module)) {
		pr_warn(CONNTRACK " lacks a symbol, its tables are not read\n");
		return;
	}
	ctk_conntrack.by = (struct ctk_actor){ };
	if (!late)
		ctk_actor_of_load(&ctk_conntrack.by);
	ctk_actor_baseline(&ctk_conntrack);
	rcu_assign_pointer(ctk_conntrack_live, &ctk_conntrack);
	ctk_tell(CTK_EVENT_ATTACHED, &ctk_conntrack.by);
	if (late) {
		synchronize_rcu();
		ctk_netns_epoch_begins();
	}
	ctk_watch_start();
}

static void ctk_conntrack_is_gone(void)
{
	lockdep_assert_held(&ctk_attach_lock);
	rcu_assign_pointer(ctk_conntrack_live, NULL);
	/* Readers are done with ctk_conntrack before it is written again. */
	synchronize_rcu();
	ctk_watch_stop();
	ctk_actor_detach();
	ctk_nomem_detach();
	ctk_hook_detach();
	ctk_hooked = false;
	ctk_netns_epoch_ends();
}

/* Its exit has run, but its memory is still there. */
static void ctk_conntrack_is_going(void)
{
	struct ctk_actor actor;

	if (rcu_access_pointer(ctk_conntrack_live)) {
		ctk_actor_of_current(&actor);
		ctk_tell(CTK_EVENT_DETACHED, &actor);
	}
	ctk_conntrack_is_gone();
}

static void ctk_conntrack_is(const struct module *module, unsigned long state)
{
	lockdep_assert_held(&ctk_attach_lock);
	if (ctk_leaving)
		return;
	switch (state) {
	case MODULE_STATE_COMING:
		ctk_conntrack_is_coming(module);
		break;
	case MODULE_STATE_LIVE:
		ctk_conntrack_is_live(module);
		break;
	case MODULE_STATE_GOING:
		ctk_conntrack_is_going();
		break;
	}
}

static int ctk_module_event(struct notifier_block *nb, unsigned long event,
			    void *data)
{
	const struct module *module = data;

	if (strcmp(module->name, CONNTRACK))
		return NOTIFY_DONE;
	mutex_lock(&ctk_attach_lock);
	ctk_conntrack_is(module, event);
	mutex_unlock(&ctk_attach_lock);
	return NOTIFY_DONE;
}

static struct notifier_block ctk_module_notifier = {
	.notifier_call = ctk_module_event,
};

/**
 * ctk_attach_nomem() - hook for want of memory, or not, as attribution says
 *
 * Registering a probe holds nf_conntrack for a moment, so this, which an
 * administrator asks for, is the one case in which ctk can get into the way of
 * an unloading that is about to begin; one that has begun is left alone.
 *
 * Context: process. Sleeps. At any time, also before init and after exit.
 */
void ctk_attach_nomem(void)
{
	bool wanted = ctk_attribution_policy() == CTK_ATTRIBUTION_ON;
	bool live;

	mutex_lock(&ctk_attach_lock);
	rcu_read_lock();
	live = ctk_conntrack_rcu();
	rcu_read_unlock();
	if (!ctk_hooked || !wanted)
		ctk_nomem_detach();
	else if (live)
		ctk_nomem_attach(ctk_hooked_module);
	mutex_unlock(&ctk_attach_lock);
}

/**
 * ctk_attach_init() - look for nf_conntrack, now and from now on
 *
 * Context: process, at module init, after ctk_netns_init().
 *
 * Return: 0, or a negative errno with nothing registered.
 */
int ctk_attach_init(void)
{
	const struct module *module;
	struct kobject *kobj;
	int err;

	err = register_module_notifier(&ctk_module_notifier);
	if (err)
		return err;

	/*
	 * It may be there already. Its kobject is held meanwhile, which does
	 * not refuse its removal but delays the end of it, so the module's
	 * struct stays. An event that was missed has left its state behind,
	 * and one still to come waits for the lock that the state is read
	 * under: all steps can be taken twice, but not in another order.
	 * A built-in module with parameters has a kobject, but no struct.
	 */
	kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, CONNTRACK);
	if (kobj) {
		module = container_of(kobj, struct module_kobject, kobj)->mod;
		mutex_lock(&ctk_attach_lock);
		ctk_conntrack_is(module, module ? READ_ONCE(module->state) :
						  MODULE_STATE_LIVE);
		mutex_unlock(&ctk_attach_lock);
		kobject_put(kobj);
	}
	return 0;
}

/**
 * ctk_attach_exit() - let go of nf_conntrack
 *
 * Nothing of ctk runs on a packet's path or looks at nf_conntrack after it.
 *
 * Context: process, at module exit, with no reader left.
 */
void ctk_attach_exit(void)
{
	mutex_lock(&ctk_attach_lock);
	ctk_conntrack_is_gone();
	/* Until the notifier is gone, let it find nothing to do. */
	ctk_leaving = true;
	mutex_unlock(&ctk_attach_lock);
	unregister_module_notifier(&ctk_module_notifier);
	ctk_watch_exit();
}
