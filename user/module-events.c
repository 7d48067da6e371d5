// SPDX-License-Identifier: GPL-2.0
/*
 * The events of the module ctk: the ring that it keeps, and the news that one
 * has been added. The ring alone is read; of a notification only that it came
 * is used, since the ring also has the pids, and what a full socket buffer
 * lost.
 */
#include <errno.h>
#include <string.h>

#include <linux/ctk.h>
#include <linux/genetlink.h>

#include "ctkstat.h"
#include "module.h"

static struct genl news;

/* Of the module whose news come: one that is loaded anew gets another. */
static uint16_t followed;

static int module_gone(void)
{
	return fail("the module ctk was unloaded, and its events are gone with it");
}

static struct event *add_event(struct snapshot *s)
{
	struct event *list = grow(s->events, s->n_events, sizeof(*list));

	if (!list)
		return NULL;
	s->events = list;
	list += s->n_events++;
	memset(list, 0, sizeof(*list));
	return list;
}

/* What is missing between the last event and @seq has a place of its own. */
static int add_gap(struct snapshot *s, uint64_t seq)
{
	uint64_t lost = seq - s->last_seq - 1;
	struct event *gap;

	s->last_seq = seq;
	if (!lost)
		return 0;
	gap = add_event(s);
	if (!gap)
		return -1;
	gap->lost = lost;
	return 0;
}

static int parse_event_attrs(const struct nlmsghdr *nlh, struct event *event)
{
	const struct nlattr *attr;
	int error;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTK_A_EVENT_ACTOR)
			error = parse_nest(attr, actor_fields, &event->actor);
		else
			error = parse_attr(attr, event_fields, &event->r);
		if (error)
			return -1;
	}
	return 0;
}

static int parse_event(const struct nlmsghdr *nlh, void *data)
{
	struct event *added, event = { 0 };
	struct snapshot *s = data;
	uint64_t seq;

	if (parse_event_attrs(nlh, &event))
		return -1;
	seq = get(&event.r, CTK_A_EVENT_SEQ);
	if (seq <= s->last_seq)
		return fail("the module ctk sent event %llu after event %llu",
			    (unsigned long long)seq,
			    (unsigned long long)s->last_seq);
	if (add_gap(s, seq))
		return -1;
	added = add_event(s);
	if (!added)
		return -1;
	*added = event;
	return 0;
}

/* Those after @s->last_seq. */
int module_read_events(struct snapshot *s)
{
	static const struct question question = {
		"events", "read the events", event_fields
	};
	char buf[GENL_REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int error;

	if (followed && followed != ctk.family)
		return module_gone();
	s->n_events = 0;
	nlh = genl_request(&ctk, buf, CTK_CMD_EVENT_GET, NLM_F_DUMP);
	mnl_attr_put_u64(nlh, CTK_A_EVENT_SEQ, s->last_seq);
	error = genl_talk(&ctk, nlh, parse_event, s);
	if (error == -ENOENT)
		return module_gone();
	return error < 0 ? module_refused(&question, error) : 0;
}

/*
 * A file that can be read from once something has happened, or the module has
 * gone, which the kernel's own family tells; -1 after fail().
 */
int module_subscribe(void)
{
	int error;

	if (genl_open(&news))
		return -1;
	error = genl_join(&news, "nlctrl", "notify");
	if (!error)
		error = genl_join(&news, CTK_FAMILY_NAME, CTK_MCGRP_EVENTS);
	if (error)
		return fail("cannot follow the events: %s", strerror(-error));
	followed = ctk.family;
	return mnl_socket_get_fd(news.nl);
}

void module_drain(void)
{
	genl_drain(&news);
}
