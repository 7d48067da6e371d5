// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat entries: what fills the table now, of all namespaces or of one, or
 * with -k what filled it when losses began. What a census says in text is in
 * census-page.c.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

/* With a census of now, that others were kept is worth a line. */
static int entries_read(struct snapshot *s, const struct options *o)
{
	if (snapshot_read(s, o) || snapshot_read_kept(s, o))
		return -1;
	return o->kept ? 0 : snapshot_read_census(s, o);
}

static const char *in_which(const struct options *o, const struct snapshot *s)
{
	return s->hidden || o->netns.by != SELECT_ALL ? " in this namespace" :
							"";
}

static void put_hint(FILE *out, const struct options *o,
		     const struct snapshot *s)
{
	size_t n = s->kept.n;
	char clock[32], text[160];

	if (!n)
		return;
	format_clock(clock, sizeof(clock),
		     get(&s->kept.list[n - 1].r, CTK_A_CENSUS_TIME), s->now);
	snprintf(text, sizeof(text),
		 "kept: %zu counted when losses began%s, the last at %s (-k shows %s)",
		 n, in_which(o, s), clock, n == 1 ? "it" : "them");
	put_wrapped(out, "", text);
}

static void put_kept(FILE *out, const struct options *o,
		     const struct snapshot *s)
{
	char text[160];

	for (size_t i = 0; i < s->kept.n; i++) {
		if (i)
			fputc('\n', out);
		put_census(out, o, s, &s->kept.list[i]);
	}
	if (s->kept.n)
		return;
	snprintf(text, sizeof(text),
		 "nothing was kept%s: no losses began since ctk was loaded or reset",
		 in_which(o, s));
	put_wrapped(out, "", text);
}

static void entries_text(FILE *out, const struct options *o,
			 const struct snapshot *s)
{
	if (o->kept) {
		put_kept(out, o, s);
	} else {
		for (size_t i = 0; i < s->counted.n; i++)
			put_census(out, o, s, &s->counted.list[i]);
		put_hint(out, o, s);
	}
	put_unseen(out, s);
}

/* {tcp: 12}: what a part is called, and its entries. */
static json_t *by_name(const struct parts *parts, unsigned int attr)
{
	const struct field *f = field_of(census_part_fields, attr);
	json_t *object = json_object();
	char name[64];

	for (size_t i = 0; i < parts->n; i++) {
		const struct record *part = &parts->list[i];

		if (f->unit == UNIT_ENUM && !field_word(f, part))
			snprintf(name, sizeof(name), "%" PRIu64,
				 get(part, attr));
		else
			format_field(name, sizeof(name), part, f, 0);
		json_object_set_new(object, name,
				    json_integer((json_int_t)
						 get(part,
						     CTK_A_CENSUS_PART_ENTRIES)));
	}
	return object;
}

static json_t *parts_json(const struct parts *parts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < parts->n; i++)
		json_array_append_new(list, json_record(&parts->list[i],
							census_part_fields));
	return list;
}

static json_t *census_json(const struct census *c)
{
	json_t *object = json_record(&c->r, census_fields);

	if (c->netns)
		json_object_set_new(object, "names", json_names(c->netns));
	for (const struct field *f = census_lists; f->attr; f++) {
		const struct parts *parts = &c->parts[f->attr];
		json_t *json;

		if (f->attr == CTK_A_CENSUS_BY_L4PROTO)
			json = by_name(parts, CTK_A_CENSUS_PART_L4PROTO);
		else if (f->attr == CTK_A_CENSUS_BY_TCP_STATE)
			json = by_name(parts, CTK_A_CENSUS_PART_TCP_STATE);
		else if (parts->n)
			json = parts_json(parts);
		else
			continue;
		json_object_set_new(object, f->name, json);
	}
	return object;
}

static json_t *entries_json(const struct options *o, const struct snapshot *s)
{
	const struct censuses *censuses = o->kept ? &s->kept : &s->counted;
	json_t *list;

	if (!o->kept && censuses->n)
		return census_json(&censuses->list[0]);
	list = json_array();
	for (size_t i = 0; i < censuses->n; i++)
		json_array_append_new(list, census_json(&censuses->list[i]));
	return list;
}

const struct command command_entries = {
	.name = "entries",
	.summary = "what fills the table; -k: what did when losses began",
	.repeats = true,
	.options = "aNk",
	.all_is_lines = true,
	.read = entries_read,
	.text = entries_text,
	.json = entries_json,
};
