// SPDX-License-Identifier: GPL-2.0
/*
 * Gathers what is known of one namespace that is in trouble or was. Decides
 * nothing but what the trouble is about, and which census speaks of it: the
 * one that was kept when the episode began, or else one of now.
 */
#include <linux/ctk.h>

#include "why.h"

/* Between a loss and the begin of an episode, at most. */
#define SLACK	(2 * NSEC_PER_SEC)

static uint64_t of(const struct facts *f, unsigned int attr)
{
	return get(&f->netns->r, attr);
}

/* It lost something, or is near its limit. */
bool facts_wanted(const struct snapshot *s, const struct netns *n)
{
	return netns_state(s, n) > STATE_FINE || get(&n->r, CTK_A_NETNS_LOST);
}

static bool is_in_trouble(const struct facts *f)
{
	return f->state > STATE_LOST_RECENTLY || f->state == STATE_HIGH;
}

/* The kernel's own counters do not tell a full table from other losses. */
static bool is_about_the_limit(const struct facts *f)
{
	uint64_t lost = of(f, CTK_A_NETNS_LOST);
	uint64_t drops = of(f, CTK_A_NETNS_TABLE_FULL_DROPS);

	if (f->state >= STATE_FULL || f->state == STATE_HIGH)
		return true;
	if (!has(&f->netns->r, CTK_A_NETNS_TABLE_FULL_DROPS) ||
	    hook_is_blind(f->s))
		drops = other_losses(&f->netns->r);
	return lost && drops * 2 >= lost;
}

static uint64_t moment_of(const struct facts *f)
{
	uint64_t last = of(f, CTK_A_NETNS_LAST_LOSS_TIME);

	return is_in_trouble(f) || !last ? f->s->now : last;
}

/* Whether it is of the episode that goes on, if one does. */
static bool is_of_now(const struct facts *f, const struct census *c)
{
	uint64_t since = of(f, CTK_A_NETNS_FULL_SINCE);

	return !is_in_trouble(f) || f->state == STATE_CHAINS ||
	       (since && get(&c->r, CTK_A_CENSUS_SINCE) + SLACK >= since);
}

static void look_at_kept(struct facts *f, struct snapshot *s)
{
	const struct census *last;

	if (s->source->read_kept(s, of(f, CTK_A_NETNS_ID))) {
		why_denied(s);
		return;
	}
	if (!s->kept.n)
		return;
	last = &s->kept.list[s->kept.n - 1];
	fill_from(&f->fill, last, f->inside.established_timeout);
	f->fill_is_of_now = is_of_now(f, last);
}

static void count_now(struct facts *f, struct snapshot *s)
{
	if (s->source->read_census(s, of(f, CTK_A_NETNS_ID)))
		why_denied(s);
	else if (s->counted.n)
		fill_from(&f->fresh, &s->counted.list[s->counted.n - 1],
			  f->inside.established_timeout);
}

static void facts_of_censuses(struct facts *f, struct snapshot *s, bool deep)
{
	if (s->source->read_kept)
		look_at_kept(f, s);
	if (s->source->read_census && deep && is_in_trouble(f))
		count_now(f, s);
	if (f->fresh.known && !f->fill_is_of_now)
		f->fill = f->fresh;
}

static void facts_of_offenders(struct facts *f, struct snapshot *s)
{
	if (!s->source->read_offenders)
		return;
	if (s->source->read_offenders(s, of(f, CTK_A_NETNS_ID))) {
		why_denied(s);
		return;
	}
	victims_from(&f->victims, s);
	victims_unknown(f);
}

/* @deep: the entries may be counted anew. */
void facts_gather(struct facts *f, struct snapshot *s, const struct netns *n,
		  bool deep)
{
	f->s = s;
	f->netns = n;
	f->state = netns_state(s, n);
	f->moment = moment_of(f);
	f->full = is_about_the_limit(f);
	facts_of_events(f);
	facts_of_proc(f);
	facts_of_censuses(f, s, deep);
	facts_of_offenders(f, s);
}
