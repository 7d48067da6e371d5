// SPDX-License-Identifier: GPL-2.0
/*
 * What the events say of a namespace's trouble: a limit that fell before it
 * and was not put back, and who loaded nf_conntrack last. Looks at no event
 * that came after the moment that all is about.
 */
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

/*
 * Of several falls the deepest counts, until the limit is again what it was.
 */
static void note_change(struct fall *fall, const struct event *detached,
			const struct event *e, uint64_t old, uint64_t now)
{
	if (fall->event && now >= fall->old)
		*fall = (struct fall){ 0 };
	if (now < old &&
	    (!fall->event || old - now >= fall->old - fall->now))
		*fall = (struct fall){ detached, e, old, now };
	else if (fall->event)
		fall->now = now;
}

static void note_attached(struct facts *f, const struct event *detached,
			  const struct event *e)
{
	f->attached = e;
	f->limit_set = false;
	if (detached && has(&detached->r, CTK_A_EVENT_LIMIT) &&
	    has(&e->r, CTK_A_EVENT_LIMIT))
		note_change(&f->fall, detached, e,
			    limit_of(get(&detached->r, CTK_A_EVENT_LIMIT)),
			    limit_of(get(&e->r, CTK_A_EVENT_LIMIT)));
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
			break;
		case CTK_EVENT_LIMIT_CHANGED:
			f->limit_set = true;
			note_change(&f->fall, NULL, e,
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
