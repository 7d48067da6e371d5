// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat why: for each namespace that is in trouble or was, what happened,
 * what was lost, what filled the table and whose packets died, the cause with
 * its evidence, and what helps; in 80 columns, to be pasted into a ticket.
 * The same as JSON is in why-json.c.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

#define KEY_WIDTH	10
#define SETTINGS_SHOWN	4
#define OWN_SHOWN	6
#define INDENT		"  "

static int why_command_read(struct snapshot *s, const struct options *o)
{
	if (snapshot_read(s, o) || (o->print_config && config_check(s)))
		return -1;
	return why_read(s, NULL);
}

/* A key before the first line, blanks before the others. */
static void put_entry(FILE *out, const char *key, const char *text)
{
	char lead[32];

	snprintf(lead, sizeof(lead), INDENT "%-*s", KEY_WIDTH, key);
	put_hanging(out, lead, strlen(lead), text);
}

static void put_item(FILE *out, const char *text)
{
	char lead[32];

	snprintf(lead, sizeof(lead), INDENT "%*s- ", KEY_WIDTH, "");
	put_hanging(out, lead, strlen(lead), text);
}

static void put_pasted(FILE *out, const char *command)
{
	char lead[] = INDENT "            ";

	put_command(out, lead, strlen(lead) + 2, command);
}

const char *why_word(const struct facts *f)
{
	if (f->state >= STATE_FULL)
		return "FULL";
	return f->state == STATE_FINE ? "PAST" : "WARN";
}

/* Without ctk it is not known when. */
static void past_line(struct verdict *v, const struct facts *f)
{
	char name[64];

	netns_label(name, sizeof(name), f->netns, 40);
	snprintf(v->line, sizeof(v->line), "%s has lost %" PRIu64
		 " packets since nf_conntrack was loaded", name,
		 get(&f->netns->r, CTK_A_NETNS_LOST));
}

void why_headline(struct verdict *v, const struct facts *f)
{
	const struct record *r = &f->netns->r;
	struct worst w = {
		.netns = f->netns,
		.state = f->state == STATE_FINE ? STATE_LOST_RECENTLY :
						  f->state,
		.lost = get(r, CTK_A_NETNS_LOST),
		.last = get(r, CTK_A_NETNS_LAST_LOSS_TIME),
	};

	memset(v, 0, sizeof(*v));
	if (f->state == STATE_FINE && !w.last)
		past_line(v, f);
	else
		say_worst(v, f->s, &w, COLUMNS - strlen(why_word(f)) - 2);
}

static void put_headline(FILE *out, const struct facts *f)
{
	struct verdict v;
	char text[sizeof(v.line) + 16];

	why_headline(&v, f);
	snprintf(text, sizeof(text), "%s  %s", why_word(f), v.line);
	put_wrapped(out, "", text);
	for (size_t i = 0; i < v.n_more && i < 1; i++)
		put_wrapped(out, "  ", v.more[i]);
}

static bool is_setting(const struct event *e)
{
	switch (get(&e->r, CTK_A_EVENT_EVENT)) {
	case CTK_EVENT_ATTACHED:
	case CTK_EVENT_DETACHED:
	case CTK_EVENT_LIMIT_CHANGED:
	case CTK_EVENT_BUCKETS_CHANGED:
		return true;
	default:
		return false;
	}
}

static bool is_of_fall(const struct facts *f, const struct event *e)
{
	for (size_t i = 0; i < f->n_falls; i++)
		if (e == f->fall[i].event || e == f->fall[i].detached)
			return true;
	return false;
}

/* Where losses tell the story, thresholds add nothing. */
static bool is_told(const struct facts *f, const struct event *e)
{
	return event_concerns(f, e) &&
	       (get(&e->r, CTK_A_EVENT_EVENT) != CTK_EVENT_THRESHOLD ||
		!get(&f->netns->r, CTK_A_NETNS_LOST));
}

/* The last few of each kind, and those that are the cause; with @e, of it. */
bool why_tells(const struct facts *f, const struct event *e)
{
	size_t later = 0;

	if (!is_told(f, e))
		return false;
	if (is_of_fall(f, e))
		return true;
	for (size_t i = f->s->n_events; i; i--) {
		const struct event *other = &f->s->events[i - 1];

		if (other == e)
			break;
		later += is_told(f, other) &&
			 is_setting(other) == is_setting(e);
	}
	return later < (is_setting(e) ? SETTINGS_SHOWN : OWN_SHOWN);
}

static void put_events(FILE *out, const struct facts *f)
{
	const char *key = "happened";
	char text[400], clock[32];

	for (size_t i = 0; i < f->s->n_events; i++) {
		const struct event *e = &f->s->events[i];

		if (!why_tells(f, e))
			continue;
		format_clock(clock, sizeof(clock),
			     get(&e->r, CTK_A_EVENT_TIME), f->s->now);
		snprintf(text, sizeof(text), "%s  ", clock);
		say_event(text + strlen(text), sizeof(text) - strlen(text), e);
		append(text, sizeof(text), " (event %" PRIu64 ")",
		       get(&e->r, CTK_A_EVENT_SEQ));
		put_entry(out, key, text);
		key = "";
	}
}

static void put_lost(FILE *out, const struct facts *f)
{
	static const struct {
		unsigned int attr;
		const char *what;
	} kinds[] = {
		{ CTK_A_NETNS_TABLE_FULL_DROPS, "to a full table" },
		{ CTK_A_NETNS_CHAIN_TOO_LONG_DROPS, "to chains too long" },
		{ CTK_A_NETNS_NO_MEMORY_DROPS, "to no memory" },
		{ CTK_A_NETNS_OTHER_DROPS, "otherwise" },
	};
	const struct record *r = &f->netns->r;
	const char *gap = ": ";
	char text[240];

	snprintf(text, sizeof(text), "%" PRIu64 " packets",
		 get(r, CTK_A_NETNS_LOST));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!get(r, kinds[i].attr))
			continue;
		append(text, sizeof(text), "%s%" PRIu64 " %s", gap,
		       get(r, kinds[i].attr), kinds[i].what);
		gap = ", ";
	}
	put_entry(out, "lost", text);
}

static void put_filled(FILE *out, const struct facts *f)
{
	char text[320], age[32];

	say_filled(text, sizeof(text), f);
	if (!text[0])
		return;
	format_age(age, sizeof(age), f->fill.time, f->s->now);
	append(text, sizeof(text), "; %" PRIu64 " entries counted",
	       f->fill.entries);
	if (!f->fill.fresh)
		append(text, sizeof(text), " %s ago", age);
	put_entry(out, "filled", text);
}

static void put_victims(FILE *out, const struct facts *f)
{
	char text[sizeof(f->victims.text) + 96];

	if (!f->victims.text[0])
		return;
	snprintf(text, sizeof(text), "%s", f->victims.text);
	if (f->victims.attributed)
		append(text, sizeof(text), "; %" PRIu64 " of %" PRIu64
		       " looked at (ctkstat drops)",
		       get(&f->netns->r, CTK_A_NETNS_ATTRIBUTED_DROPS),
		       get(&f->netns->r, CTK_A_NETNS_LOST));
	put_entry(out, "victims", text);
}

static void put_finding(FILE *out, const char *key, const struct finding *f)
{
	char text[sizeof(f->sentence) + 64];

	snprintf(text, sizeof(text), "%s: %s", f->rule->name, f->sentence);
	put_entry(out, key, text);
	for (size_t i = 0; i < f->n_evidence; i++) {
		snprintf(text, sizeof(text), "%s (%s)", f->evidence[i].text,
			 f->evidence[i].source);
		put_item(out, text);
	}
}

/* As it is, since it is to be pasted. */
static void put_rules(FILE *out, const char *rules)
{
	fputs(rules, out);
	fputs("END\n", out);
}

static void put_steps(FILE *out, const struct diagnosis *d)
{
	for (size_t i = 0; i < d->n_steps; i++) {
		const struct step *s = &d->step[i];

		put_entry(out, i ? "" : "fix now", s->text);
		for (size_t j = 0; j < s->n_commands; j++)
			put_pasted(out, s->command[j]);
		if (!strcmp(s->kind, "notrack"))
			put_rules(out, d->plan.notrack);
	}
}

bool why_keeps(const struct diagnosis *d)
{
	const struct plan *p = &d->plan;

	if (d->facts->s->why->elsewhere)
		return false;
	return p->limit || p->buckets || p->established || p->time_wait ||
	       p->notrack[0] || d->finding[0].rule->remedies & REMEDY_LIMIT;
}

static void put_keep(FILE *out, const struct diagnosis *d)
{
	char command[80];

	if (!why_keeps(d))
		return;
	snprintf(command, sizeof(command), "ctkstat why -N %u --print-config",
		 (uint32_t)get(&d->facts->netns->r, CTK_A_NETNS_NETNS_INUM));
	put_entry(out, "keep",
		  "over a boot and the next reload, which forget all of it: files that this prints");
	put_pasted(out, command);
}

static void put_diagnosis(FILE *out, const struct diagnosis *d)
{
	put_headline(out, d->facts);
	put_events(out, d->facts);
	put_lost(out, d->facts);
	put_filled(out, d->facts);
	put_victims(out, d->facts);
	for (size_t i = 0; i < d->n_findings; i++)
		put_finding(out, i ? "also" : "cause", &d->finding[i]);
	put_steps(out, d);
	put_keep(out, d);
}

/* Of what is no namespace any more, its event is all there is. */
bool why_gone(const struct event *e)
{
	return !e->lost &&
	       get(&e->r, CTK_A_EVENT_EVENT) == CTK_EVENT_NETNS_GONE &&
	       get(&e->r, CTK_A_EVENT_LOST);
}

static void put_gone(FILE *out, const struct snapshot *s)
{
	char text[400], clock[32];

	for (size_t i = 0; i < s->n_events; i++) {
		const struct event *e = &s->events[i];

		if (!s->asked_all || !why_gone(e))
			continue;
		format_clock(clock, sizeof(clock),
			     get(&e->r, CTK_A_EVENT_TIME), s->now);
		snprintf(text, sizeof(text), "netns:%" PRIu64 " at %s: ",
			 get(&e->r, CTK_A_EVENT_NETNS_INUM), clock);
		say_event(text + strlen(text), sizeof(text) - strlen(text), e);
		put_wrapped(out, "", text);
	}
}

/* What may go wrong, of the settings that all namespaces share. */
bool why_warns(struct finding *f, const struct snapshot *s)
{
	struct facts facts = { .s = s };

	if (!s->n_netns)
		return false;
	facts.netns = &s->netns[0];
	return rules_warn(f, &facts);
}

static void put_fine(FILE *out, const struct snapshot *s)
{
	char text[sizeof(((struct verdict *)0)->line) + 32];
	struct finding warning;
	struct verdict v;

	verdict_reach(&v, s, COLUMNS);
	snprintf(text, sizeof(text), "%s%s",
		 v.level == LEVEL_OK ? "nothing wrong: " : "", v.line);
	put_wrapped(out, "", text);
	for (size_t i = 0; i < v.n_more; i++)
		put_wrapped(out, "  ", v.more[i]);
	if (why_warns(&warning, s))
		put_finding(out, "but", &warning);
}

static void put_source(FILE *out, const struct snapshot *s)
{
	if (s->source == &source_proc)
		put_wrapped(out, "",
			    "source: /proc (ctk.ko not loaded): when it happened, who did it, what filled the table and whose packets died is known to the module only: insmod ctk.ko");
	if (s->why->denied[0])
		put_wrapped(out, "", s->why->denied);
}

static void why_text(FILE *out, const struct options *o,
		     const struct snapshot *s)
{
	const struct why *why = s->why;
	char date[32];

	if (o->print_config) {
		put_config(out, o, s);
		return;
	}
	if (o->timestamp) {
		format_date(date, sizeof(date), s->now);
		fprintf(out, "%s\n", date);
	}
	for (size_t i = 0; i < why->n; i++) {
		if (i)
			fputc('\n', out);
		put_diagnosis(out, &why->list[i]);
	}
	if (!why->n)
		put_fine(out, s);
	put_gone(out, s);
	put_source(out, s);
	put_unseen(out, s);
}

const struct command command_why = {
	.name = "why",
	.summary = "why packets were lost, the evidence, and the fix",
	.options = "NP",
	.read = why_command_read,
	.text = why_text,
	.json = why_json,
};
