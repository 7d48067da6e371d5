// SPDX-License-Identifier: GPL-2.0
/*
 * What causes there are, one row of the table each, the most specific first:
 * a name, whether it applies and the evidence that it does, what helps. The
 * first that applies is called the cause, the others are told beside it.
 * Neither reads nor prints; every number that is told says where it is from.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

/* Of a table, in percent: what has so much of it is what fills it. */
#define MOST		50
#define NEARLY_ALL	95

/* What is idle for so long is not what a table is for. */
#define IDLE		1800

/* Entries that no census finds, in percent, and at least so many. */
#define UNLISTED	10
#define UNLISTED_LEAST	16

/* NF_CT_EVICTION_RANGE of nf_conntrack_core.c, in buckets. */
#define EVICTION_RANGE	8

static void __attribute__((format(printf, 3, 4)))
prove(struct finding *f, const char *source, const char *format, ...)
{
	struct evidence *e = &f->evidence[f->n_evidence];
	va_list args;

	if (f->n_evidence == EVIDENCE_MAX)
		return;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	snprintf(e->source, sizeof(e->source), "%s", source);
	f->n_evidence++;
}

static void __attribute__((format(printf, 2, 3)))
say(struct finding *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->sentence, sizeof(f->sentence), format, args);
	va_end(args);
}

static void prove_event(struct finding *f, const struct event *e)
{
	char text[240], source[32];

	if (!e)
		return;
	say_event(text, sizeof(text), e);
	snprintf(source, sizeof(source), "event %" PRIu64,
		 get(&e->r, CTK_A_EVENT_SEQ));
	prove(f, source, "%s", text);
}

/* census at 02:41:07 */
static const char *census_of(const struct facts *facts,
			     const struct fill *fill)
{
	static char source[64];

	say_source_of(source, sizeof(source), facts, fill);
	return source;
}

static uint64_t lost_to(const struct facts *facts, unsigned int attr)
{
	return get(&facts->netns->r, attr);
}

static bool is_most(uint64_t part, uint64_t whole)
{
	return whole && percent_of(part, whole) >= MOST;
}

static void limit_text(char *buf, size_t size, uint64_t limit)
{
	if (limit == UNLIMITED)
		snprintf(buf, size, "unlimited");
	else
		snprintf(buf, size, "%" PRIu64, limit);
}

static const struct event *last_of(const struct facts *facts, uint64_t type)
{
	for (size_t i = facts->s->n_events; i; i--) {
		const struct event *e = &facts->s->events[i - 1];

		if (event_concerns(facts, e) &&
		    get(&e->r, CTK_A_EVENT_EVENT) == type)
			return e;
	}
	return NULL;
}

/* What somebody wrote into a file, and nothing applied. */
static void prove_file(struct finding *f, const struct facts *facts)
{
	uint64_t asked, limit = get(&facts->netns->r, CTK_A_NETNS_LIMIT);
	char path[128];

	if (config_asks(path, sizeof(path), &asked) &&
	    limit_of(asked) > limit_of(limit))
		prove(f, path, "asks for %" PRIu64
		      ", which is not in force: loading nf_conntrack undoes it",
		      asked);
}

/* 262144 -> 4096 at 02:41:07: nf_conntrack reloaded by firewalld */
static void add_fall(struct finding *f, const struct facts *facts,
		     const struct fall *fall)
{
	const struct event *e = fall->event;
	char old[24], now[24], clock[32], who[128];

	limit_text(old, sizeof(old), fall->old);
	limit_text(now, sizeof(now), fall->now);
	format_clock(clock, sizeof(clock), get(&e->r, CTK_A_EVENT_TIME),
		     facts->s->now);
	say_who(who, sizeof(who), &e->actor);
	append(f->sentence, sizeof(f->sentence), "%s -> %s at %s: %s by %s",
	       old, now, clock,
	       fall->detached ? "nf_conntrack reloaded" : "set", who);
}

/* The last first, since that is what packets died of. */
static void say_falls(struct finding *f, const struct facts *facts)
{
	say(f, "limit fell ");
	for (size_t i = facts->n_falls; i; i--) {
		add_fall(f, facts, &facts->fall[i - 1]);
		if (i > 1)
			append(f->sentence, sizeof(f->sentence),
			       "; before that ");
	}
}

static void prove_falls(struct finding *f, const struct facts *facts)
{
	for (size_t i = 0; i < facts->n_falls; i++) {
		prove_event(f, facts->fall[i].detached);
		prove_event(f, facts->fall[i].event);
	}
	prove_event(f, last_of(facts, CTK_EVENT_FULL_BEGIN));
}

static bool limit_reset_by_reload(struct finding *f, const struct facts *facts)
{
	const struct fall *fall = last_fall(facts);

	if (!facts->full || !fall || !fall->detached)
		return false;
	say_falls(f, facts);
	prove_falls(f, facts);
	prove_file(f, facts);
	return true;
}

static bool limit_lowered(struct finding *f, const struct facts *facts)
{
	const struct fall *fall = last_fall(facts);

	if (!facts->full || !fall || fall->detached)
		return false;
	say_falls(f, facts);
	prove_falls(f, facts);
	return true;
}

static bool no_memory(struct finding *f, const struct facts *facts)
{
	uint64_t drops = lost_to(facts, CTK_A_NETNS_NO_MEMORY_DROPS);
	char memory[32], total[32];

	if (!is_most(drops, lost_to(facts, CTK_A_NETNS_LOST)))
		return false;
	format_bytes(memory, sizeof(memory), facts->memory_free);
	format_bytes(total, sizeof(total), facts->memory);
	say(f, "the kernel had no memory for %" PRIu64 " new entries", drops);
	prove(f, "ctk", "no-memory-drops %" PRIu64 " of %" PRIu64 " lost",
	      drops, lost_to(facts, CTK_A_NETNS_LOST));
	prove(f, "/proc/meminfo", "%s of %s are available now", memory, total);
	return true;
}

static void prove_load(struct finding *f, const struct facts *facts)
{
	const struct record *status = &facts->s->status.r;
	uint64_t limit = get(status, CTK_A_STATUS_LIMIT);
	uint64_t buckets = get(status, CTK_A_STATUS_BUCKETS);

	if (buckets)
		prove(f, "status", "limit %" PRIu64 " over %" PRIu64
		      " buckets: %" PRIu64
		      " entries for each, where %u are too many", limit,
		      buckets, limit / buckets, ENTRIES_PER_BUCKET + 1);
	if (facts->fill.loss_ratio)
		prove(f, census_of(facts, &facts->fill),
		      "chains of that moment refused %u.%u%% of new flows",
		      (unsigned int)(facts->fill.loss_ratio / 10000),
		      (unsigned int)(facts->fill.loss_ratio / 1000 % 10));
}

static bool too_few_buckets(struct finding *f, const struct facts *facts)
{
	uint64_t drops = lost_to(facts, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS);
	const struct event *begin = last_of(facts, CTK_EVENT_CHAIN_BEGIN);
	uint64_t buckets = get(&facts->s->status.r, CTK_A_STATUS_BUCKETS);

	if (!is_most(drops, lost_to(facts, CTK_A_NETNS_LOST)))
		return false;
	if (begin && has(&begin->r, CTK_A_EVENT_BUCKETS))
		buckets = get(&begin->r, CTK_A_EVENT_BUCKETS);
	say(f, "chains too long, the second ceiling: %" PRIu64
	    " buckets are too few for what the table holds, and nothing logs it",
	    buckets);
	prove(f, "ctk", "chain-too-long-drops %" PRIu64 " of %" PRIu64 " lost",
	      drops, lost_to(facts, CTK_A_NETNS_LOST));
	prove_event(f, begin);
	prove_load(f, facts);
	return true;
}

/* Of a table that has cost nothing yet, or not for this reason. */
static bool limit_over_buckets(struct finding *f, const struct facts *facts)
{
	const struct record *status = &facts->s->status.r;
	uint64_t limit = limit_of(get(status, CTK_A_STATUS_LIMIT));
	uint64_t buckets = get(status, CTK_A_STATUS_BUCKETS);

	/* Where the kernel has no limit on chains they are only slow. */
	if (!has(&facts->netns->r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS) ||
	    !buckets || limit / buckets <= ENTRIES_PER_BUCKET)
		return false;
	say(f, "the limit is more than %u entries for each bucket: before it is reached new flows die of chains too long, and nothing logs it",
	    ENTRIES_PER_BUCKET);
	prove_load(f, facts);
	return true;
}

/* Unconfirmed, dying, or held by a program: counted, and in no bucket. */
static bool unlisted_entries(struct finding *f, const struct facts *facts)
{
	uint64_t entries = get(&facts->netns->r, CTK_A_NETNS_ENTRIES);
	const struct fill *c = &facts->fresh;
	uint64_t found = c->entries + c->expired;

	if (!c->known || entries < found + UNLISTED_LEAST ||
	    percent_of(entries - found, entries) < UNLISTED)
		return false;
	say(f, "%" PRIu64 " of %" PRIu64
	    " entries are in no list: not confirmed yet, dying, or held by a program",
	    entries - found, entries);
	prove(f, "ctk", "entries %" PRIu64, entries);
	prove(f, census_of(facts, c), "%" PRIu64 " entries found, %" PRIu64
	      " expired ones", c->entries, c->expired);
	if (facts->inside.queued)
		prove(f, "/proc/net/netfilter/nfnetlink_queue", "%" PRIu64
		      " packets wait for the program that reads NFQUEUE %" PRIu64,
		      facts->inside.queued, facts->inside.queue);
	return true;
}

static bool slow_leak_established(struct finding *f, const struct facts *facts)
{
	uint64_t timeout = facts->inside.established_timeout;
	const struct fill *c = &facts->fill;
	uint64_t idle = idle_for(c, IDLE);
	char span[32];

	if (!timeout)
		timeout = c->established_timeout;
	if (!c->known || !facts->full || !is_most(c->established, c->entries) ||
	    !is_most(idle, c->entries))
		return false;
	format_duration(span, sizeof(span), timeout);
	say(f, "%" PRIu64 "%% of the table is established TCP on which nothing comes any more; each is kept for %s",
	    percent_of(idle, c->entries), span);
	prove(f, census_of(facts, c), "%" PRIu64 " of %" PRIu64
	      " entries are established TCP", c->established, c->entries);
	prove(f, census_of(facts, c), "%" PRIu64
	      " of them idle for at least %u min", idle, IDLE / 60);
	prove(f, facts->inside.established_timeout ? "/proc/sys" :
	      census_of(facts, c),
	      "nf_conntrack_tcp_timeout_established %" PRIu64 " s", timeout);
	return true;
}

static void prove_victims(struct finding *f, const struct share *share,
			  const char *process)
{
	if (!share->known || !is_most(share->part, share->whole))
		return;
	prove(f, "offenders", "%" PRIu64 " of %" PRIu64
	      " attributed losses were %s%s%s%s", share->part, share->whole,
	      share->who, *process ? ", sent by " : "", process, "");
}

static bool flood_from_one_source(struct finding *f, const struct facts *facts)
{
	const struct fill *c = &facts->fill;
	const struct share *src = &c->src;

	if (!c->known || !facts->full || !is_most(src->part, src->whole))
		return false;
	say(f, "one source, %s, has %" PRIu64 "%% of the table", src->who,
	    percent_of(src->part, src->whole));
	prove(f, census_of(facts, c), "%" PRIu64 " of %" PRIu64
	      " entries are from %s", src->part, src->whole, src->who);
	prove(f, census_of(facts, c), "%" PRIu64
	      " of all entries are not assured: nothing answered, or nothing yet",
	      c->entries - c->assured);
	prove_victims(f, &facts->victims.src, facts->victims.process);
	return true;
}

/* Half-open or unanswered: a service in use would have assured entries. */
static bool flood_to_one_service(struct finding *f, const struct facts *facts)
{
	const struct fill *c = &facts->fill;
	const struct share *to = &c->service;
	uint64_t loose = c->entries - c->assured;

	if (!c->known || !facts->full || !is_most(to->part, to->whole) ||
	    !is_most(loose, c->entries))
		return false;
	say(f, "many sources open flows to one service, %s, and %" PRIu64
	    "%% of the table is not answered", to->who,
	    percent_of(loose, c->entries));
	prove(f, census_of(facts, c), "%" PRIu64 " of %" PRIu64
	      " entries are to %s", to->part, to->whole, to->who);
	prove(f, census_of(facts, c), "%" PRIu64 " entries are not assured",
	      loose);
	if (c->src.known)
		prove(f, census_of(facts, c), "the first source, %s, has %"
		      PRIu64 " of them", c->src.who, c->src.part);
	prove_victims(f, &facts->victims.service, "");
	return true;
}

static bool short_lived_burst(struct finding *f, const struct facts *facts)
{
	uint64_t timeout = facts->inside.time_wait_timeout;
	const struct fill *c = &facts->fill;

	if (!c->known || !facts->full || !is_most(c->closing, c->entries))
		return false;
	say(f, "many short connections: %" PRIu64
	    "%% of the table is TCP that has been closed already",
	    percent_of(c->closing, c->entries));
	prove(f, census_of(facts, c), "%" PRIu64 " of %" PRIu64
	      " entries are closing or in time_wait", c->closing, c->entries);
	if (timeout)
		prove(f, "/proc/sys", "nf_conntrack_tcp_timeout_time_wait %"
		      PRIu64 " s", timeout);
	return true;
}

static bool evictable_only(struct finding *f, const struct facts *facts)
{
	const struct fill *c = &facts->fill;

	if (!c->known || !facts->full ||
	    !lost_to(facts, CTK_A_NETNS_TABLE_FULL_DROPS) ||
	    percent_of(c->evictable, c->entries) < NEARLY_ALL)
		return false;
	say(f, "the table is full of entries that could give way, but the kernel looks at %u buckets only",
	    EVICTION_RANGE);
	prove(f, census_of(facts, c), "%" PRIu64 " of %" PRIu64
	      " entries are evictable", c->evictable, c->entries);
	prove(f, "ctk", "table-full-drops %" PRIu64
	      ", admitted-by-eviction %" PRIu64,
	      lost_to(facts, CTK_A_NETNS_TABLE_FULL_DROPS),
	      lost_to(facts, CTK_A_NETNS_ADMITTED_BY_EVICTION));
	if (c->buckets)
		prove(f, census_of(facts, c), "%" PRIu64 " entries in %" PRIu64
		      " buckets, so that %u buckets often hold none",
		      c->entries, c->buckets, EVICTION_RANGE);
	return true;
}

static bool blind_hook(struct finding *f, const struct facts *facts)
{
	if (!hook_is_blind(facts->s))
		return false;
	say(f, "the hook is blind, so that losses to a full table cannot be told from others");
	prove(f, "status", "hook blind");
	prove(f, "ctk", "other-drops %" PRIu64 ", table-full-drops %" PRIu64,
	      lost_to(facts, CTK_A_NETNS_OTHER_DROPS),
	      lost_to(facts, CTK_A_NETNS_TABLE_FULL_DROPS));
	prove_event(f, last_of(facts, CTK_EVENT_HOOK_BLIND));
	return true;
}

static void prove_ordinary(struct finding *f, const struct facts *facts)
{
	const struct fill *c = &facts->fill;

	if (!c->known)
		return;
	prove(f, census_of(facts, c), "%" PRIu64 " entries, %" PRIu64
	      " of them assured", c->entries, c->assured);
	if (c->src.known)
		prove(f, census_of(facts, c),
		      "no source has more than %" PRIu64 "%%",
		      percent_of(c->src.part, c->src.whole) + 1);
}

/* nf_conntrack_init_start(): the same entries before and since 5.15. */
static uint64_t default_limit(uint64_t memory)
{
	if (memory > UINT64_C(4) << 30)
		return 262144;
	return memory > UINT64_C(1) << 30 ? 65536 : 0;
}

static bool small_default(struct finding *f, const struct facts *facts)
{
	uint64_t usual = default_limit(facts->memory);
	uint64_t limit = get(&facts->netns->r, CTK_A_NETNS_LIMIT);
	char memory[32];

	if (facts->fill.known && facts->fill.limit)
		limit = facts->fill.limit;
	if (!facts->full || !usual || limit != usual)
		return false;
	format_bytes(memory, sizeof(memory), facts->memory);
	say(f, "the limit of %" PRIu64 " is the kernel's default, and the traffic needs more",
	    limit);
	prove(f, "/proc/meminfo", "%s of memory, for which the kernel's default is %"
	      PRIu64, memory, usual);
	if (!facts->limit_set)
		prove_event(f, facts->attached);
	prove_ordinary(f, facts);
	prove_file(f, facts);
	return true;
}

static bool limit_too_small(struct finding *f, const struct facts *facts)
{
	uint64_t limit = get(&facts->netns->r, CTK_A_NETNS_LIMIT);

	if (!facts->full || (!facts->fill.known && facts->s->source->read_events))
		return false;
	if (facts->fill.known)
		limit = facts->fill.limit;
	say(f, "the traffic needs more than the limit of %" PRIu64, limit);
	prove_ordinary(f, facts);
	return true;
}

static bool unknown_cause(struct finding *f, const struct facts *facts)
{
	uint64_t other = lost_to(facts, CTK_A_NETNS_OTHER_DROPS);

	if (facts->full) {
		say(f, "what fills the table is not known: there is no census of it");
	} else {
		say(f, "not for a full table, nor for chains; the kernel does not tell why");
		prove(f, "ctk", "other-drops %" PRIu64
		      ": no memory, a protocol's refusal or a clash", other);
	}
	return true;
}

const struct rule rules[] = {
	{ "limit-reset-by-reload", limit_reset_by_reload, REMEDY_LIMIT },
	{ "limit-lowered", limit_lowered, REMEDY_LIMIT },
	{ "no-memory", no_memory, REMEDY_MEMORY },
	{ "too-few-buckets", too_few_buckets, REMEDY_BUCKETS },
	{ "unlisted-entries", unlisted_entries, REMEDY_QUEUE },
	{ "slow-leak-established", slow_leak_established,
	  REMEDY_LIMIT | REMEDY_ESTABLISHED },
	{ "flood-from-one-source", flood_from_one_source, REMEDY_SOURCE },
	{ "flood-to-one-service", flood_to_one_service, REMEDY_SERVICE },
	{ "short-lived-burst", short_lived_burst,
	  REMEDY_LIMIT | REMEDY_TIME_WAIT },
	{ "evictable-only", evictable_only, REMEDY_LIMIT },
	{ "hook-blind", blind_hook, REMEDY_HOOK },
	{ "small-default", small_default, REMEDY_LIMIT },
	{ "limit-too-small", limit_too_small, REMEDY_LIMIT },
	{ "unknown-cause", unknown_cause, REMEDY_ASK },
	{ "limit-over-buckets", limit_over_buckets, REMEDY_BUCKETS },
	{ }
};

_Static_assert(sizeof(rules) / sizeof(rules[0]) <= RULES_MAX + 1,
	       "a diagnosis has no room for all findings");

/* What is left when all before it is ruled out. */
static bool is_left_over(const struct rule *r)
{
	return r->applies == limit_too_small || r->applies == unknown_cause;
}

/* What may be wrong with a table that has cost nothing. */
bool rules_warn(struct finding *f, const struct facts *facts)
{
	memset(f, 0, sizeof(*f));
	for (f->rule = rules; f->rule->applies != limit_over_buckets;)
		f->rule++;
	return limit_over_buckets(f, facts);
}

void rules_apply(struct diagnosis *d)
{
	for (const struct rule *r = rules; r->name; r++) {
		struct finding *f = &d->finding[d->n_findings];

		if (is_left_over(r) && d->n_findings)
			continue;
		memset(f, 0, sizeof(*f));
		f->rule = r;
		if (r->applies(f, d->facts))
			d->n_findings++;
	}
}
