// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink over libmnl, see genl.h. Believes no length and no sender
 * that it has not checked; knows nothing of the family ctk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>

#include "ctkstat.h"
#include "genl.h"

/* The kernel fills a dump's messages up to 32 KiB (netlink_recvmsg). */
#define BUFFER_SIZE	65536

int genl_open(struct genl *g)
{
	int on = 1;

	memset(g, 0, sizeof(*g));
	g->buffer = malloc(BUFFER_SIZE);
	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!g->buffer || !g->nl ||
	    mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail("cannot open a generic netlink socket: %s",
		     strerror(errno));
		genl_close(g);
		return -1;
	}
	/* Without these a refusal has no words; older kernels lack them. */
	mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	g->port = mnl_socket_get_portid(g->nl);
	return 0;
}

void genl_close(struct genl *g)
{
	if (g->nl)
		mnl_socket_close(g->nl);
	free(g->buffer);
	memset(g, 0, sizeof(*g));
}

struct nlmsghdr *genl_request(struct genl *g, char *buf, uint8_t cmd,
			      uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = g->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = ++g->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = (uint8_t)g->version;
	return nlh;
}

/* Which of our attributes the kernel's offset points at. */
static int attr_at(const struct nlmsghdr *request, uint32_t offset)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, request, sizeof(struct genlmsghdr)) {
		uint32_t start = (uint32_t)((const char *)attr -
					    (const char *)request);

		if (offset >= start && offset < start + attr->nla_len)
			return mnl_attr_get_type(attr);
	}
	return 0;
}

/* The attributes of an extended ack, @skip bytes behind @nlh. */
static void parse_extack(struct genl *g, const struct nlmsghdr *nlh,
			 size_t skip, const struct nlmsghdr *request)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    mnl_nlmsg_get_payload_len(nlh) < skip)
		return;
	mnl_attr_for_each(attr, nlh, (unsigned int)skip) {
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG) {
			if (len >= sizeof(g->message))
				len = sizeof(g->message) - 1;
			memcpy(g->message, mnl_attr_get_payload(attr), len);
			g->message[len] = '\0';
		} else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
			   len == sizeof(uint32_t)) {
			g->offset = mnl_attr_get_u32(attr);
			g->attr = attr_at(request, g->offset);
		}
	}
}

/* 0 for an ack, or the negative errno of a refusal. */
static int parse_error(struct genl *g, const struct nlmsghdr *nlh,
		       const struct nlmsghdr *request)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*err);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return -EBADMSG;
	/* Without NLM_F_CAPPED the whole request is between. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && err->error)
		skip += MNL_ALIGN(request->nlmsg_len) - sizeof(*request);
	parse_extack(g, nlh, skip, request);
	return err->error > 0 ? -EBADMSG : err->error;
}

/* The end of a dump; it carries an errno, and the words for it. */
static int parse_done(struct genl *g, const struct nlmsghdr *nlh,
		      const struct nlmsghdr *request)
{
	int error;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
		return 0;
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	parse_extack(g, nlh, MNL_ALIGN(sizeof(error)), request);
	return error > 0 ? -EBADMSG : error;
}

/* Bytes of a datagram that the kernel sent, or a negative errno. */
static ssize_t receive(const struct genl *g)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = {
		.iov_base = g->buffer,
		.iov_len = BUFFER_SIZE,
	};
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t len;

	do {
		msg.msg_namelen = sizeof(from);
		len = recvmsg(mnl_socket_get_fd(g->nl), &msg, 0);
		if (len < 0 && errno != EINTR)
			return -errno;
		/* Any process may write to our port; its pid is not 0. */
	} while (len < 0 || msg.msg_namelen != sizeof(from) || from.nl_pid);
	return (msg.msg_flags & MSG_TRUNC) ? -EMSGSIZE : len;
}

/* 1 to go on, 0 at the end of the answer, or a negative errno. */
static int handle(struct genl *g, const struct nlmsghdr *nlh,
		  const struct nlmsghdr *request, genl_reply reply, void *data)
{
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return parse_error(g, nlh, request);
	if (nlh->nlmsg_type == NLMSG_DONE)
		return parse_done(g, nlh, request);
	if (nlh->nlmsg_type != request->nlmsg_type)
		return 1;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return -EBADMSG;
	return reply && reply(nlh, data) ? -ECANCELED : 1;
}

/*
 * 0, GENL_TORN, or a negative errno: -ECANCELED after a fail() by @reply,
 * else of the kernel or the socket.
 */
int genl_talk(struct genl *g, const struct nlmsghdr *request,
	      genl_reply reply, void *data)
{
	bool torn = false;

	g->message[0] = '\0';
	g->offset = 0;
	g->attr = 0;
	if (mnl_socket_sendto(g->nl, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		const struct nlmsghdr *nlh = (const void *)g->buffer;
		ssize_t received = receive(g);
		int left = (int)received;

		if (received < 0)
			return (int)received;
		for (; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			int more;

			if (nlh->nlmsg_seq != request->nlmsg_seq ||
			    nlh->nlmsg_pid != g->port)
				continue;
			torn |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR);
			more = handle(g, nlh, request, reply, data);
			if (more < 0)
				return more;
			if (!more)
				return torn ? GENL_TORN : 0;
		}
	}
}

static int read_family(const struct nlmsghdr *nlh, void *data)
{
	struct genl *g = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    len == sizeof(uint16_t))
			g->family = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_VERSION &&
			 len == sizeof(uint32_t))
			g->version = mnl_attr_get_u32(attr);
	}
	return 0;
}

/* Leaves @g without a family. */
static int ask_family(struct genl *g, const char *family, genl_reply reply,
		      void *data)
{
	char buf[GENL_REQUEST_SIZE];
	struct nlmsghdr *nlh;

	g->family = GENL_ID_CTRL;
	g->version = 1;
	nlh = genl_request(g, buf, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, family);
	g->family = 0;
	g->version = 0;
	return genl_talk(g, nlh, reply, data);
}

/* 1 with its number and version in @g, 0 if there is none, -1 on failure. */
int genl_find(struct genl *g, const char *family)
{
	int error = ask_family(g, family, read_family, g);

	if (error == -ENOENT)
		return 0;
	if (error)
		return fail("cannot ask for the netlink family %s: %s", family,
			    strerror(-error));
	if (!g->family)
		return fail("the kernel gave no number for the netlink family %s",
			    family);
	return 1;
}

struct group {
	const char *name;
	uint32_t id;		/* 0 until found */
};

static bool match_group(const struct nlattr *nest, struct group *group)
{
	const struct nlattr *attr;
	bool matches = false;
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		const char *payload = mnl_attr_get_payload(attr);
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
			matches = len == strlen(group->name) + 1 &&
				  !memcmp(payload, group->name, len);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
			 len == sizeof(uint32_t))
			id = mnl_attr_get_u32(attr);
	}
	if (matches)
		group->id = id;
	return matches;
}

static void match_groups(const struct nlattr *list, struct group *group)
{
	const struct nlattr *nest;

	mnl_attr_for_each_nested(nest, list)
		if (match_group(nest, group))
			return;
}

static int read_groups(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			match_groups(attr, data);
	return 0;
}

/* Be sent what the multicast group is; 0 or a negative errno. */
int genl_join(struct genl *g, const char *family, const char *group)
{
	struct group wanted = { .name = group };
	int error = ask_family(g, family, read_groups, &wanted);

	if (error)
		return error;
	if (!wanted.id)
		return -ENOENT;
	if (mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &wanted.id,
				  sizeof(wanted.id)) < 0)
		return -errno;
	return 0;
}

/* Until nothing is there to receive, nor to be told of as overrun. */
void genl_drain(const struct genl *g)
{
	ssize_t len;

	do {
		len = recv(mnl_socket_get_fd(g->nl), g->buffer, BUFFER_SIZE,
			   MSG_DONTWAIT);
	} while (len >= 0 || errno == ENOBUFS || errno == EINTR);
}
