/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family; see uapi/ctk.yaml for what it says.
 */
#ifndef _CTK_NETLINK_H
#define _CTK_NETLINK_H

#include <net/genetlink.h>
#include <linux/ctk.h>

struct ctk_actor;
struct ctk_event;

int ctk_netlink_init(void);
void ctk_netlink_exit(void);

/* Of one half of the window to the other. */
extern struct genl_family ctk_family;
extern const struct nla_policy ctk_event_policy[CTK_A_EVENT_SEQ + 1];
extern const struct nla_policy
ctk_offender_policy[CTK_A_OFFENDER_NETNS_ID + 1];
extern const struct nla_policy ctk_census_policy[CTK_A_CENSUS_ALL + 1];

bool ctk_sees_all(struct sk_buff *skb);
int ctk_refuse_others(struct netlink_ext_ack *extack, struct nlattr *attr);
struct net *ctk_net_if_seen(struct sk_buff *skb, struct net *net,
			    struct nlattr *attr,
			    struct netlink_ext_ack *extack);
bool ctk_reader_knows_pids(void);
size_t ctk_actor_size(void);
int ctk_put_actor(struct sk_buff *skb, int type, const struct ctk_actor *actor,
		  bool pid);

int ctk_event_get_start(struct netlink_callback *cb);
int ctk_event_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ctk_offender_get_start(struct netlink_callback *cb);
int ctk_offender_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
void ctk_netlink_notify(const struct ctk_event *event);

int ctk_census_get_doit(struct sk_buff *skb, struct genl_info *info);
int ctk_census_get_start(struct netlink_callback *cb);
int ctk_census_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _CTK_NETLINK_H */
