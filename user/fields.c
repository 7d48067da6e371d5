// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of attributes, see fields.h. This file never reads anything and
 * never decides what is worth showing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/ctk.h>

#include "fields.h"

/* A loss this young is one of now; the module's rate follows within 1 s. */
#define FRESH		(2 * NSEC_PER_SEC)

_Static_assert(CTK_A_NETNS_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_KERNEL_STATS_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_STATUS_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_HOOK_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_EVENT_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_ACTOR_MAX < RECORD_VALUES, "a record is too small");

static const char *const hook_words[] = {
	[CTK_HOOK_WRAPPER] = "wrapper",
	[CTK_HOOK_KRETPROBE] = "kretprobe",
	[CTK_HOOK_BLIND] = "blind",
	NULL
};

static const char *const hook_form_words[] = {
	[CTK_HOOK_FORM_WRAPPER] = "wrapper",
	[CTK_HOOK_FORM_KRETPROBE] = "kretprobe",
	NULL
};

static const char *const hook_state_words[] = {
	[CTK_HOOK_STATE_OFF] = "off",
	[CTK_HOOK_STATE_ON] = "on",
	[CTK_HOOK_STATE_BLIND] = "blind",
	NULL
};

static const char *const event_words[] = {
	[CTK_EVENT_ATTACHED] = "attached",
	[CTK_EVENT_DETACHED] = "detached",
	[CTK_EVENT_LIMIT_CHANGED] = "limit-changed",
	[CTK_EVENT_BUCKETS_CHANGED] = "buckets-changed",
	[CTK_EVENT_THRESHOLD] = "threshold",
	[CTK_EVENT_FULL_BEGIN] = "full-begin",
	[CTK_EVENT_FULL_END] = "full-end",
	[CTK_EVENT_CHAIN_BEGIN] = "chain-begin",
	[CTK_EVENT_CHAIN_END] = "chain-end",
	[CTK_EVENT_HOOK_BLIND] = "hook-blind",
	[CTK_EVENT_NETNS_GONE] = "netns-gone",
	NULL
};

static void cell_count(char *buf, size_t size, const struct record *r,
		       const struct field *f, uint64_t now)
{
	(void)now;
	format_count(buf, size, get(r, f->attr), f->width);
}

static void cell_signed(char *buf, size_t size, const struct record *r,
			const struct field *f, uint64_t now)
{
	int64_t value = (int64_t)get(r, f->attr);

	(void)now;
	if (value >= 0) {
		format_count(buf, size, (uint64_t)value, f->width);
		return;
	}
	buf[0] = '-';
	format_count(buf + 1, size - 1, -(uint64_t)value, f->width - 1);
}

static void percent(char *buf, size_t size, uint64_t millionths)
{
	/* Rounded down: 100% is said of a full table only. */
	uint64_t p = millionths / 10000;

	if (p > 999)
		snprintf(buf, size, ">9x");
	else
		snprintf(buf, size, "%" PRIu64 "%%", p);
}

static void cell_fill(char *buf, size_t size, const struct record *r,
		      const struct field *f, uint64_t now)
{
	(void)now;
	percent(buf, size, get(r, f->attr));
}

static void cell_peak(char *buf, size_t size, const struct record *r,
		      const struct field *f, uint64_t now)
{
	uint64_t limit = get(r, CTK_A_NETNS_LIMIT);

	(void)now;
	if (limit)
		percent(buf, size, get(r, f->attr) * 1000000 / limit);
	else
		snprintf(buf, size, "-");
}

static void cell_full_in(char *buf, size_t size, const struct record *r,
			 const struct field *f, uint64_t now)
{
	(void)now;
	if (get(r, f->attr))
		format_duration(buf, size, get(r, f->attr));
	else
		snprintf(buf, size, "now");
}

/* A rate is of the last whole second: a loss of the moment has none yet. */
bool loses_now(const struct record *r, uint64_t now)
{
	uint64_t last = get(r, CTK_A_NETNS_LAST_LOSS_TIME);

	return get(r, CTK_A_NETNS_LOSS_RATE) || (last && last + FRESH > now);
}

static void cell_last_loss(char *buf, size_t size, const struct record *r,
			   const struct field *f, uint64_t now)
{
	if (loses_now(r, now))
		snprintf(buf, size, "now");
	else
		format_day(buf, size, get(r, f->attr), now);
}

/* In the order of the columns on the screen. */
const struct field netns_fields[] = {
	{ CTK_A_NETNS_ID, TYPE_U64, UNIT_NUMBER, "id" },
	{ CTK_A_NETNS_NETNS_INUM, TYPE_U32, UNIT_NUMBER, "netns_inum" },
	{ CTK_A_NETNS_NETNS_COOKIE, TYPE_U64, UNIT_NUMBER, "netns_cookie" },
	{ CTK_A_NETNS_NSID, TYPE_S32, UNIT_NUMBER, "nsid" },
	{ CTK_A_NETNS_ENTRIES, TYPE_U32, UNIT_NUMBER, "entries",
	  .title = "ENTRIES", .width = 8, .format = cell_count },
	{ CTK_A_NETNS_LIMIT, TYPE_U32, UNIT_NUMBER, "limit" },
	{ CTK_A_NETNS_FILL, TYPE_U32, UNIT_MILLIONTHS, "fill",
	  .title = "FILL", .width = 4, .format = cell_fill },
	{ CTK_A_NETNS_PEAK, TYPE_U32, UNIT_NUMBER, "peak",
	  .title = "PEAK", .width = 4, .format = cell_peak },
	{ CTK_A_NETNS_PEAK_TIME, TYPE_U64, UNIT_TIME, "peak_time" },
	{ CTK_A_NETNS_GROWTH_RATE, TYPE_S32, UNIT_NUMBER, "growth_rate",
	  .title = "GROWTH/S", .width = 8, .format = cell_signed },
	{ CTK_A_NETNS_SECONDS_TO_FULL, TYPE_U32, UNIT_SECONDS,
	  "seconds_to_full",
	  .title = "FULL-IN", .width = 7, .format = cell_full_in },
	{ CTK_A_NETNS_FULL_SINCE, TYPE_U64, UNIT_TIME, "full_since" },
	{ CTK_A_NETNS_LOST, TYPE_U64, UNIT_NUMBER, "lost",
	  .title = "LOST", .width = 8, .format = cell_count },
	{ CTK_A_NETNS_EPISODE_LOST, TYPE_U64, UNIT_NUMBER, "episode_lost" },
	{ CTK_A_NETNS_LOSS_RATE, TYPE_U32, UNIT_NUMBER, "loss_rate" },
	{ CTK_A_NETNS_LAST_LOSS_TIME, TYPE_U64, UNIT_TIME, "last_loss_time",
	  .title = "LAST-LOSS", .width = 9, .format = cell_last_loss },
	{ CTK_A_NETNS_TABLE_FULL_DROPS, TYPE_U64, UNIT_NUMBER,
	  "table_full_drops" },
	{ CTK_A_NETNS_CHAIN_TOO_LONG_DROPS, TYPE_U64, UNIT_NUMBER,
	  "chain_too_long_drops" },
	{ CTK_A_NETNS_OTHER_DROPS, TYPE_U64, UNIT_NUMBER, "other_drops" },
	{ CTK_A_NETNS_REFUSED_INSERTS, TYPE_U64, UNIT_NUMBER,
	  "refused_inserts" },
	{ CTK_A_NETNS_ADMITTED_BY_EVICTION, TYPE_U64, UNIT_NUMBER,
	  "admitted_by_eviction" },
	{ }
};

const struct field kernel_stats_fields[] = {
	{ CTK_A_KERNEL_STATS_FOUND, TYPE_U64, UNIT_NUMBER, "found" },
	{ CTK_A_KERNEL_STATS_INVALID, TYPE_U64, UNIT_NUMBER, "invalid" },
	{ CTK_A_KERNEL_STATS_INSERT, TYPE_U64, UNIT_NUMBER, "insert" },
	{ CTK_A_KERNEL_STATS_INSERT_FAILED, TYPE_U64, UNIT_NUMBER,
	  "insert_failed" },
	{ CTK_A_KERNEL_STATS_DROP, TYPE_U64, UNIT_NUMBER, "drop" },
	{ CTK_A_KERNEL_STATS_EARLY_DROP, TYPE_U64, UNIT_NUMBER, "early_drop" },
	{ CTK_A_KERNEL_STATS_ERROR, TYPE_U64, UNIT_NUMBER, "error" },
	{ CTK_A_KERNEL_STATS_SEARCH_RESTART, TYPE_U64, UNIT_NUMBER,
	  "search_restart" },
	{ CTK_A_KERNEL_STATS_CLASH_RESOLVE, TYPE_U64, UNIT_NUMBER,
	  "clash_resolve" },
	{ CTK_A_KERNEL_STATS_CHAIN_TOOLONG, TYPE_U64, UNIT_NUMBER,
	  "chain_toolong" },
	{ CTK_A_KERNEL_STATS_EXPECT_NEW, TYPE_U64, UNIT_NUMBER, "expect_new" },
	{ CTK_A_KERNEL_STATS_EXPECT_CREATE, TYPE_U64, UNIT_NUMBER,
	  "expect_create" },
	{ CTK_A_KERNEL_STATS_EXPECT_DELETE, TYPE_U64, UNIT_NUMBER,
	  "expect_delete" },
	{ }
};

const struct field status_fields[] = {
	{ CTK_A_STATUS_VERSION, TYPE_STRING, UNIT_TEXT, "version",
	  .summary = true },
	{ CTK_A_STATUS_ATTACHED, TYPE_U8, UNIT_FLAG, "attached",
	  .summary = true },
	{ CTK_A_STATUS_ATTACHED_SINCE, TYPE_U64, UNIT_TIME, "attached_since" },
	{ CTK_A_STATUS_LIMIT, TYPE_U32, UNIT_NUMBER, "limit",
	  .summary = true },
	{ CTK_A_STATUS_BUCKETS, TYPE_U32, UNIT_NUMBER, "buckets",
	  .summary = true },
	{ CTK_A_STATUS_BUCKET_SIZE, TYPE_U32, UNIT_BYTES, "bucket_size" },
	{ CTK_A_STATUS_ENTRY_SIZE, TYPE_U32, UNIT_BYTES, "entry_size" },
	{ CTK_A_STATUS_HOOK, TYPE_U32, UNIT_ENUM, "hook", hook_words,
	  .summary = true },
	{ CTK_A_STATUS_MISSED, TYPE_U64, UNIT_NUMBER, "missed",
	  .summary = true },
	{ }
};

const struct field hook_fields[] = {
	{ CTK_A_HOOK_SYMBOL, TYPE_STRING, UNIT_TEXT, "symbol" },
	{ CTK_A_HOOK_FORM, TYPE_U32, UNIT_ENUM, "form", hook_form_words },
	{ CTK_A_HOOK_STATE, TYPE_U32, UNIT_ENUM, "state", hook_state_words },
	{ CTK_A_HOOK_MISSED, TYPE_U64, UNIT_NUMBER, "missed" },
	{ CTK_A_HOOK_WRAPPER_ERROR, TYPE_S32, UNIT_ERRNO, "wrapper_error" },
	{ CTK_A_HOOK_ERROR, TYPE_S32, UNIT_ERRNO, "error" },
	{ }
};

/* Of an event, but for its actor. */
const struct field event_fields[] = {
	{ CTK_A_EVENT_SEQ, TYPE_U64, UNIT_NUMBER, "seq" },
	{ CTK_A_EVENT_TIME, TYPE_U64, UNIT_TIME, "time" },
	{ CTK_A_EVENT_EVENT, TYPE_U32, UNIT_ENUM, "event", event_words },
	{ CTK_A_EVENT_NETNS_ID, TYPE_U64, UNIT_NUMBER, "netns_id" },
	{ CTK_A_EVENT_NETNS_INUM, TYPE_U32, UNIT_NUMBER, "netns_inum" },
	{ CTK_A_EVENT_OLD, TYPE_U32, UNIT_NUMBER, "old" },
	{ CTK_A_EVENT_NEW, TYPE_U32, UNIT_NUMBER, "new" },
	{ CTK_A_EVENT_LIMIT, TYPE_U32, UNIT_NUMBER, "limit" },
	{ CTK_A_EVENT_BUCKETS, TYPE_U32, UNIT_NUMBER, "buckets" },
	{ CTK_A_EVENT_ENTRIES, TYPE_U32, UNIT_NUMBER, "entries" },
	{ CTK_A_EVENT_FILL, TYPE_U32, UNIT_MILLIONTHS, "fill" },
	{ CTK_A_EVENT_THRESHOLD, TYPE_U32, UNIT_MILLIONTHS, "threshold" },
	{ CTK_A_EVENT_DURATION, TYPE_U64, UNIT_NANOSECONDS, "duration" },
	{ CTK_A_EVENT_LOST, TYPE_U64, UNIT_NUMBER, "lost" },
	{ CTK_A_EVENT_TABLE_FULL_DROPS, TYPE_U64, UNIT_NUMBER,
	  "table_full_drops" },
	{ CTK_A_EVENT_CHAIN_TOO_LONG_DROPS, TYPE_U64, UNIT_NUMBER,
	  "chain_too_long_drops" },
	{ CTK_A_EVENT_OTHER_DROPS, TYPE_U64, UNIT_NUMBER, "other_drops" },
	{ CTK_A_EVENT_REFUSED_INSERTS, TYPE_U64, UNIT_NUMBER,
	  "refused_inserts" },
	{ CTK_A_EVENT_ADMITTED_BY_EVICTION, TYPE_U64, UNIT_NUMBER,
	  "admitted_by_eviction" },
	{ CTK_A_EVENT_PEAK, TYPE_U32, UNIT_NUMBER, "peak" },
	{ }
};

const struct field actor_fields[] = {
	{ CTK_A_ACTOR_COMM, TYPE_STRING, UNIT_TEXT, "comm" },
	{ CTK_A_ACTOR_PID, TYPE_U32, UNIT_NUMBER, "pid" },
	{ CTK_A_ACTOR_PARENT_COMM, TYPE_STRING, UNIT_TEXT, "parent_comm" },
	{ CTK_A_ACTOR_REQUEST, TYPE_STRING, UNIT_TEXT, "request" },
	{ }
};

/* The first @len bytes, or what there is room for. */
void set_text(struct record *r, unsigned int attr, const char *text,
	      size_t len)
{
	if (!has(r, attr)) {
		if (r->texts == RECORD_TEXTS)
			return;
		set(r, attr, r->texts++);
	}
	if (len >= sizeof(r->text[0]))
		len = sizeof(r->text[0]) - 1;
	memcpy(r->text[get(r, attr)], text, len);
	r->text[get(r, attr)][len] = '\0';
}

const struct field *field_of(const struct field *fields, unsigned int attr)
{
	for (; fields->attr; fields++)
		if (fields->attr == attr)
			return fields;
	return NULL;
}

/* NULL for a value that a newer module may give and this tool cannot name. */
const char *field_word(const struct field *f, const struct record *r)
{
	uint64_t value = get(r, f->attr);

	for (size_t i = 0; f->words[i]; i++)
		if (i == value)
			return f->words[i];
	return NULL;
}

static void format_enum(char *buf, size_t size, const struct record *r,
			const struct field *f)
{
	const char *word = field_word(f, r);

	if (word)
		snprintf(buf, size, "%s", word);
	else
		snprintf(buf, size, "%" PRIu64 " (unknown to this ctkstat)",
			 get(r, f->attr));
}

static void format_errno(char *buf, size_t size, int64_t error)
{
	snprintf(buf, size, "%" PRId64 " (%s)", error, strerror((int)-error));
}

static void format_time(char *buf, size_t size, uint64_t then, uint64_t now)
{
	char date[32], age[32];

	format_date(date, sizeof(date), then);
	format_age(age, sizeof(age), then, now);
	snprintf(buf, size, "%s (%s ago)", date, age);
}

/* In a line of its own, where there is room for words. */
void format_field(char *buf, size_t size, const struct record *r,
		  const struct field *f, uint64_t now)
{
	uint64_t value = get(r, f->attr);

	if (!has(r, f->attr)) {
		snprintf(buf, size, "-");
		return;
	}
	switch ((enum field_unit)f->unit) {
	case UNIT_NUMBER:
		snprintf(buf, size, "%" PRId64, (int64_t)value);
		break;
	case UNIT_BYTES:
		snprintf(buf, size, "%" PRIu64 " bytes", value);
		break;
	case UNIT_SECONDS:
		format_duration(buf, size, value);
		break;
	case UNIT_NANOSECONDS:
		format_span(buf, size, value);
		break;
	case UNIT_MILLIONTHS:
		percent(buf, size, value);
		break;
	case UNIT_TIME:
		format_time(buf, size, value, now);
		break;
	case UNIT_FLAG:
		snprintf(buf, size, "%s", value ? "yes" : "no");
		break;
	case UNIT_ENUM:
		format_enum(buf, size, r, f);
		break;
	case UNIT_ERRNO:
		format_errno(buf, size, (int64_t)value);
		break;
	case UNIT_TEXT:
		snprintf(buf, size, "%s", get_text(r, f->attr));
		break;
	}
}
