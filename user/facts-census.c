// SPDX-License-Identifier: GPL-2.0
/*
 * What a census says of a table, as far as a cause can be read from it.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "why.h"

/*
 * Between the youngest established entry of a census and what the timeout
 * would give a new one: less is chance, more is that nothing came to any.
 */
#define ALL_IDLE	300

static uint64_t entries_of(const struct record *part)
{
	return get(part, CTK_A_CENSUS_PART_ENTRIES);
}

static uint64_t in_state(const struct census *c, uint64_t first, uint64_t last)
{
	const struct parts *states = &c->parts[CTK_A_CENSUS_BY_TCP_STATE];
	uint64_t entries = 0;

	for (size_t i = 0; i < states->n; i++) {
		const struct record *part = &states->list[i];
		uint64_t state = get(part, CTK_A_CENSUS_PART_TCP_STATE);

		if (state >= first && state <= last)
			entries += entries_of(part);
	}
	return entries;
}

static void fill_states(struct fill *fill, const struct census *c)
{
	fill->established = in_state(c, CTK_TCP_STATE_ESTABLISHED,
				     CTK_TCP_STATE_ESTABLISHED);
	fill->closing = in_state(c, CTK_TCP_STATE_FIN_WAIT,
				 CTK_TCP_STATE_CLOSE);
	fill->half_open = in_state(c, CTK_TCP_STATE_NONE,
				   CTK_TCP_STATE_SYN_RECV) +
			  in_state(c, CTK_TCP_STATE_SYN_SENT2,
				   CTK_TCP_STATE_SYN_SENT2);
}

static void fill_l4proto(struct fill *fill, const struct census *c)
{
	const struct parts *protos = &c->parts[CTK_A_CENSUS_BY_L4PROTO];

	for (size_t i = 0; i < protos->n; i++) {
		const struct record *part = &protos->list[i];

		if (entries_of(part) <= fill->of_l4proto)
			continue;
		fill->l4proto = get(part, CTK_A_CENSUS_PART_L4PROTO);
		fill->of_l4proto = entries_of(part);
	}
}

void share_name(struct share *share)
{
	bool v6 = strchr(share->addr, ':');

	if (share->port)
		snprintf(share->who, sizeof(share->who),
			 v6 ? "[%s]:%" PRIu64 : "%s:%" PRIu64, share->addr,
			 share->port);
	else
		snprintf(share->who, sizeof(share->who), "%s", share->addr);
}

/* The first of a list; what may be others' is not its. */
static void fill_share(struct share *share, const struct census *c,
		       unsigned int list)
{
	const struct record *part = c->parts[list].list;

	if (!c->parts[list].n)
		return;
	share->known = true;
	share->part = entries_of(part) - get(part, CTK_A_CENSUS_PART_ERROR);
	share->whole = get(&c->r, CTK_A_CENSUS_ENTRIES);
	share->l4proto = get(part, CTK_A_CENSUS_PART_L4PROTO);
	share->port = get(part, CTK_A_CENSUS_PART_PORT);
	snprintf(share->addr, sizeof(share->addr), "%s",
		 get_text(part, CTK_A_CENSUS_PART_ADDR));
	share_name(share);
}

/*
 * A line counts those idle for more than the line before it says. The module
 * reckons from the youngest entry; @timeout is what that began with.
 */
static void fill_idle(struct fill *fill, const struct census *c,
		      uint64_t timeout)
{
	const struct parts *lines = &c->parts[CTK_A_CENSUS_ESTABLISHED_IDLE];
	uint64_t before = 0, more = 0;

	if (fill->established_timeout &&
	    timeout > fill->established_timeout + ALL_IDLE)
		more = timeout - fill->established_timeout;
	for (size_t i = 0; i < lines->n && fill->n_idle < IDLE_MAX; i++) {
		const struct record *part = &lines->list[i];
		struct idle *idle = &fill->idle[fill->n_idle++];

		idle->seconds = before + more;
		idle->entries = entries_of(part);
		before = get(part, CTK_A_CENSUS_PART_LE);
	}
}

/* @timeout: of established TCP in that namespace, 0 where unknown. */
void fill_from(struct fill *fill, const struct census *c, uint64_t timeout)
{
	memset(fill, 0, sizeof(*fill));
	fill->known = true;
	fill->fresh = !has(&c->r, CTK_A_CENSUS_SINCE);
	fill->time = get(&c->r, CTK_A_CENSUS_TIME);
	fill->entries = get(&c->r, CTK_A_CENSUS_ENTRIES);
	fill->limit = get(&c->r, CTK_A_CENSUS_LIMIT);
	fill->buckets = get(&c->r, CTK_A_CENSUS_BUCKETS);
	fill->assured = get(&c->r, CTK_A_CENSUS_ASSURED);
	fill->evictable = get(&c->r, CTK_A_CENSUS_EVICTABLE);
	fill->expired = get(&c->r, CTK_A_CENSUS_EXPIRED);
	fill->established_timeout = get(&c->r,
					CTK_A_CENSUS_ESTABLISHED_TIMEOUT);
	fill->loss_ratio = get(&c->r, CTK_A_CENSUS_CHAIN_LOSS_RATIO);
	fill_states(fill, c);
	fill_l4proto(fill, c);
	fill_share(&fill->src, c, CTK_A_CENSUS_TOP_SRC);
	fill_share(&fill->service, c, CTK_A_CENSUS_TOP_SERVICE);
	fill_idle(fill, c, timeout);
}

/* So many are idle for longer than that. */
uint64_t idle_for(const struct fill *fill, uint64_t seconds)
{
	uint64_t entries = 0;

	for (size_t i = 0; i < fill->n_idle; i++)
		if (fill->idle[i].seconds >= seconds)
			entries += fill->idle[i].entries;
	return entries;
}
