// SPDX-License-Identifier: GPL-2.0
/*
 * What to do about a cause on this very machine: numbers first, then steps
 * with commands to paste. A limit and its buckets go together, and never take
 * more than a quarter of the memory. Changes nothing.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

/* Of the memory of the machine. */
#define MEMORY_PART	4

/* Where ctk does not tell: struct nf_conn is a little less on all kernels. */
#define ENTRY_SIZE	256
#define BUCKET_SIZE	8

/* The kernel rounds buckets up to whole pages of them. */
#define BUCKETS_LEAST	512

/* Of entries; that a shorter timeout is worth setting. */
#define FREED_PART	2

/* Seconds; as long as Linux itself stays in it (TCP_TIMEWAIT_LEN). */
#define TIME_WAIT	60

static uint64_t power_of_two(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* What other namespaces have had in the buckets, which all share. */
static uint64_t entries_beside(const struct facts *f)
{
	uint64_t entries = 0;

	for (size_t i = 0; i < f->s->n_netns; i++) {
		const struct netns *n = &f->s->netns[i];

		if (n != f->netns)
			entries += larger(get(&n->r, CTK_A_NETNS_PEAK),
					  get(&n->r, CTK_A_NETNS_ENTRIES));
	}
	return entries;
}

static uint64_t buckets_for(const struct facts *f, uint64_t limit)
{
	uint64_t entries = limit + entries_beside(f);

	return larger(power_of_two(entries / HASHSIZE_FACTOR), BUCKETS_LEAST);
}

static void weigh(struct plan *p, uint64_t limit, uint64_t buckets,
		  uint64_t bucket_size)
{
	p->entries_bytes = limit * p->entry_size;
	p->buckets_bytes = buckets * bucket_size;
}

static bool is_too_heavy(const struct plan *p)
{
	return p->memory && p->entries_bytes + p->buckets_bytes >
	       p->memory / MEMORY_PART;
}

/* Twice what there has been, or what was set before it fell. */
static uint64_t limit_wanted(const struct facts *f)
{
	const struct record *r = &f->netns->r;
	uint64_t most = larger(get(r, CTK_A_NETNS_PEAK),
			       get(r, CTK_A_NETNS_ENTRIES));
	uint64_t wanted = power_of_two(2 * larger(most, f->fill.entries));

	for (size_t i = 0; i < f->n_falls; i++)
		if (f->fall[i].old != UNLIMITED)
			wanted = larger(wanted, f->fall[i].old);
	return wanted;
}

static void plan_limit(struct plan *p, const struct facts *f,
		       uint64_t bucket_size)
{
	const struct record *status = &f->s->status.r;
	uint64_t present = limit_of(get(status, CTK_A_STATUS_LIMIT));
	uint64_t buckets = get(status, CTK_A_STATUS_BUCKETS);
	uint64_t wanted = limit_wanted(f), limit = wanted;

	if (present >= wanted)
		return;
	for (; limit > present; limit /= 2) {
		weigh(p, limit, larger(buckets_for(f, limit), buckets),
		      bucket_size);
		if (!is_too_heavy(p))
			break;
	}
	if (limit != wanted)
		p->wanted = wanted;
	if (limit <= present)
		return;
	p->limit = limit;
	p->buckets = larger(buckets_for(f, limit), buckets);
}

/* For the limit that there is, or for as much of it as memory allows. */
static void plan_buckets(struct plan *p, const struct facts *f,
			 uint64_t bucket_size)
{
	const struct record *status = &f->s->status.r;
	uint64_t limit = get(status, CTK_A_STATUS_LIMIT);
	uint64_t buckets = get(status, CTK_A_STATUS_BUCKETS);

	/* Where these lose now, namespaces that are not seen may add to it. */
	if (f->state == STATE_CHAINS)
		buckets *= 2;
	if (!limit || limit > UINT32_MAX / 2)
		limit = limit_wanted(f);
	p->buckets = larger(buckets_for(f, limit), buckets);
	weigh(p, limit, p->buckets, bucket_size);
	while (is_too_heavy(p) && limit > BUCKETS_LEAST) {
		p->wanted = larger(p->wanted, limit);
		limit = power_of_two(limit) / 2;
		p->limit = limit;
		p->buckets = buckets_for(f, limit);
		weigh(p, limit, p->buckets, bucket_size);
	}
}

/* The longest timeout with which half of the table would be gone. */
static void plan_established(struct plan *p, const struct facts *f)
{
	static const uint64_t timeouts[] = { 86400, 21600, 7200, 3600, 1800 };
	const struct fill *c = f->fresh.known ? &f->fresh : &f->fill;

	p->freed_of = c;
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		p->freed = idle_for(c, timeouts[i]);
		if (p->freed >= c->entries / FREED_PART) {
			p->established = timeouts[i];
			return;
		}
	}
}

/* What nft takes before a port; NULL where there are none. */
static const char *ports_of(uint64_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_UDPLITE:
		return l4proto_name(l4proto);
	default:
		return NULL;
	}
}

/* There and back: an answer to what is not tracked would be a new flow. */
static void put_rules(struct plan *p, bool is_src, const char *ports,
		      uint64_t port)
{
	const char *ip = strchr(p->flood->addr, ':') ? "ip6" : "ip";

	for (int back = 0; back < 2; back++) {
		append(p->notrack, sizeof(p->notrack), "\t\t%s %s %s", ip,
		       is_src != back ? "saddr" : "daddr", p->flood->addr);
		if (ports)
			append(p->notrack, sizeof(p->notrack), " %s %s %"
			       PRIu64, ports, back ? "sport" : "dport", port);
		append(p->notrack, sizeof(p->notrack), " notrack\n");
	}
}

static void plan_notrack(struct plan *p, const struct facts *f, bool by_source)
{
	static const char *const hooks[] = { "prerouting", "output" };
	const struct share *to = &f->fill.service;
	bool one = to->known && percent_of(to->part, to->whole) >= 50;
	const char *ports = one ? ports_of(to->l4proto) : NULL;

	p->flood = by_source ? &f->fill.src : to;
	append(p->notrack, sizeof(p->notrack), "table inet ctk_notrack {\n");
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		append(p->notrack, sizeof(p->notrack),
		       "\tchain %s {\n\t\ttype filter hook %s priority raw;\n",
		       hooks[i], hooks[i]);
		put_rules(p, by_source, ports, to->port);
		append(p->notrack, sizeof(p->notrack), "\t}\n");
	}
	append(p->notrack, sizeof(p->notrack), "}\n");
}

void plan_make(struct plan *p, const struct diagnosis *d)
{
	const struct record *status = &d->facts->s->status.r;
	unsigned int remedies = d->finding[0].rule->remedies;
	uint64_t bucket_size = get(status, CTK_A_STATUS_BUCKET_SIZE);

	memset(p, 0, sizeof(*p));
	if (d->facts->s->why->elsewhere)
		return;
	p->memory = d->facts->memory;
	p->entry_size = get(status, CTK_A_STATUS_ENTRY_SIZE);
	if (!p->entry_size)
		p->entry_size = ENTRY_SIZE;
	if (!bucket_size)
		bucket_size = BUCKET_SIZE;
	if (remedies & REMEDY_LIMIT)
		plan_limit(p, d->facts, bucket_size);
	if (remedies & REMEDY_BUCKETS)
		plan_buckets(p, d->facts, bucket_size);
	if (remedies & REMEDY_ESTABLISHED)
		plan_established(p, d->facts);
	if (remedies & REMEDY_TIME_WAIT &&
	    d->facts->inside.time_wait_timeout > TIME_WAIT)
		p->time_wait = TIME_WAIT;
	if (remedies & (REMEDY_SOURCE | REMEDY_SERVICE))
		plan_notrack(p, d->facts, remedies & REMEDY_SOURCE);
}

static struct step *add_step(struct diagnosis *d, const char *kind)
{
	struct step *s = &d->step[d->n_steps++];

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	return s;
}

static void __attribute__((format(printf, 2, 3)))
add_command(struct step *s, const char *format, ...)
{
	va_list args;

	if (s->n_commands == COMMANDS_MAX)
		return;
	va_start(args, format);
	vsnprintf(s->command[s->n_commands++], sizeof(s->command[0]), format,
		  args);
	va_end(args);
}

/* Its settings are reached from elsewhere. */
bool outside_own(const struct facts *f)
{
	return get(&f->netns->r, CTK_A_NETNS_NETNS_INUM) != f->s->own;
}

/* What goes before a command that has to run in the namespace. */
static void inside_of(char *buf, size_t size, const struct facts *f)
{
	buf[0] = '\0';
	if (outside_own(f) && f->inside.path[0])
		snprintf(buf, size, "nsenter --net=%s ", f->inside.path);
}

static void say_memory(struct step *s, const struct plan *p)
{
	char entries[32], buckets[32], memory[32];

	format_bytes(entries, sizeof(entries), p->entries_bytes);
	format_bytes(buckets, sizeof(buckets), p->buckets_bytes);
	format_bytes(memory, sizeof(memory), p->memory);
	append(s->text, sizeof(s->text),
	       "entries of a namespace take up to %s and extensions, buckets %s, of %s (%"
	       PRIu64 "%%)", entries, buckets, memory,
	       percent_of(p->entries_bytes + p->buckets_bytes, p->memory));
}

/* One command, and buckets first: a limit beyond them loses to long chains. */
static void set_limit(struct step *s, const struct plan *p, uint64_t buckets)
{
	char settings[160] = "";

	if (p->buckets > buckets)
		append(settings, sizeof(settings),
		       " net.netfilter.nf_conntrack_buckets=%" PRIu64,
		       p->buckets);
	if (p->limit)
		append(settings, sizeof(settings),
		       " net.netfilter.nf_conntrack_max=%" PRIu64, p->limit);
	if (settings[0])
		add_command(s, "sysctl -w%s", settings);
}

static void step_limit(struct diagnosis *d)
{
	const struct record *status = &d->facts->s->status.r;
	const struct plan *p = &d->plan;
	uint64_t present = get(status, CTK_A_STATUS_LIMIT);
	struct step *s = add_step(d, "limit");

	if (p->wanted) {
		append(s->text, sizeof(s->text), "a limit of %" PRIu64
		       " would take more than a quarter of the memory%s", p->wanted,
		       p->limit ? "; this much does not: " : "");
		if (!p->limit && !p->buckets) {
			append(s->text, sizeof(s->text),
			       ": find out who fills the table, or add memory");
			return;
		}
	}
	if (!p->limit && !p->buckets) {
		append(s->text, sizeof(s->text), "the limit is %" PRIu64
		       " now, which is enough for twice the peak", present);
		return;
	}
	say_memory(s, p);
	set_limit(s, p, get(status, CTK_A_STATUS_BUCKETS));
}

static void step_established(struct diagnosis *d)
{
	const struct plan *p = &d->plan;
	char enter[96], source[64];
	struct step *s;

	if (!p->established)
		return;
	s = add_step(d, "timeout");
	inside_of(enter, sizeof(enter), d->facts);
	say_source_of(source, sizeof(source), d->facts, p->freed_of);
	append(s->text, sizeof(s->text), "with it %" PRIu64 " of %" PRIu64
	       " entries would be gone, idle for longer (%s); what is there keeps its old deadline until its next packet",
	       p->freed, p->freed_of->entries, source);
	add_command(s, "%ssysctl -w net.netfilter.nf_conntrack_tcp_timeout_established=%"
		    PRIu64, enter, p->established);
}

static void step_time_wait(struct diagnosis *d)
{
	const struct plan *p = &d->plan;
	char enter[96];
	struct step *s;

	if (!p->time_wait)
		return;
	s = add_step(d, "timeout");
	inside_of(enter, sizeof(enter), d->facts);
	append(s->text, sizeof(s->text), "what is closed leaves the table after %"
	       PRIu64 " s instead of %" PRIu64, p->time_wait,
	       d->facts->inside.time_wait_timeout);
	add_command(s, "%ssysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=%"
		    PRIu64, enter, p->time_wait);
}

static void step_notrack(struct diagnosis *d)
{
	char enter[96];
	struct step *s = add_step(d, "notrack");

	inside_of(enter, sizeof(enter), d->facts);
	append(s->text, sizeof(s->text),
	       "a higher limit would only fill later; these rules keep it out of the table (drop in the place of notrack refuses it). What is not tracked has no NAT and no state for other rules to match");
	add_command(s, "%snft -f - <<'END'", enter);
}

static void step_queue(struct diagnosis *d)
{
	const struct inside *inside = &d->facts->inside;
	struct step *s = add_step(d, "queue");
	char enter[96];

	inside_of(enter, sizeof(enter), d->facts);
	if (inside->queued)
		append(s->text, sizeof(s->text),
		       "end or mend the program that reads NFQUEUE %" PRIu64
		       ": it lets %" PRIu64 " packets wait (its netlink port, mostly its pid, is the second column)",
		       inside->queue, inside->queued);
	else
		append(s->text, sizeof(s->text),
		       "look for who holds packets or entries: programs that read NFQUEUE, or that follow conntrack's events and lag behind");
	add_command(s, "%scat /proc/net/netfilter/nfnetlink_queue", enter);
}

static void step_memory(struct diagnosis *d)
{
	struct step *s = add_step(d, "memory");

	append(s->text, sizeof(s->text),
	       "no setting of conntrack helps: find out what takes the memory");
	add_command(s, "grep -E 'Mem|Slab|SUnreclaim' /proc/meminfo");
}

static void step_hook(struct diagnosis *d)
{
	struct step *s = add_step(d, "hook");
	const char *command;

	say_why_blind(s->text, sizeof(s->text), d->facts->s, &command);
	if (command)
		add_command(s, "%s", command);
}

static void step_ask(struct diagnosis *d)
{
	struct step *s = add_step(d, "ask");

	append(s->text, sizeof(s->text), d->facts->full ?
	       "ctkstat entries shows what fills the table now" :
	       "ctk loaded with attribution=on tells losses for want of memory from the others");
	if (d->facts->full)
		add_command(s, "ctkstat entries -N %u",
			    (uint32_t)get(&d->facts->netns->r,
					  CTK_A_NETNS_NETNS_INUM));
}

/* What is reckoned without knowing who changed the limit can be wrong. */
static void step_elsewhere(struct diagnosis *d)
{
	struct step *s = add_step(d, "elsewhere");

	append(s->text, sizeof(s->text),
	       "the limit can be changed in the initial network namespace only; run \"ctkstat why -N %u\" there",
	       (uint32_t)get(&d->facts->netns->r, CTK_A_NETNS_NETNS_INUM));
}

void steps_make(struct diagnosis *d)
{
	static const struct {
		unsigned int remedy;
		void (*make)(struct diagnosis *d);
	} steps[] = {
		{ REMEDY_SOURCE | REMEDY_SERVICE, step_notrack },
		{ REMEDY_LIMIT | REMEDY_BUCKETS, step_limit },
		{ REMEDY_ESTABLISHED, step_established },
		{ REMEDY_TIME_WAIT, step_time_wait },
		{ REMEDY_QUEUE, step_queue },
		{ REMEDY_MEMORY, step_memory },
		{ REMEDY_HOOK, step_hook },
		{ REMEDY_ASK, step_ask },
	};
	unsigned int remedies = d->finding[0].rule->remedies;

	if (d->facts->s->why->elsewhere) {
		step_elsewhere(d);
		return;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (remedies & steps[i].remedy && d->n_steps < STEPS_MAX)
			steps[i].make(d);
}
