// SPDX-License-Identifier: GPL-2.0
/*
 * What the events say of a namespace's trouble: how the limit fell before it
 * and was not put back, step by step, and who loaded nf_conntrack last. Looks
 * at no event that came after the moment that all is about.
 */
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

static uint64_t type_of(const struct event *e)
{
	return get(&e->r, CTK_A_EVENT_EVENT);
}

/* A loss is known to a tick of the kernel, an event to the nanosecond. */
#define TICK	(NSEC_PER_SEC / 10)

static bool is_before(const struct facts *f, const struct event *e)
{
	return !e->lost && get(&e->r, CTK_A_EVENT_TIME) <= f->moment + TICK;
}

uint64_t limit_of(uint64_t limit)
{
	return limit ? limit : UNLIMITED;
}

static void drop_fall(struct facts *f, size_t i)
{
	f->n_falls--;
	memmove(&f->fall[i], &f->fall[i + 1],
		(f->n_falls - i) * sizeof(f->fall[0]));
}

/* What fell from no more than that is put back. */
static void note_limit(struct facts *f, uint64_t limit)
{
	for (size_t i = f->n_falls; i; i--)
		if (f->fall[i - 1].old <= limit)
			drop_fall(f, i - 1);
}

static size_t smallest_fall(const struct facts *f)
{
	size_t smallest = 0;

	for (size_t i = 1; i < f->n_falls; i++)
		if (f->fall[i].old - f->fall[i].now <
		    f->fall[smallest].old - f->fall[smallest].now)
			smallest = i;
	return smallest;
}

/*
 * Each fall stays the one of who did it, with what the limit was just before
 * and just after: two that follow each other are never told as one. A rise
 * that was not seen shows in @old.
 */
static void note_change(struct facts *f, const struct event *detached,
			const struct event *e, uint64_t old, uint64_t now)
{
	note_limit(f, larger(old, now));
	if (now >= old)
		return;
	if (f->n_falls == FALLS_MAX)
		drop_fall(f, smallest_fall(f));
	f->fall[f->n_falls++] = (struct fall){ detached, e, old, now };
}

/* The one that made the limit what it was when packets were lost, or NULL. */
const struct fall *last_fall(const struct facts *f)
{
	return f->n_falls ? &f->fall[f->n_falls - 1] : NULL;
}

static void note_attached(struct facts *f, const struct event *detached,
			  const struct event *e)
{
	uint64_t limit = limit_of(get(&e->r, CTK_A_EVENT_LIMIT));

	f->attached = e;
	f->limit_set = false;
	if (!has(&e->r, CTK_A_EVENT_LIMIT))
		return;
	if (detached && has(&detached->r, CTK_A_EVENT_LIMIT))
		note_change(f, detached, e,
			    limit_of(get(&detached->r, CTK_A_EVENT_LIMIT)),
			    limit);
	else
		note_limit(f, limit);
}

void facts_of_events(struct facts *f)
{
	const struct event *detached = NULL;

	for (size_t i = 0; i < f->s->n_events; i++) {
		const struct event *e = &f->s->events[i];

		if (!is_before(f, e))
			continue;
		switch (type_of(e)) {
		case CTK_EVENT_DETACHED:
			detached = e;
			break;
		case CTK_EVENT_ATTACHED:
			note_attached(f, detached, e);
			detached = NULL;
			break;
		case CTK_EVENT_LIMIT_CHANGED:
			f->limit_set = true;
			note_change(f, NULL, e,
				    limit_of(get(&e->r, CTK_A_EVENT_OLD)),
				    limit_of(get(&e->r, CTK_A_EVENT_NEW)));
			break;
		default:
			break;
		}
	}
}

/* It is of this namespace, or of all. */
bool event_concerns(const struct facts *f, const struct event *e)
{
	return !e->lost && (!has(&e->r, CTK_A_EVENT_NETNS_ID) ||
			    get(&e->r, CTK_A_EVENT_NETNS_ID) ==
			    get(&f->netns->r, CTK_A_NETNS_ID));
}
