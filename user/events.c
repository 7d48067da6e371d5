// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat events: what happened, oldest first, and with -f what happens from
 * then on. What each event says is in sentences.c; what the module remembers
 * is read anew at each notification, so that nothing told here depends on
 * whether that got through.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ctk.h>

#include "ctkstat.h"

#define LABEL_NARROW	9	/* NAMESPACE */
#define AGE_WIDTH	7

/*
 * How a namespace was called when it was last seen. By ctk's id, since the
 * kernel gives the inode number of one that is gone to the next that comes.
 */
struct label {
	uint64_t id;
	char text[LABEL_WIDTH + 1];
};

struct labels {
	struct label *list;
	size_t n;
};

static const struct label *find_label(const struct labels *l, uint64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].id == id)
			return &l->list[i];
	return NULL;
}

static int learn_labels(struct labels *l, const struct snapshot *s)
{
	for (size_t i = 0; i < s->n_netns; i++) {
		const struct netns *n = &s->netns[i];
		uint64_t id = get(&n->r, CTK_A_NETNS_ID);
		struct label *list;

		if (find_label(l, id))
			continue;
		list = grow(l->list, l->n, sizeof(*list));
		if (!list)
			return -1;
		l->list = list;
		list[l->n].id = id;
		netns_label(list[l->n].text, sizeof(list->text), n,
			    LABEL_WIDTH);
		l->n++;
	}
	return 0;
}

static void label_event(struct event *e, const struct labels *l)
{
	const struct label *label;

	if (!has(&e->r, CTK_A_EVENT_NETNS_ID))
		return;
	label = find_label(l, get(&e->r, CTK_A_EVENT_NETNS_ID));
	if (label)
		memcpy(e->label, label->text, sizeof(e->label));
	else
		snprintf(e->label, sizeof(e->label), "netns:%" PRIu64,
			 get(&e->r, CTK_A_EVENT_NETNS_INUM));
}

/* By number also of those that are gone, whatever was called so. */
static bool is_wanted(const struct snapshot *s, const struct options *o,
		      const struct event *e)
{
	if (e->lost || o->netns.by == SELECT_ALL)
		return true;
	if (o->netns.by == SELECT_INUM)
		return get(&e->r, CTK_A_EVENT_NETNS_INUM) == o->netns.number;
	return get(&e->r, CTK_A_EVENT_NETNS_ID) ==
	       get(&s->netns[0].r, CTK_A_NETNS_ID);
}

/* What has been added since the last time, and is asked for. */
static int read_events(struct snapshot *s, const struct options *o)
{
	size_t kept = 0;

	if (s->source->read_events(s))
		return -1;
	s->now = now_ns();
	for (size_t i = 0; i < s->n_events; i++)
		if (is_wanted(s, o, &s->events[i]))
			s->events[kept++] = s->events[i];
	s->n_events = kept;
	return 0;
}

/* The namespaces: that of -N, or all for their names. */
static int read_namespaces(struct snapshot *s, const struct options *o)
{
	struct options asked = *o;

	/* One that is gone is no error. */
	if (o->netns.by == SELECT_INUM)
		asked.netns.by = SELECT_ALL;
	if (snapshot_read(s, &asked))
		return -1;
	if (!s->source->read_events)
		return fail("events needs the module ctk, which is not loaded: modprobe ctk, or insmod ctk.ko");
	return 0;
}

static int events_read(struct snapshot *s, const struct options *o)
{
	struct labels labels = { 0 };
	int error;

	error = read_namespaces(s, o);
	if (!error)
		error = read_events(s, o);
	if (!error)
		error = learn_labels(&labels, s);
	for (size_t i = 0; !error && i < s->n_events; i++)
		label_event(&s->events[i], &labels);
	free(labels.list);
	return error;
}

/* The columns before the sentence. */
struct layout {
	int time;
	int age;		/* 0 where lines stay, and ages would not */
	int label;
};

static void format_when(char *buf, size_t size, const struct options *o,
			uint64_t then, uint64_t now)
{
	if (o->timestamp)
		format_date(buf, size, then);
	else
		format_clock(buf, size, then, now);
}

static void lay_out(struct layout *l, const struct options *o,
		    const struct snapshot *s)
{
	char when[32];

	format_when(when, sizeof(when), o, s->now, s->now);
	l->time = (int)strlen(when);
	l->age = o->follow ? 0 : AGE_WIDTH;
	l->label = LABEL_NARROW;
	for (size_t i = 0; i < s->n_events; i++) {
		const struct event *e = &s->events[i];

		if (e->lost)
			continue;
		format_when(when, sizeof(when), o, get(&e->r, CTK_A_EVENT_TIME),
			    s->now);
		if ((int)strlen(when) > l->time)
			l->time = (int)strlen(when);
		if ((int)strlen(e->label) > l->label)
			l->label = (int)strlen(e->label);
	}
}

static void put_columns(FILE *out, const struct layout *l, const char *when,
			const char *age, const char *label, const char *text,
			bool wrap)
{
	char lead[96];

	if (l->age)
		snprintf(lead, sizeof(lead), "%-*s %*s  %-*s  ", l->time, when,
			 l->age, age, l->label, label);
	else
		snprintf(lead, sizeof(lead), "%-*s  %-*s  ", l->time, when,
			 l->label, label);
	if (wrap)
		put_hanging(out, lead, strlen(lead), text);
	else
		fprintf(out, "%s%s\n", lead, text);
}

static void put_header(FILE *out, const struct options *o,
		       const struct layout *l)
{
	if (o->header)
		put_columns(out, l, "TIME", "AGE", "NAMESPACE", "EVENT", false);
}

/* Broken where a terminal would; elsewhere a line, for grep. */
static void put_event(FILE *out, const struct options *o,
		      const struct layout *l, const struct event *e,
		      uint64_t now)
{
	uint64_t then = get(&e->r, CTK_A_EVENT_TIME);
	char when[32], age[32], text[512];

	if (e->lost) {
		fprintf(out, "%" PRIu64 " event%s lost\n", e->lost,
			e->lost == 1 ? " was" : "s were");
		return;
	}
	format_when(when, sizeof(when), o, then, now);
	format_age(age, sizeof(age), then, now);
	say_event(text, sizeof(text), e);
	put_columns(out, l, when, age, e->label, text, o->terminal);
}

static void events_text(FILE *out, const struct options *o,
			const struct snapshot *s)
{
	struct layout layout;

	if (!s->n_events) {
		fprintf(out, "nothing has happened %ssince ctk was loaded\n",
			s->hidden || o->netns.by != SELECT_ALL ?
			"in this namespace " : "");
		return;
	}
	lay_out(&layout, o, s);
	put_header(out, o, &layout);
	for (size_t i = 0; i < s->n_events; i++)
		put_event(out, o, &layout, &s->events[i], s->now);
}

json_t *json_event(const struct event *e)
{
	json_t *object;

	if (e->lost)
		return json_pack("{s:I}", "lost", (json_int_t)e->lost);
	object = json_record(&e->r, event_fields);
	if (e->actor.present)
		json_object_set_new(object, "actor",
				    json_record(&e->actor, actor_fields));
	return object;
}

static json_t *events_json(const struct options *o, const struct snapshot *s)
{
	json_t *list = json_array();

	(void)o;
	for (size_t i = 0; i < s->n_events; i++)
		json_array_append_new(list, json_event(&s->events[i]));
	return list;
}

/* Each line has been flushed, so that nothing is cut or left behind. */
static void end(int signal)
{
	(void)signal;
	_exit(EXIT_OK);
}

/* Until more has happened. A reader of ours that goes is noticed as well. */
static int wait_for_more(int fd)
{
	struct pollfd files[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};

	while (poll(files, 2, -1) < 0)
		if (errno != EINTR)
			return fail("cannot wait for events: %s",
				    strerror(errno));
	return files[1].revents ? fail("%s", "") : 0;
}

/* Namespaces that have come since are learned when they are first told of. */
static int label_new(struct snapshot *s, const struct options *o,
		     struct labels *labels)
{
	struct snapshot fresh = { 0 };
	bool known = true;
	int error = 0;

	for (size_t i = 0; i < s->n_events && known; i++) {
		const struct record *r = &s->events[i].r;

		known = !has(r, CTK_A_EVENT_NETNS_ID) ||
			find_label(labels, get(r, CTK_A_EVENT_NETNS_ID));
	}
	if (!known && o->netns.by == SELECT_ALL) {
		error = snapshot_read(&fresh, o) || learn_labels(labels, &fresh);
		snapshot_free(&fresh);
	}
	for (size_t i = 0; i < s->n_events; i++)
		label_event(&s->events[i], labels);
	return error ? -1 : 0;
}

static int put_new(const struct options *o, const struct layout *layout,
		   const struct snapshot *s)
{
	int error = 0;

	for (size_t i = 0; i < s->n_events && !error; i++) {
		const struct event *e = &s->events[i];

		if (o->json) {
			error = put_json(o, json_event(e));
		} else {
			put_event(stdout, o, layout, e, s->now);
			error = flush_output();
		}
	}
	return error;
}

static int follow_from(struct snapshot *s, const struct options *o,
		       struct labels *labels, int fd)
{
	struct layout layout;

	for (bool first = true;; first = false) {
		if (read_events(s, o) || label_new(s, o, labels))
			return -1;
		if (first)
			lay_out(&layout, o, s);
		if (first && !o->json)
			put_header(stdout, o, &layout);
		if (put_new(o, &layout, s) || flush_output() ||
		    wait_for_more(fd))
			return -1;
		s->source->drain();
	}
}

/* Subscribed before the first look, so that nothing falls in between. */
static int subscribe(struct snapshot *s, const struct options *o)
{
	int fd = s->source->subscribe();

	/* A refusal has words only where the ring is asked for. */
	if (fd < 0)
		read_events(s, o);
	/* Its id is known now, and an open file would keep it from its end. */
	if (o->netns.by == SELECT_FD)
		close((int)o->netns.number);
	return fd;
}

static int events_follow(const struct options *o)
{
	struct labels labels = { 0 };
	struct snapshot s;
	int fd, error = -1;

	signal(SIGINT, end);
	signal(SIGTERM, end);
	if (!read_namespaces(&s, o) && !learn_labels(&labels, &s)) {
		fd = subscribe(&s, o);
		if (fd >= 0)
			error = follow_from(&s, o, &labels, fd);
	}
	free(labels.list);
	snapshot_free(&s);
	return error;
}

const struct command command_events = {
	.name = "events",
	.summary = "what happened, and who did it; -f follows",
	.options = "fN",
	.read = events_read,
	.text = events_text,
	.json = events_json,
	.follow = events_follow,
};
