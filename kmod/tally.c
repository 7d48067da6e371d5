// SPDX-License-Identifier: GPL-2.0
/*
 * What fills a table: how an entry is counted, and what follows from the
 * lengths of chains.
 *
 * It has no lock: a tally is of one census, and an entry is looked at where
 * nobody can take it away, which is its caller's to see to. Counting neither
 * sleeps nor allocates, and what of an entry may change meanwhile is read once.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack.h>
#include "compat.h"
#include "l4proto.h"
#include "tally.h"
#include "topk.h"

/* Keys that are followed, of which CTK_TOPS are told. */
#define CTK_TOP_SLOTS 64

/*
 * The kernel's own timeouts are among them: 10 s of a closed TCP connection,
 * 30 s of a UDP datagram, 60 s of half-open TCP, 120 s of UDP streams and of
 * what is closing, 300 s of unacknowledged data, 432000 s of established TCP
 * (nf_conntrack_proto_tcp.c, nf_conntrack_proto_udp.c).
 */
const u32 ctk_time_left_steps[CTK_TIME_LEFT_STEPS - 1] = {
	1, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400, 432000
};

const u32 ctk_idle_steps[CTK_IDLE_STEPS - 1] = {
	60, 300, 600, 1800, 3600, 7200, 21600, CTK_IDLE_MOST
};

/*
 * Established connections with unacknowledged data have no more than this
 * (nf_conntrack_proto_tcp.c, tcp_timeouts[]), so that what is left of their
 * time does not tell when the last packet came.
 */
#define CTK_UNACKNOWLEDGED 300

/**
 * ctk_tally_alloc() - a tally, empty
 *
 * Context: process. Sleeps.
 *
 * Return: for ctk_tally_free(), or NULL.
 */
struct ctk_tally *ctk_tally_alloc(void)
{
	struct ctk_tally *t = kvzalloc(sizeof(*t), GFP_KERNEL);
	int i;

	if (!t)
		return NULL;
	for (i = 0; i < CTK_TOP_KINDS; i++) {
		t->topk[i] = ctk_topk_alloc(CTK_TOP_SLOTS,
					    sizeof(struct ctk_top_key),
					    GFP_KERNEL);
		if (!t->topk[i]) {
			ctk_tally_free(t);
			return NULL;
		}
	}
	return t;
}

/**
 * ctk_tally_free() - a tally is not needed any more
 * @t: from ctk_tally_alloc()
 */
void ctk_tally_free(struct ctk_tally *t)
{
	int i;

	for (i = 0; i < CTK_TOP_KINDS; i++)
		ctk_topk_free(t->topk[i]);
	kvfree(t);
}

/**
 * ctk_tally_clear() - begin to count anew
 * @t: the tally
 */
void ctk_tally_clear(struct ctk_tally *t)
{
	int i;

	for (i = 0; i < CTK_TOP_KINDS; i++)
		ctk_topk_clear(t->topk[i]);
	if (t->counts.established_timeout)
		memset(t->recent, 0, sizeof(t->recent));
	memset(&t->counts, 0, sizeof(t->counts));
	t->longer_idle = 0;
}

static unsigned int ctk_step(const u32 *steps, unsigned int n, u32 seconds)
{
	unsigned int i;

	for (i = 0; i < n && seconds > steps[i]; i++)
		;
	return i;
}

/* --- For how long nothing came ------------------------------------------- */

/*
 * Idle is what the longest of all has left more, and which one is that is known
 * in the end only. So entries are kept apart by the second as long as they may
 * turn out to be idle for less than the last step; when a longer one comes,
 * those fall out that cannot any more. Each second falls out once, so that is
 * bounded by the seconds that the longest rises, and at once by the size of
 * the ring, under the lock of one chain.
 */
static void ctk_idle_rise(struct ctk_tally *t, u32 longest)
{
	u32 s, *old, *first = &t->counts.established_timeout;
	u32 rise = min_t(u32, longest - *first, ARRAY_SIZE(t->recent));

	for (s = 1; *first && s <= rise; s++) {
		old = &t->recent[(*first + s) % ARRAY_SIZE(t->recent)];
		t->longer_idle += *old;
		*old = 0;
	}
	*first = longest;
}

static void ctk_idle_add(struct ctk_tally *t, u32 left)
{
	if (left > t->counts.established_timeout)
		ctk_idle_rise(t, left);
	if (left <= CTK_UNACKNOWLEDGED)
		return;
	if (t->counts.established_timeout - left > CTK_IDLE_MOST)
		t->longer_idle++;
	else
		t->recent[left % ARRAY_SIZE(t->recent)]++;
}

static void ctk_idle_finish(struct ctk_tally *t)
{
	struct ctk_counts *c = &t->counts;
	u32 idle, step;

	for (idle = 0; idle <= CTK_IDLE_MOST &&
	     idle < c->established_timeout; idle++) {
		step = ctk_step(ctk_idle_steps, ARRAY_SIZE(ctk_idle_steps),
				idle);
		c->established_idle[step] +=
			t->recent[(c->established_timeout - idle) %
				  ARRAY_SIZE(t->recent)];
	}
	c->established_idle[CTK_IDLE_STEPS - 1] += t->longer_idle;
}

/* --- Who has most -------------------------------------------------------- */

static void ctk_tops_count(struct ctk_tally *t, enum ctk_top_kind kind,
			   const struct ctk_top_key *key)
{
	bool is_new;

	ctk_topk_count(t->topk[kind], key, &is_new);
}

static struct ctk_top_key ctk_top_key(const struct nf_conn *ct,
				      const union nf_inet_addr *addr)
{
	struct ctk_top_key key = { .l3num = nf_ct_l3num(ct) };

	if (key.l3num == NFPROTO_IPV4)
		key.addr.ip = addr->ip;
	else
		key.addr.in6 = addr->in6;
	return key;
}

static void ctk_tops_add(struct ctk_tally *t, const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *tuple =
		nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	struct ctk_top_key src = ctk_top_key(ct, &tuple->src.u3);
	struct ctk_top_key dst = ctk_top_key(ct, &tuple->dst.u3);
	struct ctk_top_key dport = {
		.l4proto = nf_ct_protonum(ct),
		.port = ntohs(tuple->dst.u.all),
	};

	ctk_tops_count(t, CTK_TOP_SRC, &src);
	ctk_tops_count(t, CTK_TOP_DST, &dst);
	if (!ctk_has_ports(dport.l4proto))
		return;
	ctk_tops_count(t, CTK_TOP_DPORT, &dport);
	dst.l4proto = dport.l4proto;
	dst.port = dport.port;
	ctk_tops_count(t, CTK_TOP_SERVICE, &dst);
}

/* Puts it in its place, if it has one. */
static void ctk_tops_rank(struct ctk_top *tops, const struct ctk_top *top)
{
	int i = CTK_TOPS - 1;

	if (top->entries <= tops[i].entries)
		return;
	for (; i && top->entries > tops[i - 1].entries; i--)
		tops[i] = tops[i - 1];
	tops[i] = *top;
}

static void ctk_tops_finish(struct ctk_tally *t, enum ctk_top_kind kind)
{
	const struct ctk_topk *topk = t->topk[kind];
	const struct ctk_topk_slot *slot;
	unsigned int i;

	for (i = 0; i < topk->used; i++) {
		struct ctk_top top = { };

		slot = ctk_topk_slot(topk, i);
		memcpy(&top.key, ctk_topk_key(topk, i), sizeof(top.key));
		top.entries = slot->count;
		top.error = slot->error;
		ctk_tops_rank(t->counts.tops[kind], &top);
	}
}

/* --- An entry ------------------------------------------------------------ */

/* As tcp_can_early_drop() in nf_conntrack_proto_tcp.c. */
static bool ctk_tcp_closes(u8 state)
{
	switch (state) {
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
	case TCP_CONNTRACK_TIME_WAIT:
	case TCP_CONNTRACK_CLOSE:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return true;
	default:
		return false;
	}
}

/* As sctp_can_early_drop() in nf_conntrack_proto_sctp.c. */
static bool ctk_sctp_closes(enum sctp_conntrack state)
{
	switch (state) {
	case SCTP_CONNTRACK_SHUTDOWN_SENT:
	case SCTP_CONNTRACK_SHUTDOWN_RECD:
	case SCTP_CONNTRACK_SHUTDOWN_ACK_SENT:
		return true;
	default:
		return false;
	}
}

static bool ctk_closes(const struct nf_conn *ct)
{
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		return ctk_tcp_closes(READ_ONCE(ct->proto.tcp.state));
	case IPPROTO_SCTP:
		return ctk_sctp_closes(READ_ONCE(ct->proto.sctp.state));
	default:
		return false;
	}
}

static void ctk_tally_status(struct ctk_counts *c, const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	c->assured += !!(status & IPS_ASSURED);
	c->src_nat += !!(status & IPS_SRC_NAT);
	c->dst_nat += !!(status & IPS_DST_NAT);
	/* early_drop_list() and gc_worker() pass over these. */
	if (status & (IPS_DYING | IPS_OFFLOAD))
		return;
	c->evictable += !(status & IPS_ASSURED) || ctk_closes(ct);
}

static void ctk_tally_tcp(struct ctk_tally *t, const struct nf_conn *ct,
			  u32 left)
{
	u8 state = READ_ONCE(ct->proto.tcp.state);

	if (state < CTK_TCP_STATES)
		t->counts.tcp_state[state]++;
	if (state == TCP_CONNTRACK_ESTABLISHED &&
	    test_bit(IPS_ASSURED_BIT, &ct->status))
		ctk_idle_add(t, left);
}

/**
 * ctk_tally_add() - count an entry
 * @t: the tally
 * @ct: the entry, which its chain's lock keeps in its place
 *
 * Context: any.
 */
void ctk_tally_add(struct ctk_tally *t, const struct nf_conn *ct)
{
	s32 jiffies_left = READ_ONCE(ct->timeout) - nfct_time_stamp;
	struct ctk_counts *c = &t->counts;
	u8 l4proto = nf_ct_protonum(ct);
	u32 left;

	/* As nf_ct_is_expired(). */
	if (jiffies_left <= 0) {
		c->expired++;
		return;
	}
	left = DIV_ROUND_UP((u32)jiffies_left, HZ);
	c->entries++;
	c->l4proto[l4proto]++;
	c->time_left[ctk_step(ctk_time_left_steps,
			      ARRAY_SIZE(ctk_time_left_steps), left)]++;
	ctk_tally_status(c, ct);
	if (l4proto == IPPROTO_TCP)
		ctk_tally_tcp(t, ct, left);
	ctk_tops_add(t, ct);
}

/**
 * ctk_tally_add_chain() - count a chain
 * @t: the tally
 * @length: nodes in it
 *
 * Context: any.
 */
void ctk_tally_add_chain(struct ctk_tally *t, u32 length)
{
	t->counts.chains[min_t(u32, length, CTK_CHAIN_LENGTH_MOST)]++;
}

/**
 * ctk_tally_finish() - nothing more will be counted
 * @t: the tally, whose counts are complete now
 *
 * Context: any; better one that can be preempted.
 */
void ctk_tally_finish(struct ctk_tally *t)
{
	int i;

	ctk_idle_finish(t);
	for (i = 0; i < CTK_TOP_KINDS; i++)
		ctk_tops_finish(t, i);
}

/* --- Chains -------------------------------------------------------------- */

#define CTK_MILLION 1000000

/* The longest that is refused by some limit and not by all. */
static_assert(CTK_CHAIN_LIMIT_LOWEST + CTK_CHAIN_LIMITS <
	      CTK_CHAIN_LENGTH_MOST);

/**
 * ctk_chain_loss_ratio() - share of new flows that are refused by long chains
 * @chains: how many there are of each length, as in struct ctk_counts
 *
 * __nf_conntrack_confirm() in nf_conntrack_core.c draws a limit for a flow,
 * each of %CTK_CHAIN_LIMITS numbers from %CTK_CHAIN_LIMIT_LOWEST on being as
 * likely as the next. It then walks the chain of the original direction, and
 * that of the reply. A node is refused whose place, counted from 0, is above
 * the limit, so a chain has to have two nodes more than the limit; and one of
 * the two chains is enough. The hash puts a flow into any chain with the like
 * chance. So, of each limit, with q as the share of chains that are too long
 * for it, the share refused is 1 - (1 - q)^2.
 *
 * Return: millionths.
 */
u32 ctk_chain_loss_ratio(const u32 *chains)
{
	u64 all = 0, longer = 0, sum = 0, q;
	int length, lowest = CTK_CHAIN_LIMIT_LOWEST + 2;

	for (length = 0; length <= CTK_CHAIN_LENGTH_MOST; length++)
		all += chains[length];
	if (!all)
		return 0;
	for (length = CTK_CHAIN_LENGTH_MOST; length >= lowest; length--) {
		longer += chains[length];
		if (length >= lowest + CTK_CHAIN_LIMITS)
			continue;
		q = div64_u64(longer * CTK_MILLION, all);
		sum += 2 * q - div_u64(q * q, CTK_MILLION);
	}
	return div_u64(sum, CTK_CHAIN_LIMITS);
}
