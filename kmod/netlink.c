// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink window, but for events, offenders and censuses. It checks
 * who asks for what, and formats what the rest of the module computes;
 * uapi/ctk.yaml documents the protocol.
 *
 * Who may see what: a socket's own namespace, anyone. Every other, sockets of
 * the initial namespace with CAP_NET_ADMIN there; all others get one and the
 * same refusal, whether the namespace exists or not.
 *
 * Commands run in process context, in parallel, and hold nothing but a
 * reference to the namespace they speak of, taken and dropped in the doit.
 */
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/sock.h>
#include <linux/ctk.h>
#include "attach.h"
#include "compat.h"
#include "hook.h"
#include "netlink.h"
#include "netns.h"
#include "offender.h"
#include "version.h"

static const struct nla_policy ctk_policy[] = {
	[CTK_A_NETNS_ID]		= { .type = NLA_U64 },
	[CTK_A_NETNS_NETNS_INUM]	= { .type = NLA_U32 },
	[CTK_A_NETNS_NETNS_FD]		= { .type = NLA_U32 },
	[CTK_A_NETNS_NETNS_PID]		= { .type = NLA_U32 },
};

/**
 * ctk_sees_all() - whether the sender of a request may see all namespaces
 * @skb: the request
 */
bool ctk_sees_all(struct sk_buff *skb)
{
	return net_eq(sock_net(NETLINK_CB(skb).sk), &init_net) &&
	       netlink_capable(skb, CAP_NET_ADMIN);
}

/* The one attribute that selects a namespace, or NULL for the socket's own. */
static struct nlattr *ctk_selector(struct genl_info *info)
{
	struct nlattr *found = NULL;
	int i;

	for (i = 1; i < ARRAY_SIZE(ctk_policy); i++) {
		if (!info->attrs[i])
			continue;
		if (found) {
			NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[i],
					    "a namespace is selected by one attribute only");
			return ERR_PTR(-EINVAL);
		}
		found = info->attrs[i];
	}
	return found;
}

static struct net *ctk_net_by_selector(const struct nlattr *attr)
{
	struct net *net;

	switch (nla_type(attr)) {
	case CTK_A_NETNS_ID:
		net = ctk_netns_get(nla_get_u64(attr));
		break;
	case CTK_A_NETNS_NETNS_INUM:
		net = ctk_netns_get_by_inum(nla_get_u32(attr));
		break;
	case CTK_A_NETNS_NETNS_FD:
		net = get_net_ns_by_fd(nla_get_u32(attr));
		break;
	default:
		net = get_net_ns_by_pid(nla_get_u32(attr));
		break;
	}
	return net ?: ERR_PTR(-ENOENT);
}

/**
 * ctk_refuse_others() - a namespace that is not the reader's, nor to be seen
 * @extack: filled
 * @attr: that names it
 *
 * The same whether it exists or not.
 *
 * Return: -EPERM.
 */
int ctk_refuse_others(struct netlink_ext_ack *extack, struct nlattr *attr)
{
	NL_SET_ERR_MSG_ATTR(extack, attr,
			    "other namespaces are shown in the initial one, with CAP_NET_ADMIN");
	return -EPERM;
}

/**
 * ctk_net_if_seen() - a namespace, if the reader may see it
 * @skb: the request, or that of a dump
 * @net: the namespace, referenced, or an error pointer where there is none
 * @attr: that names it
 * @extack: filled where it is refused
 *
 * Whoever may not see a namespace is not told why a selector led to none.
 *
 * Context: process.
 *
 * Return: @net; -EPERM, with the reference put, where it is not to be seen.
 */
struct net *ctk_net_if_seen(struct sk_buff *skb, struct net *net,
			    struct nlattr *attr,
			    struct netlink_ext_ack *extack)
{
	if (!IS_ERR(net) && net_eq(net, sock_net(skb->sk)))
		return net;
	if (!ctk_sees_all(skb)) {
		if (!IS_ERR(net))
			put_net(net);
		return ERR_PTR(ctk_refuse_others(extack, attr));
	}
	if (IS_ERR(net))
		NL_SET_ERR_MSG_ATTR(extack, attr, "no such network namespace");
	return net;
}

/* The namespace that a request speaks of, referenced for put_net(). */
static struct net *ctk_request_net(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attr = ctk_selector(info);

	if (IS_ERR(attr))
		return ERR_CAST(attr);
	if (!attr)
		return get_net(genl_info_net(info));
	return ctk_net_if_seen(skb, ctk_net_by_selector(attr), attr,
			       info->extack);
}

static size_t ctk_kernel_stats_size(void)
{
	return nla_total_size(CTK_A_KERNEL_STATS_MAX *
			      nla_total_size_64bit(sizeof(u64)));
}

static int ctk_put_kernel_stats(struct sk_buff *skb, const u64 *kernel)
{
	struct nlattr *nest = nla_nest_start(skb, CTK_A_NETNS_KERNEL_STATS);
	int attr;

	if (!nest)
		return -EMSGSIZE;
	for (attr = 1; attr <= CTK_A_KERNEL_STATS_MAX; attr++) {
		if (ctk_kernel_stat_offset(attr) < 0)
			continue;
		if (nla_put_u64_64bit(skb, attr, kernel[attr],
				      CTK_A_KERNEL_STATS_PAD))
			return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static size_t ctk_netns_size(void)
{
	return 15 * nla_total_size_64bit(sizeof(u64)) + /* id .. unattributed */
	       9 * nla_total_size(sizeof(u32)) +	/* inum .. loss rate */
	       ctk_kernel_stats_size();
}

static int ctk_put_identity(struct sk_buff *skb,
			    const struct ctk_netns_info *info)
{
	if (nla_put_u64_64bit(skb, CTK_A_NETNS_ID, info->id,
			      CTK_A_NETNS_PAD) ||
	    nla_put_u32(skb, CTK_A_NETNS_NETNS_INUM, info->inum) ||
	    (info->cookie &&
	     nla_put_u64_64bit(skb, CTK_A_NETNS_NETNS_COOKIE, info->cookie,
			       CTK_A_NETNS_PAD)) ||
	    (info->nsid >= 0 &&
	     nla_put_s32(skb, CTK_A_NETNS_NSID, info->nsid)))
		return -EMSGSIZE;
	return 0;
}

static int ctk_put_table(struct sk_buff *skb, const struct ctk_netns_info *info)
{
	if (((info->attached || info->peak) &&
	     nla_put_u32(skb, CTK_A_NETNS_PEAK, info->peak)) ||
	    (info->peak_time &&
	     nla_put_u64_64bit(skb, CTK_A_NETNS_PEAK_TIME, info->peak_time,
			       CTK_A_NETNS_PAD)))
		return -EMSGSIZE;
	if (!info->attached)
		return 0;
	if (nla_put_u32(skb, CTK_A_NETNS_ENTRIES, info->entries) ||
	    nla_put_u32(skb, CTK_A_NETNS_LIMIT, info->limit) ||
	    (info->limit &&
	     nla_put_u32(skb, CTK_A_NETNS_FILL, info->fill)) ||
	    nla_put_s32(skb, CTK_A_NETNS_GROWTH_RATE, info->growth_rate) ||
	    nla_put_u32(skb, CTK_A_NETNS_LOSS_RATE, info->loss_rate) ||
	    (info->seconds_to_full != CTK_NEVER &&
	     nla_put_u32(skb, CTK_A_NETNS_SECONDS_TO_FULL,
			 info->seconds_to_full)))
		return -EMSGSIZE;
	return 0;
}

static int ctk_put_losses(struct sk_buff *skb,
			  const struct ctk_netns_info *info)
{
	const struct ctk_losses *l = &info->losses;

	if ((info->full_since &&
	     (nla_put_u64_64bit(skb, CTK_A_NETNS_FULL_SINCE,
				info->full_since, CTK_A_NETNS_PAD) ||
	      nla_put_u64_64bit(skb, CTK_A_NETNS_EPISODE_LOST,
				info->episode_lost, CTK_A_NETNS_PAD))) ||
	    (info->last_loss_time &&
	     nla_put_u64_64bit(skb, CTK_A_NETNS_LAST_LOSS_TIME,
			       info->last_loss_time, CTK_A_NETNS_PAD)) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_LOST, info->lost,
			      CTK_A_NETNS_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_TABLE_FULL_DROPS,
			      l->table_full_drops, CTK_A_NETNS_PAD) ||
	    (ctk_kernel_stat_offset(CTK_A_KERNEL_STATS_CHAIN_TOOLONG) >= 0 &&
	     nla_put_u64_64bit(skb, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS,
			       l->chain_too_long_drops, CTK_A_NETNS_PAD)) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_OTHER_DROPS, l->other_drops,
			      CTK_A_NETNS_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_REFUSED_INSERTS,
			      l->refused_inserts, CTK_A_NETNS_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_ADMITTED_BY_EVICTION,
			      l->admitted_by_eviction, CTK_A_NETNS_PAD) ||
	    (info->no_memory &&
	     nla_put_u64_64bit(skb, CTK_A_NETNS_NO_MEMORY_DROPS,
			       l->no_memory_drops, CTK_A_NETNS_PAD)) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_ATTRIBUTED_DROPS,
			      info->attributed, CTK_A_NETNS_PAD) ||
	    nla_put_u64_64bit(skb, CTK_A_NETNS_UNATTRIBUTED_DROPS,
			      info->lost - info->attributed, CTK_A_NETNS_PAD))
		return -EMSGSIZE;
	return 0;
}

static int ctk_fill_netns(struct sk_buff *skb,
			  const struct ctk_netns_info *info, u32 portid,
			  u32 seq, int flags, struct netlink_callback *cb)
{
	void *hdr = genlmsg_put(skb, portid, seq, &ctk_family, flags,
				CTK_CMD_NETNS_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (cb)
		genl_dump_check_consistent(cb, hdr);
	if (ctk_put_identity(skb, info) || ctk_put_table(skb, info) ||
	    ctk_put_losses(skb, info) ||
	    ctk_put_kernel_stats(skb, info->kernel)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int ctk_send_netns(struct net *net, struct genl_info *info)
{
	struct ctk_netns_info ns;
	struct sk_buff *msg;
	int err;

	ctk_netns_read(net, genl_info_net(info), &ns);
	msg = genlmsg_new(ctk_netns_size(), GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	err = ctk_fill_netns(msg, &ns, info->snd_portid, info->snd_seq, 0,
			     NULL);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

static int ctk_netns_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = ctk_request_net(skb, info);
	int err;

	if (IS_ERR(net))
		return PTR_ERR(net);
	err = ctk_send_netns(net, info);
	put_net(net);
	return err;
}

/* What a dump remembers, in cb->args: the next id, and whom it is for. */
enum { CTK_DUMP_NEXT, CTK_DUMP_SEES_ALL };

static int ctk_netns_get_start(struct netlink_callback *cb)
{
	cb->args[CTK_DUMP_SEES_ALL] = ctk_sees_all(cb->skb);
	return 0;
}

/* Not in ->start(), whose words do not reach the sender up to 6.6. */
static int ctk_dump_refuse_attrs(struct netlink_callback *cb)
{
	struct nlattr **attrs = ctk_genl_dump_attrs(cb);
	int i;

	for (i = 1; attrs && i < ARRAY_SIZE(ctk_policy); i++) {
		if (!attrs[i])
			continue;
		NL_SET_ERR_MSG_ATTR(cb->extack, attrs[i],
				    "a dump takes no attributes");
		return -EINVAL;
	}
	return 0;
}

static bool ctk_dump_next(struct netlink_callback *cb, struct net *own,
			  struct ctk_netns_info *info)
{
	u64 next = cb->args[CTK_DUMP_NEXT];

	if (cb->args[CTK_DUMP_SEES_ALL])
		return ctk_netns_read_next(next, own, info);
	if (next)
		return false;
	ctk_netns_read(own, own, info);
	return true;
}

static int ctk_netns_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	struct net *own = sock_net(cb->skb->sk);
	int err = ctk_dump_refuse_attrs(cb);
	struct ctk_netns_info info;

	if (err)
		return err;
	/* That others come and go must not show in a dump of one's own. */
	if (cb->args[CTK_DUMP_SEES_ALL]) {
		ctk_netns_refresh();
		cb->seq = ctk_netns_generation();
	}
	while (ctk_dump_next(cb, own, &info)) {
		if (ctk_fill_netns(skb, &info, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq, NLM_F_MULTI, cb))
			break;
		cb->args[CTK_DUMP_NEXT] = info.id + 1;
	}
	return skb->len;
}

static int ctk_reset_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = ctk_request_net(skb, info);
	int err = 0;

	if (IS_ERR(net))
		return PTR_ERR(net);
	if (netlink_ns_capable(skb, net->user_ns, CAP_NET_ADMIN)) {
		ctk_netns_reset(net);
	} else {
		NL_SET_ERR_MSG(info->extack,
			       "reset needs CAP_NET_ADMIN over the namespace");
		err = -EPERM;
	}
	put_net(net);
	return err;
}

static size_t ctk_hook_size(const struct ctk_hook_info *hook)
{
	return nla_total_size(nla_total_size(strlen(hook->symbol) + 1) +
			      4 * nla_total_size(sizeof(u32)) +
			      nla_total_size_64bit(sizeof(u64)));
}

/* What was missed is of all namespaces together, so not for everybody. */
static int ctk_put_hook(struct sk_buff *skb, const struct ctk_hook_info *hook,
			bool sees_all)
{
	struct nlattr *nest = nla_nest_start(skb, CTK_A_STATUS_HOOKS);

	if (!nest ||
	    nla_put_string(skb, CTK_A_HOOK_SYMBOL, hook->symbol) ||
	    nla_put_u32(skb, CTK_A_HOOK_FORM, hook->form) ||
	    nla_put_u32(skb, CTK_A_HOOK_STATE, hook->state) ||
	    (sees_all &&
	     nla_put_u64_64bit(skb, CTK_A_HOOK_MISSED, hook->missed,
			       CTK_A_HOOK_PAD)) ||
	    (hook->wrapper_error &&
	     nla_put_s32(skb, CTK_A_HOOK_WRAPPER_ERROR,
			 hook->wrapper_error)) ||
	    (hook->error &&
	     nla_put_s32(skb, CTK_A_HOOK_ERROR, hook->error)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int ctk_put_attribution(struct sk_buff *skb,
			       const struct ctk_attribution_info *attribution,
			       bool sees_all)
{
	if (nla_put_u32(skb, CTK_A_STATUS_ATTRIBUTION, attribution->policy) ||
	    (sees_all &&
	     (nla_put_u8(skb, CTK_A_STATUS_ARMED, attribution->armed) ||
	      nla_put_u64_64bit(skb, CTK_A_STATUS_MARKS_LOST,
				attribution->marks_lost, CTK_A_STATUS_PAD))) ||
	    nla_put_u32(skb, CTK_A_STATUS_OFFENDER_SLOTS, CTK_OFFENDER_SLOTS))
		return -EMSGSIZE;
	return 0;
}

static size_t ctk_status_size(const struct ctk_status *status)
{
	return nla_total_size(sizeof(CTK_VERSION)) +
	       nla_total_size(sizeof(u8)) +
	       3 * nla_total_size_64bit(sizeof(u64)) +	/* since, missed */
	       7 * nla_total_size(sizeof(u32)) +	/* limit .. slots */
	       nla_total_size(sizeof(u8)) +		/* armed */
	       ctk_hook_size(&status->hook) + ctk_hook_size(&status->nomem) +
	       ctk_actor_size();
}

static int ctk_put_status(struct sk_buff *skb, const struct ctk_status *status,
			  bool sees_all)
{
	const struct ctk_hook_info *hook = &status->hook;

	if (nla_put_string(skb, CTK_A_STATUS_VERSION, CTK_VERSION) ||
	    nla_put_u8(skb, CTK_A_STATUS_ATTACHED, status->attached) ||
	    nla_put_u32(skb, CTK_A_STATUS_BUCKET_SIZE, status->bucket_size) ||
	    nla_put_u32(skb, CTK_A_STATUS_ENTRY_SIZE, status->entry_size) ||
	    (sees_all &&
	     nla_put_u64_64bit(skb, CTK_A_STATUS_MISSED, hook->missed,
			       CTK_A_STATUS_PAD)))
		return -EMSGSIZE;
	if (status->attached &&
	    (nla_put_u64_64bit(skb, CTK_A_STATUS_ATTACHED_SINCE,
			       status->attached_since, CTK_A_STATUS_PAD) ||
	     nla_put_u32(skb, CTK_A_STATUS_LIMIT, status->limit) ||
	     nla_put_u32(skb, CTK_A_STATUS_BUCKETS, status->buckets) ||
	     nla_put_u32(skb, CTK_A_STATUS_HOOK, ctk_hook_summary(hook)) ||
	     (sees_all &&
	      ctk_put_actor(skb, CTK_A_STATUS_ATTACHED_BY,
			    &status->attached_by,
			    ctk_reader_knows_pids()))))
		return -EMSGSIZE;
	if (ctk_put_attribution(skb, &status->attribution, sees_all) ||
	    ctk_put_hook(skb, hook, sees_all) ||
	    (status->has_nomem &&
	     ctk_put_hook(skb, &status->nomem, sees_all)))
		return -EMSGSIZE;
	return 0;
}

static int ctk_status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *selector = ctk_selector(info);
	struct ctk_status status;
	struct sk_buff *msg;
	void *hdr;

	if (IS_ERR(selector))
		return PTR_ERR(selector);
	if (selector) {
		NL_SET_ERR_MSG_ATTR(info->extack, selector,
				    "status-get takes no attributes");
		return -EINVAL;
	}

	ctk_status_read(&status);
	msg = genlmsg_new(ctk_status_size(&status), GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &ctk_family, 0,
				CTK_CMD_STATUS_GET);
	if (!hdr || ctk_put_status(msg, &status, ctk_sees_all(skb))) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static const struct genl_ops ctk_ops[] = {
	{
		.cmd	= CTK_CMD_STATUS_GET,
		.doit	= ctk_status_get_doit,
	},
	{
		.cmd	= CTK_CMD_NETNS_GET,
		.doit	= ctk_netns_get_doit,
		.start	= ctk_netns_get_start,
		.dumpit	= ctk_netns_get_dumpit,
	},
	{
		.cmd	= CTK_CMD_RESET,
		.doit	= ctk_reset_doit,
	},
	{
		.cmd	= CTK_CMD_EVENT_GET,
		.start	= ctk_event_get_start,
		.dumpit	= ctk_event_get_dumpit,
		.policy	= ctk_event_policy,
		.maxattr = ARRAY_SIZE(ctk_event_policy) - 1,
	},
	{
		.cmd	= CTK_CMD_OFFENDER_GET,
		.start	= ctk_offender_get_start,
		.dumpit	= ctk_offender_get_dumpit,
		.policy	= ctk_offender_policy,
		.maxattr = ARRAY_SIZE(ctk_offender_policy) - 1,
	},
	{
		.cmd	= CTK_CMD_CENSUS_GET,
		.doit	= ctk_census_get_doit,
		.start	= ctk_census_get_start,
		.dumpit	= ctk_census_get_dumpit,
		.policy	= ctk_census_policy,
		.maxattr = ARRAY_SIZE(ctk_census_policy) - 1,
	},
};

static const struct genl_multicast_group ctk_groups[] = {
	{ .name = CTK_MCGRP_EVENTS, .flags = CTK_MCGRP_FLAGS },
};

struct genl_family ctk_family __ro_after_init = {
	.name		= CTK_FAMILY_NAME,
	.version	= CTK_FAMILY_VERSION,
	.module		= THIS_MODULE,
	.netnsok	= true,
	.parallel_ops	= true,
	.policy		= ctk_policy,
	.maxattr	= ARRAY_SIZE(ctk_policy) - 1,
	.ops		= ctk_ops,
	.n_ops		= ARRAY_SIZE(ctk_ops),
	.mcgrps		= ctk_groups,
	.n_mcgrps	= ARRAY_SIZE(ctk_groups),
};

/**
 * ctk_netlink_init() - open the window
 *
 * Context: module init, when all that can be asked for is there.
 *
 * Return: 0 or a negative errno.
 */
int ctk_netlink_init(void)
{
	return genl_register_family(&ctk_family);
}

/**
 * ctk_netlink_exit() - close it; no command is under way when it returns
 *
 * Context: module exit.
 */
void ctk_netlink_exit(void)
{
	genl_unregister_family(&ctk_family);
}
