/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables that say what each attribute is called, how it comes over
 * netlink and how it is shown. Parsing, JSON and text are all driven by them,
 * so that a new counter is one line in fields.c and no form can drift from
 * another.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC	1000000000ULL

enum field_type {
	TYPE_U8,
	TYPE_U16,
	TYPE_U32,
	TYPE_S32,
	TYPE_U64,
	TYPE_STRING,
	TYPE_ADDRESS,	/* its value is a text, as inet_ntop() has it */
};

enum field_unit {
	UNIT_NUMBER,
	UNIT_BYTES,
	UNIT_SECONDS,
	UNIT_NANOSECONDS,
	UNIT_MILLISECONDS,	/* in JSON; come as nanoseconds */
	UNIT_MILLIONTHS,
	UNIT_TIME,	/* nanoseconds since the epoch */
	UNIT_FLAG,
	UNIT_ENUM,
	UNIT_ERRNO,
	UNIT_TEXT,
	UNIT_L4PROTO,
};

#define RECORD_VALUES	32
#define RECORD_TEXTS	4

/* The attributes of one object, by attribute number; absent is unknown. */
struct record {
	uint32_t present;
	uint32_t texts;			/* how many of text[] are in use */
	uint64_t value[RECORD_VALUES];	/* signed ones sign-extended */
	char text[RECORD_TEXTS][64];	/* a string's value is its place here */
};

static inline bool has(const struct record *r, unsigned int attr)
{
	return r->present & (UINT32_C(1) << attr);
}

/* 0 where absent: for sums and comparisons, never for printing. */
static inline uint64_t get(const struct record *r, unsigned int attr)
{
	return r->value[attr];
}

static inline void set(struct record *r, unsigned int attr, uint64_t value)
{
	r->present |= UINT32_C(1) << attr;
	r->value[attr] = value;
}

/* Empty where absent. */
static inline const char *get_text(const struct record *r, unsigned int attr)
{
	return has(r, attr) ? r->text[r->value[attr]] : "";
}

void set_text(struct record *r, unsigned int attr, const char *text,
	      size_t len);

struct field {
	uint16_t attr;			/* 0 ends a table */
	uint8_t type;
	uint8_t unit;
	const char *name;		/* as in ctk.yaml, with _ for - */
	const char *const *words;	/* of an enum, ended by NULL */
	bool summary;			/* of status, also in ctkstat -j */

	/* The column on the first screen; a field without title has none. */
	const char *title;
	int width;
	void (*format)(char *buf, size_t size, const struct record *r,
		       const struct field *f, uint64_t now);
};

extern const struct field netns_fields[];
extern const struct field kernel_stats_fields[];
extern const struct field status_fields[];
extern const struct field hook_fields[];
extern const struct field event_fields[];
extern const struct field actor_fields[];
extern const struct field offender_fields[];
extern const struct field census_fields[];
extern const struct field census_lists[];	/* nests of census_part_fields */
extern const struct field census_part_fields[];

bool loses_now(const struct record *r, uint64_t now);
const struct field *field_of(const struct field *fields, unsigned int attr);
const char *field_word(const struct field *f, const struct record *r);
void format_field(char *buf, size_t size, const struct record *r,
		  const struct field *f, uint64_t now);

/* protocols.c */
const char *l4proto_name(uint64_t l4proto);
void format_l4proto(char *buf, size_t size, uint64_t l4proto);
void format_icmp(char *buf, size_t size, uint64_t l4proto, uint64_t type,
		 uint64_t code);

/* format.c */
void format_count(char *buf, size_t size, uint64_t n, int width);
void format_share(char *buf, size_t size, uint64_t part, uint64_t whole);
void format_duration(char *buf, size_t size, uint64_t seconds);
void format_span(char *buf, size_t size, uint64_t ns);
void format_age(char *buf, size_t size, uint64_t then, uint64_t now);
void format_clock(char *buf, size_t size, uint64_t then, uint64_t now);
void format_day(char *buf, size_t size, uint64_t then, uint64_t now);
void format_date(char *buf, size_t size, uint64_t then);
void format_iso(char *buf, size_t size, uint64_t then);
void shorten(char *buf, size_t size, const char *text, size_t width);

#endif /* FIELDS_H */
