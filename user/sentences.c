// SPDX-License-Identifier: GPL-2.0
/*
 * What happened, a sentence each, and who did it. Says what the event has and
 * nothing of what it lacks. Neither reads nor prints.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

/* As kmod/watch.c has it: so far below it a threshold is undercut. */
#define HYSTERESIS	50000

struct sentence {
	char *buf;
	size_t size;
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
add(struct sentence *to, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(to->buf + to->len, to->size - to->len, format, args);
	va_end(args);
	if (len > 0)
		to->len += (size_t)len;
	if (to->len >= to->size)
		to->len = to->size - 1;
}

/* The name of a process or module, which its owner chose. */
static void add_name(struct sentence *to, const char *before,
		     const struct record *r, unsigned int attr,
		     const char *after)
{
	char name[sizeof(r->text[0])];

	if (!has(r, attr))
		return;
	shorten(name, sizeof(name), get_text(r, attr), sizeof(name));
	add(to, "%s%s%s", before, name, after);
}

/* iptables[264] asking for iptable_nat (from bash) */
static void add_actor(struct sentence *to, const struct record *actor)
{
	add_name(to, "", actor, CTK_A_ACTOR_COMM, "");
	if (has(actor, CTK_A_ACTOR_PID))
		add(to, "[%" PRIu64 "]", get(actor, CTK_A_ACTOR_PID));
	add_name(to, " asking for ", actor, CTK_A_ACTOR_REQUEST, "");
	add_name(to, " (from ", actor, CTK_A_ACTOR_PARENT_COMM, ")");
}

static void add_by(struct sentence *to, const struct event *e)
{
	add(to, " by ");
	if (e->actor.present)
		add_actor(to, &e->actor);
	else
		add(to, "a process that was not seen");
}

static void add_limit(struct sentence *to, uint64_t limit)
{
	if (limit)
		add(to, "%" PRIu64, limit);
	else
		add(to, "0 (unlimited)");
}

static void say_attached(struct sentence *to, const struct event *e)
{
	add(to, "nf_conntrack ");
	if (e->actor.present) {
		add(to, "loaded");
		add_by(to, e);
	} else {
		add(to, "was there before ctk");
	}
	if (has(&e->r, CTK_A_EVENT_LIMIT)) {
		add(to, "; limit ");
		add_limit(to, get(&e->r, CTK_A_EVENT_LIMIT));
	}
	if (has(&e->r, CTK_A_EVENT_BUCKETS))
		add(to, ", buckets %" PRIu64, get(&e->r, CTK_A_EVENT_BUCKETS));
}

static void say_detached(struct sentence *to, const struct event *e)
{
	add(to, "nf_conntrack unloaded");
	add_by(to, e);
	if (!has(&e->r, CTK_A_EVENT_LIMIT))
		return;
	add(to, "; its limit of ");
	add_limit(to, get(&e->r, CTK_A_EVENT_LIMIT));
	add(to, " is forgotten");
}

static void say_limit(struct sentence *to, const struct event *e)
{
	add(to, "limit ");
	add_limit(to, get(&e->r, CTK_A_EVENT_OLD));
	add(to, " -> ");
	add_limit(to, get(&e->r, CTK_A_EVENT_NEW));
	add_by(to, e);
}

static void say_buckets(struct sentence *to, const struct event *e)
{
	add(to, "buckets %" PRIu64 " -> %" PRIu64, get(&e->r, CTK_A_EVENT_OLD),
	    get(&e->r, CTK_A_EVENT_NEW));
	add_by(to, e);
}

static void add_entries(struct sentence *to, const struct record *r)
{
	if (has(r, CTK_A_EVENT_ENTRIES) && has(r, CTK_A_EVENT_LIMIT))
		add(to, "%" PRIu64 "/%" PRIu64, get(r, CTK_A_EVENT_ENTRIES),
		    get(r, CTK_A_EVENT_LIMIT));
}

static void say_threshold(struct sentence *to, const struct event *e)
{
	uint64_t threshold = get(&e->r, CTK_A_EVENT_THRESHOLD);
	uint64_t fill = get(&e->r, CTK_A_EVENT_FILL);

	if (fill >= threshold)
		add(to, "above %" PRIu64 "%%", threshold / 10000);
	else
		add(to, "fell below %" PRIu64 "%%",
		    (threshold - HYSTERESIS) / 10000);
	add(to, " (%" PRIu64 "%%", fill / 10000);
	if (has(&e->r, CTK_A_EVENT_ENTRIES)) {
		add(to, ", ");
		add_entries(to, &e->r);
	}
	add(to, ")");
}

static void say_full(struct sentence *to, const struct event *e)
{
	add(to, "table full, losing new connections");
	if (has(&e->r, CTK_A_EVENT_ENTRIES)) {
		add(to, " (");
		add_entries(to, &e->r);
		add(to, ")");
	}
}

/* A single loss, or those of a moment, have no length to speak of. */
static void add_loss(struct sentence *to, const struct record *r)
{
	uint64_t duration = get(r, CTK_A_EVENT_DURATION);
	char span[32];

	add(to, "%" PRIu64 " lost", get(r, CTK_A_EVENT_LOST));
	format_span(span, sizeof(span), duration);
	if (duration >= NSEC_PER_SEC / 10)
		add(to, " in %s", span);
}

/* Quiet is known to be back; that the table has room again is not. */
static void say_full_end(struct sentence *to, const struct event *e)
{
	add(to, "no more loss to a full table: ");
	add_loss(to, &e->r);
}

/* All namespaces share the buckets, so that entries are no measure here. */
static void say_chains(struct sentence *to, const struct event *e)
{
	add(to, "hash chains too long, losing new connections");
	if (has(&e->r, CTK_A_EVENT_BUCKETS))
		add(to, " (%" PRIu64 " buckets, limit %" PRIu64 ")",
		    get(&e->r, CTK_A_EVENT_BUCKETS),
		    get(&e->r, CTK_A_EVENT_LIMIT));
}

static void say_chains_end(struct sentence *to, const struct event *e)
{
	add(to, "no more loss to chains too long: ");
	add_loss(to, &e->r);
}

static void say_hook_blind(struct sentence *to, const struct event *e)
{
	(void)e;
	add(to, "the hook is blind: what is lost to a full table counts as other-drops");
}

/* The parts of a sum or list that are there; opened and closed if any is. */
static void add_counts(struct sentence *to, const struct record *r,
		       const uint16_t *attrs, const char *const *words,
		       const char *open, const char *close)
{
	const char *gap = open;

	for (; *attrs; attrs++, words++) {
		if (!get(r, *attrs))
			continue;
		add(to, "%s%" PRIu64 " %s", gap, get(r, *attrs), *words);
		gap = ", ";
	}
	if (gap != open)
		add(to, "%s", close);
}

static void say_gone(struct sentence *to, const struct event *e)
{
	static const uint16_t kinds[] = {
		CTK_A_EVENT_TABLE_FULL_DROPS, CTK_A_EVENT_CHAIN_TOO_LONG_DROPS,
		CTK_A_EVENT_OTHER_DROPS, 0
	};
	static const char *const kind_words[] = {
		"table full", "chains too long", "otherwise"
	};
	static const uint16_t others[] = {
		CTK_A_EVENT_REFUSED_INSERTS, CTK_A_EVENT_ADMITTED_BY_EVICTION,
		0
	};
	static const char *const other_words[] = {
		"inserts refused", "let in by eviction"
	};

	add(to, "namespace deleted: lost %" PRIu64,
	    get(&e->r, CTK_A_EVENT_LOST));
	add_counts(to, &e->r, kinds, kind_words, " (", ")");
	add_counts(to, &e->r, others, other_words, ", ", "");
	if (has(&e->r, CTK_A_EVENT_PEAK))
		add(to, ", peak %" PRIu64, get(&e->r, CTK_A_EVENT_PEAK));
}

static void (*const sentences[])(struct sentence *, const struct event *) = {
	[CTK_EVENT_ATTACHED] = say_attached,
	[CTK_EVENT_DETACHED] = say_detached,
	[CTK_EVENT_LIMIT_CHANGED] = say_limit,
	[CTK_EVENT_BUCKETS_CHANGED] = say_buckets,
	[CTK_EVENT_THRESHOLD] = say_threshold,
	[CTK_EVENT_FULL_BEGIN] = say_full,
	[CTK_EVENT_FULL_END] = say_full_end,
	[CTK_EVENT_CHAIN_BEGIN] = say_chains,
	[CTK_EVENT_CHAIN_END] = say_chains_end,
	[CTK_EVENT_HOOK_BLIND] = say_hook_blind,
	[CTK_EVENT_NETNS_GONE] = say_gone,
};

void say_event(char *buf, size_t size, const struct event *event)
{
	struct sentence to = { .buf = buf, .size = size };
	uint64_t type = get(&event->r, CTK_A_EVENT_EVENT);

	if (type < sizeof(sentences) / sizeof(sentences[0]))
		sentences[type](&to, event);
	else
		add(&to, "event %" PRIu64 " (unknown to this ctkstat)", type);
}

void say_actor(char *buf, size_t size, const struct record *actor)
{
	struct sentence to = { .buf = buf, .size = size };

	add_actor(&to, actor);
}
