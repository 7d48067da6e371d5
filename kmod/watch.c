// SPDX-License-Identifier: GPL-2.0
/*
 * The look at every namespace: growth, peak, loss rate, the end of an
 * episode, and whether the hook is blind.
 *
 * One work item, once a second while nf_conntrack is live, in process
 * context. It takes the lock of one namespace at a time, holds an RCU
 * read-side section no longer than that, and may sleep between; an idle
 * namespace costs it one read of its entries. It writes nothing that a packet
 * waits for.
 */
#include <linux/math64.h>
#include <linux/ktime.h>
#include <linux/workqueue.h>
#include "attach.h"
#include "hook.h"
#include "netns.h"
#include "watch.h"

/**
 * struct ctk_look - one look at all namespaces, summed up
 * @calls: the hook counted something since the last look
 * @unseen: drops at a full table that it did not count
 */
struct ctk_look {
	bool calls;
	u64 unseen;
};

/* An episode ends when nothing was lost to a full table for this long. */
#define CTK_QUIET (10ULL * NSEC_PER_SEC)

/* One look in so many at an idle namespace is a full one. */
#define CTK_SKIPS 60

static void ctk_watch_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(ctk_watch, ctk_watch_work);

/* Entries per second between the oldest sample and the newest. */
static void ctk_watch_growth(struct ctk_watch_state *w, u32 entries, u64 now)
{
	u8 oldest = w->filled < CTK_WINDOW ? 0 : w->next;
	u64 msecs;

	msecs = w->filled ? jiffies_to_msecs(now - w->window_time[oldest]) : 0;
	if (msecs)
		w->growth_rate = div64_s64(((s64)entries - w->window[oldest]) *
					   MSEC_PER_SEC, msecs);
	w->window[w->next] = entries;
	w->window_time[w->next] = now;
	w->next = (w->next + 1) % CTK_WINDOW;
	if (w->filled < CTK_WINDOW)
		w->filled++;
}

/* The looks that were cut short had found an empty table, up to the last. */
static void ctk_watch_wake(struct ctk_watch_state *w, u64 now)
{
	w->filled = 1;
	w->next = 1;
	w->window[0] = 0;
	w->window_time[0] = now - HZ;
}

static u64 ctk_calls(const struct ctk_losses *l)
{
	return l->table_full_drops + l->refused_inserts +
	       l->admitted_by_eviction;
}

/**
 * ctk_watch_restart() - begin the rates anew, from totals that are known
 * @w: of a namespace that is locked
 * @l: its totals
 */
void ctk_watch_restart(struct ctk_watch_state *w, const struct ctk_losses *l)
{
	*w = (struct ctk_watch_state){
		.lost = ctk_losses_sum(l),
		.other = l->other_drops,
		.calls = ctk_calls(l),
	};
}

/*
 * Drops that the hook did not count, at a full table, while it counts nothing
 * at all, are what a blind hook looks like. They are losses to a full table
 * then, and of the present.
 */
static void ctk_watch_blindness(struct ctk_netns *ns,
				const struct ctk_losses *l, bool full,
				struct ctk_look *look)
{
	struct ctk_watch_state *w = &ns->watch;
	u64 calls = ctk_calls(l);

	if (calls != w->calls) {
		look->calls = true;
	} else if (full && l->other_drops != w->other) {
		look->unseen += l->other_drops - w->other;
		ns->full_loss = ns->last_loss;
		if (!READ_ONCE(ns->losing_since))
			ctk_netns_mark_losing(ns);
	}
	w->calls = calls;
	w->other = l->other_drops;
}

static void ctk_watch_loss_rate(struct ctk_watch_state *w, u64 lost, u64 now)
{
	u64 msecs = jiffies_to_msecs(now - w->looked);

	/* Rounded up: a loss is never a rate of nothing. */
	w->loss_rate = w->looked && msecs ?
		       DIV64_U64_ROUND_UP((lost - w->lost) * MSEC_PER_SEC,
					  msecs) : 0;
	w->looked = now;
	w->lost = lost;
}

/*
 * A loss marks its episode before it is counted. Finding no mark after the
 * counters were read therefore means that they hold no loss of an episode
 * yet to end, and that they can serve as the next one's zero. Clearing the
 * mark can race with a loss that still saw it: then it is put back.
 */
static void ctk_watch_episode(struct ctk_netns *ns)
{
	u64 since, quiet;

	smp_rmb();	/* pairs with cmpxchg64() in ctk_netns_mark_losing() */
	since = READ_ONCE(ns->losing_since);
	if (since) {
		quiet = ktime_get_boottime_ns() - max(since, ns->full_loss);
		if ((s64)(quiet - CTK_QUIET) < 0)
			return;
		xchg(&ns->losing_since, 0);
		if (ctk_netns_hook_loss(ns) != ns->hook_loss) {
			WRITE_ONCE(ns->losing_since, since);
			return;
		}
	}
	ns->quiet_lost = ns->watch.lost;
}

static void ctk_watch_netns(struct ctk_netns *ns, void *arg)
{
	const struct ctk_conntrack *ct = ctk_conntrack_rcu();
	struct ctk_watch_state *w = &ns->watch;
	u64 now = get_jiffies_64();
	struct ctk_losses l;
	u32 entries, limit;

	if (!ct || !READ_ONCE(ns->listed))
		return;
	entries = ctk_conntrack_entries(ct, ns->net);
	limit = READ_ONCE(*ct->max);
	if (w->idle && !entries && !READ_ONCE(ns->losing_since) &&
	    ++w->skipped < CTK_SKIPS)
		return;
	if (w->idle)
		ctk_watch_wake(w, now);
	w->skipped = 0;

	ctk_netns_note_peak(ns, entries);
	ctk_watch_growth(w, entries, now);
	ctk_netns_gather(ns, &l);
	ctk_watch_blindness(ns, &l, limit && entries >= limit, arg);
	ctk_watch_loss_rate(w, ctk_losses_sum(&l), now);
	ctk_watch_episode(ns);
	w->idle = !entries && !w->growth_rate && !w->loss_rate &&
		  !READ_ONCE(ns->losing_since);
}

static void ctk_watch_work(struct work_struct *work)
{
	struct ctk_look look = { };

	ctk_netns_refresh();
	ctk_netns_for_each(ctk_watch_netns, &look);
	if (look.calls)
		ctk_hook_sees();
	else if (look.unseen)
		ctk_hook_is_blind(look.unseen);
	queue_delayed_work(system_unbound_wq, &ctk_watch, HZ);
}

/**
 * ctk_watch_start() - begin to look
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_watch_start(void)
{
	queue_delayed_work(system_unbound_wq, &ctk_watch, HZ);
}

/**
 * ctk_watch_stop() - look no more
 *
 * No look is under way when it returns.
 *
 * Context: process, under ctk_attach_lock, which a look does not take.
 */
void ctk_watch_stop(void)
{
	cancel_delayed_work_sync(&ctk_watch);
}
