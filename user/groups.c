// SPDX-License-Identifier: GPL-2.0
/*
 * Groups those who lost packets, for people: a source that tries many ports, or
 * many sources at one port, is one line and not hundreds. Whoever belongs to
 * two such groups is counted in the one of more flows. Reads records of one
 * namespace, prints nothing.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"
#include "groups.h"

/*
 * From so many different ones on they are not told one by one, but for those
 * that have more than this part of what all of them lost. What has nothing in
 * common but its destination has to be a crowd for that.
 */
#define MANY	5
#define CROWD	32
#define GREAT	8

struct item {
	const struct offender *o;
	const char *comm;	/* of the sender; of its socket's, where known */
	enum group_kind kind;
	size_t size[GROUP_KINDS];	/* of the group it would be in */
};

/* Attributes that members share; 0 ends them. COMM is that of the item. */
static const uint16_t shared[GROUP_KINDS][7] = {
	[GROUP_FLOW] = {
		CTK_A_OFFENDER_SRC, CTK_A_OFFENDER_COMM,
		CTK_A_OFFENDER_CGROUP_ID, CTK_A_OFFENDER_DST,
		CTK_A_OFFENDER_DPORT, CTK_A_OFFENDER_ICMP_TYPE,
	},
	[GROUP_SOURCE] = {
		CTK_A_OFFENDER_SRC, CTK_A_OFFENDER_COMM,
		CTK_A_OFFENDER_CGROUP_ID,
	},
	[GROUP_SERVICE] = {
		CTK_A_OFFENDER_DST, CTK_A_OFFENDER_DPORT,
		CTK_A_OFFENDER_ICMP_TYPE,
	},
	[GROUP_HOST] = { CTK_A_OFFENDER_DST },
	[GROUP_REST] = { },
};

static const uint16_t class[] = {
	CTK_A_OFFENDER_NETNS_ID, CTK_A_OFFENDER_REASON,
	CTK_A_OFFENDER_L4PROTO, CTK_A_OFFENDER_ZONE, 0
};

static struct item item_of(const struct offender *o)
{
	return (struct item) {
		.o = o,
		.comm = get_text(&o->r, CTK_A_OFFENDER_COMM),
	};
}

static int compare_attr(const struct item *a, const struct item *b,
			unsigned int attr)
{
	const struct record *x = &a->o->r, *y = &b->o->r;

	if (attr == CTK_A_OFFENDER_COMM)
		return strcmp(a->comm, b->comm);
	if (field_of(offender_fields, attr)->unit == UNIT_TEXT)
		return strcmp(get_text(x, attr), get_text(y, attr));
	if (get(x, attr) != get(y, attr))
		return get(x, attr) < get(y, attr) ? -1 : 1;
	return (int)has(x, attr) - (int)has(y, attr);
}

static int compare_attrs(const struct item *a, const struct item *b,
			 const uint16_t *attrs)
{
	int order = 0;

	for (; *attrs && !order; attrs++)
		order = compare_attr(a, b, *attrs);
	return order;
}

static int compare_shared(const struct item *a, const struct item *b,
			  enum group_kind kind)
{
	int order = compare_attrs(a, b, class);

	return order ? order : compare_attrs(a, b, shared[kind]);
}

/* Groups, what they are made of, and of how many at least. */
struct tier {
	enum group_kind outer;
	enum group_kind inner;
	size_t many;
};

static int by_tier(const void *a, const void *b, void *data)
{
	const struct item *x = *(struct item *const *)a;
	const struct item *y = *(struct item *const *)b;
	const struct tier *tier = data;
	int order = compare_shared(x, y, tier->outer);

	return order ? order : compare_shared(x, y, tier->inner);
}

/* How many of @items, from the first on, share what this kind does. */
static size_t run_length(struct item **items, size_t n, enum group_kind kind)
{
	size_t length = 1;

	while (length < n && !compare_shared(items[0], items[length], kind))
		length++;
	return length;
}

static uint64_t sum_counts(struct item **items, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += get(&items[i]->o->r, CTK_A_OFFENDER_COUNT);
	return sum;
}

/* Tells each of @n items how many flows there are that it could share with. */
static void measure(struct item **items, size_t n, enum group_kind kind)
{
	struct tier tier = { kind, GROUP_FLOW, MANY };

	qsort_r(items, n, sizeof(*items), by_tier, &tier);
	for (size_t i = 0, run; i < n; i += run) {
		size_t flows = 0;

		run = run_length(items + i, n - i, kind);
		for (size_t j = 0; j < run; flows++)
			j += run_length(items + i + j, run - j, GROUP_FLOW);
		for (size_t j = 0; j < run; j++)
			items[i + j]->size[kind] = flows;
	}
}

/*
 * Makes one group of @n items, of those inner ones in it that are of no great
 * part, if they are many. Whoever is stays by itself, and is seen.
 */
static void fold(struct item **items, size_t n, const struct tier *tier)
{
	uint64_t whole = sum_counts(items, n);
	size_t small = 0;

	for (int pass = 0; pass < 2 && (!pass || small >= tier->many); pass++) {
		for (size_t i = 0, run; i < n; i += run) {
			run = run_length(items + i, n - i, tier->inner);
			if (sum_counts(items + i, run) > whole / GREAT)
				continue;
			for (size_t j = i; pass && j < i + run; j++)
				items[j]->kind = tier->outer;
			small += !pass;
		}
	}
}

/* Makes groups, as fold() does, of those that @eligible says. */
static void gather(struct item *items, struct item **scratch, size_t n,
		   struct tier tier, bool (*eligible)(const struct item *i))
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (items[i].kind == tier.inner && eligible(&items[i]))
			scratch[found++] = &items[i];
	qsort_r(scratch, found, sizeof(*scratch), by_tier, &tier);
	for (size_t i = 0, run; i < found; i += run) {
		run = run_length(scratch + i, found - i, tier.outer);
		fold(scratch + i, run, &tier);
	}
}

static bool any(const struct item *item)
{
	(void)item;
	return true;
}

static bool has_more_targets(const struct item *item)
{
	return item->size[GROUP_SOURCE] >= item->size[GROUP_SERVICE];
}

/* More of it may be others' than its own. */
static bool is_vague(const struct item *item)
{
	return get(&item->o->r, CTK_A_OFFENDER_ERROR) >
	       get(&item->o->r, CTK_A_OFFENDER_COUNT) / 2;
}

static void choose(struct item *items, struct item **scratch, size_t n)
{
	static const struct {
		struct tier tier;
		bool (*eligible)(const struct item *item);
	} steps[] = {
		{ { GROUP_SOURCE, GROUP_FLOW, MANY }, has_more_targets },
		{ { GROUP_SERVICE, GROUP_FLOW, MANY }, any },
		{ { GROUP_HOST, GROUP_SOURCE, MANY }, any },
		{ { GROUP_HOST, GROUP_SERVICE, MANY }, any },
		{ { GROUP_HOST, GROUP_FLOW, CROWD }, any },
		{ { GROUP_REST, GROUP_FLOW, MANY }, is_vague },
	};

	for (size_t i = 0; i < n; i++)
		scratch[i] = &items[i];
	measure(scratch, n, GROUP_SOURCE);
	measure(scratch, n, GROUP_SERVICE);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		gather(items, scratch, n, steps[i].tier, steps[i].eligible);
}

/* The timer that sends a packet again is of the process that sent it first. */
static void find_senders(struct item *items, size_t n)
{
	static const uint16_t flow[] = {
		CTK_A_OFFENDER_SRC, CTK_A_OFFENDER_DST, CTK_A_OFFENDER_DPORT,
		CTK_A_OFFENDER_ICMP_TYPE, CTK_A_OFFENDER_CGROUP_ID, 0
	};

	for (size_t i = 0; i < n; i++) {
		if (has(&items[i].o->r, CTK_A_OFFENDER_COMM) ||
		    has(&items[i].o->r, CTK_A_OFFENDER_IFINDEX))
			continue;
		for (size_t j = 0; j < n; j++) {
			if (!has(&items[j].o->r, CTK_A_OFFENDER_COMM) ||
			    compare_attrs(&items[i], &items[j], class) ||
			    compare_attrs(&items[i], &items[j], flow))
				continue;
			items[i].comm = items[j].comm;
			break;
		}
	}
}

static int by_group(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	uint64_t i = get(&x->o->r, CTK_A_OFFENDER_COUNT);
	uint64_t j = get(&y->o->r, CTK_A_OFFENDER_COUNT);
	int order;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	order = compare_shared(x, y, x->kind);
	if (order)
		return order;
	return i > j ? -1 : i < j;
}

static int by_attr(const void *a, const void *b, void *data)
{
	const struct item x = item_of(*(const struct offender *const *)a);
	const struct item y = item_of(*(const struct offender *const *)b);

	return compare_attr(&x, &y, *(const unsigned int *)data);
}

/* How many different ones; the members are in any order then. */
static size_t count_distinct(struct group *g, unsigned int attr)
{
	size_t distinct = 0;

	qsort_r(g->member, g->n, sizeof(*g->member), by_attr, &attr);
	for (size_t i = 0; i < g->n; i++)
		if (has(&g->member[i]->r, attr) &&
		    (!i || by_attr(&g->member[i - 1], &g->member[i], &attr)))
			distinct++;
	return distinct;
}

static int by_count(const void *a, const void *b)
{
	const struct offender *x = *(const struct offender *const *)a;
	const struct offender *y = *(const struct offender *const *)b;
	uint64_t i = get(&x->r, CTK_A_OFFENDER_COUNT);
	uint64_t j = get(&y->r, CTK_A_OFFENDER_COUNT);

	return i > j ? -1 : i < j;
}

static void sum_up(struct group *g, bool others_went)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct record *r = &g->member[i]->r;

		g->lost += get(r, CTK_A_OFFENDER_COUNT);
		g->error += get(r, CTK_A_OFFENDER_ERROR);
		if (get(r, CTK_A_OFFENDER_LAST_TIME) > g->last)
			g->last = get(r, CTK_A_OFFENDER_LAST_TIME);
	}
	g->approximate = g->error || (others_went && g->kind != GROUP_FLOW);
	g->sources = count_distinct(g, CTK_A_OFFENDER_SRC);
	g->hosts = count_distinct(g, CTK_A_OFFENDER_DST);
	g->ports = count_distinct(g, CTK_A_OFFENDER_DPORT);
	g->types = count_distinct(g, CTK_A_OFFENDER_ICMP_TYPE);
	g->pids = count_distinct(g, CTK_A_OFFENDER_PID);
	g->cgroups = count_distinct(g, CTK_A_OFFENDER_CGROUP_ID);
	g->devices = count_distinct(g, CTK_A_OFFENDER_IFINDEX);
	g->comms = count_distinct(g, CTK_A_OFFENDER_COMM);
	qsort(g->member, g->n, sizeof(*g->member), by_count);
}

static int cut(struct groups *groups, const struct item *items, size_t n)
{
	bool others_went = false;

	for (size_t i = 0; i < n; i++) {
		others_went |= !!get(&items[i].o->r, CTK_A_OFFENDER_ERROR);
		groups->members[i] = items[i].o;
	}
	for (size_t i = 0, end; i < n; i = end) {
		struct group *list = grow(groups->list, groups->n,
					  sizeof(*list));

		if (!list)
			return -1;
		groups->list = list;
		list += groups->n++;
		memset(list, 0, sizeof(*list));
		for (end = i + 1; end < n; end++)
			if (items[i].kind != items[end].kind ||
			    compare_shared(&items[i], &items[end],
					   items[i].kind))
				break;
		list->kind = items[i].kind;
		list->member = groups->members + i;
		list->n = end - i;
		sum_up(list, others_went);
	}
	return 0;
}

/* The @n @offenders of one namespace; they have to stay while groups do. */
int groups_make(struct groups *groups, const struct offender *offenders,
		size_t n)
{
	struct item *items = calloc(n + 1, sizeof(*items));
	struct item **scratch = calloc(n + 1, sizeof(struct item *));
	int error = -1;

	memset(groups, 0, sizeof(*groups));
	groups->members = calloc(n + 1, sizeof(*groups->members));
	if (items && scratch && groups->members) {
		for (size_t i = 0; i < n; i++)
			items[i] = item_of(&offenders[i]);
		find_senders(items, n);
		choose(items, scratch, n);
		qsort(items, n, sizeof(*items), by_group);
		error = cut(groups, items, n);
	} else {
		fail("no memory for %zu records", n);
	}
	free(scratch);
	free(items);
	return error;
}

void groups_free(struct groups *groups)
{
	free(groups->list);
	free(groups->members);
	memset(groups, 0, sizeof(*groups));
}
