// SPDX-License-Identifier: GPL-2.0
/*
 * The look at every namespace: growth, peak, loss rate, thresholds, the begin
 * and the end of an episode, and whether the hook is blind.
 *
 * One work item, once a second while nf_conntrack is live, in process
 * context. It takes the lock of one namespace at a time, holds an RCU
 * read-side section no longer than that, and may sleep between; an idle
 * namespace costs it one read of its entries. It writes nothing that a packet
 * waits for.
 *
 * The first loss of an episode does not wait for that: it kicks a second work
 * item, through an irq_work, since queueing takes locks that a packet's path
 * must not.
 */
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/ktime.h>
#include <linux/workqueue.h>
#include "actor.h"
#include "attach.h"
#include "attribution.h"
#include "compat.h"
#include "events.h"
#include "hook.h"
#include "moment.h"
#include "netns.h"
#include "watch.h"

/**
 * struct ctk_look - one look at all namespaces, summed up
 * @calls: the hook counted something since the last look
 * @unseen: drops at a full table that it did not count
 * @chains: somebody loses packets to chains that are too long; all share the
 *	chains, so nobody is idle
 * @losing: somebody loses packets, to chains or to a full table
 */
struct ctk_look {
	bool calls;
	u64 unseen;
	bool chains;
	bool losing;
};

/* An episode ends when nothing was lost to a full table for this long. */
#define CTK_QUIET (10ULL * NSEC_PER_SEC)

/*
 * Fill, in millionths, that is told when it is passed, and by how much it has
 * to be undercut to be told again: 80 % leaves time to act, at 95 % the
 * kernel's gc begins to evict (nf_conntrack_core.c, nf_conntrack_max95).
 */
static const u32 ctk_thresholds[] = { 800000, 950000 };
#define CTK_HYSTERESIS 50000

/* One look in so many at an idle namespace is a full one. */
#define CTK_SKIPS 60

static void ctk_watch_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(ctk_watch, ctk_watch_work);

/* The &ctk_look.chains of the last look; of the work item alone. */
static bool ctk_watch_all;

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
		.chains = l->chain_too_long_drops,
		.chain_quiet = l->chain_too_long_drops,
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

/* What the table is like now, for an event; under RCU. */
static void ctk_watch_describe(const struct ctk_netns *ns,
			       struct ctk_event *event)
{
	const struct ctk_conntrack *ct = ctk_conntrack_rcu();

	if (!ct || ns->leaving || !READ_ONCE(ns->listed))
		return;
	event->entries = ctk_conntrack_entries(ct, ns->net);
	event->limit = READ_ONCE(*ct->max);
	event->buckets = READ_ONCE(*ct->buckets);
	event->has |= CTK_EVENT_HAS(ENTRIES) | CTK_EVENT_HAS(LIMIT) |
		      CTK_EVENT_HAS(BUCKETS);
}

/*
 * An episode can be ended by a reset at any time, and the next begin with the
 * next loss. Lest whoever may reset his own namespace bury the events of others
 * so, a begin waits, for the look, until the last is a quiet spell old.
 */
static void ctk_watch_tell_begin(struct ctk_netns *ns,
				 enum ctk_moment_kind kind, u64 since,
				 bool *told, u64 *told_time)
{
	struct ctk_event event = {
		.type = kind == CTK_MOMENT_FULL ? CTK_EVENT_FULL_BEGIN :
						  CTK_EVENT_CHAIN_BEGIN,
		.time = since,
	};
	u64 now = ktime_get_boottime_ns();

	if (!since || *told || (*told_time && now - *told_time < CTK_QUIET))
		return;
	*told = true;
	*told_time = now;
	ctk_watch_describe(ns, &event);
	ctk_event_add(&event, ns);
	ctk_moment_want(ns, kind, since);
}

static void ctk_watch_full_begin(struct ctk_netns *ns, void *unused)
{
	ctk_watch_tell_begin(ns, CTK_MOMENT_FULL,
			     READ_ONCE(ns->losing_since), &ns->told,
			     &ns->told_time);
}

static void ctk_watch_full_end(struct ctk_netns *ns, u64 since, u64 lost)
{
	struct ctk_event event = {
		.type = CTK_EVENT_FULL_END,
		.has = CTK_EVENT_HAS(LOST) | CTK_EVENT_HAS(DURATION),
		.lost = lost - ns->quiet_lost,
		.duration = ns->full_loss > since ? ns->full_loss - since : 0,
	};

	if (ns->told)
		ctk_event_add(&event, ns);
	ns->told = false;
	ns->quiet_lost = lost;
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
	ctk_watch_full_begin(ns, NULL);
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
	ctk_watch_full_end(ns, since, ns->watch.lost);
}

static void ctk_watch_chain_end(struct ctk_netns *ns)
{
	struct ctk_watch_state *w = &ns->watch;
	struct ctk_event event = {
		.type = CTK_EVENT_CHAIN_END,
		.has = CTK_EVENT_HAS(LOST) | CTK_EVENT_HAS(DURATION),
		.lost = w->chains - w->chain_quiet,
		.duration = w->chain_loss - w->chain_since,
	};

	if (w->chain_told)
		ctk_event_add(&event, ns);
	w->chain_told = false;
	w->chain_since = 0;
	w->chain_quiet = w->chains;
}

/* No hook reports these losses, so each is dated by the look that finds it. */
static void ctk_watch_chains(struct ctk_netns *ns, const struct ctk_losses *l)
{
	struct ctk_watch_state *w = &ns->watch;
	u64 now = ktime_get_boottime_ns();

	if (l->chain_too_long_drops != w->chains) {
		w->chains = l->chain_too_long_drops;
		w->chain_loss = now;
		if (!w->chain_since)
			w->chain_since = now;
	}
	ctk_watch_tell_begin(ns, CTK_MOMENT_CHAIN, w->chain_since,
			     &w->chain_told, &ns->chain_told_time);
	if (w->chain_since && now - w->chain_loss >= CTK_QUIET)
		ctk_watch_chain_end(ns);
}

/**
 * ctk_watch_end() - whatever goes on in a namespace is over
 * @ns: the namespace, locked
 * @l: filled with its totals; what is lost after them begins a new episode
 *
 * Context: process, in an RCU read-side section.
 */
void ctk_watch_end(struct ctk_netns *ns, struct ctk_losses *l)
{
	u64 since;

	ctk_watch_full_begin(ns, NULL);
	since = xchg(&ns->losing_since, 0);
	ctk_netns_gather(ns, l);
	ctk_watch_full_end(ns, since, ctk_losses_sum(l));
	ctk_watch_chains(ns, l);
	ctk_watch_chain_end(ns);
}

static void ctk_watch_tell_threshold(struct ctk_netns *ns, u32 threshold,
				     u32 fill)
{
	struct ctk_event event = {
		.type = CTK_EVENT_THRESHOLD,
		.has = CTK_EVENT_HAS(THRESHOLD) | CTK_EVENT_HAS(FILL),
		.threshold = threshold,
		.fill = fill,
	};

	ctk_watch_describe(ns, &event);
	ctk_event_add(&event, ns);
}

static void ctk_watch_threshold(struct ctk_netns *ns, u32 fill)
{
	u8 *above = &ns->watch.threshold;

	while (*above < ARRAY_SIZE(ctk_thresholds) &&
	       fill >= ctk_thresholds[*above])
		ctk_watch_tell_threshold(ns, ctk_thresholds[(*above)++], fill);
	while (*above &&
	       fill < ctk_thresholds[*above - 1] - CTK_HYSTERESIS)
		ctk_watch_tell_threshold(ns, ctk_thresholds[--(*above)], fill);
}

static void ctk_watch_netns(struct ctk_netns *ns, void *arg)
{
	const struct ctk_conntrack *ct = ctk_conntrack_rcu();
	struct ctk_watch_state *w = &ns->watch;
	u64 now = get_jiffies_64();
	struct ctk_look *look = arg;
	struct ctk_losses l;
	u32 entries, limit;

	if (!ct || !READ_ONCE(ns->listed))
		return;
	entries = ctk_conntrack_entries(ct, ns->net);
	limit = READ_ONCE(*ct->max);
	if (w->idle && !entries && !READ_ONCE(ns->losing_since) &&
	    !ctk_watch_all && ++w->skipped < CTK_SKIPS)
		return;
	if (w->idle)
		ctk_watch_wake(w, now);
	w->skipped = 0;

	ctk_netns_note_peak(ns, entries);
	ctk_watch_growth(w, entries, now);
	ctk_netns_gather(ns, &l);
	ctk_watch_blindness(ns, &l, limit && entries >= limit, look);
	ctk_watch_loss_rate(w, ctk_losses_sum(&l), now);
	ctk_watch_threshold(ns, ctk_fill(entries, limit));
	ctk_watch_chains(ns, &l);
	look->chains |= w->chain_since;
	look->losing |= w->chain_since || READ_ONCE(ns->losing_since);
	ctk_watch_episode(ns);
	w->idle = !entries && !w->growth_rate && !w->loss_rate &&
		  !w->chain_since && !READ_ONCE(ns->losing_since);
}

static void ctk_watch_work(struct work_struct *work)
{
	const struct ctk_conntrack *ct;
	struct ctk_look look = { };

	rcu_read_lock();
	ct = ctk_conntrack_rcu();
	if (ct)
		ctk_actor_look(ct);
	rcu_read_unlock();
	ctk_netns_refresh();
	ctk_netns_for_each(ctk_watch_netns, &look);
	ctk_watch_all = look.chains;
	if (look.losing)
		ctk_attribution_losing();
	if (look.calls)
		ctk_hook_sees();
	else if (look.unseen)
		ctk_hook_is_blind(look.unseen);
	queue_delayed_work(ctk_unbound_wq, &ctk_watch, HZ);
}

static void ctk_watch_first_loss(struct work_struct *work)
{
	ctk_attribution_losing();
	ctk_netns_for_each(ctk_watch_full_begin, NULL);
}

static DECLARE_WORK(ctk_watch_begin, ctk_watch_first_loss);

static void ctk_watch_kicked(struct irq_work *work)
{
	queue_work(ctk_unbound_wq, &ctk_watch_begin);
}

static DEFINE_IRQ_WORK(ctk_watch_kicker, ctk_watch_kicked);

/**
 * ctk_watch_kick() - an episode has begun somewhere
 *
 * Context: any. Takes no lock.
 */
void ctk_watch_kick(void)
{
	irq_work_queue(&ctk_watch_kicker);
}

/**
 * ctk_watch_start() - begin to look
 *
 * Context: process, under ctk_attach_lock.
 */
void ctk_watch_start(void)
{
	queue_delayed_work(ctk_unbound_wq, &ctk_watch, HZ);
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

/**
 * ctk_watch_exit() - nor at a kick
 *
 * Context: module exit, with no hook left to kick.
 */
void ctk_watch_exit(void)
{
	irq_work_sync(&ctk_watch_kicker);
	cancel_work_sync(&ctk_watch_begin);
}
