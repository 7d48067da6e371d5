// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat drops: who lost packets, a namespace after the other, and how many
 * losses nobody is named for. Groups are made in groups.c and tabled in
 * drops-table.c; JSON has the records as they are.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"
#include "groups.h"

#define SECTIONS	5	/* namespaces, without -a */
#define SWITCH		"/sys/module/ctk/parameters/attribution"

static int compare_address(const char *a, const char *b)
{
	struct in6_addr x = { 0 }, y = { 0 };
	bool six = strchr(a, ':');

	if (six != !!strchr(b, ':'))
		return six ? 1 : -1;
	inet_pton(six ? AF_INET6 : AF_INET, a, &x);
	inet_pton(six ? AF_INET6 : AF_INET, b, &y);
	return memcmp(&x, &y, sizeof(x));
}

static int compare_number(const struct record *a, const struct record *b,
			  unsigned int attr)
{
	if (get(a, attr) == get(b, attr))
		return 0;
	return get(a, attr) < get(b, attr) ? -1 : 1;
}

static int compare_offenders(const struct offender *a, const struct offender *b,
			     enum sort sort)
{
	const struct record *x = &a->r, *y = &b->r;
	int order = 0;

	if (sort == SORT_LAST)
		order = compare_number(y, x, CTK_A_OFFENDER_LAST_TIME);
	else if (sort == SORT_SRC)
		order = compare_address(get_text(x, CTK_A_OFFENDER_SRC),
					get_text(y, CTK_A_OFFENDER_SRC));
	else if (sort == SORT_DST)
		order = compare_address(get_text(x, CTK_A_OFFENDER_DST),
					get_text(y, CTK_A_OFFENDER_DST));
	if (!order && sort == SORT_DST)
		order = compare_number(x, y, CTK_A_OFFENDER_DPORT);
	return order ? order : compare_number(y, x, CTK_A_OFFENDER_COUNT);
}

static int sort_offenders(const void *a, const void *b, void *data)
{
	return compare_offenders(a, b, *(const enum sort *)data);
}

/* Namespace by namespace, and as asked for within each. */
static int sort_by_netns(const void *a, const void *b, void *data)
{
	const struct offender *x = a, *y = b;
	int order = compare_number(&x->r, &y->r, CTK_A_OFFENDER_NETNS_ID);

	return order ? order : sort_offenders(a, b, data);
}

/* What has many sources comes behind those that have one; likewise targets. */
static int sort_groups(const void *a, const void *b, void *data)
{
	const struct group *x = a, *y = b;
	enum sort sort = *(const enum sort *)data;
	bool many_x = (sort == SORT_SRC ? x->sources : x->hosts) > 1;
	bool many_y = (sort == SORT_SRC ? y->sources : y->hosts) > 1;

	if (sort == SORT_LAST && x->last != y->last)
		return x->last > y->last ? -1 : 1;
	if (sort == SORT_SRC || sort == SORT_DST) {
		int order = (int)many_x - (int)many_y;

		if (!order)
			order = compare_offenders(x->member[0], y->member[0],
						  sort);
		if (order)
			return order;
	}
	return x->lost > y->lost ? -1 : x->lost < y->lost;
}

static int drops_read(struct snapshot *s, const struct options *o)
{
	enum sort sort = o->sort;

	if (snapshot_read(s, o) || snapshot_read_offenders(s, o))
		return -1;
	if (s->n_offenders)
		qsort_r(s->offenders, s->n_offenders, sizeof(*s->offenders),
			o->json ? sort_offenders : sort_by_netns, &sort);
	return 0;
}

/* --- A namespace --------------------------------------------------------- */

static uint64_t unattributed(const struct record *r)
{
	return get(r, CTK_A_NETNS_UNATTRIBUTED_DROPS);
}

/* Why losses that were not for other reasons have no record. */
static void say_unrecorded(char *buf, size_t size, const struct record *status)
{
	uint64_t marks_lost = get(status, CTK_A_STATUS_MARKS_LOST);
	char marks[96] = "";

	if (marks_lost)
		snprintf(marks, sizeof(marks),
			 "; %" PRIu64 " were not found again when freed, all namespaces together",
			 marks_lost);
	switch (get(status, CTK_A_STATUS_ATTRIBUTION)) {
	case CTK_ATTRIBUTION_OFF:
		snprintf(buf, size,
			 "nothing is recorded while attribution is off: echo auto >%s",
			 SWITCH);
		break;
	case CTK_ATTRIBUTION_AUTO:
		snprintf(buf, size,
			 "recording (attribution=auto) starts a moment after the first loss%s",
			 marks);
		break;
	default:
		snprintf(buf, size, "no record was made%s", marks);
		break;
	}
}

static void put_unattributed(FILE *out, const struct snapshot *s,
			     const struct record *r)
{
	const struct record *status = &s->status.r;
	uint64_t n = unattributed(r), other = get(r, CTK_A_NETNS_OTHER_DROPS);
	char others[96] = "", unrecorded[256] = "", text[512];
	bool mixed;

	if (!n)
		return;
	if (other > n)
		other = n;
	mixed = other && n > other;
	if (other)
		snprintf(others, sizeof(others), "%" PRIu64 " %s%s", other,
			 get(status, CTK_A_STATUS_HOOK) == CTK_HOOK_BLIND &&
			 has(status, CTK_A_STATUS_HOOK) ?
			 "not seen by the hook, which is blind" :
			 "lost for other reasons (other_drops)",
			 mixed ? "; for the rest, " : "");
	if (n > other)
		say_unrecorded(unrecorded, sizeof(unrecorded), status);
	snprintf(text, sizeof(text),
		 "%" PRIu64 " of %" PRIu64 " %s not listed: %s%s", n,
		 get(r, CTK_A_NETNS_LOST), n == 1 ? "is" : "are", others,
		 unrecorded);
	put_wrapped(out, "", text);
}

static void put_heading(FILE *out, const struct snapshot *s,
			const struct netns *n)
{
	uint64_t last = get(&n->r, CTK_A_NETNS_LAST_LOSS_TIME);
	char name[64], number[32] = "", clock[32], text[256];

	netns_label(name, sizeof(name), n, 40);
	if (n->names)
		snprintf(number, sizeof(number), " (netns %" PRIu64 ")",
			 get(&n->r, CTK_A_NETNS_NETNS_INUM));
	format_clock(clock, sizeof(clock), last, s->now);
	snprintf(text, sizeof(text), "%s%s: %" PRIu64 " lost%s%s", name, number,
		 get(&n->r, CTK_A_NETNS_LOST), last ? ", the last at " : "",
		 last ? clock : "");
	put_wrapped(out, "", text);
}

/* The first of those who lost packets in @n, and in @count how many. */
static const struct offender *offenders_of(const struct snapshot *s,
					   const struct netns *n, size_t *count)
{
	const struct offender *first = NULL;

	*count = 0;
	for (size_t i = 0; i < s->n_offenders; i++) {
		if (s->offenders[i].netns != n)
			continue;
		if (!first)
			first = &s->offenders[i];
		++*count;
	}
	return first;
}

/* Whether something in it is approximate. */
static bool put_section(FILE *out, const struct options *o,
			const struct snapshot *s, const struct netns *n)
{
	uint64_t whole = get(&n->r, CTK_A_NETNS_LOST), sum = 0;
	const struct offender *offenders;
	bool approximate = false;
	struct groups groups;
	enum sort sort = o->sort;
	size_t count;

	offenders = offenders_of(s, n, &count);
	put_heading(out, s, n);
	if (count && !groups_make(&groups, offenders, count)) {
		for (size_t i = 0; i < groups.n; i++) {
			sum += groups.list[i].lost;
			approximate |= groups.list[i].approximate;
		}
		qsort_r(groups.list, groups.n, sizeof(*groups.list),
			sort_groups, &sort);
		/* Those that were lost since the namespaces were read. */
		put_groups(out, o, s, &groups, sum > whole ? sum : whole);
		groups_free(&groups);
	}
	put_unattributed(out, s, &n->r);
	return approximate;
}

/* --- All of it ----------------------------------------------------------- */

static void put_nothing(FILE *out, const struct options *o,
			const struct snapshot *s)
{
	bool one = s->hidden || o->netns.by != SELECT_ALL;

	fprintf(out, "nothing lost %ssince ctk was loaded or reset\n",
		one ? "in this namespace " : "");
	if (get(&s->status.r, CTK_A_STATUS_ATTRIBUTION) == CTK_ATTRIBUTION_OFF &&
	    has(&s->status.r, CTK_A_STATUS_ATTRIBUTION))
		put_wrapped(out, "",
			    "attribution is off, so nobody will be named: echo auto >"
			    SWITCH);
}

static void put_approximate(FILE *out, const struct snapshot *s)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "~ is about: of each namespace the %" PRIu64 " that lost most are kept, and ERROR is how much of LOST may be of others",
		 get(&s->status.r, CTK_A_STATUS_OFFENDER_SLOTS));
	put_wrapped(out, "", text);
}

static int most_lost_first(const void *a, const void *b)
{
	const struct netns *x = *(const struct netns *const *)a;
	const struct netns *y = *(const struct netns *const *)b;

	return compare_number(&y->r, &x->r, CTK_A_NETNS_LOST);
}

/* @n pointers to namespaces that lost packets. */
static void put_sections(FILE *out, const struct options *o,
			 const struct snapshot *s, const struct netns **netns,
			 size_t n)
{
	size_t shown = o->all || n <= SECTIONS ? n : SECTIONS;
	bool approximate = false;

	for (size_t i = 0; i < shown; i++) {
		if (i)
			fputc('\n', out);
		approximate |= put_section(out, o, s, netns[i]);
	}
	if (n > shown)
		fprintf(out, "\n%zu more namespaces lost less (-a lists them)\n",
			n - shown);
	if (approximate)
		put_approximate(out, s);
}

static void drops_text(FILE *out, const struct options *o,
		       const struct snapshot *s)
{
	const struct netns **losers = calloc(s->n_netns + 1, sizeof(*losers));
	char date[32];
	size_t n = 0;

	if (!losers)
		return;
	if (o->timestamp) {
		format_date(date, sizeof(date), s->now);
		fprintf(out, "%s\n", date);
	}
	for (size_t i = 0; i < s->n_netns; i++)
		if (get(&s->netns[i].r, CTK_A_NETNS_LOST))
			losers[n++] = &s->netns[i];
	qsort(losers, n, sizeof(*losers), most_lost_first);
	if (n)
		put_sections(out, o, s, losers, n);
	else
		put_nothing(out, o, s);
	put_unseen(out, s);
	free(losers);
}

static json_t *offender_json(const struct offender *o)
{
	json_t *object = json_record(&o->r, offender_fields);

	if (o->netns)
		json_object_set_new(object, "names", json_names(o->netns));
	if (o->cgroup)
		json_object_set_new(object, "cgroup", json_name(o->cgroup));
	if (*o->cgroup_name)
		json_object_set_new(object, "cgroup_name",
				    json_name(o->cgroup_name));
	return object;
}

static json_t *drops_json(const struct options *o, const struct snapshot *s)
{
	json_t *list = json_array();

	(void)o;
	for (size_t i = 0; i < s->n_offenders; i++)
		json_array_append_new(list, offender_json(&s->offenders[i]));
	return list;
}

const struct command command_drops = {
	.name = "drops",
	.summary = "who lost packets: source, service, process, container",
	.repeats = true,
	.options = "aNs",
	.all_is_lines = true,
	.read = drops_read,
	.text = drops_text,
	.json = drops_json,
};
