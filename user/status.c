// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat status: what ctk is attached to, by which hooks, what these missed,
 * and what the table can take of memory. Says nothing of any namespace.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

#define KEY_WIDTH	15

static void put_record(FILE *out, const struct record *r,
		       const struct field *fields, const char *indent,
		       uint64_t now)
{
	char value[128];

	for (; fields->attr; fields++) {
		/* Of a hook, an absent error is no error. */
		if (fields->unit == UNIT_ERRNO && !has(r, fields->attr))
			continue;
		format_field(value, sizeof(value), r, fields, now);
		fprintf(out, "%s%-*s %s\n", indent,
			KEY_WIDTH - (int)strlen(indent), fields->name,
			value);
	}
}

static void put_attached_by(FILE *out, const struct record *actor)
{
	char who[160] = "-";

	if (actor->present)
		say_actor(who, sizeof(who), actor);
	fprintf(out, "%-*s %s\n", KEY_WIDTH, "attached_by", who);
}

/* Extensions, such as those of NAT and accounting, come on top. */
static void put_memory(FILE *out, const struct record *r)
{
	uint64_t limit = get(r, CTK_A_STATUS_LIMIT);
	uint64_t entry = get(r, CTK_A_STATUS_ENTRY_SIZE);
	uint64_t hash = get(r, CTK_A_STATUS_BUCKETS) *
			get(r, CTK_A_STATUS_BUCKET_SIZE);

	if (!limit || !entry)
		return;
	fprintf(out, "%-*s entries up to %" PRIu64
		" KiB and extensions, hash %" PRIu64 " KiB\n", KEY_WIDTH,
		"memory", limit * entry / 1024, hash / 1024);
}

static void status_text(FILE *out, const struct options *o,
			const struct snapshot *s)
{
	const struct status *status = &s->status;
	char date[32];

	if (o->timestamp) {
		format_date(date, sizeof(date), s->now);
		fprintf(out, "%-*s %s\n", KEY_WIDTH, "time", date);
	}
	fprintf(out, "%-*s %s\n", KEY_WIDTH, "source",
		s->source == &source_proc ? "/proc (ctk.ko not loaded)" :
					    s->source->name);
	put_record(out, &status->r, status_fields, "", s->now);
	put_attached_by(out, &status->attached_by);
	put_memory(out, &status->r);
	for (size_t i = 0; i < status->n_hooks; i++) {
		fprintf(out, "hook %zu\n", i + 1);
		put_record(out, &status->hooks[i], hook_fields, "  ", s->now);
	}
}

static json_t *status_json(const struct options *o, const struct snapshot *s)
{
	json_t *top = json_record(&s->status.r, status_fields);
	json_t *hooks = json_array();

	if (o->timestamp)
		json_object_set_new(top, "time", json_time(s->now));
	json_object_set_new(top, "source", json_string(s->source->name));
	if (s->status.attached_by.present)
		json_object_set_new(top, "attached_by",
				    json_record(&s->status.attached_by,
						actor_fields));
	for (size_t i = 0; i < s->status.n_hooks; i++)
		json_array_append_new(hooks,
				      json_record(&s->status.hooks[i],
						  hook_fields));
	json_object_set_new(top, "hooks", hooks);
	return top;
}

const struct command command_status = {
	.name = "status",
	.summary = "what ctk is attached to, by which hook, what it missed",
	.repeats = true,
	.options = "",
	.read = snapshot_read_status,
	.text = status_text,
	.json = status_json,
};
