// SPDX-License-Identifier: GPL-2.0
/*
 * When lost packets are looked at one by one: never, always, or from the
 * first loss until there was none for a while. That look costs every packet
 * that the kernel frees for any loss, so it is not there while nobody loses.
 *
 * ctk_attribution_lock serialises changes, in process context, and is held
 * while the look is registered and while tables are allocated. Arming is the
 * business of one work item; whoever finds a loss queues it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "attribution.h"
#include "compat.h"
#include "lost.h"
#include "mark.h"
#include "netns.h"
#include "offender.h"

/* Armed until nothing was lost, in any namespace, for this long. */
#define CTK_DISARM_AFTER (60 * HZ)

static const char * const ctk_attribution_names[] = {
	[CTK_ATTRIBUTION_AUTO]	= "auto",
	[CTK_ATTRIBUTION_ON]	= "on",
	[CTK_ATTRIBUTION_OFF]	= "off",
};

static DEFINE_MUTEX(ctk_attribution_lock);

/* Under it; read by anyone. */
static enum ctk_attribution ctk_attribution_now = CTK_ATTRIBUTION_AUTO;
static bool ctk_armed;

/* Under it: between init and exit. */
static bool ctk_attribution_running;

/* jiffies_64 of the last time that somebody was found to lose packets. */
static u64 ctk_last_losing;

static void ctk_attribution_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(ctk_attribution_worker, ctk_attribution_work);

static bool ctk_wants_offenders(const struct ctk_netns *ns)
{
	if (READ_ONCE(ns->offenders))
		return false;
	return ctk_attribution_now == CTK_ATTRIBUTION_ON ||
	       READ_ONCE(ns->losing_since) ||
	       READ_ONCE(ns->watch.chain_since);
}

/* One that there is no memory for is tried again with the next loss. */
static void ctk_give_offenders(void)
{
	struct ctk_offenders *o;
	struct net *net;
	u64 id;

	lockdep_assert_held(&ctk_attribution_lock);
	for (id = 1; (net = ctk_netns_get_next(&id, ctk_wants_offenders));
	     id++) {
		o = ctk_offenders_alloc();
		if (o)
			/* Filled before it is seen; pairs with its readers. */
			smp_store_release(&ctk_netns_of(net)->offenders, o);
		put_net(net);
	}
}

static void ctk_arm(void)
{
	int err;

	lockdep_assert_held(&ctk_attribution_lock);
	if (ctk_armed)
		return;
	err = ctk_lost_register();
	if (err) {
		pr_warn_once("lost packets cannot be looked at: %d\n", err);
		return;
	}
	WRITE_ONCE(ctk_armed, true);
	WRITE_ONCE(ctk_marking, true);
}

/*
 * Netfilter handles a packet, and frees it, in one read-side section, so the
 * marks that were left are redeemed before nobody can do so any more.
 */
static void ctk_disarm(void)
{
	lockdep_assert_held(&ctk_attribution_lock);
	if (!ctk_armed)
		return;
	WRITE_ONCE(ctk_marking, false);
	synchronize_rcu();
	ctk_lost_unregister();
	WRITE_ONCE(ctk_armed, false);
}

/* jiffies for which it stays armed by itself. */
static u64 ctk_armed_for(void)
{
	u64 quiet = get_jiffies_64() - READ_ONCE(ctk_last_losing);

	return READ_ONCE(ctk_last_losing) && quiet < CTK_DISARM_AFTER ?
	       CTK_DISARM_AFTER - quiet : 0;
}

static void ctk_attribution_apply(void)
{
	u64 armed_for = ctk_armed_for();

	lockdep_assert_held(&ctk_attribution_lock);
	if (ctk_attribution_now == CTK_ATTRIBUTION_ON ||
	    (ctk_attribution_now == CTK_ATTRIBUTION_AUTO && armed_for)) {
		ctk_arm();
		ctk_give_offenders();
	} else {
		ctk_disarm();
	}
	if (ctk_attribution_now == CTK_ATTRIBUTION_AUTO && armed_for)
		queue_delayed_work(ctk_unbound_wq, &ctk_attribution_worker,
				   armed_for);
}

static void ctk_attribution_work(struct work_struct *work)
{
	mutex_lock(&ctk_attribution_lock);
	if (ctk_attribution_running)
		ctk_attribution_apply();
	mutex_unlock(&ctk_attribution_lock);
}

/**
 * ctk_attribution_losing() - somebody loses packets
 *
 * Context: process, at the first loss of an episode and once a second while
 * it goes on.
 */
void ctk_attribution_losing(void)
{
	WRITE_ONCE(ctk_last_losing, get_jiffies_64());
	if (READ_ONCE(ctk_attribution_now) != CTK_ATTRIBUTION_OFF)
		mod_delayed_work(ctk_unbound_wq, &ctk_attribution_worker, 0);
}

/**
 * ctk_attribution_set() - choose when lost packets are looked at
 * @name: auto, on or off; a newline may follow
 *
 * It is so when this returns; before init it is remembered only.
 *
 * Context: process. Sleeps.
 *
 * Return: 0, or -EINVAL for a name that is none of these.
 */
int ctk_attribution_set(const char *name)
{
	int i = sysfs_match_string(ctk_attribution_names, name);

	if (i < 0)
		return -EINVAL;
	mutex_lock(&ctk_attribution_lock);
	WRITE_ONCE(ctk_attribution_now, i);
	if (ctk_attribution_running)
		ctk_attribution_apply();
	mutex_unlock(&ctk_attribution_lock);
	return 0;
}

/**
 * ctk_attribution_policy() - when lost packets are looked at
 *
 * Context: any.
 */
enum ctk_attribution ctk_attribution_policy(void)
{
	return READ_ONCE(ctk_attribution_now);
}

/**
 * ctk_attribution_name() - as the module parameter has it
 * @policy: one of those
 */
const char *ctk_attribution_name(enum ctk_attribution policy)
{
	return ctk_attribution_names[policy];
}

/**
 * ctk_attribution_read() - what there is to tell of it
 * @info: filled
 *
 * Context: process.
 */
void ctk_attribution_read(struct ctk_attribution_info *info)
{
	*info = (struct ctk_attribution_info){
		.policy = ctk_attribution_policy(),
		.armed = READ_ONCE(ctk_armed),
		.marks_lost = atomic64_read(&ctk_marks_lost),
	};
}

/**
 * ctk_attribution_init() - from now on, as the policy says
 *
 * Context: module init, after ctk_attach_init(): what chains cost before is
 * known then.
 */
void ctk_attribution_init(void)
{
	mutex_lock(&ctk_attribution_lock);
	ctk_attribution_running = true;
	ctk_attribution_apply();
	mutex_unlock(&ctk_attribution_lock);
}

/**
 * ctk_attribution_exit() - look no more
 *
 * Context: module exit, when nobody finds losses any more. The parameter can
 * still be written to.
 */
void ctk_attribution_exit(void)
{
	mutex_lock(&ctk_attribution_lock);
	ctk_attribution_running = false;
	ctk_disarm();
	mutex_unlock(&ctk_attribution_lock);
	cancel_delayed_work_sync(&ctk_attribution_worker);
}
