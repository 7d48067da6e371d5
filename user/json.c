// SPDX-License-Identifier: GPL-2.0
/*
 * Records as JSON, by the same tables as everything else.
 */
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

json_t *json_time(uint64_t ns)
{
	char iso[64];

	format_iso(iso, sizeof(iso), ns);
	return json_string(iso);
}

/* A name, or an error with one in it, can be any bytes; JSON cannot. */
json_t *json_name(const char *text)
{
	json_t *json = json_string(text);
	char ascii[1024];

	if (json)
		return json;
	shorten(ascii, sizeof(ascii), text, sizeof(ascii));
	return json_string(ascii);
}

static json_t *json_value(const struct record *r, const struct field *f)
{
	uint64_t value = get(r, f->attr);
	const char *word;

	switch ((enum field_unit)f->unit) {
	case UNIT_NANOSECONDS:
		return json_real((double)value / NSEC_PER_SEC);
	case UNIT_MILLISECONDS:	/* of nanoseconds */
	case UNIT_MILLIONTHS:
		return json_real((double)value / 1e6);
	case UNIT_TIME:
		return json_time(value);
	case UNIT_FLAG:
		return json_boolean(value);
	case UNIT_TEXT:
		return json_name(get_text(r, f->attr));
	case UNIT_L4PROTO:
		word = l4proto_name(value);
		return word ? json_string(word) : json_integer((json_int_t)value);
	case UNIT_ENUM:
		word = field_word(f, r);
		return word ? json_string(word) : json_integer((json_int_t)value);
	default:
		return json_integer((json_int_t)value);
	}
}

/* An attribute that is absent has no key. */
void json_add(json_t *object, const struct record *r, const struct field *f)
{
	if (has(r, f->attr))
		json_object_set_new(object, f->name, json_value(r, f));
}

json_t *json_record(const struct record *r, const struct field *fields)
{
	json_t *object = json_object();

	for (; fields->attr; fields++)
		json_add(object, r, fields);
	return object;
}

json_t *json_names(const struct netns *n)
{
	json_t *names = json_array();

	for (size_t i = 0; i < n->n_names; i++)
		json_array_append_new(names, json_name(n->names[i].text));
	return names;
}

json_t *json_netns(const struct netns *n)
{
	json_t *object = json_record(&n->r, netns_fields);

	json_object_set_new(object, "names", json_names(n));
	if (n->stats.present)
		json_object_set_new(object, "kernel_stats",
				    json_record(&n->stats,
						kernel_stats_fields));
	return object;
}
