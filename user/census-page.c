// SPDX-License-Identifier: GPL-2.0
/*
 * A census as a page: sentences first, then what there are many of, the most
 * first. Says nothing that the census does not, but for the memory, which is
 * the number of entries times their size.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"

#define KEY_WIDTH	10
#define BAR_WIDTH	30
#define TOPS		5	/* of a list, without -a */

/* What is said of connections that are long without a packet. */
#define IDLE		1800

static uint64_t entries_of(const struct record *r)
{
	return get(r, CTK_A_CENSUS_ENTRIES);
}

static uint64_t part_entries(const struct record *part)
{
	return get(part, CTK_A_CENSUS_PART_ENTRIES);
}

/* 246415 (94%) */
static void format_part(char *buf, size_t size, uint64_t part, uint64_t whole)
{
	char share[16];

	format_share(share, sizeof(share), part, whole);
	if (part)
		snprintf(buf, size, "%" PRIu64 " (%s)", part, share);
	else
		snprintf(buf, size, "0");
}

static void put_key(FILE *out, const char *key, const char *text)
{
	char lead[16];

	snprintf(lead, sizeof(lead), "%-*s ", KEY_WIDTH, key);
	put_hanging(out, lead, strlen(lead), text);
}

/* --- Whose and when ------------------------------------------------------ */

static void say_whose(char *buf, size_t size, const struct census *c)
{
	char name[64];

	if (!has(&c->r, CTK_A_CENSUS_NETNS_ID)) {
		snprintf(buf, size, "all namespaces");
	} else if (c->netns && c->netns->names) {
		netns_label(name, sizeof(name), c->netns, 40);
		snprintf(buf, size, "%s (netns %" PRIu64 ")", name,
			 get(&c->r, CTK_A_CENSUS_NETNS_INUM));
	} else {
		snprintf(buf, size, "netns:%" PRIu64,
			 get(&c->r, CTK_A_CENSUS_NETNS_INUM));
	}
}

/* The limit is of each namespace, not of all together. */
static void put_heading(FILE *out, const struct census *c)
{
	uint64_t entries = entries_of(&c->r), limit = get(&c->r,
							  CTK_A_CENSUS_LIMIT);
	char whose[128], fill[16], text[256];

	say_whose(whose, sizeof(whose), c);
	format_share(fill, sizeof(fill), entries, limit);
	if (!limit)
		snprintf(text, sizeof(text), "%s: %" PRIu64
			 " entries, no limit", whose, entries);
	else if (!has(&c->r, CTK_A_CENSUS_NETNS_ID))
		snprintf(text, sizeof(text), "%s: %" PRIu64
			 " entries; each may have %" PRIu64, whose, entries,
			 limit);
	else
		snprintf(text, sizeof(text), "%s: %" PRIu64 "/%" PRIu64
			 " entries (%s)", whose, entries, limit, fill);
	put_wrapped(out, "", text);
}

static void put_when(FILE *out, const struct snapshot *s, const struct record *r)
{
	char clock[32], since[32], began[64] = "", took[32], text[256];

	format_clock(clock, sizeof(clock), get(r, CTK_A_CENSUS_TIME), s->now);
	format_clock(since, sizeof(since), get(r, CTK_A_CENSUS_SINCE), s->now);
	if (has(r, CTK_A_CENSUS_SINCE))
		snprintf(began, sizeof(began), "losses began at %s; ", since);
	snprintf(took, sizeof(took), "%" PRIu64 " ms",
		 get(r, CTK_A_CENSUS_DURATION) / 1000000);
	snprintf(text, sizeof(text), "%scounted at %s, in %s%s", began, clock,
		 took, get(r, CTK_A_CENSUS_CONSISTENT) ? "" :
		 "; inconsistent: the table was resized or went away meanwhile");
	put_wrapped(out, "", text);
}

/* --- Sentences ----------------------------------------------------------- */

/* tcp 246415 (94%), udp 15729 (5%): the most first. */
static void put_names(FILE *out, const char *key, const struct parts *parts,
		      unsigned int attr)
{
	const struct field *f = field_of(census_part_fields, attr);
	uint64_t whole = 0, below = UINT64_MAX;
	char text[1024] = "", name[64], count[48];
	size_t len = 0;

	for (size_t i = 0; i < parts->n; i++)
		whole += part_entries(&parts->list[i]);
	while (whole && below) {
		uint64_t most = 0;

		for (size_t i = 0; i < parts->n; i++) {
			uint64_t n = part_entries(&parts->list[i]);

			if (n > most && n < below)
				most = n;
		}
		for (size_t i = 0; most && i < parts->n; i++) {
			const struct record *part = &parts->list[i];

			if (part_entries(part) != most || len >= sizeof(text))
				continue;
			format_field(name, sizeof(name), part, f, 0);
			format_part(count, sizeof(count), most, whole);
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s%s %s", len ? ", " : "",
						name, count);
		}
		below = most;
	}
	if (whole)
		put_key(out, key, text);
}

static void put_assured(FILE *out, const struct record *r)
{
	uint64_t whole = entries_of(r);
	char assured[48], evictable[48], expired[64] = "", text[256];

	format_part(assured, sizeof(assured), get(r, CTK_A_CENSUS_ASSURED),
		    whole);
	format_part(evictable, sizeof(evictable),
		    get(r, CTK_A_CENSUS_EVICTABLE), whole);
	if (get(r, CTK_A_CENSUS_EXPIRED))
		snprintf(expired, sizeof(expired),
			 "; %" PRIu64 " more have expired",
			 get(r, CTK_A_CENSUS_EXPIRED));
	snprintf(text, sizeof(text), "%s; a full table may evict %s%s",
		 assured, evictable, expired);
	put_key(out, "assured", text);
}

static void put_nat(FILE *out, const struct record *r)
{
	char source[48], destination[48], text[160];

	if (!get(r, CTK_A_CENSUS_SRC_NAT) && !get(r, CTK_A_CENSUS_DST_NAT)) {
		put_key(out, "nat", "none");
		return;
	}
	format_part(source, sizeof(source), get(r, CTK_A_CENSUS_SRC_NAT),
		    entries_of(r));
	format_part(destination, sizeof(destination),
		    get(r, CTK_A_CENSUS_DST_NAT), entries_of(r));
	snprintf(text, sizeof(text), "source of %s, destination of %s", source,
		 destination);
	put_key(out, "nat", text);
}

/* Of steps as established-idle has them, those longer than @seconds. */
static uint64_t longer_than(const struct parts *steps, uint64_t seconds)
{
	uint64_t n = 0;

	for (size_t i = 0; i < steps->n; i++) {
		const struct record *part = &steps->list[i];

		if (!has(part, CTK_A_CENSUS_PART_LE) ||
		    get(part, CTK_A_CENSUS_PART_LE) > seconds)
			n += part_entries(part);
	}
	return n;
}

static void put_idle(FILE *out, const struct census *c)
{
	const struct parts *idle = &c->parts[CTK_A_CENSUS_ESTABLISHED_IDLE];
	unsigned int timeout =
		(unsigned int)get(&c->r, CTK_A_CENSUS_ESTABLISHED_TIMEOUT);
	uint64_t n = longer_than(idle, IDLE);
	char count[48], text[256];

	if (!idle->n)
		return;
	format_part(count, sizeof(count), n, entries_of(&c->r));
	if (n)
		snprintf(text, sizeof(text),
			 "%s established without a packet for more than 30 min: gone with nf_conntrack_tcp_timeout_established=%d (at least %u now)",
			 count, IDLE, timeout);
	else
		snprintf(text, sizeof(text),
			 "none established without a packet for more than 30 min");
	put_key(out, "idle", text);
}

static void put_chains(FILE *out, const struct census *c)
{
	const struct parts *chains = &c->parts[CTK_A_CENSUS_CHAIN_LENGTH];
	uint64_t buckets = 0, nodes = 0, longest = 0, empty = 0;
	char text[256], share[16], refused[96] = "";

	for (size_t i = 0; i < chains->n; i++) {
		const struct record *part = &chains->list[i];
		uint64_t n = get(part, CTK_A_CENSUS_PART_BUCKETS);
		uint64_t length = get(part, CTK_A_CENSUS_PART_LENGTH);

		buckets += n;
		nodes += n * length;
		if (n && length > longest)
			longest = length;
		if (!length)
			empty += n;
	}
	if (!buckets)
		return;
	format_share(share, sizeof(share), empty, buckets);
	if (has(&c->r, CTK_A_CENSUS_CHAIN_LOSS_RATIO))
		snprintf(refused, sizeof(refused),
			 "; too long for %.*f%% of new flows",
			 get(&c->r, CTK_A_CENSUS_CHAIN_LOSS_RATIO) ? 2 : 0,
			 (double)get(&c->r, CTK_A_CENSUS_CHAIN_LOSS_RATIO) /
			 1e4);
	snprintf(text, sizeof(text),
		 "%" PRIu64 ", of %.1f nodes in the mean and %" PRIu64
		 " at most, %s empty%s", buckets, (double)nodes / (double)buckets, longest, share,
		 refused);
	put_key(out, "chains", text);
}

static void put_memory(FILE *out, const struct snapshot *s,
		       const struct record *r)
{
	uint64_t entry = get(&s->status.r, CTK_A_STATUS_ENTRY_SIZE);
	uint64_t bucket = get(&s->status.r, CTK_A_STATUS_BUCKET_SIZE);
	char text[160];

	if (!entry || !bucket)
		return;
	snprintf(text, sizeof(text), "entries %" PRIu64
		 " KiB and extensions, buckets %" PRIu64 " KiB%s",
		 entries_of(r) * entry / 1024,
		 get(r, CTK_A_CENSUS_BUCKETS) * bucket / 1024,
		 has(r, CTK_A_CENSUS_NETNS_ID) ? ", which all share" : "");
	put_key(out, "memory", text);
}

/* --- Lists --------------------------------------------------------------- */

static void put_line(FILE *out, const struct record *part, uint64_t whole,
		     const char *text)
{
	char count[24], share[16], error[16] = "";
	uint64_t entries = part_entries(part);

	format_count(count, sizeof(count), entries, 8);
	format_share(share, sizeof(share), entries, whole);
	if (get(part, CTK_A_CENSUS_PART_ERROR))
		format_share(error, sizeof(error),
			     get(part, CTK_A_CENSUS_PART_ERROR), entries);
	fprintf(out, "%8s %5s %5s  %s", count, share, error, text);
}

static void put_titles(FILE *out, const struct options *o, const char *error,
		       const char *title)
{
	if (o->header)
		fprintf(out, "\n%8s %5s %5s  %s\n", "ENTRIES", "SHARE", error,
			title);
	else
		fputc('\n', out);
}

static void say_step(char *buf, size_t size, const struct parts *steps,
		     size_t i)
{
	const struct record *part = &steps->list[i];
	bool open_end = !has(part, CTK_A_CENSUS_PART_LE);
	char bound[32];

	if (open_end && i)
		part--;
	format_age(bound, sizeof(bound), 0,
		   get(part, CTK_A_CENSUS_PART_LE) * NSEC_PER_SEC);
	snprintf(buf, size, "%s %s", open_end ? "more than" : "up to", bound);
}

/* Steps that hold none are left out. */
static void put_time_left(FILE *out, const struct options *o,
			  const struct census *c)
{
	const struct parts *steps = &c->parts[CTK_A_CENSUS_TIME_LEFT];
	uint64_t whole = entries_of(&c->r);
	char text[64];

	put_titles(out, o, "", "TIME LEFT");
	for (size_t i = 0; i < steps->n; i++) {
		if (!part_entries(&steps->list[i]))
			continue;
		say_step(text, sizeof(text), steps, i);
		put_line(out, &steps->list[i], whole, text);
		if (o->terminal) {
			fprintf(out, "%*s", 18 - (int)strlen(text), "");
			put_bar(out, o, part_entries(&steps->list[i]), whole,
				BAR_WIDTH);
		}
		fputc('\n', out);
	}
}

/* 10.0.0.1, tcp 443, tcp 10.0.0.1:443, tcp [2001:db8::1]:443 */
static void say_top(char *buf, size_t size, const struct record *part)
{
	const char *addr = get_text(part, CTK_A_CENSUS_PART_ADDR);
	bool colon = strchr(addr, ':');
	char proto[16], port[16];

	if (!has(part, CTK_A_CENSUS_PART_PORT)) {
		snprintf(buf, size, "%s", addr);
		return;
	}
	format_l4proto(proto, sizeof(proto),
		       get(part, CTK_A_CENSUS_PART_L4PROTO));
	snprintf(port, sizeof(port), "%" PRIu64,
		 get(part, CTK_A_CENSUS_PART_PORT));
	if (!*addr)
		snprintf(buf, size, "%s %s", proto, port);
	else
		snprintf(buf, size, "%s %s%s%s:%s", proto, colon ? "[" : "",
			 addr, colon ? "]" : "", port);
}

/* Of at least 1 %, and more its own than others'. */
static bool stands_out(const struct record *part, uint64_t whole)
{
	uint64_t n = part_entries(part);

	return n * 100 >= whole &&
	       get(part, CTK_A_CENSUS_PART_ERROR) <= n / 2;
}

static void put_top(FILE *out, const struct options *o, const struct census *c,
		    unsigned int attr, const char *title)
{
	const struct parts *tops = &c->parts[attr];
	uint64_t whole = entries_of(&c->r);
	size_t shown = 0;
	char text[96];

	if (!tops->n)
		return;
	put_titles(out, o, "ERROR", title);
	for (size_t i = 0; i < tops->n; i++) {
		if (!o->all && (shown == TOPS ||
				!stands_out(&tops->list[i], whole)))
			continue;
		say_top(text, sizeof(text), &tops->list[i]);
		put_line(out, &tops->list[i], whole, text);
		fputc('\n', out);
		shown++;
	}
	if (!shown)
		fprintf(out, "none stands out: none has more than %" PRIu64 "\n",
			part_entries(&tops->list[0]));
}

void put_census(FILE *out, const struct options *o, const struct snapshot *s,
		const struct census *c)
{
	put_heading(out, c);
	put_when(out, s, &c->r);
	if (entries_of(&c->r)) {
		put_names(out, "protocol", &c->parts[CTK_A_CENSUS_BY_L4PROTO],
			  CTK_A_CENSUS_PART_L4PROTO);
		put_names(out, "tcp state",
			  &c->parts[CTK_A_CENSUS_BY_TCP_STATE],
			  CTK_A_CENSUS_PART_TCP_STATE);
		put_assured(out, &c->r);
		put_nat(out, &c->r);
		put_idle(out, c);
	}
	put_chains(out, c);
	put_memory(out, s, &c->r);
	if (!entries_of(&c->r))
		return;
	put_time_left(out, o, c);
	put_top(out, o, c, CTK_A_CENSUS_TOP_SRC, "SOURCE");
	put_top(out, o, c, CTK_A_CENSUS_TOP_DST, "DESTINATION");
	put_top(out, o, c, CTK_A_CENSUS_TOP_SERVICE, "SERVICE");
	if (o->all)
		put_top(out, o, c, CTK_A_CENSUS_TOP_DPORT, "PORT");
}
