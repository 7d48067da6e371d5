// SPDX-License-Identifier: GPL-2.0
/*
 * What happened: the last events, numbered, and the work that tells
 * subscribers and the kernel log of each new one.
 *
 * There are two rings, one for what is true of all namespaces and one for what
 * happens in some: whoever can make namespaces can fill the second in a moment,
 * and must not bury in it who unloaded nf_conntrack or lowered its limit.
 *
 * ctk_event_lock guards the rings and the numbers. It is a raw spinlock, taken
 * with interrupts off and for the time of a copy, so that an event can be
 * added in any context but NMI. Telling needs memory and may sleep, so it is
 * done by a work item, one event after the other in their order; adding an
 * event kicks it through an irq_work, since queueing takes locks that a probed
 * function may hold.
 *
 * Namespaces are numbered here by ctk's id and nothing of them is referred to,
 * so an event outlives its namespace. Never decides what is an event.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "events.h"
#include "netlink.h"

/* checkpatch: MACRO_ARG_REUSE - the name of a member, never evaluated */
#define CTK_FIELD(attr, name, member) \
	{ name, CTK_A_EVENT_##attr, sizeof_field(struct ctk_event, member), \
	  offsetof(struct ctk_event, member) }

const struct ctk_event_field ctk_event_fields[CTK_EVENT_FIELDS] = {
	CTK_FIELD(OLD, "old", old),
	CTK_FIELD(NEW, "new", new),
	CTK_FIELD(LIMIT, "limit", limit),
	CTK_FIELD(BUCKETS, "buckets", buckets),
	CTK_FIELD(ENTRIES, "entries", entries),
	CTK_FIELD(FILL, "fill", fill),
	CTK_FIELD(THRESHOLD, "threshold", threshold),
	CTK_FIELD(DURATION, "duration", duration),
	CTK_FIELD(LOST, "lost", lost),
	CTK_FIELD(TABLE_FULL_DROPS, "table_full_drops",
		  losses.table_full_drops),
	CTK_FIELD(CHAIN_TOO_LONG_DROPS, "chain_too_long_drops",
		  losses.chain_too_long_drops),
	CTK_FIELD(OTHER_DROPS, "other_drops", losses.other_drops),
	CTK_FIELD(REFUSED_INSERTS, "refused_inserts",
		  losses.refused_inserts),
	CTK_FIELD(ADMITTED_BY_EVICTION, "admitted_by_eviction",
		  losses.admitted_by_eviction),
	CTK_FIELD(PEAK, "peak", peak),
};

static DEFINE_RAW_SPINLOCK(ctk_event_lock);
static u64 ctk_event_last;

/**
 * struct ctk_event_ring - the last events of a kind
 * @slots: as many as ctk_event_room
 * @added: how many there were in all; the next goes to slot @added modulo room
 */
struct ctk_event_ring {
	struct ctk_event *slots;
	u64 added;
};

enum { CTK_RING_ALL, CTK_RING_NETNS, CTK_RINGS };

static struct ctk_event_ring ctk_event_rings[CTK_RINGS];
static unsigned int ctk_event_room;

/* Used by the work item alone. */
static u64 ctk_event_told;

static bool ctk_events_opened;
static bool ctk_events_logged;

static void ctk_event_work(struct work_struct *work);
static DECLARE_WORK(ctk_event_telling, ctk_event_work);

static void ctk_event_kick(struct irq_work *work)
{
	if (READ_ONCE(ctk_events_opened))
		queue_work(ctk_unbound_wq, &ctk_event_telling);
}

static DEFINE_IRQ_WORK(ctk_event_kicker, ctk_event_kick);

static struct ctk_event *ctk_event_slot(const struct ctk_event_ring *ring,
					u64 i)
{
	return &ring->slots[i % ctk_event_room];
}

/* Numbers rise along a ring, so half of what is left is dismissed each time. */
static const struct ctk_event *
ctk_event_find(const struct ctk_event_ring *ring, u64 seq)
{
	u64 high = ring->added;
	u64 low = high > ctk_event_room ? high - ctk_event_room : 0;

	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (ctk_event_slot(ring, middle)->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ring->added ? ctk_event_slot(ring, low) : NULL;
}

/**
 * ctk_event_add() - something happened
 * @event: what; its numbers, and its time if it has none, are set here
 * @ns: where, or NULL for what is true of all namespaces
 *
 * Context: any but NMI; with @ns in an RCU read-side section or its lock.
 */
void ctk_event_add(struct ctk_event *event, struct ctk_netns *ns)
{
	struct ctk_event_ring *ring =
		&ctk_event_rings[ns ? CTK_RING_NETNS : CTK_RING_ALL];
	unsigned long flags;

	if (!event->time)
		event->time = ktime_get_boottime_ns();
	if (ns) {
		event->netns_id = ns->id;
		event->netns_inum = ns->net->ns.inum;
	}
	raw_spin_lock_irqsave(&ctk_event_lock, flags);
	event->seq = ++ctk_event_last;
	if (ns)
		event->netns_seq = ++ns->events;
	*ctk_event_slot(ring, ring->added++) = *event;
	raw_spin_unlock_irqrestore(&ctk_event_lock, flags);
	irq_work_queue(&ctk_event_kicker);
}

static bool ctk_event_copy(u64 seq, struct ctk_event *event)
{
	const struct ctk_event *first = NULL;
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&ctk_event_lock, flags);
	for (i = 0; i < CTK_RINGS; i++) {
		const struct ctk_event *found =
			ctk_event_find(&ctk_event_rings[i], seq);

		if (found && (!first || found->seq < first->seq))
			first = found;
	}
	if (first)
		*event = *first;
	raw_spin_unlock_irqrestore(&ctk_event_lock, flags);
	return first;
}

/**
 * ctk_event_next() - the first event from a number on that is still there
 * @seq: its &ctk_event.seq is this or more
 * @netns_id: only those of this namespace; 0 for all
 * @event: filled
 *
 * Context: any but NMI.
 *
 * Return: false when there is none.
 */
bool ctk_event_next(u64 seq, u64 netns_id, struct ctk_event *event)
{
	while (ctk_event_copy(seq, event)) {
		if (!netns_id || event->netns_id == netns_id)
			return true;
		seq = event->seq + 1;
	}
	return false;
}

static u32 ctk_seconds(u64 nsecs)
{
	return div_u64(nsecs, NSEC_PER_SEC);
}

/* What is in brackets is not known of a namespace at its end. */
static void ctk_event_log_begin(const struct ctk_event *e, const char *what)
{
	char more[48] = "";

	if (e->type == CTK_EVENT_FULL_BEGIN &&
	    e->has & CTK_EVENT_HAS(ENTRIES))
		snprintf(more, sizeof(more), " (%u of %u entries)", e->entries,
			 e->limit);
	else if (e->has & CTK_EVENT_HAS(BUCKETS))
		snprintf(more, sizeof(more), " (%u buckets)", e->buckets);
	pr_warn_ratelimited("netns %u: %s, losing new connections%s\n",
			    e->netns_inum, what, more);
}

/* One line at the begin and one at the end, so that the log has the story. */
static void ctk_event_log(const struct ctk_event *e)
{
	switch (e->type) {
	case CTK_EVENT_FULL_BEGIN:
		ctk_event_log_begin(e, "table full");
		break;
	case CTK_EVENT_FULL_END:
		pr_info_ratelimited("netns %u: no more loss to a full table, %llu packets lost in %u s\n",
				    e->netns_inum, e->lost,
				    ctk_seconds(e->duration));
		break;
	case CTK_EVENT_CHAIN_BEGIN:
		ctk_event_log_begin(e, "hash chains too long");
		break;
	case CTK_EVENT_CHAIN_END:
		pr_info_ratelimited("netns %u: no more loss to long hash chains, %llu packets lost in %u s\n",
				    e->netns_inum, e->lost,
				    ctk_seconds(e->duration));
		break;
	case CTK_EVENT_HOOK_BLIND:
		pr_warn_ratelimited("the hook on early_drop is blind\n");
		break;
	default:
		break;
	}
}

static void ctk_event_work(struct work_struct *work)
{
	struct ctk_event event;

	while (ctk_event_next(ctk_event_told + 1, 0, &event)) {
		ctk_event_told = event.seq;
		if (ctk_events_logged)
			ctk_event_log(&event);
		ctk_netlink_notify(&event);
	}
}

static void ctk_events_free(void)
{
	int i;

	for (i = 0; i < CTK_RINGS; i++)
		vfree(ctk_event_rings[i].slots);
}

/**
 * ctk_events_init() - make room for events
 * @room: how many are kept of each kind, at least one
 *
 * Context: module init, before anything can happen.
 *
 * Return: 0 or -ENOMEM.
 */
int ctk_events_init(unsigned int room)
{
	int i;

	ctk_event_room = room;
	for (i = 0; i < CTK_RINGS; i++) {
		ctk_event_rings[i].slots =
			vzalloc(array_size(room, sizeof(struct ctk_event)));
		if (!ctk_event_rings[i].slots) {
			ctk_events_free();
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * ctk_events_open() - begin to tell, also of what has happened until now
 * @log: into the kernel log as well
 *
 * Context: module init, with the netlink family registered.
 */
void ctk_events_open(bool log)
{
	ctk_events_logged = log;
	WRITE_ONCE(ctk_events_opened, true);
	irq_work_queue(&ctk_event_kicker);
}

/**
 * ctk_events_close() - tell no more; events are still taken
 *
 * Context: module exit, with the netlink family still registered. Sleeps.
 */
void ctk_events_close(void)
{
	WRITE_ONCE(ctk_events_opened, false);
	irq_work_sync(&ctk_event_kicker);
	cancel_work_sync(&ctk_event_telling);
}

/**
 * ctk_events_exit() - forget all
 *
 * Context: module exit, when nothing can happen any more. Sleeps.
 */
void ctk_events_exit(void)
{
	irq_work_sync(&ctk_event_kicker);
	ctk_events_free();
}
