// SPDX-License-Identifier: GPL-2.0
/*
 * What /proc says where the module is not: entries, limit, buckets and the
 * kernel's own counters. The namespaces that places.c finds are entered, one
 * after the other, by a thread made for it, so that the process itself stays
 * where it is: setns(2) in it could be a way without return.
 * Never changes anything in a namespace, and loads nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctk.h>

#include "ctkstat.h"
#include "places.h"

/* /proc/net would be that of the process's first thread. */
#define STAT_FILE	"/proc/thread-self/net/stat/nf_conntrack"
#define SYSCTL_DIR	"/proc/sys/net/netfilter/"

struct visit {
	struct snapshot *s;
	const struct places *places;
	int error;
};

/* Of the screen before, so that INTERVAL can tell losses that go on. */
struct before {
	uint32_t inum;
	uint64_t lost;
};

static struct before *before;
static size_t n_before;
static uint64_t before_time;

static int proc_probe(void)
{
	return !access("/proc/self/ns/net", F_OK);
}

/* 1 if @name could be read, else 0. */
static int read_sysctl(const char *name, uint64_t *value)
{
	char path[128];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), SYSCTL_DIR "%s", name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fscanf(file, "%" SCNu64, value);
	fclose(file);
	return n == 1;
}

static int proc_read_status(struct snapshot *s)
{
	struct record *r = &s->status.r;
	uint64_t value;

	if (read_sysctl("nf_conntrack_max", &value))
		set(r, CTK_A_STATUS_LIMIT, value);
	if (read_sysctl("nf_conntrack_buckets", &value))
		set(r, CTK_A_STATUS_BUCKETS, value);
	set(r, CTK_A_STATUS_ATTACHED, !access(STAT_FILE, F_OK) ||
	    has(r, CTK_A_STATUS_LIMIT));
	return 0;
}

/* The kernel's names for the columns are older than those of its counters. */
static const struct field *column_field(const char *title)
{
	static const struct {
		const char *title, *name;
	} renamed[] = {
		{ "icmp_error", "error" },
		{ "clashres", "clash_resolve" },
		{ "chainlength", "chain_toolong" },
	};
	const struct field *f;

	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (!strcmp(title, renamed[i].title))
			title = renamed[i].name;
	for (f = kernel_stats_fields; f->attr; f++)
		if (!strcmp(title, f->name))
			return f;
	return NULL;
}

#define COLUMNS_MAX	32
#define SPACE		"\n "

struct columns {
	const struct field *field[COLUMNS_MAX];
	size_t n;
};

static void parse_titles(struct columns *c, char *line)
{
	char *rest;

	for (char *title = strtok_r(line, SPACE, &rest);
	     title && c->n < COLUMNS_MAX; title = strtok_r(NULL, SPACE, &rest))
		c->field[c->n++] = column_field(title);
}

/* A line is one CPU; its first column, the entries, is the same in all. */
static void parse_cpu(const struct columns *c, char *line, struct netns *n)
{
	char *rest, *word = strtok_r(line, SPACE, &rest);

	for (size_t i = 0; word && i < c->n; i++) {
		uint64_t value = strtoull(word, NULL, 16);
		const struct field *f = c->field[i];

		if (!i && !has(&n->r, CTK_A_NETNS_ENTRIES))
			set(&n->r, CTK_A_NETNS_ENTRIES, value);
		if (f)
			set(&n->stats, f->attr,
			    get(&n->stats, f->attr) + value);
		word = strtok_r(NULL, SPACE, &rest);
	}
}

static void read_stats(struct netns *n)
{
	FILE *file = fopen(STAT_FILE, "re");
	struct columns columns = { 0 };
	char line[1024];

	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		parse_titles(&columns, line);
	while (fgets(line, sizeof(line), file))
		parse_cpu(&columns, line, n);
	fclose(file);
}

/* Of the namespace that the calling thread is in. */
static void read_here(struct netns *n, uint32_t inum,
		      const struct record *status)
{
	uint64_t entries, limit = get(status, CTK_A_STATUS_LIMIT);
	struct record *r = &n->r;

	set(r, CTK_A_NETNS_NETNS_INUM, inum);
	if (read_sysctl("nf_conntrack_count", &entries))
		set(r, CTK_A_NETNS_ENTRIES, entries);
	read_stats(n);
	/* Hidden in some namespaces, but the same in all. */
	if (!read_sysctl("nf_conntrack_max", &limit) &&
	    !has(status, CTK_A_STATUS_LIMIT))
		return;
	set(r, CTK_A_NETNS_LIMIT, limit);
	if (limit && has(r, CTK_A_NETNS_ENTRIES))
		set(r, CTK_A_NETNS_FILL,
		    get(r, CTK_A_NETNS_ENTRIES) * 1000000 / limit);
}

/* The kernel counts a chain that is too long apart from its other drops. */
static void sum_losses(struct netns *n)
{
	if (!has(&n->stats, CTK_A_KERNEL_STATS_DROP))
		return;
	set(&n->r, CTK_A_NETNS_LOST,
	    get(&n->stats, CTK_A_KERNEL_STATS_DROP) +
	    get(&n->stats, CTK_A_KERNEL_STATS_CHAIN_TOOLONG));
	if (has(&n->stats, CTK_A_KERNEL_STATS_CHAIN_TOOLONG))
		set(&n->r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS,
		    get(&n->stats, CTK_A_KERNEL_STATS_CHAIN_TOOLONG));
}

static void *visit_all(void *data)
{
	struct visit *v = data;
	uint32_t here = v->s->own;

	for (size_t i = 0; i < v->places->n && !v->error; i++) {
		const struct place *p = &v->places->list[i];
		struct netns *n;
		int entered = p->inum == here ? 1 : place_enter(p);

		if (entered < 0)
			v->s->refused++;
		if (entered <= 0)
			continue;
		here = p->inum;
		n = snapshot_add(v->s);
		if (!n) {
			v->error = -1;
			break;
		}
		read_here(n, p->inum, &v->s->status.r);
		sum_losses(n);
	}
	return NULL;
}

static int visit(struct visit *v)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, visit_all, v);

	if (error)
		return fail("cannot make a thread: %s", strerror(error));
	pthread_join(thread, NULL);
	return v->error;
}

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int before_by_inum(const void *key, const void *member)
{
	uint32_t inum = *(const uint32_t *)key;
	const struct before *b = member;

	return inum < b->inum ? -1 : inum > b->inum;
}

static int sort_before(const void *a, const void *b)
{
	return before_by_inum(&((const struct before *)a)->inum, b);
}

/*
 * Rounded up, so that a loss is never 0. Counters that went back are those of
 * another namespace, or wrapped.
 */
static void set_rate(struct netns *n, uint64_t elapsed)
{
	uint32_t inum = (uint32_t)get(&n->r, CTK_A_NETNS_NETNS_INUM);
	uint64_t lost = get(&n->r, CTK_A_NETNS_LOST);
	const struct before *b = NULL;

	if (before)
		b = bsearch(&inum, before, n_before, sizeof(*before),
			    before_by_inum);
	if (b && elapsed && lost >= b->lost)
		set(&n->r, CTK_A_NETNS_LOSS_RATE,
		    ((lost - b->lost) * 1000 + elapsed - 1) / elapsed);
}

static void rate_losses(struct snapshot *s)
{
	uint64_t now = monotonic();
	struct before *next = calloc(s->n_netns + 1, sizeof(*next));

	for (size_t i = 0; i < s->n_netns; i++) {
		struct netns *n = &s->netns[i];

		set_rate(n, (now - before_time) / 1000000);
		if (!next)
			continue;
		next[i].inum = (uint32_t)get(&n->r, CTK_A_NETNS_NETNS_INUM);
		next[i].lost = get(&n->r, CTK_A_NETNS_LOST);
	}
	free(before);
	before = next;
	n_before = next ? s->n_netns : 0;
	before_time = now;
	if (n_before)
		qsort(before, n_before, sizeof(*before), sort_before);
}

/* Before a path into /proc, which nobody asked for, is complained of. */
static int check_process(const struct selector *which)
{
	char path[64];

	if (which->by != SELECT_PID)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", which->number);
	if (!access(path, F_OK))
		return 0;
	if (errno == ENOENT)
		return selector_no_process(which);
	return fail("cannot show the namespace of process %s: %s; try as root",
		    which->text, strerror(errno));
}

static int nowhere(const struct snapshot *s, const struct selector *which)
{
	if (s->refused)
		return fail("cannot enter the namespace %s: without the module ctk that needs CAP_SYS_ADMIN over it; try as root",
			    which->text);
	return fail("no namespace %s: no name in " NAMES_DIR
		    " and no process leads there", which->text);
}

static int proc_read_netns(struct snapshot *s, const struct selector *which)
{
	struct places places = { 0 };
	struct visit v = { .s = s, .places = &places };
	int error = check_process(which);

	if (!error)
		error = places_find(&places, s, which);
	if (!error)
		error = visit(&v);
	s->hidden = s->asked_all && (places.hidden || s->refused);
	places_free(&places);
	if (error)
		return -1;
	if (!s->n_netns && which->text)
		return nowhere(s, which);
	rate_losses(s);
	return 0;
}

const struct source source_proc = {
	.name = "proc",
	.probe = proc_probe,
	.read_status = proc_read_status,
	.read_netns = proc_read_netns,
};
