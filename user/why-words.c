// SPDX-License-Identifier: GPL-2.0
/*
 * What was found, in short sentences, and the lines of it on the first screen.
 * Neither reads nor prints.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

/* A share below this, in percent, is not worth a word. */
#define WORTH_TELLING	20

void append(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + len, size - len, format, args);
	va_end(args);
}

uint64_t percent_of(uint64_t part, uint64_t whole)
{
	return whole ? part * 100 / whole : 0;
}

/* 640 bytes, 12.5 MiB */
void format_bytes(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, size, "%" PRIu64 " bytes", bytes);
		return;
	}
	for (; bytes >= 1024 * 1024 && i + 1 < sizeof(units) / sizeof(units[0]);
	     i++)
		bytes /= 1024;
	snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " %s", bytes / 1024,
		 bytes % 1024 * 10 / 1024, units[i]);
}

/* Tools that only do what another one wanted. */
static bool is_tool(const char *comm)
{
	static const char *const tools[] = {
		"modprobe", "insmod", "rmmod", "sysctl", "kmod", "sh", "bash",
	};

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (!strcmp(comm, tools[i]))
			return true;
	return false;
}

/* firewalld (modprobe[812]), or all that say_actor() has. */
void say_who(char *buf, size_t size, const struct record *actor)
{
	const char *comm = get_text(actor, CTK_A_ACTOR_COMM);
	const char *parent = get_text(actor, CTK_A_ACTOR_PARENT_COMM);
	char name[64], by[64];

	if (!actor->present) {
		snprintf(buf, size, "a process that was not seen");
		return;
	}
	if (!is_tool(comm) || !*parent || is_tool(parent) ||
	    has(actor, CTK_A_ACTOR_REQUEST)) {
		say_actor(buf, size, actor);
		return;
	}
	shorten(name, sizeof(name), parent, sizeof(name));
	shorten(by, sizeof(by), comm, sizeof(by));
	snprintf(buf, size, "%s (%s", name, by);
	if (has(actor, CTK_A_ACTOR_PID))
		append(buf, size, "[%" PRIu64 "]", get(actor, CTK_A_ACTOR_PID));
	append(buf, size, ")");
}

/* census now, census at 02:41:07 */
void say_source_of(char *buf, size_t size, const struct facts *f,
		   const struct fill *fill)
{
	char clock[32];

	format_clock(clock, sizeof(clock), fill->time, f->s->now);
	if (fill->fresh)
		snprintf(buf, size, "census now");
	else
		snprintf(buf, size, "census at %s", clock);
}

static void say_kind(char *buf, size_t size, const struct fill *c)
{
	const struct {
		uint64_t entries;
		const char *what;
	} kinds[] = {
		{ c->established, "tcp established" },
		{ c->closing, "tcp closing" },
		{ c->half_open, "tcp half-open" },
	};
	char l4proto[32];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (percent_of(kinds[i].entries, c->entries) >= 50) {
			append(buf, size, "%" PRIu64 "%% %s",
			       percent_of(kinds[i].entries, c->entries),
			       kinds[i].what);
			return;
		}
	format_l4proto(l4proto, sizeof(l4proto), c->l4proto);
	append(buf, size, "%" PRIu64 "%% %s",
	       percent_of(c->of_l4proto, c->entries), l4proto);
}

static void add_share(char *buf, size_t size, const char *before,
		      const struct share *share)
{
	uint64_t percent = percent_of(share->part, share->whole);

	if (share->known && percent >= WORTH_TELLING)
		append(buf, size, ", %" PRIu64 "%% %s %s", percent, before,
		       share->who);
}

/* 94% tcp established, 91% to 10.0.3.17:5432 (seen at 02:41:07) */
void say_filled(char *buf, size_t size, const struct facts *f)
{
	const struct fill *c = &f->fill;
	char clock[32];

	buf[0] = '\0';
	if (!c->known || !c->entries)
		return;
	say_kind(buf, size, c);
	add_share(buf, size, "to", &c->service);
	add_share(buf, size, "from", &c->src);
	format_clock(clock, sizeof(clock), c->time, f->s->now);
	append(buf, size, " (seen %s%s)", c->fresh ? "now" : "at ",
	       c->fresh ? "" : clock);
}

static void add_line(struct verdict *v, const char *key, const char *text)
{
	char *line;

	if (v->n_more == VERDICT_LINES || !*text)
		return;
	line = v->more[v->n_more++];
	line[0] = '\0';
	append(line, sizeof(v->more[0]), "%-7s %s", key, text);
}

static void add_command(struct verdict *v, const char *key,
			const char *command)
{
	if (v->n_more < VERDICT_LINES)
		v->command[v->n_more] = true;
	add_line(v, key, command);
}

/* A command is all of its step, or none is told: half a fix can be worse. */
static void add_now(struct verdict *v, const struct diagnosis *d)
{
	const struct step *s = &d->step[0];
	char text[256];

	if (!d->n_steps)
		return;
	if (d->plan.flood) {
		snprintf(text, sizeof(text),
			 "notrack for %s, the rule is in ctkstat why",
			 d->plan.flood->who);
		add_line(v, "now", text);
	} else if (d->facts->s->why->elsewhere) {
		add_line(v, "now", s->text);
	} else if (s->n_commands == 1) {
		add_command(v, "now", s->command[0]);
		if (d->n_steps > 1)
			add_line(v, "", "and more: ctkstat why");
	}
}

/* The lines of the first screen; of what is not known there is none. */
void say_why(struct verdict *v, const struct diagnosis *d)
{
	char text[320];

	/* Of what is not known, why says what would have to be. */
	if (d->finding[0].rule->remedies & REMEDY_ASK)
		return;
	add_line(v, "cause", d->finding[0].sentence);
	say_filled(text, sizeof(text), d->facts);
	add_line(v, "filled", text);
	add_line(v, "victims", d->facts->victims.text);
	add_now(v, d);
	if (why_keeps(d)) {
		snprintf(text, sizeof(text),
			 "ctkstat why -N %u --print-config",
			 (uint32_t)get(&d->facts->netns->r,
				       CTK_A_NETNS_NETNS_INUM));
		add_line(v, "keep", text);
	}
}
