/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fills a table: the numbers of a census, and how they come about.
 */
#ifndef _CTK_TALLY_H
#define _CTK_TALLY_H

#include <linux/types.h>
#include <linux/netfilter.h>
#include <linux/ctk.h>

struct nf_conn;
struct ctk_topk;

/* States that enum tcp_conntrack and enum ctk_tcp_state both have. */
#define CTK_TCP_STATES		(CTK_TCP_STATE_SYN_SENT2 + 1)

/* Steps of the two histograms of time; the last of each is all beyond. */
#define CTK_TIME_LEFT_STEPS	13
#define CTK_IDLE_STEPS		9

/* Chains of this length or longer are counted together. */
#define CTK_CHAIN_LENGTH_MOST	127

/* What is reported of the tables of most frequent keys. */
#define CTK_TOPS		8

enum ctk_top_kind {
	CTK_TOP_SRC,
	CTK_TOP_DST,
	CTK_TOP_DPORT,
	CTK_TOP_SERVICE,
	CTK_TOP_KINDS
};

/**
 * struct ctk_top_key - whose entries are counted
 * @addr: an address, of the family @l3num
 * @port: in host byte order
 * @l3num: NFPROTO_IPV4, NFPROTO_IPV6, or 0 without an address
 * @l4proto: with a port
 * @unused: 0
 *
 * What a kind of it has not is 0.
 */
struct ctk_top_key {
	union nf_inet_addr addr;
	u16 port;
	u8 l3num;
	u8 l4proto;
	u32 unused;
} __aligned(8);

/**
 * struct ctk_top - one of the most frequent
 * @key: it
 * @entries: at most so many
 * @error: at least so many less
 */
struct ctk_top {
	struct ctk_top_key key;
	u32 entries;
	u32 error;
};

/**
 * struct ctk_counts - what a census counts; names are those of ctk.yaml
 * @l4proto: entries of each
 * @tcp_state: likewise
 * @time_left: by the steps of ctk_time_left_steps[]
 * @established_timeout: seconds, 0 for none
 * @established_idle: by the steps of ctk_idle_steps[]
 * @tops: highest first, up to the first without entries
 * @chains: how many are so long; of all namespaces
 */
struct ctk_counts {
	u32 entries;
	u32 assured;
	u32 evictable;
	u32 expired;
	u32 src_nat;
	u32 dst_nat;
	u32 l4proto[U8_MAX + 1];
	u32 tcp_state[CTK_TCP_STATES];
	u32 time_left[CTK_TIME_LEFT_STEPS];
	u32 established_timeout;
	u32 established_idle[CTK_IDLE_STEPS];
	struct ctk_top tops[CTK_TOP_KINDS][CTK_TOPS];
	u32 chains[CTK_CHAIN_LENGTH_MOST + 1];
};

/* Seconds; one less than there are steps. */
extern const u32 ctk_time_left_steps[CTK_TIME_LEFT_STEPS - 1];
extern const u32 ctk_idle_steps[CTK_IDLE_STEPS - 1];

/* The last of ctk_idle_steps[]. */
#define CTK_IDLE_MOST		86400

/**
 * struct ctk_tally - a count under way
 * @counts: the result, complete after ctk_tally_finish()
 * @topk: most frequent keys of each kind
 * @longer_idle: established entries that are idle for more than
 *	%CTK_IDLE_MOST seconds
 * @recent: the others, by the seconds they have left, modulo its size
 *
 * Of whoever made it, who counts in one place at a time.
 */
struct ctk_tally {
	struct ctk_counts counts;
	struct ctk_topk *topk[CTK_TOP_KINDS];
	u32 longer_idle;
	u32 recent[CTK_IDLE_MOST + 1];
};

struct ctk_tally *ctk_tally_alloc(void);
void ctk_tally_free(struct ctk_tally *t);
void ctk_tally_clear(struct ctk_tally *t);

void ctk_tally_add(struct ctk_tally *t, const struct nf_conn *ct);
void ctk_tally_add_chain(struct ctk_tally *t, u32 length);
void ctk_tally_finish(struct ctk_tally *t);

u32 ctk_chain_loss_ratio(const u32 *chains);

#endif /* _CTK_TALLY_H */
