// SPDX-License-Identifier: GPL-2.0
/*
 * The verdict in words: a first line that says which namespace and since
 * when, and lines behind it that say how much and what to look at. Decides
 * nothing. Beside the snapshot it reads two switches of the kernel, to explain
 * a hook that has gone blind.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

/* Of a name, what is left of it must still tell it from others. */
#define NAME_SHORTEST	12
#define NUMBER_LENGTH	16	/* netns:4026532871 */

static void __attribute__((format(printf, 2, 3)))
more(struct verdict *v, const char *format, ...)
{
	va_list args;
	size_t len;

	if (v->n_more == VERDICT_LINES)
		return;
	/* What a line begins with already is the netns of name_line(). */
	len = strlen(v->more[v->n_more]);
	va_start(args, format);
	vsnprintf(v->more[v->n_more] + len, sizeof(v->more[0]) - len, format,
		  args);
	va_end(args);
	v->n_more++;
}

/* NAME (netns INUM) and N more */
struct subject {
	char name[96];
	char number[32];
	char others[32];
};

static size_t subject_length(const struct subject *subject)
{
	return strlen(subject->name) + strlen(subject->number) +
	       strlen(subject->others) + 1;
}

/*
 * The subject and the sentence in @width columns. What has no room there goes
 * in this order: the number to the line behind, the sentence for @shorter,
 * the middle of the name.
 */
static void name_line(struct verdict *v, const struct worst *w, size_t width,
		      const char *sentence, const char *shorter)
{
	uint32_t inum = (uint32_t)get(&w->netns->r, CTK_A_NETNS_NETNS_INUM);
	size_t shortest = w->netns->names ? NAME_SHORTEST : NUMBER_LENGTH;
	struct subject subject = { 0 };
	size_t taken, room;

	if (w->others)
		snprintf(subject.others, sizeof(subject.others),
			 " and %zu more", w->others);
	if (w->netns->names)
		snprintf(subject.number, sizeof(subject.number),
			 " (netns %u)", inum);
	netns_label(subject.name, sizeof(subject.name), w->netns,
		    sizeof(subject.name));
	if (subject_length(&subject) + strlen(sentence) > width &&
	    subject.number[0]) {
		snprintf(v->more[v->n_more], sizeof(v->more[0]), "netns %u: ",
			 inum);
		subject.number[0] = '\0';
	}
	if (strlen(subject.others) + 1 + strlen(sentence) + shortest > width)
		sentence = shorter;
	taken = strlen(subject.number) + strlen(subject.others) + 1 +
		strlen(sentence);
	room = width > taken + shortest ? width - taken : shortest;
	netns_label(subject.name, sizeof(subject.name), w->netns, room);
	snprintf(v->line, sizeof(v->line), "%s%s%s %s", subject.name,
		 subject.number, subject.others, sentence);
}

static const char *is_are(const struct worst *w)
{
	return w->others ? "are" : "is";
}

/* 262144/262144 entries */
static void entries_of(char *buf, size_t size, const struct record *r)
{
	if (!has(r, CTK_A_NETNS_ENTRIES))
		snprintf(buf, size, "entries unknown");
	else if (!get(r, CTK_A_NETNS_LIMIT))
		snprintf(buf, size, "%" PRIu64 " entries, no limit",
			 get(r, CTK_A_NETNS_ENTRIES));
	else
		snprintf(buf, size, "%" PRIu64 "/%" PRIu64 " entries",
			 get(r, CTK_A_NETNS_ENTRIES),
			 get(r, CTK_A_NETNS_LIMIT));
}

/* 1842 lost/s; 48211 lost since 02:41:07 (18 min) */
static void episode_line(struct verdict *v, const struct snapshot *s,
			 const struct record *r)
{
	char entries[64], rate[32], clock[32], age[32];

	entries_of(entries, sizeof(entries), r);
	snprintf(rate, sizeof(rate), "%" PRIu64 " lost/s",
		 get(r, CTK_A_NETNS_LOSS_RATE));
	if (!get(r, CTK_A_NETNS_LOSS_RATE))
		snprintf(rate, sizeof(rate), "%s", loses_now(r, s->now) ?
			 "losing just now" : "none this second");
	if (!has(r, CTK_A_NETNS_FULL_SINCE)) {
		more(v, "%s; %s; %" PRIu64 " lost since %s", entries, rate,
		     get(r, CTK_A_NETNS_LOST), s->source == &source_proc ?
		     "nf_conntrack was loaded" : "ctk was loaded or reset");
		return;
	}
	format_clock(clock, sizeof(clock), get(r, CTK_A_NETNS_FULL_SINCE),
		     s->now);
	format_age(age, sizeof(age), get(r, CTK_A_NETNS_FULL_SINCE), s->now);
	more(v, "%s; %s; %" PRIu64 " lost since %s (%s)", entries, rate,
	     get(r, CTK_A_NETNS_EPISODE_LOST), clock, age);
}

/* Since when, in the first line; /proc does not know it. */
static void say_losing(struct verdict *v, const struct snapshot *s,
		       const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;
	char sentence[128], shorter[128], clock[32];

	if (has(r, CTK_A_NETNS_FULL_SINCE)) {
		format_clock(clock, sizeof(clock),
			     get(r, CTK_A_NETNS_FULL_SINCE), s->now);
		snprintf(sentence, sizeof(sentence),
			 "%s losing new connections now, since %s", is_are(w),
			 clock);
		snprintf(shorter, sizeof(shorter),
			 "%s losing new connections since %s", is_are(w),
			 clock);
	} else {
		snprintf(sentence, sizeof(sentence),
			 "%s losing new connections now", is_are(w));
		memcpy(shorter, sentence, sizeof(shorter));
	}
	name_line(v, w, width, sentence, shorter);
	episode_line(v, s, r);
}

/* None lost as far as ctk knows; the kernel may have counted some before. */
static void say_full_unharmed(struct verdict *v, const struct worst *w,
			      size_t width)
{
	const struct record *stats = &w->netns->stats;
	char entries[64], sentence[128];
	bool before = get(stats, CTK_A_KERNEL_STATS_DROP) ||
		      get(stats, CTK_A_KERNEL_STATS_CHAIN_TOOLONG);

	snprintf(sentence, sizeof(sentence), "%s full, %s", is_are(w),
		 before ? "no packet lost since ctk was loaded or reset" :
			  "no packet lost yet");
	name_line(v, w, width, sentence, sentence);
	entries_of(entries, sizeof(entries), &w->netns->r);
	more(v, "%s", entries);
}

/* Full, and no loss now: none yet, or none lately, or /proc cannot tell. */
static void say_full(struct verdict *v, const struct snapshot *s,
		     const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;
	uint64_t last = get(r, CTK_A_NETNS_LAST_LOSS_TIME);
	char entries[64], sentence[128], clock[32];

	if (!get(r, CTK_A_NETNS_LOST)) {
		say_full_unharmed(v, w, width);
		return;
	}
	entries_of(entries, sizeof(entries), r);
	format_clock(clock, sizeof(clock), last, s->now);
	snprintf(sentence, sizeof(sentence), "%s full%s%s", is_are(w),
		 last ? ", last loss at " : "", last ? clock : "");
	name_line(v, w, width, sentence, sentence);
	if (last)
		more(v, "%s; %" PRIu64 " lost", entries,
		     get(r, CTK_A_NETNS_LOST));
	else
		more(v, "%s; %" PRIu64
		     " lost since nf_conntrack was loaded; ctkstat 1 shows if it goes on",
		     entries, get(r, CTK_A_NETNS_LOST));
}

/*
 * All namespaces share the hash, so that it is their sum that fills chains:
 * since Linux 5.16 those longer than 50 to 79 entries lose what is new.
 */
static void say_chains(struct verdict *v, const struct snapshot *s,
		       const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;
	char load[64] = "";
	uint64_t entries = 0;

	say_losing(v, s, w, width);
	for (size_t i = 0; i < s->n_netns; i++)
		entries += get(&s->netns[i].r, CTK_A_NETNS_ENTRIES);
	if (s->asked_all && snapshot_complete(s))
		snprintf(load, sizeof(load), "%" PRIu64 " entries in ",
			 entries);
	more(v, "%" PRIu64 " lost to chains too long, the second ceiling, %" PRIu64
	     " otherwise: %s%" PRIu64 " buckets; more buckets help (net.netfilter.nf_conntrack_buckets), a higher limit does not",
	     get(r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS), other_losses(r), load,
	     get(&s->status.r, CTK_A_STATUS_BUCKETS));
}

static void say_other(struct verdict *v, const struct snapshot *s,
		      const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;

	say_losing(v, s, w, width);
	more(v, "not for a full table: %" PRIu64
	     " to no memory, a protocol's refusal or a clash (other-drops), %" PRIu64
	     " to chains too long", other_losses(r),
	     get(r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS));
}

struct total {
	uint64_t lost;
	uint64_t last;
	uint64_t kernel;	/* losses that the kernel itself counted */
};

static void add_up(const struct snapshot *s, struct total *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < s->n_netns; i++) {
		const struct netns *n = &s->netns[i];
		uint64_t last = get(&n->r, CTK_A_NETNS_LAST_LOSS_TIME);

		t->lost += get(&n->r, CTK_A_NETNS_LOST);
		t->kernel += get(&n->stats, CTK_A_KERNEL_STATS_DROP) +
			     get(&n->stats, CTK_A_KERNEL_STATS_CHAIN_TOOLONG);
		if (last > t->last)
			t->last = last;
	}
}

/* Over, within the last hour. */
static void say_lost(struct verdict *v, const struct snapshot *s,
		     const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;
	char entries[64], sentence[128], clock[32], age[32];

	entries_of(entries, sizeof(entries), r);
	format_clock(clock, sizeof(clock), w->last, s->now);
	format_age(age, sizeof(age), w->last, s->now);
	snprintf(sentence, sizeof(sentence),
		 "lost %" PRIu64 " packets, the last at %s", w->lost, clock);
	name_line(v, w, width, sentence, sentence);
	more(v, "that was %s ago; %" PRIu64 "%% full now, %s", age,
	     get(r, CTK_A_NETNS_FILL) / 10000, entries);
}

static void say_high(struct verdict *v, const struct worst *w, size_t width)
{
	const struct record *r = &w->netns->r;
	char entries[64], sentence[128], when[64] = "", in[32];
	uint64_t seconds = get(r, CTK_A_NETNS_SECONDS_TO_FULL);
	uint64_t percent = get(r, CTK_A_NETNS_FILL) / 10000;

	if (seconds) {
		format_duration(in, sizeof(in), seconds);
		snprintf(when, sizeof(when), ", full in %s", in);
	}
	if (w->others)
		snprintf(sentence, sizeof(sentence),
			 "are above %u%%, the first %" PRIu64 "%% full%s",
			 FILL_WARNING / 10000, percent, when);
	else
		snprintf(sentence, sizeof(sentence), "is %" PRIu64 "%% full%s",
			 percent, when);
	name_line(v, w, width, sentence, sentence);
	entries_of(entries, sizeof(entries), r);
	more(v, "%s; nothing lost within the last hour", entries);
}

/* Of those that are no more. */
static void say_deleted_before(char *buf, size_t size, const struct snapshot *s,
			       const struct deleted *d)
{
	char clock[32];

	format_clock(clock, sizeof(clock), d->last, s->now);
	if (d->others)
		snprintf(buf, size, "%" PRIu64
			 " lost by %zu deleted, the last at %s", d->lost,
			 d->others + 1, clock);
	else
		snprintf(buf, size, "%" PRIu64 " lost by one deleted at %s",
			 d->lost, clock);
}

/*
 * ctk sees losses since it was loaded or reset. Where the kernel counted none
 * either, there was none since nf_conntrack was loaded.
 */
static void losses_in_words(char *buf, size_t size, const struct snapshot *s)
{
	uint64_t since = get(&s->status.r, CTK_A_STATUS_ATTACHED_SINCE);
	bool proc = s->source == &source_proc;
	bool later = s->status.attached_by.present;
	char clock[32], age[32];
	struct deleted deleted;
	struct total t;

	add_up(s, &t);
	deleted_since(&deleted, s, 0);
	format_age(age, sizeof(age), since, s->now);
	format_clock(clock, sizeof(clock), t.last, s->now);
	if (!t.lost && deleted.most)
		say_deleted_before(buf, size, s, &deleted);
	else if (t.lost && t.last)
		snprintf(buf, size, "%" PRIu64 " lost, the last at %s", t.lost,
			 clock);
	else if (t.lost)
		snprintf(buf, size, "%" PRIu64 " lost%s", t.lost,
			 proc ? ", says the kernel" :
				" since ctk was loaded");
	else if (proc)
		snprintf(buf, size, "nothing lost, says the kernel");
	else if (t.kernel)
		snprintf(buf, size, "nothing lost since ctk was loaded or reset");
	else if (since && (later || !s->hidden))
		snprintf(buf, size, "nothing lost since %s was loaded, %s ago",
			 later ? "nf_conntrack" : "ctk", age);
	else
		snprintf(buf, size, "nothing lost since ctk was loaded");
}

static void say_fine(struct verdict *v, const struct snapshot *s)
{
	const struct netns *first = &s->netns[0];
	char name[32], fullest[96], losses[96];

	netns_label(name, sizeof(name), first, 18);
	if (has(&first->r, CTK_A_NETNS_FILL))
		snprintf(fullest, sizeof(fullest),
			 "fullest %s %" PRIu64 "%%", name,
			 get(&first->r, CTK_A_NETNS_FILL) / 10000);
	else if (has(&first->r, CTK_A_NETNS_LIMIT))
		snprintf(fullest, sizeof(fullest), "no limit");
	else
		snprintf(fullest, sizeof(fullest), "how full is unknown");
	losses_in_words(losses, sizeof(losses), s);
	snprintf(v->line, sizeof(v->line), "%zu namespace%s, %s; %s",
		 s->n_netns, s->n_netns == 1 ? "" : "s", fullest, losses);
}

/*
 * By its number: its name is gone with it. In the first line, where there is
 * nothing worse to say.
 */
void say_deleted(struct verdict *v, const struct snapshot *s,
		 const struct deleted *d, bool first)
{
	const struct record *r = &d->most->r;
	char age[32], others[32] = "", text[160];

	format_age(age, sizeof(age), get(r, CTK_A_EVENT_TIME), s->now);
	if (d->others)
		snprintf(others, sizeof(others), " and %zu more", d->others);
	snprintf(text, sizeof(text), "netns:%" PRIu64
		 " (deleted %s ago)%s had lost %" PRIu64,
		 get(r, CTK_A_EVENT_NETNS_INUM), age, others, d->lost);
	if (!first) {
		more(v, "%s", text);
		return;
	}
	memcpy(v->line, text, sizeof(text));
	if (d->others)
		more(v, "what happened in them: ctkstat events");
	else
		more(v, "what happened in it: ctkstat events -N %" PRIu64,
		     get(r, CTK_A_EVENT_NETNS_INUM));
}

void say_worst(struct verdict *v, const struct snapshot *s,
	       const struct worst *w, size_t width)
{
	switch (w->state) {
	case STATE_LOSING:
		say_losing(v, s, w, width);
		break;
	case STATE_FULL:
		say_full(v, s, w, width);
		break;
	case STATE_CHAINS:
		say_chains(v, s, w, width);
		break;
	case STATE_OTHER_LOSS:
		say_other(v, s, w, width);
		break;
	case STATE_LOST_RECENTLY:
		say_lost(v, s, w, width);
		break;
	case STATE_HIGH:
		say_high(v, w, width);
		break;
	case STATE_FINE:
		say_fine(v, s);
		break;
	}
}

/* Whether the file can be read and says 0. */
static bool is_off(const char *path)
{
	FILE *file = fopen(path, "re");
	int c;

	if (!file)
		return false;
	c = fgetc(file);
	fclose(file);
	return c == '0';
}

/* What can have made a hook blind that was set, and what sets that right. */
static const struct {
	const char *path;
	const char *what;
	const char *command;
} switches[] = {
	{ "/proc/sys/kernel/ftrace_enabled", "kernel.ftrace_enabled is 0",
	  "sysctl -w kernel.ftrace_enabled=1" },
	{ "/sys/kernel/debug/kprobes/enabled", "kprobes are off",
	  "echo 1 > /sys/kernel/debug/kprobes/enabled" },
};

#define N_SWITCHES	(sizeof(switches) / sizeof(switches[0]))

/* In @command, where the reason is a switch, what sets it right; else NULL. */
void say_why_blind(char *buf, size_t size, const struct snapshot *s,
		   const char **command)
{
	*command = NULL;
	for (size_t i = 0; i < s->status.n_hooks; i++) {
		const struct record *hook = &s->status.hooks[i];

		if (has(hook, CTK_A_HOOK_ERROR)) {
			int error = (int)get(hook, CTK_A_HOOK_ERROR);

			snprintf(buf, size,
				 "it could not be set on %s: %s",
				 get_text(hook, CTK_A_HOOK_SYMBOL),
				 strerror(-error));
			return;
		}
	}
	for (size_t i = 0; i < N_SWITCHES; i++)
		if (is_off(switches[i].path)) {
			*command = switches[i].command;
			snprintf(buf, size, "%s, %s sets it right",
				 switches[i].what, switches[i].command);
			return;
		}
	snprintf(buf, size,
		 "look at sysctl kernel.ftrace_enabled, debugfs kprobes/enabled, and ctkstat status");
}

void say_blind(struct verdict *v, const struct snapshot *s, enum state state)
{
	const char *command;
	char why[256];

	say_why_blind(why, sizeof(why), s, &command);
	if (state == STATE_FINE)
		snprintf(v->line, sizeof(v->line),
			 "the hook is blind: a full table's losses are counted in other-drops");
	more(v, "the hook is blind, its losses are in other-drops: %s", why);
}
