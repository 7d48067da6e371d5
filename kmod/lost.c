// SPDX-License-Identifier: GPL-2.0
/*
 * The look at a packet that is being freed: whether it was lost to a reason
 * that ctk knows, and whose it was.
 *
 * kfree_skb() has a tracepoint, whose callback finds the mark that the hook
 * left in this context (mark.c) and then has the packet itself in hand. A
 * packet whose chain was too long is lost where no hook is, but in
 * nf_conntrack_confirm(), which counts it on this CPU: one that is freed with
 * an entry that was never confirmed, when the count has moved, is taken for
 * it. That is a guess: it is wrong when the task moves to another CPU, or is
 * interrupted, between the two, and a rule drops a packet with such an entry
 * just then; as many are attributed as were counted, not more.
 *
 * Any context but NMI and hard interrupts. It neither sleeps, nor allocates,
 * nor waits for a lock, and changes nothing of the packet. Interrupts are off
 * while it uses a namespace, which is a read-side section to RCU; that its
 * caller, the tracepoint, is in one is not so on all kernels.
 */
#include <linux/cgroup.h>
#include <linux/hardirq.h>
#include <linux/icmp.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <trace/events/skb.h>
#include <linux/ctk.h>
#include "compat.h"
#include "l4proto.h"
#include "lost.h"
#include "mark.h"
#include "netns.h"
#include "offender.h"

/*
 * What follows fills in a packet's key, each member once, since clearing it
 * before would take as long as all the rest; source port and name, which count
 * nothing, are handed on beside it.
 */

/* What the protocols have at the begin of their header. */
union ctk_l4 {
	struct {
		__be16 sport;
		__be16 dport;
	};
	__be16 icmp;
	u32 all;
};

/* Where the headers are not in one piece; 0 where there is none. */
static noinline u32 ctk_lost_copy(const struct sk_buff *skb, int offset)
{
	union ctk_l4 l4;

	return skb_copy_bits(skb, offset, &l4, sizeof(l4)) ? 0 : l4.all;
}

/* Returns the source port, 0 where there is none. */
static __always_inline __be16 ctk_lost_l4(struct ctk_offender_key *key,
					  const struct sk_buff *skb,
					  const u8 *header, u8 l4proto)
{
	union ctk_l4 l4;

	if (likely(header + sizeof(l4) <= skb_tail_pointer(skb)))
		l4.all = get_unaligned((const u32 *)header);
	else
		l4.all = ctk_lost_copy(skb, header - skb->data);
	key->l4proto = l4proto;
	if (ctk_has_ports(l4proto)) {
		key->dport = l4.dport;
		return l4.sport;
	}
	key->dport = ctk_is_icmp(l4proto) ? l4.icmp : 0;
	return 0;
}

static __always_inline __be16 ctk_lost_ipv4(struct ctk_offender_key *key,
					    const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);

	key->src = (union nf_inet_addr){ .ip6 = { ip->saddr } };
	key->dst = (union nf_inet_addr){ .ip6 = { ip->daddr } };
	key->version = 4;
	return ctk_lost_l4(key, skb, (const u8 *)ip + ip->ihl * 4,
			   ip->protocol);
}

static noinline __be16 ctk_lost_ipv6(struct ctk_offender_key *key,
				     const struct sk_buff *skb)
{
	const struct ipv6hdr *ip = ipv6_hdr(skb);
	u8 next = ip->nexthdr;
	__be16 frag_off;
	int offset;

	key->src.in6 = ip->saddr;
	key->dst.in6 = ip->daddr;
	key->version = 6;
	offset = ipv6_skip_exthdr(skb, skb_network_offset(skb) + sizeof(*ip),
				  &next, &frag_off);
	/* Whatever is cut off there has no ports. */
	return ctk_lost_l4(key, skb,
			   skb->data + (offset < 0 ? skb->len : offset), next);
}

/*
 * False for what is no packet of IP, and so none that conntrack saw: those
 * have their IP header in one piece (ip_rcv(), ip6_rcv_core()).
 */
static __always_inline bool ctk_lost_headers(struct ctk_offender_key *key,
					     const struct sk_buff *skb,
					     __be16 *sport)
{
	const u8 *ip = skb_network_header(skb);
	long room = skb_tail_pointer(skb) - ip;
	u8 version;

	if (room < (long)sizeof(struct iphdr))
		return false;
	version = *ip >> 4;
	if (likely(version == 4))
		*sport = ctk_lost_ipv4(key, skb);
	else if (version == 6 && room >= (long)sizeof(struct ipv6hdr))
		*sport = ctk_lost_ipv6(key, skb);
	else
		return false;
	return true;
}

/*
 * The socket that sent it; one of the kernel's own is nobody's, and one of
 * another namespace, whose packet came by ipvlan or a tunnel that was moved, is
 * none of this one's business.
 */
static __always_inline struct sock *ctk_lost_socket(const struct sk_buff *skb,
						    const struct net *net)
{
	struct sock *sk = skb->sk;

	if (!sk)
		return NULL;
	if (unlikely(!sk_fullsock(sk))) {
		sk = sk_to_full_sk(sk);
		if (!sk || !sk_fullsock(sk))
			return NULL;
	}
	return sk->sk_net_refcnt && net_eq(sock_net(sk), net) ? sk : NULL;
}

/* Where version 2 is not in use, all sockets are in its root: that is no name. */
static __always_inline u64 ctk_lost_cgroup(struct sock *sk)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	struct cgroup *cgroup = sock_cgroup_ptr(&sk->sk_cgrp_data);

	return cgroup && cgroup_parent(cgroup) ? cgroup_id(cgroup) : 0;
#else
	return 0;
#endif
}

/*
 * A packet that came in by a device was sent elsewhere, whoever runs now, and
 * one without a user's socket by the kernel, which answers what a process has
 * brought in. On PREEMPT_RT, and where the backlog has threads, received packets
 * are handled outside softirq, by kernel threads. Returns the process's name,
 * NULL where it is not known.
 */
static __always_inline const char *ctk_lost_sender(struct ctk_offender_key *key,
						   const struct sk_buff *skb,
						   const struct net *net,
						   unsigned long context)
{
	struct sock *sk = skb->skb_iif ? NULL : ctk_lost_socket(skb, net);
	struct task_struct *task = current;
	bool process = sk && !ctk_mark_in_softirq(context) &&
		       !(task->flags & PF_KTHREAD);

	key->ifindex = skb->skb_iif;
	key->cgroup_id = sk ? ctk_lost_cgroup(sk) : 0;
	key->pid = process ? task->tgid : 0;
	return process ? task->group_leader->comm : NULL;
}

static __always_inline void ctk_lost_count(struct ctk_netns *ns,
					   const struct net *net,
					   const struct sk_buff *skb,
					   unsigned long context, u8 reason,
					   u16 zone)
{
	struct ctk_offender_key key ctk_uninitialized;
	const char *comm;
	__be16 sport;

	if (!ctk_lost_headers(&key, skb, &sport))
		return;
	comm = ctk_lost_sender(&key, skb, net, context);
	key.reason = reason;
	key.zone = zone;
	key.unused = 0;
	ctk_offenders_count(ctk_offenders_of(ns), &key, comm, sport);
}

static noinline void ctk_lost_marked(const struct sk_buff *skb,
				     struct ctk_mark *mark,
				     unsigned long context)
{
	struct ctk_netns *ns;
	unsigned long flags;
	u8 reason;

	local_irq_save(flags);
	ns = ctk_mark_redeem(mark, context, &reason);
	if (likely(ns))
		ctk_lost_count(ns, ns->net, skb, context, reason, 0);
	local_irq_restore(flags);
}

#ifdef CTK_HAVE_CHAIN_TOOLONG

/*
 * How much of a count has been looked at, once one more of it has been or,
 * where nothing is owed, all. Beside the packet in hand only that of whom this
 * softirq interrupts can still be under way: what is more will not come, and
 * is not to be laid at a later packet's door.
 */
static u32 ctk_lost_seen(u32 seen, u32 count, bool owed)
{
	return owed ? count - min(count - seen - 1, 1U) : count;
}

/*
 * Both counts move with a packet's loss, one of them with a clash, the other
 * with an insertion by ctnetlink: those are no losses and are passed over.
 * Statistics stay for as long as an entry of the namespace does, and the
 * caller has one.
 */
static bool ctk_lost_is_owed(struct ctk_netns *ns, const struct net *net)
{
	const struct ip_conntrack_stat *stat = this_cpu_ptr(net->ct.stat);
	struct ctk_netns_percpu *p = this_cpu_ptr(ns->percpu);
	u32 chains = READ_ONCE(stat->chaintoolong);
	u32 failed = READ_ONCE(stat->insert_failed);

	bool owed = chains != p->chains_seen && failed != p->failed_seen;

	p->chains_seen = ctk_lost_seen(p->chains_seen, chains, owed);
	p->failed_seen = ctk_lost_seen(p->failed_seen, failed, owed);
	return owed;
}

static noinline void ctk_lost_unconfirmed(const struct sk_buff *skb,
					  const struct nf_conn *ct,
					  unsigned long context)
{
	const struct net *net = nf_ct_net(ct);
	struct ctk_netns *ns;
	unsigned long flags;

	local_irq_save(flags);
	ns = ctk_netns_of_rcu(net);
	if (ns && ctk_lost_is_owed(ns, net))
		ctk_lost_count(ns, net, skb, context,
			       CTK_DROP_REASON_CHAIN_TOO_LONG,
			       nf_ct_zone(ct)->id);
	local_irq_restore(flags);
}

static inline void ctk_lost_unmarked(const struct sk_buff *skb,
				     unsigned long context)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && !nf_ct_is_confirmed(ct) && !nf_ct_is_template(ct))
		ctk_lost_unconfirmed(skb, ct, context);
}

#else

static inline void ctk_lost_unmarked(const struct sk_buff *skb,
				     unsigned long context)
{
}

#endif /* CTK_HAVE_CHAIN_TOOLONG */

/*
 * IPv6, or under VLAN tags, as tc's ct action sees packets, or of a raw socket
 * of a kernel that does not say what it sends (5.10, raw_send_hdrinc()). A
 * buffer for a tag brings a check of the stack along, which most packets are
 * spared.
 */
static noinline bool ctk_lost_is_other_ip(const struct sk_buff *skb)
{
	__be16 protocol = skb_protocol(skb, true);

	return !protocol || protocol == htons(ETH_P_IP) ||
	       protocol == htons(ETH_P_IPV6);
}

/*
 * A packet that was refused belongs to no entry (nf_conntrack_in() takes what
 * it came with away), as one that a rule drops later does.
 */
static __always_inline bool ctk_lost_may_be_refused(const struct sk_buff *skb)
{
	return !skb_nfct(skb) && (likely(skb->protocol == htons(ETH_P_IP)) ||
				  ctk_lost_is_other_ip(skb));
}

/*
 * In a hard interrupt the mark would be that of whom it interrupts; conntrack
 * loses nothing there.
 */
static void ctk_lost_freed(CTK_KFREE_SKB_ARGS)
{
	unsigned long context = ctk_mark_context();
	struct ctk_mark *mark;

	if (unlikely(hardirq_count()))
		return;
	mark = ctk_mark_find(context);
	if (mark && ctk_lost_may_be_refused(skb))
		ctk_lost_marked(skb, mark, context);
	else
		ctk_lost_unmarked(skb, context);
}

/* What was lost to long chains up to here is not looked for. */
static void ctk_lost_skip_chains(void)
{
	ctk_netns_refresh();
	ctk_netns_for_each(ctk_netns_chains_seen, NULL);
}

/**
 * ctk_lost_register() - look at each packet that is freed for a loss
 *
 * What was lost to long chains before, or meanwhile, is not looked for.
 *
 * Context: process. Sleeps.
 *
 * Return: 0 or a negative errno.
 */
int ctk_lost_register(void)
{
	int err;

	ctk_lost_skip_chains();
	err = register_trace_kfree_skb(ctk_lost_freed, NULL);
	if (!err)
		ctk_lost_skip_chains();
	return err;
}

/**
 * ctk_lost_unregister() - look no more; nobody looks when it returns
 *
 * Context: process. Sleeps.
 */
void ctk_lost_unregister(void)
{
	unregister_trace_kfree_skb(ctk_lost_freed, NULL);
	tracepoint_synchronize_unregister();
}
