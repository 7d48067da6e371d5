// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the generic netlink window that tells who lost packets.
 *
 * Addresses, processes and cgroups of a namespace are for those who have
 * CAP_NET_ADMIN over it, and another's for those who may see all. A pid is
 * told where it means something: to readers in the initial pid namespace.
 *
 * Process context. A dump is given record by record, each as it is at that
 * moment, and keeps nothing from one buffer to the next but its place.
 */
#include <linux/netdevice.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <linux/ctk.h>
#include "compat.h"
#include "l4proto.h"
#include "netlink.h"
#include "netns.h"
#include "offender.h"

const struct nla_policy ctk_offender_policy[CTK_A_OFFENDER_NETNS_ID + 1] = {
	[CTK_A_OFFENDER_NETNS_ID]	= { .type = NLA_U64 },
};

/*
 * What a dump remembers, in cb->args: the namespace and the record that are
 * next, whether it is of that namespace only, and whether it has begun and
 * that one is done.
 */
enum {
	CTK_DUMP_NETNS,
	CTK_DUMP_RECORD,
	CTK_DUMP_ONE,
	CTK_DUMP_BEGUN,
	CTK_DUMP_DONE,
};

static struct nlattr *ctk_offender_selector(struct netlink_callback *cb)
{
	struct nlattr **attrs = ctk_genl_dump_attrs(cb);

	return attrs ? attrs[CTK_A_OFFENDER_NETNS_ID] : NULL;
}

/**
 * ctk_offender_get_start() - who asks, and of which namespace
 * @cb: the dump
 *
 * Return: 0.
 */
int ctk_offender_get_start(struct netlink_callback *cb)
{
	struct nlattr *selector = ctk_offender_selector(cb);

	ctk_netns_refresh();
	cb->args[CTK_DUMP_ONE] = selector || !ctk_sees_all(cb->skb);
	if (selector)
		cb->args[CTK_DUMP_NETNS] = nla_get_u64(selector);
	else if (cb->args[CTK_DUMP_ONE])
		cb->args[CTK_DUMP_NETNS] =
			ctk_netns_id_of(sock_net(cb->skb->sk));
	return 0;
}

/* Whoever may not see a namespace is not told whether it is there. */
static int ctk_offender_dump_allowed(struct netlink_callback *cb)
{
	struct nlattr *selector = ctk_offender_selector(cb);

	if (ctk_sees_all(cb->skb))
		return 0;
	/* What is next moves on while it is dumped. */
	if (selector &&
	    nla_get_u64(selector) != ctk_netns_id_of(sock_net(cb->skb->sk)))
		return ctk_refuse_others(cb->extack, selector);
	if (netlink_ns_capable(cb->skb, sock_net(cb->skb->sk)->user_ns,
			       CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG(cb->extack,
		       "offenders need CAP_NET_ADMIN over the namespace");
	return -EPERM;
}

static int ctk_put_packet(struct sk_buff *skb, const struct ctk_offender *o)
{
	const struct ctk_offender_key *key = &o->key;
	int len = key->version == 4 ? sizeof(key->src.ip) : sizeof(key->src);

	if (nla_put_u8(skb, CTK_A_OFFENDER_L4PROTO, key->l4proto) ||
	    nla_put(skb, CTK_A_OFFENDER_SRC, len, &key->src) ||
	    nla_put(skb, CTK_A_OFFENDER_DST, len, &key->dst) ||
	    (ctk_has_ports(key->l4proto) &&
	     (nla_put_u16(skb, CTK_A_OFFENDER_SPORT, ntohs(o->note.sport)) ||
	      nla_put_u16(skb, CTK_A_OFFENDER_DPORT, ntohs(key->dport)))) ||
	    (ctk_is_icmp(key->l4proto) &&
	     (nla_put_u8(skb, CTK_A_OFFENDER_ICMP_TYPE, key->icmp[0]) ||
	      nla_put_u8(skb, CTK_A_OFFENDER_ICMP_CODE, key->icmp[1]))) ||
	    (key->zone &&
	     nla_put_u16(skb, CTK_A_OFFENDER_ZONE, key->zone)) ||
	    nla_put_u32(skb, CTK_A_OFFENDER_REASON, key->reason))
		return -EMSGSIZE;
	return 0;
}

static int ctk_put_device(struct sk_buff *skb, struct net *net, u32 ifindex)
{
	const struct net_device *dev;
	int err = 0;

	if (!ifindex)
		return 0;
	if (nla_put_u32(skb, CTK_A_OFFENDER_IFINDEX, ifindex))
		return -EMSGSIZE;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	if (dev)
		err = nla_put_string(skb, CTK_A_OFFENDER_IFNAME, dev->name);
	rcu_read_unlock();
	return err;
}

static int ctk_put_sender(struct sk_buff *skb, const struct ctk_offender *o)
{
	const struct ctk_offender_key *key = &o->key;

	if ((key->pid &&
	     nla_put_string(skb, CTK_A_OFFENDER_COMM, o->note.comm)) ||
	    (key->pid && ctk_reader_knows_pids() &&
	     nla_put_u32(skb, CTK_A_OFFENDER_PID, key->pid)) ||
	    (key->cgroup_id &&
	     nla_put_u64_64bit(skb, CTK_A_OFFENDER_CGROUP_ID, key->cgroup_id,
			       CTK_A_OFFENDER_PAD)))
		return -EMSGSIZE;
	return 0;
}

static int ctk_put_frequency(struct sk_buff *skb, const struct ctk_offender *o)
{
	if (nla_put_u64_64bit(skb, CTK_A_OFFENDER_COUNT, o->slot.count,
			      CTK_A_OFFENDER_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_OFFENDER_ERROR, o->slot.error,
			      CTK_A_OFFENDER_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_OFFENDER_FIRST_TIME,
			      ctk_boottime_to_real(o->note.first),
			      CTK_A_OFFENDER_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_OFFENDER_LAST_TIME,
			      ctk_boottime_to_real(o->note.last),
			      CTK_A_OFFENDER_PAD))
		return -EMSGSIZE;
	return 0;
}

static int ctk_fill_offender(struct sk_buff *skb, struct netlink_callback *cb,
			     struct net *net, const struct ctk_offender *o)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &ctk_family, NLM_F_MULTI,
				CTK_CMD_OFFENDER_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, CTK_A_OFFENDER_NETNS_ID,
			      cb->args[CTK_DUMP_NETNS], CTK_A_OFFENDER_PAD) ||
	    nla_put_u32(skb, CTK_A_OFFENDER_NETNS_INUM, net->ns.inum) ||
	    ctk_put_packet(skb, o) ||
	    ctk_put_device(skb, net, o->key.ifindex) ||
	    ctk_put_sender(skb, o) || ctk_put_frequency(skb, o)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* False where the buffer is full. */
static bool ctk_dump_offenders(struct sk_buff *skb, struct netlink_callback *cb,
			       struct net *net)
{
	struct ctk_netns *ns = ctk_netns_of(net);
	long *next = &cb->args[CTK_DUMP_RECORD];
	struct ctk_offender offender;

	for (; ctk_offender_read(ns, *next, &offender); ++*next)
		if (ctk_fill_offender(skb, cb, net, &offender))
			return false;
	return true;
}

static bool ctk_has_offenders(const struct ctk_netns *ns)
{
	return READ_ONCE(ns->offenders);
}

/* Where the namespace that the dump was in is gone, the next is begun. */
static struct net *ctk_dump_net(struct netlink_callback *cb)
{
	u64 id = cb->args[CTK_DUMP_NETNS];
	struct net *net;

	if (cb->args[CTK_DUMP_ONE])
		return ctk_netns_get(id);
	net = ctk_netns_get_next(&id, ctk_has_offenders);
	if (id != cb->args[CTK_DUMP_NETNS])
		cb->args[CTK_DUMP_RECORD] = 0;
	cb->args[CTK_DUMP_NETNS] = id;
	return net;
}

static int ctk_offender_dump_exists(struct netlink_callback *cb)
{
	struct net *net;

	if (!cb->args[CTK_DUMP_ONE] || cb->args[CTK_DUMP_BEGUN])
		return 0;
	net = ctk_netns_get(cb->args[CTK_DUMP_NETNS]);
	if (net) {
		put_net(net);
		return 0;
	}
	NL_SET_ERR_MSG_ATTR(cb->extack, ctk_offender_selector(cb),
			    "no such network namespace");
	return -ENOENT;
}

/**
 * ctk_offender_get_dumpit() - a buffer full of records
 * @skb: the buffer
 * @cb: the dump
 *
 * Return: bytes put, or a negative errno.
 */
int ctk_offender_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	int err = ctk_offender_dump_allowed(cb);
	struct net *net;
	bool all;

	if (!err)
		err = ctk_offender_dump_exists(cb);
	if (err)
		return err;
	cb->args[CTK_DUMP_BEGUN] = true;
	while (!cb->args[CTK_DUMP_DONE] && (net = ctk_dump_net(cb))) {
		all = ctk_dump_offenders(skb, cb, net);
		put_net(net);
		if (!all)
			break;
		cb->args[CTK_DUMP_DONE] = cb->args[CTK_DUMP_ONE];
		cb->args[CTK_DUMP_NETNS]++;
		cb->args[CTK_DUMP_RECORD] = 0;
	}
	return skb->len;
}
