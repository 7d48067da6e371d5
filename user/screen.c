// SPDX-License-Identifier: GPL-2.0
/*
 * The first screen, ctkstat without a command: the verdict, a line for each
 * namespace that matters, fullest first, what was lost elsewhere, and how far
 * the source can be trusted. What it says of a namespace is in fields.c, what
 * it makes of it in verdict.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

#define NAME_WIDTH	18
#define BAR_WIDTH	6

#define RED		"\033[1;31m"
#define YELLOW		"\033[33m"
#define GREEN		"\033[32m"
#define PLAIN		"\033[0m"

static const char *level_color(enum level level)
{
	static const char *const colors[] = {
		[LEVEL_OK] = GREEN,
		[LEVEL_WARNING] = YELLOW,
		[LEVEL_FULL] = RED,
		[LEVEL_UNKNOWN] = YELLOW,
	};

	return colors[level];
}

static void put_verdict(FILE *out, const struct options *o,
			const struct snapshot *s)
{
	char date[32] = "", text[sizeof(((struct verdict *)0)->line) + 64];
	const char *gap = "";
	size_t width = COLUMNS;
	struct verdict v;

	if (o->timestamp) {
		format_date(date, sizeof(date), s->now);
		gap = "  ";
		width -= strlen(date) + strlen(gap);
	}
	verdict_reach(&v, s, width);
	snprintf(text, sizeof(text), "%s%s%s  %s", date, gap,
		 level_word(v.level), v.line);
	if (o->color)
		fputs(level_color(v.level), out);
	put_wrapped(out, "", text);
	if (o->color)
		fputs(PLAIN, out);
	for (size_t i = 0; i < v.n_more; i++) {
		if (v.command[i])
			put_command(out, "  ", 4, v.more[i]);
		else
			put_wrapped(out, "  ", v.more[i]);
	}
}

static void put_header(FILE *out, const struct options *o)
{
	const struct field *f;

	fprintf(out, "%-*s", NAME_WIDTH, "NAMESPACE");
	for (f = netns_fields; f->attr; f++) {
		if (!f->title)
			continue;
		fprintf(out, " %*s", f->width, f->title);
		if (f->attr == CTK_A_NETNS_FILL && o->terminal)
			fprintf(out, " %*s", BAR_WIDTH, "");
	}
	fputc('\n', out);
}

static const char *row_color(const struct record *r, uint64_t now)
{
	uint64_t fill = get(r, CTK_A_NETNS_FILL);

	if (fill >= FILL_FULL || loses_now(r, now))
		return RED;
	return fill >= FILL_WARNING ? YELLOW : "";
}

/* /proc knows no time of a loss, and yet whether one has just been. */
static bool is_now(const struct record *r, const struct field *f, uint64_t now)
{
	return f->attr == CTK_A_NETNS_LAST_LOSS_TIME && loses_now(r, now);
}

static void put_row(FILE *out, const struct options *o,
		    const struct snapshot *s, const struct netns *n)
{
	const struct field *f;
	char cell[64];

	netns_label(cell, sizeof(cell), n, NAME_WIDTH);
	fprintf(out, "%s%-*s", o->color ? row_color(&n->r, s->now) : "",
		NAME_WIDTH, cell);
	for (f = netns_fields; f->attr; f++) {
		if (!f->title)
			continue;
		if (has(&n->r, f->attr) || is_now(&n->r, f, s->now))
			f->format(cell, sizeof(cell), &n->r, f, s->now);
		else
			snprintf(cell, sizeof(cell), "-");
		fprintf(out, " %*s", f->width, cell);
		if (f->attr == CTK_A_NETNS_FILL && o->terminal) {
			fputc(' ', out);
			put_bar(out, o, get(&n->r, f->attr), FILL_FULL,
				BAR_WIDTH);
		}
	}
	fprintf(out, "%s\n", o->color ? PLAIN : "");
}

/* Neither full to speak of nor with a loss; the first and the own stay. */
static bool foldable(const struct snapshot *s, size_t i)
{
	const struct record *r = &s->netns[i].r;

	if (!i || get(r, CTK_A_NETNS_NETNS_INUM) == s->own ||
	    get(r, CTK_A_NETNS_LOST))
		return false;
	if (has(r, CTK_A_NETNS_FILL))
		return get(r, CTK_A_NETNS_FILL) < FILL_FOLDED;
	return has(r, CTK_A_NETNS_ENTRIES) && !get(r, CTK_A_NETNS_ENTRIES);
}

static void put_table(FILE *out, const struct options *o,
		      const struct snapshot *s, size_t limit)
{
	size_t rows = 0, folded = 0, beyond = 0;

	if (o->header)
		put_header(out, o);
	for (size_t i = 0; i < s->n_netns; i++) {
		if (!o->all && foldable(s, i)) {
			folded++;
		} else if (rows == limit) {
			beyond++;
		} else {
			put_row(out, o, s, &s->netns[i]);
			rows++;
		}
	}
	if (beyond)
		fprintf(out, "%zu more do not fit this terminal\n", beyond);
	if (folded)
		fprintf(out,
			"%zu more below %u%%, none lost a packet (-a lists them)\n",
			folded, FILL_FOLDED / 10000);
}

/* The sum over all namespaces, 0 as long as nothing is known to be lost. */
static uint64_t sum(const struct snapshot *s, unsigned int attr, bool stats)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n_netns; i++)
		total += get(stats ? &s->netns[i].stats : &s->netns[i].r,
			     attr);
	return total;
}

static bool has_any(const struct snapshot *s, unsigned int attr)
{
	for (size_t i = 0; i < s->n_netns; i++)
		if (has(&s->netns[i].r, attr))
			return true;
	return false;
}

/* What other tools would be asked for; some only where there is some. */
static void put_elsewhere(FILE *out, const struct snapshot *s)
{
	uint64_t other = sum(s, CTK_A_NETNS_OTHER_DROPS, false);
	uint64_t refused = sum(s, CTK_A_NETNS_REFUSED_INSERTS, false);
	uint64_t no_memory = sum(s, CTK_A_NETNS_NO_MEMORY_DROPS, false);
	char chains[24] = "-", memory[48] = "", others[48] = "",
	     inserts[48] = "", text[256];

	if (has_any(s, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS))
		snprintf(chains, sizeof(chains), "%" PRIu64,
			 sum(s, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS, false));
	if (no_memory)
		snprintf(memory, sizeof(memory), ", no-memory %" PRIu64,
			 no_memory);
	if (other)
		snprintf(others, sizeof(others), ", other-drops %" PRIu64,
			 other);
	if (refused)
		snprintf(inserts, sizeof(inserts),
			 ", refused-inserts %" PRIu64, refused);
	snprintf(text, sizeof(text),
		 "elsewhere: chain-too-long %s, insert-failed %" PRIu64
		 ", invalid %" PRIu64 "%s%s%s", chains,
		 sum(s, CTK_A_KERNEL_STATS_INSERT_FAILED, true),
		 sum(s, CTK_A_KERNEL_STATS_INVALID, true), memory, others, inserts);
	put_wrapped(out, "", text);
}

/*
 * module, exact (missed 0). What was missed is only told to those who may see
 * all namespaces; exact is said of a wrapper that is not known to have missed.
 */
static void describe_module(char *buf, size_t size, const struct record *r)
{
	uint64_t hook = get(r, CTK_A_STATUS_HOOK);
	bool exact = hook == CTK_HOOK_WRAPPER && !get(r, CTK_A_STATUS_MISSED);
	char word[64], missed[48] = "";

	if (!has(r, CTK_A_STATUS_HOOK)) {
		snprintf(buf, size, "module, detached");
		return;
	}
	if (hook == CTK_HOOK_BLIND) {
		snprintf(buf, size,
			 "module, hook blind: losses are in other-drops");
		return;
	}
	format_field(word, sizeof(word), r,
		     field_of(status_fields, CTK_A_STATUS_HOOK), 0);
	if (has(r, CTK_A_STATUS_MISSED))
		snprintf(missed, sizeof(missed), " (missed %" PRIu64 ")",
			 get(r, CTK_A_STATUS_MISSED));
	snprintf(buf, size, "module, %s%s", exact ? "exact" : word, missed);
}

static void put_source(FILE *out, const struct snapshot *s)
{
	const struct record *r = &s->status.r;
	char how[192], limit[48] = "", buckets[48] = "", text[512];

	if (s->source == &source_proc)
		snprintf(how, sizeof(how),
			 "/proc (ctk.ko not loaded): no table-full split, no peak, no growth, no loss times; losses are the kernel's drop counters");
	else
		describe_module(how, sizeof(how), r);
	if (has(r, CTK_A_STATUS_LIMIT))
		snprintf(limit, sizeof(limit), "; limit %" PRIu64,
			 get(r, CTK_A_STATUS_LIMIT));
	if (has(r, CTK_A_STATUS_BUCKETS))
		snprintf(buckets, sizeof(buckets), "; buckets %" PRIu64,
			 get(r, CTK_A_STATUS_BUCKETS));
	snprintf(text, sizeof(text), "source: %s%s%s", how, limit, buckets);
	put_wrapped(out, "", text);
}

/* What is not in a snapshot of all namespaces. */
void put_unseen(FILE *out, const struct snapshot *s)
{
	char text[160];

	if (s->hidden && s->n_netns <= 1) {
		put_wrapped(out, "",
			    "only this namespace is shown: the others need root in the initial namespace");
	} else if (s->refused) {
		snprintf(text, sizeof(text),
			 "%zu more could not be entered: that needs root in the initial namespace",
			 s->refused);
		put_wrapped(out, "", text);
	} else if (s->hidden) {
		put_wrapped(out, "",
			    "others may be hidden: they need root in the initial namespace");
	}
	if (s->torn)
		put_wrapped(out, "",
			    "namespaces came and went meanwhile: some may be missing");
}

/* @limit: rows that the table may have. */
static void put_screen(FILE *out, const struct options *o,
		       const struct snapshot *s, size_t limit)
{
	put_verdict(out, o, s);
	/* Without conntrack /proc knows nothing that could be tabled. */
	if (has_any(s, CTK_A_NETNS_LOST)) {
		fputc('\n', out);
		put_table(out, o, s, limit);
		put_elsewhere(out, s);
	}
	put_source(out, s);
	put_unseen(out, s);
}

static void put_without_rows(FILE *out, const struct options *o,
			     const struct snapshot *s)
{
	put_screen(out, o, s, 0);
}

/* What a redrawn screen has room for; its last line is the cursor's. */
static size_t row_limit(const struct options *o, const struct snapshot *s)
{
	size_t rows = screen_rows(), lines = 1;
	char *text = make_text(put_without_rows, o, s);

	for (const char *c = text; c && *c; c++)
		lines += *c == '\n';
	free(text);
	return rows > lines ? rows - lines : 0;
}

static void screen_text(FILE *out, const struct options *o,
			const struct snapshot *s)
{
	put_screen(out, o, s, o->redraw ? row_limit(o, s) : SIZE_MAX);
}

static json_t *screen_json(const struct options *o, const struct snapshot *s)
{
	json_t *top = json_object(), *list = json_array();
	const struct field *f;
	struct verdict v;

	for (f = status_fields; f->attr; f++)
		if (f->summary)
			json_add(top, &s->status.r, f);
	verdict_reach(&v, s, COLUMNS);
	if (o->timestamp)
		json_object_set_new(top, "time", json_time(s->now));
	json_object_set_new(top, "source", json_string(s->source->name));
	json_object_set_new(top, "verdict", json_string(level_name(v.level)));
	json_object_set_new(top, "headline", json_name(v.line));
	for (size_t i = 0; i < s->n_netns; i++)
		json_array_append_new(list, json_netns(&s->netns[i]));
	json_object_set_new(top, "netns", list);
	json_object_set_new(top, "complete",
			    json_boolean(snapshot_complete(s)));
	return top;
}

/*
 * Of the namespace that the verdict names, also why; for which the events are
 * read, as they are for those that were deleted. Who may not have them is told
 * of what there is.
 */
static int screen_read(struct snapshot *s, const struct options *o)
{
	const struct netns *subject;

	if (snapshot_read(s, o))
		return -1;
	subject = o->json ? NULL : verdict_subject(s);
	if (subject)
		return why_read(s, subject);
	if (s->asked_all && s->source->read_events)
		s->source->read_events(s);
	return 0;
}

const struct command command_screen = {
	.name = "",
	.summary = "which table is full, who loses, since when",
	.repeats = true,
	.options = "aN",
	.read = screen_read,
	.text = screen_text,
	.json = screen_json,
};
