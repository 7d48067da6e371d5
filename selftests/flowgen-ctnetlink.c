// SPDX-License-Identifier: GPL-2.0
/*
 * The ctnetlink mode of flowgen: assured entries, put straight into the
 * conntrack table of this namespace with IPCTNL_MSG_CT_NEW. No packet is
 * sent. It owns one netlink socket and never changes an entry that exists
 * (NLM_F_EXCL), so that EEXIST says a flow was there before.
 *
 * Messages travel in batches of 60 kB. The kernel answers each refused one
 * with its errno unasked, and the last of a batch with the acknowledgment
 * it asks for, so a batch is settled by the time that one is read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flowgen.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* Well above what one message takes. */
#define BATCH_BYTES 60000
#define MESSAGE_ROOM 512

static char batch[BATCH_BYTES + MESSAGE_ROOM];
static size_t batch_len;
static uint32_t sequence;
static struct nlmsghdr *last;

static void put(uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (void *)(batch + batch_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memset(a + 1, 0, NLA_ALIGN(len));
	memcpy(a + 1, data, len);
	batch_len += NLA_HDRLEN + NLA_ALIGN(len);
}

static void put_be32(uint16_t type, uint32_t value)
{
	value = htonl(value);
	put(type, &value, sizeof(value));
}

static void put_be16(uint16_t type, uint16_t value)
{
	value = htons(value);
	put(type, &value, sizeof(value));
}

static struct nlattr *nest(uint16_t type)
{
	struct nlattr *a = (void *)(batch + batch_len);

	put(type | NLA_F_NESTED, "", 0);
	return a;
}

static void nest_end(struct nlattr *a)
{
	a->nla_len = batch + batch_len - (char *)a;
}

static void put_ip(uint16_t type4, uint16_t type6, const union address *a)
{
	if (a->sa.sa_family == AF_INET)
		put(type4, &a->v4.sin_addr, sizeof(a->v4.sin_addr));
	else
		put(type6, &a->v6.sin6_addr, sizeof(a->v6.sin6_addr));
}

static void put_tuple(uint16_t type, const union address *src, uint16_t sport,
		      const union address *dst, uint16_t dport)
{
	struct nlattr *tuple = nest(type), *part;
	uint8_t proto = opts->proto;

	part = nest(CTA_TUPLE_IP);
	put_ip(CTA_IP_V4_SRC, CTA_IP_V6_SRC, src);
	put_ip(CTA_IP_V4_DST, CTA_IP_V6_DST, dst);
	nest_end(part);
	part = nest(CTA_TUPLE_PROTO);
	put(CTA_PROTO_NUM, &proto, sizeof(proto));
	put_be16(CTA_PROTO_SRC_PORT, sport);
	put_be16(CTA_PROTO_DST_PORT, dport);
	nest_end(part);
	nest_end(tuple);
}

static void put_established(void)
{
	struct nlattr *info = nest(CTA_PROTOINFO);
	struct nlattr *tcp = nest(CTA_PROTOINFO_TCP);
	uint8_t state = TCP_CONNTRACK_ESTABLISHED;

	put(CTA_PROTOINFO_TCP_STATE, &state, sizeof(state));
	nest_end(tcp);
	nest_end(info);
}

/* Where no source is asked for: the range of RFC 2544, and of RFC 3849. */
static union address default_source(void)
{
	union address a = { .sa.sa_family = opts->to.sa.sa_family };

	if (a.sa.sa_family == AF_INET)
		inet_pton(AF_INET, "198.18.0.1", &a.v4.sin_addr);
	else
		inet_pton(AF_INET6, "2001:db8::1", &a.v6.sin6_addr);
	return a;
}

static void put_entry(const union address *source, const struct flow *flow)
{
	union address from = address_at(source, flow->source, 0);
	struct nlmsghdr *nlh = (void *)(batch + batch_len);
	struct nfgenmsg *nfg = (void *)(nlh + 1);

	memset(nlh, 0, NLMSG_HDRLEN + sizeof(*nfg));
	nlh->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	nlh->nlmsg_seq = ++sequence;
	nfg->nfgen_family = from.sa.sa_family;
	nfg->version = NFNETLINK_V0;
	batch_len += NLMSG_HDRLEN + sizeof(*nfg);
	put_tuple(CTA_TUPLE_ORIG, &from, flow->sport, &opts->to, flow->dport);
	put_tuple(CTA_TUPLE_REPLY, &opts->to, flow->dport, &from, flow->sport);
	/* Without CONFIRMED the kernel takes it for an attempt to clear that. */
	put_be32(CTA_STATUS, IPS_ASSURED | IPS_SEEN_REPLY | IPS_CONFIRMED);
	put_be32(CTA_TIMEOUT, opts->timeout);
	if (opts->proto == IPPROTO_TCP)
		put_established();
	nlh->nlmsg_len = batch + batch_len - (char *)nlh;
	last = nlh;
}

/* Reads answers up to that of the batch's last message; counts refusals. */
static uint64_t read_answers(int fd)
{
	static char buffer[1 << 16];
	uint64_t refused = 0;

	for (;;) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0);
		struct nlmsghdr *nlh = (void *)buffer;

		if (len < 0)
			die(errno, "answer of ctnetlink");
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			struct nlmsgerr *e = NLMSG_DATA(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			if (e->error) {
				count_error(-e->error);
				refused++;
			}
			if (nlh->nlmsg_seq == sequence)
				return refused;
		}
	}
}

static void send_batch(int fd, uint64_t entries)
{
	last->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, batch, batch_len, 0) != (ssize_t)batch_len)
		die(errno, "ctnetlink");
	tally.done += entries - read_answers(fd);
	batch_len = 0;
}

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int room = 8 << 20, one = 1;

	if (fd < 0)
		die(errno, "netlink socket");
	/*
	 * Every message of a batch may be answered before one is read. Root of
	 * a user namespace gets what it can.
	 */
	if ((setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) &&
	     setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room))) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)))
		die(errno, "setsockopt");
	return fd;
}

void ctnetlink_run(void)
{
	union address source = opts->from_count ? opts->from : default_source();
	uint64_t index, entries = 0;
	int fd = open_netlink();

	while (attempt_next(&index)) {
		struct flow flow = flow_at(index);

		put_entry(&source, &flow);
		entries++;
		if (batch_len >= BATCH_BYTES) {
			send_batch(fd, entries);
			entries = 0;
		}
	}
	if (entries)
		send_batch(fd, entries);
	close(fd);
}
