// SPDX-License-Identifier: GPL-2.0
/*
 * Whose packets died, in short: the first groups of drops; and for a cause the
 * source and the service that have most of the records' losses. What may have
 * been others' losses is nobody's there. Where nobody is known, why that is.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ctk.h>

#include "groups.h"
#include "why.h"

#define GROUPS_TOLD	2

static uint64_t certain(const struct offender *o)
{
	return get(&o->r, CTK_A_OFFENDER_COUNT) -
	       get(&o->r, CTK_A_OFFENDER_ERROR);
}

static bool same_text(const struct offender *a, const struct offender *b,
		      unsigned int attr)
{
	return !strcmp(get_text(&a->r, attr), get_text(&b->r, attr));
}

static bool same_source(const struct offender *a, const struct offender *b)
{
	return same_text(a, b, CTK_A_OFFENDER_SRC);
}

static bool same_service(const struct offender *a, const struct offender *b)
{
	return same_text(a, b, CTK_A_OFFENDER_DST) &&
	       get(&a->r, CTK_A_OFFENDER_L4PROTO) ==
	       get(&b->r, CTK_A_OFFENDER_L4PROTO) &&
	       get(&a->r, CTK_A_OFFENDER_DPORT) ==
	       get(&b->r, CTK_A_OFFENDER_DPORT);
}

typedef bool (*alike)(const struct offender *a, const struct offender *b);

static uint64_t add_up(const struct snapshot *s, const struct offender *o,
		       alike is_alike)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_offenders; i++)
		if (is_alike(o, &s->offenders[i]))
			sum += certain(&s->offenders[i]);
	return sum;
}

/* One of those with the largest sum; NULL where there is none. */
static const struct offender *largest(const struct snapshot *s, alike is_alike,
				      uint64_t *sum)
{
	const struct offender *found = NULL;

	*sum = 0;
	for (size_t i = 0; i < s->n_offenders; i++) {
		uint64_t n = add_up(s, &s->offenders[i], is_alike);

		if (n > *sum) {
			*sum = n;
			found = &s->offenders[i];
		}
	}
	return found;
}

static void victim_share(struct share *share, const struct victims *v,
			 const char *addr, uint64_t l4proto, uint64_t port,
			 uint64_t part)
{
	share->known = true;
	share->part = part;
	share->whole = v->attributed;
	share->l4proto = (uint8_t)l4proto;
	share->port = port;
	snprintf(share->addr, sizeof(share->addr), "%s", addr);
	share_name(share);
}

/* Who sent most of what the source lost, where that was a process here. */
static void name_process(struct victims *v, const struct snapshot *s,
			 const struct offender *source)
{
	uint64_t most = 0;

	for (size_t i = 0; i < s->n_offenders; i++) {
		const struct offender *o = &s->offenders[i];
		char comm[32];

		if (!same_source(o, source) || certain(o) <= most ||
		    !has(&o->r, CTK_A_OFFENDER_COMM))
			continue;
		most = certain(o);
		shorten(comm, sizeof(comm),
			get_text(&o->r, CTK_A_OFFENDER_COMM), sizeof(comm));
		snprintf(v->process, sizeof(v->process), "%s", comm);
		if (has(&o->r, CTK_A_OFFENDER_PID))
			append(v->process, sizeof(v->process), "/%" PRIu64,
			       get(&o->r, CTK_A_OFFENDER_PID));
	}
}

static int by_lost(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->lost > y->lost ? -1 : x->lost < y->lost;
}

/* 61% tcp 10.4.1.9 -> 10.0.3.17:5432 (java/8123) */
static void name_group(char *buf, size_t size, const struct group *g,
		       uint64_t attributed)
{
	char l4proto[32], source[96], destination[160], process[64];

	format_l4proto(l4proto, sizeof(l4proto),
		       get(&g->member[0]->r, CTK_A_OFFENDER_L4PROTO));
	say_source(source, sizeof(source), g);
	say_destination(destination, sizeof(destination), g);
	say_process(process, sizeof(process), g);
	append(buf, size, "%s%" PRIu64 "%% %s %s -> %s", *buf ? ", " : "",
	       percent_of(g->lost, attributed), l4proto, source, destination);
	if (process[0])
		append(buf, size, " (%s)", process);
}

/* As drops has them, the first few; what is less than a percent is not told. */
static void name_groups(struct victims *v, const struct snapshot *s)
{
	struct groups groups;

	if (!groups_make(&groups, s->offenders, s->n_offenders)) {
		if (groups.n)
			qsort(groups.list, groups.n, sizeof(*groups.list),
			      by_lost);
		for (size_t i = 0; i < groups.n && i < GROUPS_TOLD; i++)
			if (percent_of(groups.list[i].lost, v->attributed))
				name_group(v->text, sizeof(v->text),
					   &groups.list[i], v->attributed);
	}
	groups_free(&groups);
}

/* From the offenders of @s, which are those of one namespace. */
void victims_from(struct victims *v, const struct snapshot *s)
{
	const struct offender *o;
	uint64_t sum;

	memset(v, 0, sizeof(*v));
	for (size_t i = 0; i < s->n_offenders; i++)
		v->attributed += get(&s->offenders[i].r, CTK_A_OFFENDER_COUNT);
	o = largest(s, same_service, &sum);
	if (o)
		victim_share(&v->service, v,
			     get_text(&o->r, CTK_A_OFFENDER_DST),
			     get(&o->r, CTK_A_OFFENDER_L4PROTO),
			     get(&o->r, CTK_A_OFFENDER_DPORT), sum);
	o = largest(s, same_source, &sum);
	if (!o)
		return;
	victim_share(&v->src, v, get_text(&o->r, CTK_A_OFFENDER_SRC), 0, 0,
		     sum);
	name_process(v, s, o);
	name_groups(v, s);
}

/* Losses for other reasons are never recorded, and nothing is to be explained. */
void victims_unknown(struct facts *f)
{
	uint64_t how = get(&f->s->status.r, CTK_A_STATUS_ATTRIBUTION);
	const struct record *r = &f->netns->r;
	char all[32] = "the only one";
	uint64_t lost = get(r, CTK_A_NETNS_LOST) -
			get(r, CTK_A_NETNS_OTHER_DROPS);

	if (f->victims.text[0] || !lost ||
	    !has(r, CTK_A_NETNS_ATTRIBUTED_DROPS) ||
	    get(r, CTK_A_NETNS_ATTRIBUTED_DROPS))
		return;
	if (lost > 1)
		snprintf(all, sizeof(all), "all %" PRIu64, lost);
	if (how == CTK_ATTRIBUTION_AUTO)
		snprintf(f->victims.text, sizeof(f->victims.text),
			 "not known: %s died before recording began (attribution=auto; attribution=on records from the first)",
			 all);
	else if (how == CTK_ATTRIBUTION_OFF)
		snprintf(f->victims.text, sizeof(f->victims.text),
			 "not known: attribution is off (attribution=auto records them)");
}
