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
_Static_assert(CTK_A_OFFENDER_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_CENSUS_MAX < RECORD_VALUES, "a record is too small");
_Static_assert(CTK_A_CENSUS_PART_MAX < RECORD_VALUES, "a record is too small");

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

static const char *const attribution_words[] = {
	[CTK_ATTRIBUTION_AUTO] = "auto",
	[CTK_ATTRIBUTION_ON] = "on",
	[CTK_ATTRIBUTION_OFF] = "off",
	NULL
};

static const char *const drop_reason_words[] = {
	[CTK_DROP_REASON_TABLE_FULL] = "table-full",
	[CTK_DROP_REASON_CHAIN_TOO_LONG] = "chain-too-long",
	[CTK_DROP_REASON_NO_MEMORY] = "no-memory",
	NULL
};

/* Keys of by_tcp_state in JSON, and therefore written like keys. */
static const char *const tcp_state_words[] = {
	[CTK_TCP_STATE_NONE] = "none",
	[CTK_TCP_STATE_SYN_SENT] = "syn_sent",
	[CTK_TCP_STATE_SYN_RECV] = "syn_recv",
	[CTK_TCP_STATE_ESTABLISHED] = "established",
	[CTK_TCP_STATE_FIN_WAIT] = "fin_wait",
	[CTK_TCP_STATE_CLOSE_WAIT] = "close_wait",
	[CTK_TCP_STATE_LAST_ACK] = "last_ack",
	[CTK_TCP_STATE_TIME_WAIT] = "time_wait",
	[CTK_TCP_STATE_CLOSE] = "close",
	[CTK_TCP_STATE_SYN_SENT2] = "syn_sent2",
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
	{ CTK_A_NETNS_NO_MEMORY_DROPS, TYPE_U64, UNIT_NUMBER,
	  "no_memory_drops" },
	{ CTK_A_NETNS_OTHER_DROPS, TYPE_U64, UNIT_NUMBER, "other_drops" },
	{ CTK_A_NETNS_REFUSED_INSERTS, TYPE_U64, UNIT_NUMBER,
	  "refused_inserts" },
	{ CTK_A_NETNS_ADMITTED_BY_EVICTION, TYPE_U64, UNIT_NUMBER,
	  "admitted_by_eviction" },
	{ CTK_A_NETNS_ATTRIBUTED_DROPS, TYPE_U64, UNIT_NUMBER,
	  "attributed_drops" },
	{ CTK_A_NETNS_UNATTRIBUTED_DROPS, TYPE_U64, UNIT_NUMBER,
	  "unattributed_drops" },
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
	{ CTK_A_STATUS_ATTRIBUTION, TYPE_U32, UNIT_ENUM, "attribution",
	  attribution_words },
	{ CTK_A_STATUS_ARMED, TYPE_U8, UNIT_FLAG, "armed" },
	{ CTK_A_STATUS_MARKS_LOST, TYPE_U64, UNIT_NUMBER, "marks_lost" },
	{ CTK_A_STATUS_OFFENDER_SLOTS, TYPE_U32, UNIT_NUMBER,
	  "offender_slots" },
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

/* Of packets lost that were alike; what the cgroup is called is not in it. */
const struct field offender_fields[] = {
	{ CTK_A_OFFENDER_NETNS_ID, TYPE_U64, UNIT_NUMBER, "netns_id" },
	{ CTK_A_OFFENDER_NETNS_INUM, TYPE_U32, UNIT_NUMBER, "netns_inum" },
	{ CTK_A_OFFENDER_L4PROTO, TYPE_U8, UNIT_L4PROTO, "l4proto" },
	{ CTK_A_OFFENDER_SRC, TYPE_ADDRESS, UNIT_TEXT, "src" },
	{ CTK_A_OFFENDER_DST, TYPE_ADDRESS, UNIT_TEXT, "dst" },
	{ CTK_A_OFFENDER_SPORT, TYPE_U16, UNIT_NUMBER, "sport" },
	{ CTK_A_OFFENDER_DPORT, TYPE_U16, UNIT_NUMBER, "dport" },
	{ CTK_A_OFFENDER_ICMP_TYPE, TYPE_U8, UNIT_NUMBER, "icmp_type" },
	{ CTK_A_OFFENDER_ICMP_CODE, TYPE_U8, UNIT_NUMBER, "icmp_code" },
	{ CTK_A_OFFENDER_ZONE, TYPE_U16, UNIT_NUMBER, "zone" },
	{ CTK_A_OFFENDER_REASON, TYPE_U32, UNIT_ENUM, "reason",
	  drop_reason_words },
	{ CTK_A_OFFENDER_IFINDEX, TYPE_U32, UNIT_NUMBER, "ifindex" },
	{ CTK_A_OFFENDER_IFNAME, TYPE_STRING, UNIT_TEXT, "ifname" },
	{ CTK_A_OFFENDER_PID, TYPE_U32, UNIT_NUMBER, "pid" },
	{ CTK_A_OFFENDER_COMM, TYPE_STRING, UNIT_TEXT, "comm" },
	{ CTK_A_OFFENDER_CGROUP_ID, TYPE_U64, UNIT_NUMBER, "cgroup_id" },
	{ CTK_A_OFFENDER_COUNT, TYPE_U64, UNIT_NUMBER, "count" },
	{ CTK_A_OFFENDER_ERROR, TYPE_U64, UNIT_NUMBER, "error" },
	{ CTK_A_OFFENDER_FIRST_TIME, TYPE_U64, UNIT_TIME, "first_time" },
	{ CTK_A_OFFENDER_LAST_TIME, TYPE_U64, UNIT_TIME, "last_time" },
	{ }
};

const struct field census_fields[] = {
	{ CTK_A_CENSUS_NETNS_ID, TYPE_U64, UNIT_NUMBER, "netns_id" },
	{ CTK_A_CENSUS_NETNS_INUM, TYPE_U32, UNIT_NUMBER, "netns_inum" },
	{ CTK_A_CENSUS_TIME, TYPE_U64, UNIT_TIME, "time" },
	{ CTK_A_CENSUS_SINCE, TYPE_U64, UNIT_TIME, "since" },
	{ CTK_A_CENSUS_ENTRIES, TYPE_U32, UNIT_NUMBER, "entries" },
	{ CTK_A_CENSUS_LIMIT, TYPE_U32, UNIT_NUMBER, "limit" },
	{ CTK_A_CENSUS_BUCKETS, TYPE_U32, UNIT_NUMBER, "buckets" },
	{ CTK_A_CENSUS_ASSURED, TYPE_U32, UNIT_NUMBER, "assured" },
	{ CTK_A_CENSUS_EVICTABLE, TYPE_U32, UNIT_NUMBER, "evictable" },
	{ CTK_A_CENSUS_EXPIRED, TYPE_U32, UNIT_NUMBER, "expired" },
	{ CTK_A_CENSUS_SRC_NAT, TYPE_U32, UNIT_NUMBER, "src_nat" },
	{ CTK_A_CENSUS_DST_NAT, TYPE_U32, UNIT_NUMBER, "dst_nat" },
	{ CTK_A_CENSUS_ESTABLISHED_TIMEOUT, TYPE_U32, UNIT_SECONDS,
	  "established_timeout" },
	{ CTK_A_CENSUS_CHAIN_LOSS_RATIO, TYPE_U32, UNIT_MILLIONTHS,
	  "chain_loss_ratio" },
	{ CTK_A_CENSUS_CONSISTENT, TYPE_U8, UNIT_FLAG, "consistent" },
	{ CTK_A_CENSUS_DURATION, TYPE_U64, UNIT_MILLISECONDS, "duration_ms" },
	{ }
};

const struct field census_lists[] = {
	{ CTK_A_CENSUS_BY_L4PROTO, .name = "by_l4proto" },
	{ CTK_A_CENSUS_BY_TCP_STATE, .name = "by_tcp_state" },
	{ CTK_A_CENSUS_TIME_LEFT, .name = "time_left" },
	{ CTK_A_CENSUS_ESTABLISHED_IDLE, .name = "established_idle" },
	{ CTK_A_CENSUS_TOP_SRC, .name = "top_src" },
	{ CTK_A_CENSUS_TOP_DST, .name = "top_dst" },
	{ CTK_A_CENSUS_TOP_DPORT, .name = "top_dport" },
	{ CTK_A_CENSUS_TOP_SERVICE, .name = "top_service" },
	{ CTK_A_CENSUS_CHAIN_LENGTH, .name = "chain_length" },
	{ }
};

const struct field census_part_fields[] = {
	{ CTK_A_CENSUS_PART_L4PROTO, TYPE_U8, UNIT_L4PROTO, "l4proto" },
	{ CTK_A_CENSUS_PART_TCP_STATE, TYPE_U8, UNIT_ENUM, "tcp_state",
	  tcp_state_words },
	{ CTK_A_CENSUS_PART_LE, TYPE_U32, UNIT_SECONDS, "le" },
	{ CTK_A_CENSUS_PART_ADDR, TYPE_ADDRESS, UNIT_TEXT, "addr" },
	{ CTK_A_CENSUS_PART_PORT, TYPE_U16, UNIT_NUMBER, "port" },
	{ CTK_A_CENSUS_PART_LENGTH, TYPE_U32, UNIT_NUMBER, "length" },
	{ CTK_A_CENSUS_PART_ENTRIES, TYPE_U32, UNIT_NUMBER, "entries" },
	{ CTK_A_CENSUS_PART_BUCKETS, TYPE_U32, UNIT_NUMBER, "buckets" },
	{ CTK_A_CENSUS_PART_ERROR, TYPE_U32, UNIT_NUMBER, "error" },
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
	case UNIT_MILLISECONDS:
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
	case UNIT_L4PROTO:
		format_l4proto(buf, size, value);
		break;
	}
}
