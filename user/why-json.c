// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat why as JSON: what why.c says in words, with the same names of causes
 * and the same sources of evidence.
 */
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

static void add_text(json_t *object, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(object, key, json_name(text));
}

static json_t *json_finding(const struct finding *f)
{
	json_t *evidence = json_array(), *object = json_object();

	json_object_set_new(object, "cause", json_string(f->rule->name));
	add_text(object, "text", f->sentence);
	for (size_t i = 0; i < f->n_evidence; i++)
		json_array_append_new(evidence,
				      json_pack("{s:o, s:o}", "text",
						json_name(f->evidence[i].text),
						"source",
						json_name(f->evidence[i].source)));
	json_object_set_new(object, "evidence", evidence);
	return object;
}

static json_t *json_events(const struct facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->s->n_events; i++)
		if (why_tells(f, &f->s->events[i]))
			json_array_append_new(list,
					      json_event(&f->s->events[i]));
	return list;
}

static json_t *json_filled(const struct facts *f)
{
	json_t *object = json_object();
	char text[320];

	say_filled(text, sizeof(text), f);
	add_text(object, "text", text);
	json_object_set_new(object, "time", json_time(f->fill.time));
	json_object_set_new(object, "fresh", json_boolean(f->fill.fresh));
	json_object_set_new(object, "entries",
			    json_integer((json_int_t)f->fill.entries));
	return object;
}

static json_t *json_step(const struct step *s, const struct plan *p)
{
	json_t *commands = json_array(), *object = json_object();

	json_object_set_new(object, "kind", json_string(s->kind));
	add_text(object, "text", s->text);
	if (!strcmp(s->kind, "notrack")) {
		json_object_set_new(object, "nft", json_string(p->notrack));
	} else {
		for (size_t i = 0; i < s->n_commands; i++)
			json_array_append_new(commands,
					      json_name(s->command[i]));
	}
	json_object_set_new(object, "commands", commands);
	return object;
}

static void add_number(json_t *object, const char *key, uint64_t value)
{
	if (value)
		json_object_set_new(object, key,
				    json_integer((json_int_t)value));
}

static json_t *json_plan(const struct plan *p)
{
	json_t *object = json_object();

	add_number(object, "limit", p->limit);
	add_number(object, "buckets", p->buckets);
	add_number(object, "entries_bytes", p->entries_bytes);
	add_number(object, "buckets_bytes", p->buckets_bytes);
	add_number(object, "memory_bytes", p->memory);
	add_number(object, "refused_limit", p->wanted);
	add_number(object, "tcp_timeout_established", p->established);
	add_number(object, "tcp_timeout_time_wait", p->time_wait);
	add_number(object, "frees", p->freed);
	return object;
}

static json_t *json_diagnosis(const struct diagnosis *d)
{
	json_t *object = json_netns(d->facts->netns), *also = json_array();
	json_t *steps = json_array();
	struct verdict v;

	why_headline(&v, d->facts);
	add_text(object, "headline", v.line);
	json_object_update_new(object, json_finding(&d->finding[0]));
	for (size_t i = 1; i < d->n_findings; i++)
		json_array_append_new(also, json_finding(&d->finding[i]));
	json_object_set_new(object, "also", also);
	json_object_set_new(object, "events", json_events(d->facts));
	if (d->facts->fill.known)
		json_object_set_new(object, "filled",
				    json_filled(d->facts));
	add_text(object, "victims", d->facts->victims.text);
	for (size_t i = 0; i < d->n_steps; i++)
		json_array_append_new(steps, json_step(&d->step[i], &d->plan));
	json_object_set_new(object, "fix", steps);
	json_object_set_new(object, "plan", json_plan(&d->plan));
	return object;
}

static json_t *json_gone(const struct snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_events; i++)
		if (s->asked_all && why_gone(&s->events[i]))
			json_array_append_new(list, json_event(&s->events[i]));
	return list;
}

json_t *why_json(const struct options *o, const struct snapshot *s)
{
	json_t *top = json_object(), *list = json_array();
	struct finding warning;

	if (o->print_config)
		json_object_set_new(top, "files", json_config(s));
	if (o->timestamp)
		json_object_set_new(top, "time", json_time(s->now));
	json_object_set_new(top, "source", json_string(s->source->name));
	for (size_t i = 0; i < s->why->n; i++)
		json_array_append_new(list, json_diagnosis(&s->why->list[i]));
	json_object_set_new(top, "netns", list);
	json_object_set_new(top, "gone", json_gone(s));
	if (why_warns(&warning, s))
		json_object_set_new(top, "warning", json_finding(&warning));
	add_text(top, "denied", s->why->denied);
	json_object_set_new(top, "complete",
			    json_boolean(snapshot_complete(s)));
	return top;
}
