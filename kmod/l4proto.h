/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a protocol has at the begin of its header, and a tuple in its place.
 */
#ifndef _CTK_L4PROTO_H
#define _CTK_L4PROTO_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/types.h>

/* What others keep in a port's place is a type, a code or a key. */
static inline bool ctk_has_ports(u8 l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP ||
	       l4proto == IPPROTO_UDPLITE || l4proto == IPPROTO_SCTP ||
	       l4proto == IPPROTO_DCCP;
}

static inline bool ctk_is_icmp(u8 l4proto)
{
	return l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6;
}

#endif /* _CTK_L4PROTO_H */
