// SPDX-License-Identifier: GPL-2.0
/*
 * From a snapshot to diagnoses: which namespaces are in trouble or were, and
 * for each its facts, causes and steps. What the reader may not see, or a
 * module of another kind does not have, is left out and said to be.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/ctk.h>

#include "places.h"
#include "why.h"

/* Who changed the limit would be the cause, for those who are told of it. */
static void hedge(struct finding *f)
{
	char text[sizeof(f->sentence)];

	memcpy(text, f->sentence, sizeof(text));
	f->sentence[0] = '\0';
	append(f->sentence, sizeof(f->sentence),
	       "as it looks from here, where nobody is told who changed the limit: %s",
	       text);
}

static void diagnose(struct diagnosis *d, const struct facts *f)
{
	d->facts = f;
	rules_apply(d);
	if (!d->n_findings)
		return;
	if (f->s->why->elsewhere && f->full)
		hedge(&d->finding[0]);
	plan_make(&d->plan, d);
	steps_make(d);
}

static int by_trouble(const void *a, const void *b)
{
	const struct facts *x = a, *y = b;

	if (x->state != y->state)
		return x->state > y->state ? -1 : 1;
	return x->netns < y->netns ? -1 : 1;
}

static size_t count_wanted(const struct snapshot *s, const struct netns *only)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_netns; i++)
		n += only ? &s->netns[i] == only : facts_wanted(s, &s->netns[i]);
	return n;
}

static void gather_all(struct why *why, struct snapshot *s,
		       const struct netns *only)
{
	for (size_t i = 0; i < s->n_netns; i++) {
		const struct netns *n = &s->netns[i];

		if (only ? n == only : facts_wanted(s, n))
			facts_gather(&why->facts[why->n++], s, n, !only);
	}
}

/* After a fail(): that is said, and the rest is told all the same. */
void why_denied(struct snapshot *s)
{
	if (!s->why->denied[0])
		snprintf(s->why->denied, sizeof(s->why->denied), "%s",
			 failure());
}

/*
 * Of all that are in trouble, or of @only, for which nothing is counted anew.
 * snapshot_free() frees it.
 */
int why_read(struct snapshot *s, const struct netns *only)
{
	size_t n = count_wanted(s, only);
	struct why *why = calloc(1, sizeof(*why));

	s->why = why;
	if (why) {
		why->facts = calloc(n + 1, sizeof(*why->facts));
		why->list = calloc(n + 1, sizeof(*why->list));
	}
	if (!why || !why->facts || !why->list)
		return fail("no memory for %zu namespaces", n);
	why->elsewhere = get(&s->status.r, CTK_A_STATUS_ATTACHED) &&
			 !limit_is_here();
	why->events = s->source->read_events && !s->source->read_events(s);
	if (s->source->read_events && !why->events)
		why_denied(s);
	gather_all(why, s, only);
	if (why->n)
		qsort(why->facts, why->n, sizeof(*why->facts), by_trouble);
	for (size_t i = 0; i < why->n; i++)
		diagnose(&why->list[i], &why->facts[i]);
	return 0;
}

void why_free(struct why *why)
{
	if (!why)
		return;
	free(why->facts);
	free(why->list);
	free(why);
}
