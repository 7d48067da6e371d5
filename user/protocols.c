// SPDX-License-Identifier: GPL-2.0
/*
 * What numbers in packet headers are called: protocols above IP, and the types
 * and codes of ICMP. Names as conntrack(8) and ping users know them; a number
 * without a name stays one.
 */
#include <inttypes.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>

#include "fields.h"

/* NULL for one that has no name here. */
const char *l4proto_name(uint64_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_DCCP:
		return "dccp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_UDPLITE:
		return "udplite";
	default:
		return NULL;
	}
}

void format_l4proto(char *buf, size_t size, uint64_t l4proto)
{
	const char *name = l4proto_name(l4proto);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%" PRIu64, l4proto);
}

/* Those that begin an entry (nf_conntrack_proto_icmp.c, ..._icmpv6.c). */
static const char *icmp_word(uint64_t l4proto, uint64_t type)
{
	static const struct {
		uint8_t l4proto, type;
		const char *word;
	} words[] = {
		{ IPPROTO_ICMP, ICMP_ECHO, "ping" },
		{ IPPROTO_ICMP, ICMP_ECHOREPLY, "ping-reply" },
		{ IPPROTO_ICMP, ICMP_DEST_UNREACH, "unreachable" },
		{ IPPROTO_ICMP, ICMP_TIMESTAMP, "timestamp" },
		{ IPPROTO_ICMP, ICMP_INFO_REQUEST, "info" },
		{ IPPROTO_ICMP, ICMP_ADDRESS, "address-mask" },
		{ IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, "ping" },
		{ IPPROTO_ICMPV6, ICMP6_ECHO_REPLY, "ping-reply" },
		{ IPPROTO_ICMPV6, ICMP6_DST_UNREACH, "unreachable" },
		{ IPPROTO_ICMPV6, 139, "node-info" },	/* RFC 4620 */
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].l4proto == l4proto && words[i].type == type)
			return words[i].word;
	return NULL;
}

/* ping; type 13 or type 13 code 2 of those that have no word. */
void format_icmp(char *buf, size_t size, uint64_t l4proto, uint64_t type,
		 uint64_t code)
{
	const char *word = icmp_word(l4proto, type);

	if (word && !code)
		snprintf(buf, size, "%s", word);
	else if (word)
		snprintf(buf, size, "%s code %" PRIu64, word, code);
	else
		snprintf(buf, size, "type %" PRIu64 " code %" PRIu64, type,
			 code);
}
