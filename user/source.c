// SPDX-License-Identifier: GPL-2.0
/*
 * Which source a snapshot is read from, and what every snapshot has whatever
 * its source: the moment, the names, the order. Room for a source is a line
 * in the table below.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/ctk.h>

#include "why.h"

/* The first that can be used here serves. */
static const struct source *const sources[] = {
	&source_module,
	&source_proc,
};

#define N_SOURCES	(sizeof(sources) / sizeof(sources[0]))

/* By what is nearest to its limit, then by what lost most, then for good. */
static int compare(const void *a, const void *b)
{
	static const uint16_t keys[] = {
		CTK_A_NETNS_FILL, CTK_A_NETNS_LOST, CTK_A_NETNS_ENTRIES,
	};
	const struct netns *x = a, *y = b;
	uint64_t i, j;

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		i = get(&x->r, keys[k]);
		j = get(&y->r, keys[k]);
		if (i != j)
			return i > j ? -1 : 1;
	}
	i = get(&x->r, CTK_A_NETNS_NETNS_INUM);
	j = get(&y->r, CTK_A_NETNS_NETNS_INUM);
	return i < j ? -1 : i > j;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void give_names(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_netns; i++) {
		struct netns *n = &s->netns[i];

		n->names = names_find(&s->names,
				      (uint32_t)get(&n->r,
						    CTK_A_NETNS_NETNS_INUM),
				      &n->n_names);
	}
}

static int read_from(struct snapshot *s, const struct source *source,
		     const struct selector *which)
{
	s->source = source;
	s->asked_all = which && which->by == SELECT_ALL;
	s->n_netns = 0;
	s->refused = 0;
	s->torn = false;
	memset(&s->status, 0, sizeof(s->status));
	if (source->read_status(s))
		return -1;
	return which ? source->read_netns(s, which) : 0;
}

static int read_any(struct snapshot *s, const struct selector *which)
{
	for (size_t i = 0; i < N_SOURCES; i++) {
		int usable = sources[i]->probe();

		if (usable < 0)
			return -1;
		if (!usable)
			continue;
		if (!read_from(s, sources[i], which))
			return 0;
		/* What was unloaded meanwhile has not failed. */
		if (sources[i]->probe())
			return -1;
	}
	return fail("neither the module ctk nor /proc can be read here");
}

/* The caller frees the snapshot, read or not. */
int snapshot_read_status(struct snapshot *s, const struct options *o)
{
	(void)o;
	memset(s, 0, sizeof(*s));
	if (read_any(s, NULL))
		return -1;
	s->now = now_ns();
	return 0;
}

int snapshot_read(struct snapshot *s, const struct options *o)
{
	memset(s, 0, sizeof(*s));
	s->own = own_netns();
	names_load(&s->names);
	if (read_any(s, &o->netns))
		return -1;
	s->now = now_ns();
	if (s->n_netns)
		qsort(s->netns, s->n_netns, sizeof(*s->netns), compare);
	if (!o->numeric)
		give_names(s);
	return 0;
}

/* NULL for one that is gone, or came after the namespaces were read. */
static const struct netns *netns_of(const struct snapshot *s, uint64_t id)
{
	for (size_t i = 0; i < s->n_netns; i++)
		if (get(&s->netns[i].r, CTK_A_NETNS_ID) == id)
			return &s->netns[i];
	return NULL;
}

/*
 * What to ask for after the namespaces were read: the one of -N; the only one
 * for those who see no other; 0, which is all, for the others.
 */
static uint64_t id_to_ask(const struct snapshot *s, const struct options *o)
{
	if (o->netns.by == SELECT_ALL && !s->hidden)
		return 0;
	return s->n_netns ? get(&s->netns[0].r, CTK_A_NETNS_ID) : 0;
}

static int without_module(const char *what)
{
	return fail("%s needs the module ctk, which is not loaded: modprobe ctk, or insmod ctk.ko",
		    what);
}

static void complete_offender(const struct snapshot *s, struct offender *o)
{
	o->netns = netns_of(s, get(&o->r, CTK_A_OFFENDER_NETNS_ID));
	if (!has(&o->r, CTK_A_OFFENDER_CGROUP_ID))
		return;
	o->cgroup = cgroup_path(get(&o->r, CTK_A_OFFENDER_CGROUP_ID));
	if (o->cgroup)
		cgroup_name(o->cgroup_name, sizeof(o->cgroup_name), o->cgroup);
}

/* These three add to a snapshot whose namespaces were read with the same @o. */
int snapshot_read_offenders(struct snapshot *s, const struct options *o)
{
	if (!s->source->read_offenders)
		return without_module("drops");
	if (s->source->read_offenders(s, id_to_ask(s, o)))
		return -1;
	for (size_t i = 0; i < s->n_offenders; i++)
		complete_offender(s, &s->offenders[i]);
	return 0;
}

static void complete_censuses(const struct snapshot *s,
			      struct censuses *censuses)
{
	for (size_t i = 0; i < censuses->n; i++) {
		struct census *c = &censuses->list[i];

		if (has(&c->r, CTK_A_CENSUS_NETNS_ID))
			c->netns = netns_of(s, get(&c->r,
						   CTK_A_CENSUS_NETNS_ID));
	}
}

int snapshot_read_census(struct snapshot *s, const struct options *o)
{
	if (!s->source->read_census)
		return without_module("entries");
	if (s->source->read_census(s, id_to_ask(s, o)))
		return -1;
	complete_censuses(s, &s->counted);
	return 0;
}

int snapshot_read_kept(struct snapshot *s, const struct options *o)
{
	if (!s->source->read_kept)
		return without_module("entries");
	if (s->source->read_kept(s, id_to_ask(s, o)))
		return -1;
	complete_censuses(s, &s->kept);
	return 0;
}

/* Whether it has all that was asked for. */
bool snapshot_complete(const struct snapshot *s)
{
	return !s->hidden && !s->torn;
}

/* NULL, and a failure, without memory. */
struct netns *snapshot_add(struct snapshot *s)
{
	struct netns *netns = grow(s->netns, s->n_netns, sizeof(*netns));

	if (!netns)
		return NULL;
	s->netns = netns;
	netns += s->n_netns++;
	memset(netns, 0, sizeof(*netns));
	return netns;
}

void censuses_free(struct censuses *censuses)
{
	for (size_t i = 0; i < censuses->n; i++)
		for (size_t j = 0; j <= CTK_A_CENSUS_MAX; j++)
			free(censuses->list[i].parts[j].list);
	free(censuses->list);
	censuses->list = NULL;
	censuses->n = 0;
}

void snapshot_free(struct snapshot *s)
{
	names_free(&s->names);
	why_free(s->why);
	s->why = NULL;
	for (size_t i = 0; i < s->n_offenders; i++)
		free(s->offenders[i].cgroup);
	free(s->offenders);
	s->offenders = NULL;
	s->n_offenders = 0;
	censuses_free(&s->counted);
	censuses_free(&s->kept);
	free(s->events);
	s->events = NULL;
	s->n_events = 0;
	free(s->netns);
	s->netns = NULL;
	s->n_netns = 0;
}
