// SPDX-License-Identifier: GPL-2.0
/*
 * The half of the generic netlink window that tells what happened: dumps of
 * the ring, and each event to subscribers as it comes.
 *
 * Whoever may see all namespaces is told all events, by their number among
 * all; whoever has CAP_NET_ADMIN over its own namespace is told that one's, by
 * their number among these, so that neither what happens elsewhere nor how
 * much of it shows. A pid is told where it means something: to those in the
 * initial pid namespace, and not in a multicast, whose receivers are not known.
 *
 * Process context. Keeps nothing.
 */
#include <linux/pid_namespace.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <linux/ctk.h>
#include "actor.h"
#include "attach.h"
#include "compat.h"
#include "events.h"
#include "netlink.h"
#include "netns.h"

const struct nla_policy ctk_event_policy[CTK_A_EVENT_SEQ + 1] = {
	[CTK_A_EVENT_SEQ]	= { .type = NLA_U64 },
};

/**
 * ctk_reader_knows_pids() - whether an actor's pid means something to who asks
 *
 * Context: process, that of the reader.
 */
bool ctk_reader_knows_pids(void)
{
	return task_active_pid_ns(current) == &init_pid_ns;
}

/**
 * ctk_actor_size() - room that ctk_put_actor() needs
 */
size_t ctk_actor_size(void)
{
	return nla_total_size(2 * nla_total_size(TASK_COMM_LEN) +
			      nla_total_size(MODULE_NAME_LEN) +
			      nla_total_size(sizeof(u32)));
}

/**
 * ctk_put_actor() - tell who did it
 * @skb: the message
 * @type: of the nest
 * @actor: nothing is put where it is nobody
 * @pid: the reader is in the initial pid namespace
 *
 * Return: 0 or -EMSGSIZE.
 */
int ctk_put_actor(struct sk_buff *skb, int type, const struct ctk_actor *actor,
		  bool pid)
{
	struct nlattr *nest;

	if (!actor->pid)
		return 0;
	nest = nla_nest_start(skb, type);
	if (!nest ||
	    nla_put_string(skb, CTK_A_ACTOR_COMM, actor->comm) ||
	    (pid && nla_put_u32(skb, CTK_A_ACTOR_PID, actor->pid)) ||
	    (actor->parent_comm[0] &&
	     nla_put_string(skb, CTK_A_ACTOR_PARENT_COMM,
			    actor->parent_comm)) ||
	    (actor->request[0] &&
	     nla_put_string(skb, CTK_A_ACTOR_REQUEST, actor->request)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static size_t ctk_event_size(void)
{
	/* seq .. netns inum, and those that &ctk_event.has speaks of */
	return (5 + CTK_EVENT_FIELDS) *
	       nla_total_size_64bit(sizeof(u64)) + ctk_actor_size();
}

static int ctk_put_event_fields(struct sk_buff *skb, const struct ctk_event *e)
{
	int i, err;

	for (i = 0; i < CTK_EVENT_FIELDS; i++) {
		const struct ctk_event_field *f = &ctk_event_fields[i];

		if (!ctk_event_has(e, f))
			continue;
		if (f->size == sizeof(u64))
			err = nla_put_u64_64bit(skb, f->attr,
						ctk_event_value(e, f),
						CTK_A_EVENT_PAD);
		else
			err = nla_put_u32(skb, f->attr, ctk_event_value(e, f));
		if (err)
			return err;
	}
	return 0;
}

static int ctk_put_event(struct sk_buff *skb, const struct ctk_event *e,
			 bool all, bool pid)
{
	if (nla_put_u64_64bit(skb, CTK_A_EVENT_SEQ,
			      all ? e->seq : e->netns_seq, CTK_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_EVENT_TIME,
			      ctk_boottime_to_real(e->time),
			      CTK_A_EVENT_PAD) ||
	    nla_put_u32(skb, CTK_A_EVENT_EVENT, e->type) ||
	    (e->netns_id &&
	     (nla_put_u64_64bit(skb, CTK_A_EVENT_NETNS_ID, e->netns_id,
				CTK_A_EVENT_PAD) ||
	      nla_put_u32(skb, CTK_A_EVENT_NETNS_INUM, e->netns_inum))) ||
	    ctk_put_actor(skb, CTK_A_EVENT_ACTOR, &e->actor, pid))
		return -EMSGSIZE;
	return ctk_put_event_fields(skb, e);
}

/*
 * What a dump remembers, in cb->args: the next event by its number among all,
 * the last number that the reader has, and the namespace that it may see, 0
 * for all.
 */
enum { CTK_DUMP_NEXT, CTK_DUMP_AFTER, CTK_DUMP_NETNS };

/**
 * ctk_event_get_start() - who asks, and from where on
 * @cb: the dump
 *
 * Return: 0.
 */
int ctk_event_get_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = ctk_genl_dump_attrs(cb);

	if (attrs && attrs[CTK_A_EVENT_SEQ])
		cb->args[CTK_DUMP_AFTER] = nla_get_u64(attrs[CTK_A_EVENT_SEQ]);
	if (ctk_sees_all(cb->skb))
		cb->args[CTK_DUMP_NEXT] = cb->args[CTK_DUMP_AFTER];
	else
		cb->args[CTK_DUMP_NETNS] =
			ctk_netns_id_of(sock_net(cb->skb->sk));
	return 0;
}

static int ctk_event_dump_allowed(struct netlink_callback *cb)
{
	if (netlink_ns_capable(cb->skb, sock_net(cb->skb->sk)->user_ns,
			       CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG(cb->extack,
		       "events need CAP_NET_ADMIN over the namespace");
	return -EPERM;
}

static int ctk_dump_event(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct ctk_event *e)
{
	bool pid = ctk_reader_knows_pids();
	bool all = !cb->args[CTK_DUMP_NETNS];
	void *hdr;

	if ((all ? e->seq : e->netns_seq) <= (u64)cb->args[CTK_DUMP_AFTER])
		return 0;
	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &ctk_family, NLM_F_MULTI, CTK_CMD_EVENT_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (ctk_put_event(skb, e, all, pid)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * ctk_event_get_dumpit() - a buffer full of the ring
 * @skb: the buffer
 * @cb: the dump
 *
 * Return: bytes put, or a negative errno.
 */
int ctk_event_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	int err = ctk_event_dump_allowed(cb);
	struct ctk_event event;

	if (err)
		return err;
	while (ctk_event_next(cb->args[CTK_DUMP_NEXT],
			      cb->args[CTK_DUMP_NETNS], &event)) {
		if (ctk_dump_event(skb, cb, &event))
			break;
		cb->args[CTK_DUMP_NEXT] = event.seq + 1;
	}
	return skb->len;
}

static void ctk_multicast(struct net *net, const struct ctk_event *e, bool all)
{
	struct sk_buff *msg;
	void *hdr;

	if (!genl_has_listeners(&ctk_family, net, 0))
		return;
	msg = genlmsg_new(ctk_event_size(), GFP_KERNEL);
	if (!msg)
		return;
	hdr = genlmsg_put(msg, 0, 0, &ctk_family, 0, CTK_CMD_EVENT_NTF);
	if (!hdr || ctk_put_event(msg, e, all, false)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&ctk_family, net, msg, 0, 0, GFP_KERNEL);
}

/**
 * ctk_netlink_notify() - tell subscribers of an event
 * @event: it
 *
 * Where there is no memory the subscriber sees a gap in the numbers, as it
 * does when it falls behind.
 *
 * Context: process, with the family registered. Sleeps.
 */
void ctk_netlink_notify(const struct ctk_event *event)
{
	struct net *net;

	ctk_multicast(&init_net, event, true);
	net = event->netns_id ? ctk_netns_get(event->netns_id) : NULL;
	if (!net)
		return;
	if (!net_eq(net, &init_net))
		ctk_multicast(net, event, false);
	put_net(net);
}
