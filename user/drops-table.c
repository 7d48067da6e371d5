// SPDX-License-Identifier: GPL-2.0
/*
 * Groups of those who lost packets as a table of 80 columns: cells that do not
 * fit a line go below, so that nothing is cut. Shows them in the order that
 * they have.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"
#include "groups.h"

#define LINES		10	/* without -a */
#define FRESH		(2 * NSEC_PER_SEC)

/* Columns of a table; what is too long for them moves those behind. */
struct layout {
	bool errors, reasons, containers;
	int proto, source, destination, process;
	size_t hang;		/* where SOURCE begins */
};

struct cells {
	char proto[16];
	char source[96], destination[160], process[64], container[128];
	const char *reason;
};

static void fill_cells(struct cells *c, const struct group *g)
{
	const struct record *r = &g->member[0]->r;

	format_l4proto(c->proto, sizeof(c->proto),
		       get(r, CTK_A_OFFENDER_L4PROTO));
	say_source(c->source, sizeof(c->source), g);
	say_destination(c->destination, sizeof(c->destination), g);
	say_process(c->process, sizeof(c->process), g);
	say_container(c->container, sizeof(c->container), g);
	c->reason = "";
	if (get(r, CTK_A_OFFENDER_REASON) != CTK_DROP_REASON_TABLE_FULL)
		c->reason = field_word(field_of(offender_fields,
						CTK_A_OFFENDER_REASON), r);
	if (!c->reason)
		c->reason = "?";
}

static void widen(int *width, const char *text, int most)
{
	int len = (int)strlen(text);

	if (len > *width && len <= most)
		*width = len;
}

static void lay_out(struct layout *l, const struct groups *groups, size_t n)
{
	struct cells c;

	memset(l, 0, sizeof(*l));
	widen(&l->proto, "PROTO", 8);
	widen(&l->source, "SOURCE", 18);
	widen(&l->destination, "DESTINATION", 26);
	for (size_t i = 0; i < n; i++) {
		fill_cells(&c, &groups->list[i]);
		widen(&l->proto, c.proto, 8);
		widen(&l->source, c.source, 18);
		widen(&l->destination, c.destination, 26);
		widen(&l->process, c.process, 18);
		l->errors |= groups->list[i].approximate;
		l->reasons |= !!*c.reason;
		l->containers |= !!*c.container;
	}
	if (l->process)
		widen(&l->process, "PROCESS", 18);
	l->hang = (l->errors ? 30 : 24) + (size_t)l->proto;
}

/* A line under way: cells that do not fit it go below, under SOURCE. */
struct line {
	FILE *out;
	size_t column;
	size_t hang;
	int gap;		/* before the next cell */
};

static void put_cell(struct line *line, const char *text, int width)
{
	int len = (int)strlen(text);

	/* Rather out of its column than below. */
	if (line->gap > 1 &&
	    line->column + (size_t)(line->gap + len) > COLUMNS &&
	    line->column + 1 + (size_t)len <= COLUMNS)
		line->gap = 1;
	if (len && line->column + (size_t)(line->gap + len) > COLUMNS &&
	    line->column > line->hang) {
		/* An address of IPv6 can be longer than what is right of it. */
		line->column = line->hang + (size_t)len > COLUMNS ?
			       (size_t)(COLUMNS - len) : line->hang;
		fprintf(line->out, "\n%*s", (int)line->column, "");
		line->gap = 0;
	}
	if (len) {
		fprintf(line->out, "%*s%s", line->gap, "", text);
		line->column += (size_t)(line->gap + len);
		line->gap = 0;
	}
	line->gap += (width > len ? width - len : 0) + 1;
}

static void put_cells(FILE *out, const struct layout *l, const char *lead,
		      const struct cells *c)
{
	struct line line = { .out = out, .hang = l->hang };

	fputs(lead, out);
	line.column = strlen(lead);
	put_cell(&line, c->source, l->source);
	put_cell(&line, c->destination, l->destination);
	if (l->process)
		put_cell(&line, c->process, l->process);
	if (l->reasons)
		put_cell(&line, c->reason, 14);
	if (l->containers)
		put_cell(&line, c->container, 0);
	fputc('\n', out);
}

static void put_titles(FILE *out, const struct layout *l)
{
	struct cells c = {
		.source = "SOURCE", .destination = "DESTINATION",
		.process = "PROCESS", .container = "CONTAINER",
		.reason = "REASON",
	};
	char lead[64];

	snprintf(lead, sizeof(lead), "SHARE %8s %s%7s %-*s ", "LOST",
		 l->errors ? "ERROR " : "", "LAST", l->proto, "PROTO");
	put_cells(out, l, lead, &c);
}

/* 48211, or ~48211 where that is not exact; eight columns. */
static void format_lost(char *buf, size_t size, const struct group *g)
{
	buf[0] = '~';
	format_count(buf + g->approximate, size - g->approximate, g->lost,
		     8 - g->approximate);
}

static void put_group(FILE *out, const struct snapshot *s,
		      const struct layout *l, const struct group *g,
		      uint64_t whole)
{
	char share[8], lost[24], error[8] = "", last[32], lead[128];
	struct cells c;

	format_share(share, sizeof(share), g->lost, whole);
	format_lost(lost, sizeof(lost), g);
	if (g->error)
		format_share(error, sizeof(error), g->error, g->lost);
	if (g->last + FRESH > s->now)
		snprintf(last, sizeof(last), "now");
	else
		format_age(last, sizeof(last), g->last, s->now);
	fill_cells(&c, g);
	snprintf(lead, sizeof(lead), "%5s %8s %*s%s%7s %-*s ", share, lost,
		 l->errors ? 5 : 0, error, l->errors ? " " : "", last, l->proto,
		 c.proto);
	put_cells(out, l, lead, &c);
}

/* @whole: packets that their namespace lost. */
void put_groups(FILE *out, const struct options *o, const struct snapshot *s,
		const struct groups *groups, uint64_t whole)
{
	size_t shown = groups->n;
	struct layout l;
	uint64_t beyond = 0;

	if (!o->all && shown > LINES)
		shown = LINES;
	lay_out(&l, groups, shown);
	if (o->header)
		put_titles(out, &l);
	for (size_t i = 0; i < shown; i++)
		put_group(out, s, &l, &groups->list[i], whole);
	for (size_t i = shown; i < groups->n; i++)
		beyond += groups->list[i].lost;
	if (beyond)
		fprintf(out, "%zu more, of %" PRIu64 " lost (-a lists them)\n",
			groups->n - shown, beyond);
}
