// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the generic netlink window that shows what fills a table: a
 * census taken for who asks, and dumps of those that were kept.
 *
 * Addresses are told to those who have CAP_NET_ADMIN over the namespace that
 * they are of. All namespaces together, another's, and the lengths of chains,
 * which all share, are for those who may see all; the others are refused alike
 * whether a namespace exists or not.
 *
 * Process context. A request holds a reference to the namespace it speaks of.
 */
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <linux/ctk.h>
#include "census.h"
#include "compat.h"
#include "moment.h"
#include "netlink.h"
#include "netns.h"

const struct nla_policy ctk_census_policy[CTK_A_CENSUS_ALL + 1] = {
	[CTK_A_CENSUS_NETNS_ID]		= { .type = NLA_U64 },
	[CTK_A_CENSUS_ALL]		= { .type = NLA_FLAG },
};

/* --- Whose ---------------------------------------------------------------- */

/*
 * The namespace that an attribute names, or the socket's own without one;
 * referenced for put_net().
 */
static struct net *ctk_census_net(struct sk_buff *skb, struct nlattr *attr,
				  struct netlink_ext_ack *extack)
{
	if (!attr)
		return get_net(sock_net(skb->sk));
	return ctk_net_if_seen(skb, ctk_netns_get(nla_get_u64(attr)) ?:
			       ERR_PTR(-ENOENT), attr, extack);
}

static int ctk_census_allowed(struct sk_buff *skb, struct net *net,
			      struct nlattr *attr,
			      struct netlink_ext_ack *extack)
{
	if (netlink_ns_capable(skb, net->user_ns, CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack,
		       "a census needs CAP_NET_ADMIN over the namespace");
	NL_SET_BAD_ATTR(extack, attr);
	return -EPERM;
}

/* --- The message ---------------------------------------------------------- */

/* A root of his own namespace can make packets of any protocol. */
#define CTK_L4PROTOS 64

/* A nest with @n numbers of 32 bits or less. */
static size_t ctk_part_size(int n)
{
	return nla_total_size(n * nla_total_size(sizeof(u32)));
}

static size_t ctk_tops_size(void)
{
	size_t addr = nla_total_size(sizeof(struct in6_addr));

	return CTK_TOPS * (2 * (ctk_part_size(2) + addr) + /* src, dst */
			   ctk_part_size(4) +		/* dport */
			   ctk_part_size(4) + addr);	/* service */
}

/* Less than 8 kB, which is what programs expect of a message. */
static size_t ctk_census_size(void)
{
	return 4 * nla_total_size_64bit(sizeof(u64)) +	/* id .. duration */
	       12 * nla_total_size(sizeof(u32)) +	/* inum .. consistent */
	       ctk_part_size(2) * (CTK_L4PROTOS + CTK_TCP_STATES +
				   CTK_TIME_LEFT_STEPS + CTK_IDLE_STEPS +
				   CTK_CHAIN_LENGTH_MOST + 1) +
	       ctk_tops_size();
}

static int ctk_put_census_head(struct sk_buff *skb,
			       const struct ctk_census *census)
{
	const struct ctk_counts *c = &census->counts;

	if ((census->netns_id &&
	     (nla_put_u64_64bit(skb, CTK_A_CENSUS_NETNS_ID, census->netns_id,
				CTK_A_CENSUS_PAD) ||
	      nla_put_u32(skb, CTK_A_CENSUS_NETNS_INUM,
			  census->netns_inum))) ||
	    nla_put_u64_64bit(skb, CTK_A_CENSUS_TIME,
			      ctk_boottime_to_real(census->time),
			      CTK_A_CENSUS_PAD) ||
	    (census->since &&
	     nla_put_u64_64bit(skb, CTK_A_CENSUS_SINCE,
			       ctk_boottime_to_real(census->since),
			       CTK_A_CENSUS_PAD)) ||
	    nla_put_u32(skb, CTK_A_CENSUS_ENTRIES, c->entries) ||
	    nla_put_u32(skb, CTK_A_CENSUS_LIMIT, census->limit) ||
	    nla_put_u32(skb, CTK_A_CENSUS_BUCKETS, census->buckets) ||
	    nla_put_u32(skb, CTK_A_CENSUS_ASSURED, c->assured) ||
	    nla_put_u32(skb, CTK_A_CENSUS_EVICTABLE, c->evictable) ||
	    nla_put_u32(skb, CTK_A_CENSUS_EXPIRED, c->expired) ||
	    nla_put_u32(skb, CTK_A_CENSUS_SRC_NAT, c->src_nat) ||
	    nla_put_u32(skb, CTK_A_CENSUS_DST_NAT, c->dst_nat) ||
	    nla_put_u8(skb, CTK_A_CENSUS_CONSISTENT, census->consistent) ||
	    nla_put_u64_64bit(skb, CTK_A_CENSUS_DURATION, census->duration,
			      CTK_A_CENSUS_PAD))
		return -EMSGSIZE;
	return 0;
}

static int ctk_put_part_u8(struct sk_buff *skb, int type, int of, u8 value,
			   u32 entries)
{
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest || nla_put_u8(skb, of, value) ||
	    nla_put_u32(skb, CTK_A_CENSUS_PART_ENTRIES, entries))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static u32 ctk_nth_most(const u32 *counts, unsigned int n, u32 below)
{
	u32 most = 0;

	while (n--)
		if (counts[n] > most && counts[n] < below)
			most = counts[n];
	return most;
}

/* The most frequent, where there are too many to tell. */
static int ctk_put_l4protos(struct sk_buff *skb, const u32 *l4proto)
{
	u32 count = U32_MAX;
	int i, room = CTK_L4PROTOS;

	while (room > 0 &&
	       (count = ctk_nth_most(l4proto, U8_MAX + 1, count)))
		for (i = 0; i <= U8_MAX; i++)
			if (l4proto[i] == count && room-- > 0 &&
			    ctk_put_part_u8(skb, CTK_A_CENSUS_BY_L4PROTO,
					    CTK_A_CENSUS_PART_L4PROTO, i,
					    count))
				return -EMSGSIZE;
	return 0;
}

static int ctk_put_tcp_states(struct sk_buff *skb, const u32 *tcp_state)
{
	int i;

	for (i = 0; i < CTK_TCP_STATES; i++)
		if (tcp_state[i] &&
		    ctk_put_part_u8(skb, CTK_A_CENSUS_BY_TCP_STATE,
				    CTK_A_CENSUS_PART_TCP_STATE, i,
				    tcp_state[i]))
			return -EMSGSIZE;
	return 0;
}

/* Those with nobody in them too, but for the last, which has no end. */
static int ctk_put_steps(struct sk_buff *skb, int type, const u32 *steps,
			 unsigned int n, const u32 *entries)
{
	struct nlattr *nest;
	unsigned int i;

	for (i = 0; i <= n; i++) {
		nest = nla_nest_start(skb, type);
		if (!nest ||
		    (i < n && nla_put_u32(skb, CTK_A_CENSUS_PART_LE,
					  steps[i])) ||
		    nla_put_u32(skb, CTK_A_CENSUS_PART_ENTRIES, entries[i]))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

static int ctk_put_times(struct sk_buff *skb, const struct ctk_counts *c)
{
	if (ctk_put_steps(skb, CTK_A_CENSUS_TIME_LEFT, ctk_time_left_steps,
			  ARRAY_SIZE(ctk_time_left_steps), c->time_left))
		return -EMSGSIZE;
	if (!c->established_timeout)
		return 0;
	if (nla_put_u32(skb, CTK_A_CENSUS_ESTABLISHED_TIMEOUT,
			c->established_timeout))
		return -EMSGSIZE;
	return ctk_put_steps(skb, CTK_A_CENSUS_ESTABLISHED_IDLE,
			     ctk_idle_steps, ARRAY_SIZE(ctk_idle_steps),
			     c->established_idle);
}

static int ctk_put_top_addr(struct sk_buff *skb, const struct ctk_top_key *key)
{
	if (key->l3num == NFPROTO_IPV4)
		return nla_put(skb, CTK_A_CENSUS_PART_ADDR,
			       sizeof(key->addr.in), &key->addr.in);
	if (key->l3num == NFPROTO_IPV6)
		return nla_put(skb, CTK_A_CENSUS_PART_ADDR,
			       sizeof(key->addr.in6), &key->addr.in6);
	return 0;
}

static int ctk_put_top(struct sk_buff *skb, int type, const struct ctk_top *top)
{
	const struct ctk_top_key *key = &top->key;
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest || ctk_put_top_addr(skb, key) ||
	    (key->l4proto &&
	     (nla_put_u8(skb, CTK_A_CENSUS_PART_L4PROTO, key->l4proto) ||
	      nla_put_u16(skb, CTK_A_CENSUS_PART_PORT, key->port))) ||
	    nla_put_u32(skb, CTK_A_CENSUS_PART_ENTRIES, top->entries) ||
	    nla_put_u32(skb, CTK_A_CENSUS_PART_ERROR, top->error))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int ctk_put_tops(struct sk_buff *skb, const struct ctk_counts *c)
{
	static const u8 types[CTK_TOP_KINDS] = {
		[CTK_TOP_SRC]		= CTK_A_CENSUS_TOP_SRC,
		[CTK_TOP_DST]		= CTK_A_CENSUS_TOP_DST,
		[CTK_TOP_DPORT]		= CTK_A_CENSUS_TOP_DPORT,
		[CTK_TOP_SERVICE]	= CTK_A_CENSUS_TOP_SERVICE,
	};
	int kind, i;

	for (kind = 0; kind < CTK_TOP_KINDS; kind++)
		for (i = 0; i < CTK_TOPS && c->tops[kind][i].entries; i++)
			if (ctk_put_top(skb, types[kind], &c->tops[kind][i]))
				return -EMSGSIZE;
	return 0;
}

static int ctk_put_chains(struct sk_buff *skb, const u32 *chains)
{
	struct nlattr *nest;
	int length;

	for (length = 0; length <= CTK_CHAIN_LENGTH_MOST; length++) {
		if (!chains[length])
			continue;
		nest = nla_nest_start(skb, CTK_A_CENSUS_CHAIN_LENGTH);
		if (!nest ||
		    nla_put_u32(skb, CTK_A_CENSUS_PART_LENGTH, length) ||
		    nla_put_u32(skb, CTK_A_CENSUS_PART_BUCKETS,
				chains[length]))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	if (ctk_kernel_stat_offset(CTK_A_KERNEL_STATS_CHAIN_TOOLONG) < 0)
		return 0;
	return nla_put_u32(skb, CTK_A_CENSUS_CHAIN_LOSS_RATIO,
			   ctk_chain_loss_ratio(chains));
}

static int ctk_fill_census(struct sk_buff *skb, const struct ctk_census *census,
			   bool sees_all, u32 portid, u32 seq, int flags)
{
	const struct ctk_counts *c = &census->counts;
	void *hdr = genlmsg_put(skb, portid, seq, &ctk_family, flags,
				CTK_CMD_CENSUS_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (ctk_put_census_head(skb, census) ||
	    ctk_put_l4protos(skb, c->l4proto) ||
	    ctk_put_tcp_states(skb, c->tcp_state) || ctk_put_times(skb, c) ||
	    ctk_put_tops(skb, c) ||
	    (sees_all && ctk_put_chains(skb, c->chains))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* --- One that is taken for who asks --------------------------------------- */

static void ctk_census_explain(int err, struct netlink_ext_ack *extack)
{
	if (err == -ENODEV)
		NL_SET_ERR_MSG(extack, "nf_conntrack is not loaded");
	else if (err == -EOPNOTSUPP)
		NL_SET_ERR_MSG(extack, "this kernel's table cannot be found");
	else if (err == -EBUSY)
		NL_SET_ERR_MSG(extack, "too many ask for a census at once");
	else if (err == -EAGAIN)
		NL_SET_ERR_MSG(extack, "the table is resized over and over");
	else if (err == -ENOMEM)
		NL_SET_ERR_MSG(extack, "no memory for a census");
}

static int ctk_reply_census(const struct ctk_census *census, bool sees_all,
			    struct genl_info *info)
{
	struct sk_buff *msg = genlmsg_new(ctk_census_size(), GFP_KERNEL);
	int err;

	if (!msg)
		return -ENOMEM;
	err = ctk_fill_census(msg, census, sees_all, info->snd_portid,
			      info->snd_seq, 0);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* Of all namespaces without @net. */
static int ctk_send_census(struct sk_buff *skb, struct net *net,
			   struct genl_info *info)
{
	struct ctk_census *census = kmalloc(sizeof(*census), GFP_KERNEL);
	bool sees_all = ctk_sees_all(skb);
	int err;

	if (!census)
		return -ENOMEM;
	err = ctk_census_take(net, !sees_all, census);
	if (err)
		ctk_census_explain(err, info->extack);
	else
		err = ctk_reply_census(census, sees_all, info);
	kfree(census);
	return err;
}

/**
 * ctk_census_get_doit() - count what fills the table now
 * @skb: the request
 * @info: likewise
 *
 * Return: 0 or a negative errno.
 */
int ctk_census_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *all = info->attrs[CTK_A_CENSUS_ALL];
	struct nlattr *id = info->attrs[CTK_A_CENSUS_NETNS_ID];
	struct net *net;
	int err;

	if (all && !ctk_sees_all(skb))
		return ctk_refuse_others(info->extack, all);
	if (all && id) {
		NL_SET_ERR_MSG_ATTR(info->extack, all,
				    "a census is of one namespace or of all");
		return -EINVAL;
	}
	if (all)
		return ctk_send_census(skb, NULL, info);
	net = ctk_census_net(skb, id, info->extack);
	if (IS_ERR(net))
		return PTR_ERR(net);
	err = ctk_census_allowed(skb, net, id, info->extack);
	if (!err)
		err = ctk_send_census(skb, net, info);
	put_net(net);
	return err;
}

/* --- Those that were kept ------------------------------------------------- */

/* What a dump remembers, in cb->args: the number of the last, whose, for whom. */
enum { CTK_DUMP_AFTER, CTK_DUMP_NETNS, CTK_DUMP_SEES_ALL };

/**
 * ctk_census_get_start() - a dump has to have room for one
 * @cb: the dump
 *
 * Return: 0.
 */
int ctk_census_get_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = nlmsg_total_size(GENL_HDRLEN + ctk_census_size());
	return 0;
}

/* Not in ->start(), whose words do not reach the sender up to 6.6. */
static int ctk_census_dump_whose(struct netlink_callback *cb)
{
	struct nlattr **attrs = ctk_genl_dump_attrs(cb);
	struct nlattr *id = attrs ? attrs[CTK_A_CENSUS_NETNS_ID] : NULL;
	struct net *net;
	int err;

	if (attrs && attrs[CTK_A_CENSUS_ALL]) {
		NL_SET_ERR_MSG_ATTR(cb->extack, attrs[CTK_A_CENSUS_ALL],
				    "none is kept of all namespaces together");
		return -EINVAL;
	}
	net = ctk_census_net(cb->skb, id, cb->extack);
	if (IS_ERR(net))
		return PTR_ERR(net);
	err = ctk_census_allowed(cb->skb, net, id, cb->extack);
	cb->args[CTK_DUMP_SEES_ALL] = ctk_sees_all(cb->skb);
	if (!err && (id || !cb->args[CTK_DUMP_SEES_ALL]))
		cb->args[CTK_DUMP_NETNS] = ctk_netns_id_of(net);
	put_net(net);
	return err;
}

static int ctk_census_dump(struct sk_buff *skb, struct netlink_callback *cb,
			   struct ctk_census *census)
{
	u64 seq;

	while (ctk_moment_next(cb->args[CTK_DUMP_AFTER],
			       cb->args[CTK_DUMP_NETNS], &seq, census)) {
		if (ctk_fill_census(skb, census, cb->args[CTK_DUMP_SEES_ALL],
				    NETLINK_CB(cb->skb).portid,
				    cb->nlh->nlmsg_seq, NLM_F_MULTI))
			break;
		cb->args[CTK_DUMP_AFTER] = seq;
	}
	return skb->len;
}

/**
 * ctk_census_get_dumpit() - a buffer full of those that were kept
 * @skb: the buffer
 * @cb: the dump
 *
 * Return: bytes put, or a negative errno.
 */
int ctk_census_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ctk_census *census;
	int err = 0;

	if (!cb->args[CTK_DUMP_AFTER])
		err = ctk_census_dump_whose(cb);
	if (err)
		return err;
	census = kmalloc(sizeof(*census), GFP_KERNEL);
	if (!census)
		return -ENOMEM;
	err = ctk_census_dump(skb, cb, census);
	kfree(census);
	return err;
}
