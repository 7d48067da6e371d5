// SPDX-License-Identifier: GPL-2.0
/*
 * The one thing to know at 3 a.m.: is a table full, whose, is it losing. Each
 * namespace is judged by its own limit and the worst is found; words.c says
 * it. One that was deleted is judged by the event that it left. Reads a
 * snapshot, nothing else, and prints nothing.
 */
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

#define RECENT		(3600 * NSEC_PER_SEC)

/* early_drop() can fail, and gc evict, a little below the limit. */
#define FILL_AT_LIMIT	950000

const char *level_word(enum level level)
{
	static const char *const words[] = { "OK", "WARN", "FULL", "UNKNOWN" };

	return words[level];
}

const char *level_name(enum level level)
{
	static const char *const names[] = {
		"ok", "warning", "full", "unknown"
	};

	return names[level];
}

bool hook_is_blind(const struct snapshot *s)
{
	return has(&s->status.r, CTK_A_STATUS_HOOK) &&
	       get(&s->status.r, CTK_A_STATUS_HOOK) == CTK_HOOK_BLIND;
}

/*
 * full-since outlasts the last loss by ten seconds. At the limit that bridges
 * the moments in which a place is free; elsewhere only a fresh loss is now.
 */
static bool is_losing(const struct snapshot *s, const struct record *r)
{
	return loses_now(r, s->now) ||
	       (has(r, CTK_A_NETNS_FULL_SINCE) &&
		get(r, CTK_A_NETNS_FILL) >= FILL_AT_LIMIT);
}

/* Whether losses of now can be those of a full table. */
static bool table_full_loss(const struct snapshot *s, const struct record *r)
{
	return hook_is_blind(s) || !has(r, CTK_A_NETNS_TABLE_FULL_DROPS) ||
	       has(r, CTK_A_NETNS_FULL_SINCE);
}

/* Neither to a full table nor to chains; /proc has the first two in one. */
uint64_t other_losses(const struct record *r)
{
	if (has(r, CTK_A_NETNS_OTHER_DROPS))
		return get(r, CTK_A_NETNS_OTHER_DROPS) +
		       get(r, CTK_A_NETNS_NO_MEMORY_DROPS);
	return get(r, CTK_A_NETNS_LOST) -
	       get(r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS);
}

enum state netns_state(const struct snapshot *s, const struct netns *n)
{
	const struct record *r = &n->r;
	uint64_t fill = get(r, CTK_A_NETNS_FILL);
	uint64_t last = get(r, CTK_A_NETNS_LAST_LOSS_TIME);
	uint64_t other = other_losses(r);

	if (is_losing(s, r) && fill >= FILL_AT_LIMIT && table_full_loss(s, r))
		return STATE_LOSING;
	if (fill >= FILL_FULL)
		return STATE_FULL;
	if (is_losing(s, r) && get(r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS) > other)
		return STATE_CHAINS;
	if (is_losing(s, r) && other)
		return STATE_OTHER_LOSS;
	if (last && last + RECENT > s->now)
		return STATE_LOST_RECENTLY;
	return fill >= FILL_WARNING ? STATE_HIGH : STATE_FINE;
}

/* Of two in the same state, the one to name. */
static bool worse(const struct netns *a, const struct netns *b)
{
	static const uint16_t keys[] = {
		CTK_A_NETNS_LOSS_RATE, CTK_A_NETNS_EPISODE_LOST,
		CTK_A_NETNS_LOST, CTK_A_NETNS_FILL,
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (get(&a->r, keys[i]) != get(&b->r, keys[i]))
			return get(&a->r, keys[i]) > get(&b->r, keys[i]);
	return false;
}

static void count_in(struct worst *w, const struct netns *n)
{
	uint64_t last = get(&n->r, CTK_A_NETNS_LAST_LOSS_TIME);

	if (w->netns)
		w->others++;
	if (!w->netns || worse(n, w->netns))
		w->netns = n;
	w->lost += get(&n->r, CTK_A_NETNS_LOST);
	if (last > w->last)
		w->last = last;
}

static void find_worst(const struct snapshot *s, struct worst *w)
{
	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < s->n_netns; i++) {
		enum state state = netns_state(s, &s->netns[i]);

		if (state > w->state)
			*w = (struct worst){ .state = state };
		if (state == w->state)
			count_in(w, &s->netns[i]);
	}
}

/* The namespace that the verdict names; NULL where nothing is wrong. */
const struct netns *verdict_subject(const struct snapshot *s)
{
	struct worst worst;

	if (!get(&s->status.r, CTK_A_STATUS_ATTACHED))
		return NULL;
	find_worst(s, &worst);
	return worst.state > STATE_FINE ? worst.netns : NULL;
}

/* Events are of all namespaces, so of one alone nothing is said by them. */
void deleted_since(struct deleted *d, const struct snapshot *s, uint64_t since)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < s->n_events; i++) {
		const struct event *e = &s->events[i];
		uint64_t time = get(&e->r, CTK_A_EVENT_TIME);

		if (!s->asked_all || !why_gone(e) || time <= since)
			continue;
		if (d->most)
			d->others++;
		if (!d->most || get(&e->r, CTK_A_EVENT_LOST) >
				get(&d->most->r, CTK_A_EVENT_LOST))
			d->most = e;
		d->lost += get(&e->r, CTK_A_EVENT_LOST);
		if (time > d->last)
			d->last = time;
	}
}

static enum level level_of(enum state state, bool warn)
{
	if (state >= STATE_FULL)
		return LEVEL_FULL;
	return state > STATE_FINE || warn ? LEVEL_WARNING : LEVEL_OK;
}

static bool nothing_to_judge(struct verdict *v, const struct snapshot *s)
{
	const char *why = NULL;

	if (!get(&s->status.r, CTK_A_STATUS_ATTACHED))
		why = "nf_conntrack is not loaded: nothing is tracked, so nothing can be full";
	else if (!s->n_netns)
		why = "no namespace could be read";
	if (why) {
		v->level = LEVEL_UNKNOWN;
		snprintf(v->line, sizeof(v->line), "%s", why);
	}
	return why;
}

void verdict_reach(struct verdict *v, const struct snapshot *s, size_t width)
{
	bool blind = hook_is_blind(s);
	struct deleted deleted;
	struct worst worst;

	memset(v, 0, sizeof(*v));
	if (nothing_to_judge(v, s))
		return;
	find_worst(s, &worst);
	deleted_since(&deleted, s, s->now - RECENT);
	v->level = level_of(worst.state, blind || deleted.most);
	width -= strlen(level_word(v->level)) + 2;
	say_worst(v, s, &worst, width);
	if (blind)
		say_blind(v, s, worst.state);
	if (deleted.most)
		say_deleted(v, s, &deleted,
			    worst.state == STATE_FINE && !blind);
	if (s->why && s->why->n)
		say_why(v, &s->why->list[0]);
}
