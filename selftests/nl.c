// SPDX-License-Identifier: GPL-2.0
/*
 * What the programs that speak generic netlink share; see nl.h. Keeps nothing
 * but the number of the last message.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "nl.h"

/**
 * nl_die() - end with what errno says, as one that could not do its work
 * @what: failed
 */
void nl_die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(2);
}

/**
 * nl_open() - a socket of generic netlink
 *
 * Bound, since one that has sent nothing yet has the kernel's own number, and
 * a multicast leaves out its sender.
 *
 * Return: the socket; it has failed for good when there is none.
 */
int nl_open(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	if (sock < 0)
		nl_die("socket");
	if (bind(sock, (const struct sockaddr *)&any, sizeof(any)))
		nl_die("bind");
	return sock;
}

/**
 * nl_set() - switch an option on
 * @sock: the socket
 * @option: NETLINK_*
 */
void nl_set(int sock, int option)
{
	int one = 1;

	if (setsockopt(sock, SOL_NETLINK, option, &one, sizeof(one)))
		nl_die("setsockopt");
}

/**
 * nl_join() - join a multicast group
 * @sock: the socket
 * @group: the group
 *
 * Return: false with errno when that is refused.
 */
bool nl_join(int sock, uint32_t group)
{
	return !setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			   sizeof(group));
}

/**
 * nl_begin() - begin a message anew
 * @m: the message
 * @type: of netlink: a family
 * @flags: beside those that ask for an answer
 */
void nl_begin(union nl_message *m, uint16_t type, uint16_t flags)
{
	static uint32_t sequence;

	memset(m, 0, NLMSG_HDRLEN);
	m->nlh.nlmsg_len = NLMSG_HDRLEN;
	m->nlh.nlmsg_type = type;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->nlh.nlmsg_seq = ++sequence;
}

/**
 * nl_begin_command() - begin a message to a family
 * @m: the message
 * @family: the family's number
 * @command: the command's
 * @flags: as in nl_begin()
 */
void nl_begin_command(union nl_message *m, uint16_t family, uint8_t command,
		      uint16_t flags)
{
	struct genlmsghdr genl = { .cmd = command, .version = 1 };

	nl_begin(m, family, flags);
	nl_put(m, &genl, sizeof(genl));
}

/**
 * nl_put() - append bytes, padded with zeroes
 * @m: the message
 * @data: the bytes
 * @len: how many
 *
 * Return: false, with nothing appended, where there is no room.
 */
bool nl_put(union nl_message *m, const void *data, size_t len)
{
	char *end = m->bytes + m->nlh.nlmsg_len;

	if (m->nlh.nlmsg_len + NLA_ALIGN(len) > sizeof(*m))
		return false;
	memset(end, 0, NLA_ALIGN(len));
	if (len)
		memcpy(end, data, len);
	m->nlh.nlmsg_len += NLA_ALIGN(len);
	return true;
}

/**
 * nl_put_attribute() - append an attribute
 * @m: the message
 * @type: of the attribute
 * @data: its value
 * @len: bytes of it
 *
 * Return: false where there is no room.
 */
bool nl_put_attribute(union nl_message *m, uint16_t type, const void *data,
		      size_t len)
{
	struct nlattr a = { .nla_type = type, .nla_len = NLA_HDRLEN + len };

	return nl_put(m, &a, sizeof(a)) && nl_put(m, data, len);
}

/**
 * nl_send() - send a message to the kernel
 * @sock: the socket
 * @m: the message, whose length is not looked at
 * @len: bytes to send
 */
void nl_send(int sock, const union nl_message *m, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(sock, m, len, 0, (void *)&kernel, sizeof(kernel)) < 0)
		nl_die("send");
}

const struct nlattr *nl_attributes(const struct nlmsghdr *nlh, size_t *left)
{
	*left = nlh->nlmsg_len > NLMSG_LENGTH(GENL_HDRLEN) ?
		nlh->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN) : 0;
	return (const void *)((const char *)nlh + NLMSG_LENGTH(GENL_HDRLEN));
}

const struct nlattr *nl_nested(const struct nlattr *a, size_t *left)
{
	*left = a->nla_len - NLA_HDRLEN;
	return a + 1;
}

bool nl_attribute_ok(const struct nlattr *a, size_t left)
{
	return left >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN &&
	       a->nla_len <= left;
}

const struct nlattr *nl_next_attribute(const struct nlattr *a, size_t *left)
{
	size_t step = NLA_ALIGN(a->nla_len);

	*left -= step < *left ? step : *left;
	return (const void *)((const char *)a + step);
}

/**
 * nl_number() - the value of an attribute
 * @a: of eight bytes, four, two or one
 */
uint64_t nl_number(const struct nlattr *a)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (a->nla_len - NLA_HDRLEN) {
	case sizeof(uint8_t):
		return *(const uint8_t *)(a + 1);
	case sizeof(u16):
		memcpy(&u16, a + 1, sizeof(u16));
		return u16;
	case sizeof(u64):
		memcpy(&u64, a + 1, sizeof(u64));
		return u64;
	default:
		memcpy(&u32, a + 1, sizeof(u32));
		return u32;
	}
}

bool nl_ends(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE;
}

int nl_error(const struct nlmsghdr *nlh)
{
	return *(int *)NLMSG_DATA(nlh);
}

/**
 * nl_extack() - the attributes of a refusal
 * @nlh: an NLMSG_ERROR or NLMSG_DONE
 * @left: filled, their length
 *
 * They follow the request, all of it where the socket did not ask to have it
 * capped, or the errno alone where a dump ends with one.
 *
 * Return: the first, if there is one.
 */
const struct nlattr *nl_extack(const struct nlmsghdr *nlh, size_t *left)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);
	size_t head = sizeof(e->error);

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		head = sizeof(*e);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			head += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	}
	*left = 0;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS &&
	    nlh->nlmsg_len > NLMSG_LENGTH(head))
		*left = nlh->nlmsg_len - NLMSG_LENGTH(head);
	return (const void *)((const char *)e + head);
}

static void find_group(const struct nlattr *groups, struct nl_family *family)
{
	const struct nlattr *group, *a;
	size_t left, inner;

	for (group = nl_nested(groups, &left); nl_attribute_ok(group, left);
	     group = nl_next_attribute(group, &left)) {
		bool named = false;
		uint32_t id = 0;

		for (a = nl_nested(group, &inner); nl_attribute_ok(a, inner);
		     a = nl_next_attribute(a, &inner)) {
			if (a->nla_type == CTRL_ATTR_MCAST_GRP_ID)
				id = nl_number(a);
			if (a->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
				named = !strcmp((const char *)(a + 1),
						family->group_name);
		}
		if (named)
			family->group = id;
	}
}

static void read_family(const struct nlmsghdr *nlh, struct nl_family *family)
{
	const struct nlattr *a;
	size_t left;

	for (a = nl_attributes(nlh, &left); nl_attribute_ok(a, left);
	     a = nl_next_attribute(a, &left)) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&family->id, a + 1, sizeof(family->id));
		if ((a->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GROUPS &&
		    family->group_name)
			find_group(a, family);
	}
}

/**
 * nl_find_family() - ask for a family and one of its groups
 * @sock: the socket
 * @name: of the family, which has to exist
 * @family: filled, but for the name of the group, which may be NULL
 */
void nl_find_family(int sock, const char *name, struct nl_family *family)
{
	static union nl_message m;
	ssize_t len;

	nl_begin_command(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	nl_put_attribute(&m, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	nl_send(sock, &m, m.nlh.nlmsg_len);
	do {
		len = recv(sock, &m, sizeof(m), 0);
		if (len < 0)
			nl_die("recv");
		if (!nl_ends(&m.nlh))
			read_family(&m.nlh, family);
	} while (!nl_ends(&m.nlh));
	errno = -nl_error(&m.nlh);
	if (errno)
		nl_die(name);
}
