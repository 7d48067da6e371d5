// SPDX-License-Identifier: GPL-2.0
/*
 * The moment is kept: when an episode of losses begins, a census of that
 * namespace is taken, and it stays when the table has long drained.
 *
 * A work item takes them, one after the other, those first that have waited
 * longest, and rests between two for some times as long as the last one took.
 * What it is to do is written into the namespace, under its lock, by watch.c,
 * which tells no begin of a kind within ten seconds of the last. The namespace
 * is referenced while its entries are counted, so that no other can get its
 * address. Of each kind the last CTK_MOMENTS of a namespace are kept, and of all
 * the last CTK_MOMENTS_OF_ALL, those of the initial namespace apart, which
 * nobody who makes namespaces can bury.
 *
 * ctk_moment_lock: the list of those kept, by number, and whose census is under
 * way. Process context only; never held while counting.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "census.h"
#include "compat.h"
#include "moment.h"
#include "netns.h"

/* Kept of each kind of a namespace, and of all. */
#define CTK_MOMENTS 4
#define CTK_MOMENTS_OF_ALL 1024

/*
 * How many times as long it rests as it works, for others use those locks, too;
 * but not for so long that a namespace's next begin would find one waiting.
 */
#define CTK_MOMENT_REST 10
#define CTK_MOMENT_REST_MOST (5 * NSEC_PER_SEC)

/**
 * struct ctk_moment - a census that was kept
 * @list: in ctk_moments
 * @seq: counts all that were ever kept
 * @kind: of losses
 * @census: it
 */
struct ctk_moment {
	struct list_head list;
	u64 seq;
	enum ctk_moment_kind kind;
	struct ctk_census census;
};

/**
 * struct ctk_moment_wish - the next one to take
 * @netns_id: of whom, 0 for none
 * @kind: for which losses
 * @since: when they began
 * @taken: it is still wished for
 */
struct ctk_moment_wish {
	u64 netns_id;
	enum ctk_moment_kind kind;
	u64 since;
	bool taken;
};

static DEFINE_MUTEX(ctk_moment_lock);
static LIST_HEAD(ctk_moments);
static u64 ctk_moment_seq;

/* The namespace whose census is under way, unless it is to be forgotten. */
static u64 ctk_moment_of;

static void ctk_moment_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(ctk_moment, ctk_moment_work);

/**
 * ctk_moment_want() - an episode has begun
 * @ns: the namespace, locked
 * @kind: of what losses
 * @since: CLOCK_BOOTTIME nanoseconds, when
 *
 * One that is being deleted is not counted any more.
 *
 * Context: process.
 */
void ctk_moment_want(struct ctk_netns *ns, enum ctk_moment_kind kind, u64 since)
{
	lockdep_assert_held(&ns->lock);
	if (ns->leaving)
		return;
	ns->moments[kind] = since;
	queue_delayed_work(ctk_unbound_wq, &ctk_moment, 0);
}

static void ctk_moment_find_wish(struct ctk_netns *ns, void *arg)
{
	struct ctk_moment_wish *wish = arg;
	int kind;

	for (kind = 0; kind < CTK_MOMENT_KINDS; kind++) {
		u64 since = ns->moments[kind];

		if (!since || (wish->netns_id && wish->since <= since))
			continue;
		wish->netns_id = ns->id;
		wish->kind = kind;
		wish->since = since;
	}
}

/* Unless it was forgotten meanwhile. */
static void ctk_moment_take_wish(struct ctk_netns *ns, void *arg)
{
	struct ctk_moment_wish *wish = arg;

	if (ns->id != wish->netns_id || ns->moments[wish->kind] != wish->since)
		return;
	ns->moments[wish->kind] = 0;
	wish->taken = true;
}

static void ctk_moment_free(struct ctk_moment *m)
{
	list_del(&m->list);
	kfree(m);
}

/* Drops the oldest of its kind, or of all, where there are enough. */
static void ctk_moment_make_room(const struct ctk_moment *new)
{
	struct ctk_moment *m, *oldest = NULL, *oldest_of_all = NULL;
	u64 initial = ctk_netns_id_of(&init_net);
	int kept = 0, all = 0;

	list_for_each_entry(m, &ctk_moments, list) {
		if (m->census.netns_id != initial && !all++)
			oldest_of_all = m;
		if (m->census.netns_id != new->census.netns_id ||
		    m->kind != new->kind)
			continue;
		if (!kept++)
			oldest = m;
	}
	if (kept >= CTK_MOMENTS)
		ctk_moment_free(oldest);
	else if (all >= CTK_MOMENTS_OF_ALL)
		ctk_moment_free(oldest_of_all);
}

static void ctk_moment_keep(struct ctk_moment *new)
{
	lockdep_assert_held(&ctk_moment_lock);
	ctk_moment_make_room(new);
	new->seq = ++ctk_moment_seq;
	list_add_tail(&new->list, &ctk_moments);
}

static void ctk_moment_set_current(u64 netns_id)
{
	mutex_lock(&ctk_moment_lock);
	ctk_moment_of = netns_id;
	mutex_unlock(&ctk_moment_lock);
}

/*
 * One that cannot be taken, for want of memory or of nf_conntrack, is not.
 * Returns the nanoseconds that it took.
 */
static u64 ctk_moment_take(struct net *net, const struct ctk_moment_wish *wish)
{
	struct ctk_moment *m = kzalloc(sizeof(*m), GFP_KERNEL);
	u64 took;
	int err;

	if (!m)
		return 0;
	err = ctk_census_take(net, false, &m->census);
	took = m->census.duration;
	m->census.since = wish->since;
	m->kind = wish->kind;
	mutex_lock(&ctk_moment_lock);
	if (!err && ctk_moment_of == wish->netns_id) {
		ctk_moment_keep(m);
		m = NULL;
	}
	ctk_moment_of = 0;
	mutex_unlock(&ctk_moment_lock);
	kfree(m);
	return took;
}

static void ctk_moment_work(struct work_struct *work)
{
	struct ctk_moment_wish wish = { };
	struct net *net;
	u64 took = 0;

	ctk_netns_for_each(ctk_moment_find_wish, &wish);
	if (!wish.netns_id)
		return;
	/* Before the wish is taken, so that a reset finds the one or other. */
	ctk_moment_set_current(wish.netns_id);
	ctk_netns_for_each(ctk_moment_take_wish, &wish);
	net = wish.taken ? ctk_netns_get(wish.netns_id) : NULL;
	if (net) {
		took = ctk_moment_take(net, &wish);
		put_net(net);
	}
	queue_delayed_work(ctk_unbound_wq, &ctk_moment,
			   nsecs_to_jiffies64(min_t(u64, took * CTK_MOMENT_REST,
						    CTK_MOMENT_REST_MOST)));
}

/**
 * ctk_moment_forget() - drop what was kept of a namespace
 * @ns: the namespace, which is reset or being deleted
 *
 * Context: process. Sleeps.
 */
void ctk_moment_forget(struct ctk_netns *ns)
{
	struct ctk_moment *m, *next;

	spin_lock(&ns->lock);
	memset(ns->moments, 0, sizeof(ns->moments));
	spin_unlock(&ns->lock);
	mutex_lock(&ctk_moment_lock);
	if (ctk_moment_of == ns->id)
		ctk_moment_of = 0;
	list_for_each_entry_safe(m, next, &ctk_moments, list)
		if (m->census.netns_id == ns->id)
			ctk_moment_free(m);
	mutex_unlock(&ctk_moment_lock);
}

/**
 * ctk_moment_next() - the next of those kept
 * @after: the number of the last, 0 for the first
 * @netns_id: of this namespace only, 0 for all
 * @seq: set to its number
 * @census: filled
 *
 * Context: process. Sleeps.
 *
 * Return: false after the last.
 */
bool ctk_moment_next(u64 after, u64 netns_id, u64 *seq,
		     struct ctk_census *census)
{
	struct ctk_moment *m;
	bool found = false;

	mutex_lock(&ctk_moment_lock);
	list_for_each_entry(m, &ctk_moments, list) {
		if (m->seq <= after ||
		    (netns_id && m->census.netns_id != netns_id))
			continue;
		*census = m->census;
		*seq = m->seq;
		found = true;
		break;
	}
	mutex_unlock(&ctk_moment_lock);
	return found;
}

/**
 * ctk_moment_exit() - take none any more, and drop those that were kept
 *
 * Context: module exit, when nothing watches any more: from now on begins are
 * told of namespaces only that are being deleted, which wish for nothing.
 */
void ctk_moment_exit(void)
{
	struct ctk_moment *m, *next;

	cancel_delayed_work_sync(&ctk_moment);
	list_for_each_entry_safe(m, next, &ctk_moments, list)
		ctk_moment_free(m);
}
