// SPDX-License-Identifier: GPL-2.0
/*
 * nlprobe - sends ctk one generic netlink message, as right or as wrong as
 * it is told to, and prints what comes back: a line for each reply, then the
 * verdict. It knows as little as it can of the protocol, so that it can break
 * it, and it never corrects or judges: that is for the tests.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/ctk.h>
#include "nl.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The kernel answers before send() returns; this is for what it ignores. */
#define ANSWER_WAIT_MS 2000

enum set {
	SET_NONE, SET_NETNS, SET_STATUS, SET_EVENT, SET_ACTOR, SET_OFFENDER,
	SET_CENSUS, SET_PART
};

/* Any number of bytes. */
#define SIZE_ANY 0xffff

/* Of @size bytes, or with the attributes of @nest, or a string or a flag. */
static const struct attribute {
	enum set set;
	const char *name;
	uint16_t type;
	uint16_t size;
	enum set nest;
} attributes[] = {
	{ SET_NETNS, "id", CTK_A_NETNS_ID, 8, SET_NONE },
	{ SET_NETNS, "netns-inum", CTK_A_NETNS_NETNS_INUM, 4, SET_NONE },
	{ SET_NETNS, "netns-fd", CTK_A_NETNS_NETNS_FD, 4, SET_NONE },
	{ SET_NETNS, "netns-pid", CTK_A_NETNS_NETNS_PID, 4, SET_NONE },
	{ SET_NETNS, "lost", CTK_A_NETNS_LOST, 8, SET_NONE },
	{ SET_NETNS, "table-full-drops", CTK_A_NETNS_TABLE_FULL_DROPS, 8,
	  SET_NONE },
	{ SET_STATUS, "attribution", CTK_A_STATUS_ATTRIBUTION, 4, SET_NONE },
	{ SET_STATUS, "armed", CTK_A_STATUS_ARMED, 1, SET_NONE },
	{ SET_STATUS, "offender-slots", CTK_A_STATUS_OFFENDER_SLOTS, 4,
	  SET_NONE },
	{ SET_STATUS, "attached-by", CTK_A_STATUS_ATTACHED_BY, 0, SET_ACTOR },
	{ SET_EVENT, "seq", CTK_A_EVENT_SEQ, 8, SET_NONE },
	{ SET_EVENT, "event", CTK_A_EVENT_EVENT, 4, SET_NONE },
	{ SET_EVENT, "netns-inum", CTK_A_EVENT_NETNS_INUM, 4, SET_NONE },
	{ SET_EVENT, "old", CTK_A_EVENT_OLD, 4, SET_NONE },
	{ SET_EVENT, "new", CTK_A_EVENT_NEW, 4, SET_NONE },
	{ SET_EVENT, "limit", CTK_A_EVENT_LIMIT, 4, SET_NONE },
	{ SET_EVENT, "lost", CTK_A_EVENT_LOST, 8, SET_NONE },
	{ SET_EVENT, "actor", CTK_A_EVENT_ACTOR, 0, SET_ACTOR },
	{ SET_OFFENDER, "netns-id", CTK_A_OFFENDER_NETNS_ID, 8, SET_NONE },
	{ SET_OFFENDER, "netns-inum", CTK_A_OFFENDER_NETNS_INUM, 4, SET_NONE },
	{ SET_OFFENDER, "l4proto", CTK_A_OFFENDER_L4PROTO, 1, SET_NONE },
	{ SET_OFFENDER, "src", CTK_A_OFFENDER_SRC, SIZE_ANY, SET_NONE },
	{ SET_OFFENDER, "dst", CTK_A_OFFENDER_DST, SIZE_ANY, SET_NONE },
	{ SET_OFFENDER, "sport", CTK_A_OFFENDER_SPORT, 2, SET_NONE },
	{ SET_OFFENDER, "dport", CTK_A_OFFENDER_DPORT, 2, SET_NONE },
	{ SET_OFFENDER, "icmp-type", CTK_A_OFFENDER_ICMP_TYPE, 1, SET_NONE },
	{ SET_OFFENDER, "icmp-code", CTK_A_OFFENDER_ICMP_CODE, 1, SET_NONE },
	{ SET_OFFENDER, "zone", CTK_A_OFFENDER_ZONE, 2, SET_NONE },
	{ SET_OFFENDER, "reason", CTK_A_OFFENDER_REASON, 4, SET_NONE },
	{ SET_OFFENDER, "ifname", CTK_A_OFFENDER_IFNAME, 0, SET_NONE },
	{ SET_OFFENDER, "pid", CTK_A_OFFENDER_PID, 4, SET_NONE },
	{ SET_OFFENDER, "comm", CTK_A_OFFENDER_COMM, 0, SET_NONE },
	{ SET_OFFENDER, "cgroup-id", CTK_A_OFFENDER_CGROUP_ID, 8, SET_NONE },
	{ SET_OFFENDER, "count", CTK_A_OFFENDER_COUNT, 8, SET_NONE },
	{ SET_OFFENDER, "error", CTK_A_OFFENDER_ERROR, 8, SET_NONE },
	{ SET_ACTOR, "comm", CTK_A_ACTOR_COMM, 0, SET_NONE },
	{ SET_ACTOR, "pid", CTK_A_ACTOR_PID, 4, SET_NONE },
	{ SET_ACTOR, "parent-comm", CTK_A_ACTOR_PARENT_COMM, 0, SET_NONE },
	{ SET_ACTOR, "request", CTK_A_ACTOR_REQUEST, 0, SET_NONE },
	{ SET_CENSUS, "netns-id", CTK_A_CENSUS_NETNS_ID, 8, SET_NONE },
	{ SET_CENSUS, "netns-inum", CTK_A_CENSUS_NETNS_INUM, 4, SET_NONE },
	{ SET_CENSUS, "all", CTK_A_CENSUS_ALL, 0, SET_NONE },
	{ SET_CENSUS, "time", CTK_A_CENSUS_TIME, 8, SET_NONE },
	{ SET_CENSUS, "since", CTK_A_CENSUS_SINCE, 8, SET_NONE },
	{ SET_CENSUS, "entries", CTK_A_CENSUS_ENTRIES, 4, SET_NONE },
	{ SET_CENSUS, "limit", CTK_A_CENSUS_LIMIT, 4, SET_NONE },
	{ SET_CENSUS, "buckets", CTK_A_CENSUS_BUCKETS, 4, SET_NONE },
	{ SET_CENSUS, "assured", CTK_A_CENSUS_ASSURED, 4, SET_NONE },
	{ SET_CENSUS, "evictable", CTK_A_CENSUS_EVICTABLE, 4, SET_NONE },
	{ SET_CENSUS, "expired", CTK_A_CENSUS_EXPIRED, 4, SET_NONE },
	{ SET_CENSUS, "src-nat", CTK_A_CENSUS_SRC_NAT, 4, SET_NONE },
	{ SET_CENSUS, "dst-nat", CTK_A_CENSUS_DST_NAT, 4, SET_NONE },
	{ SET_CENSUS, "by-l4proto", CTK_A_CENSUS_BY_L4PROTO, 0, SET_PART },
	{ SET_CENSUS, "by-tcp-state", CTK_A_CENSUS_BY_TCP_STATE, 0, SET_PART },
	{ SET_CENSUS, "time-left", CTK_A_CENSUS_TIME_LEFT, 0, SET_PART },
	{ SET_CENSUS, "established-timeout", CTK_A_CENSUS_ESTABLISHED_TIMEOUT,
	  4, SET_NONE },
	{ SET_CENSUS, "established-idle", CTK_A_CENSUS_ESTABLISHED_IDLE, 0,
	  SET_PART },
	{ SET_CENSUS, "top-src", CTK_A_CENSUS_TOP_SRC, 0, SET_PART },
	{ SET_CENSUS, "top-dst", CTK_A_CENSUS_TOP_DST, 0, SET_PART },
	{ SET_CENSUS, "top-dport", CTK_A_CENSUS_TOP_DPORT, 0, SET_PART },
	{ SET_CENSUS, "top-service", CTK_A_CENSUS_TOP_SERVICE, 0, SET_PART },
	{ SET_CENSUS, "chain-length", CTK_A_CENSUS_CHAIN_LENGTH, 0, SET_PART },
	{ SET_CENSUS, "chain-loss-ratio", CTK_A_CENSUS_CHAIN_LOSS_RATIO, 4,
	  SET_NONE },
	{ SET_CENSUS, "consistent", CTK_A_CENSUS_CONSISTENT, 1, SET_NONE },
	{ SET_CENSUS, "duration", CTK_A_CENSUS_DURATION, 8, SET_NONE },
	{ SET_PART, "l4proto", CTK_A_CENSUS_PART_L4PROTO, 1, SET_NONE },
	{ SET_PART, "tcp-state", CTK_A_CENSUS_PART_TCP_STATE, 1, SET_NONE },
	{ SET_PART, "le", CTK_A_CENSUS_PART_LE, 4, SET_NONE },
	{ SET_PART, "addr", CTK_A_CENSUS_PART_ADDR, SIZE_ANY, SET_NONE },
	{ SET_PART, "port", CTK_A_CENSUS_PART_PORT, 2, SET_NONE },
	{ SET_PART, "length", CTK_A_CENSUS_PART_LENGTH, 4, SET_NONE },
	{ SET_PART, "entries", CTK_A_CENSUS_PART_ENTRIES, 4, SET_NONE },
	{ SET_PART, "buckets", CTK_A_CENSUS_PART_BUCKETS, 4, SET_NONE },
	{ SET_PART, "error", CTK_A_CENSUS_PART_ERROR, 4, SET_NONE },
};

static const struct command {
	const char *name;
	uint8_t number;
	enum set set;
} commands[] = {
	{ "status-get", CTK_CMD_STATUS_GET, SET_STATUS },
	{ "netns-get", CTK_CMD_NETNS_GET, SET_NETNS },
	{ "reset", CTK_CMD_RESET, SET_NETNS },
	{ "event-get", CTK_CMD_EVENT_GET, SET_EVENT },
	{ "event-ntf", CTK_CMD_EVENT_NTF, SET_EVENT },
	{ "offender-get", CTK_CMD_OFFENDER_GET, SET_OFFENDER },
	{ "census-get", CTK_CMD_CENSUS_GET, SET_CENSUS },
};

static union nl_message request, answer;
static int sock;

__attribute__((noreturn))
static void usage(const char *wrong)
{
	fprintf(stderr,
		"nlprobe: %s: wrong\n"
		"Usage: nlprobe [OPTION...] COMMAND|NUMBER [ATTRIBUTE...]\n"
		"       nlprobe --join | --follow\n"
		"\n"
		"  ATTRIBUTE is NAME=NUMBER, NAME of a flag, or TYPE:HEX for any\n"
		"  type and bytes\n"
		"  --dump              with NLM_F_DUMP\n"
		"  --length N          in the header, whatever is sent\n"
		"  --payload HEX       all that follows the netlink header\n"
		"  --receive-buffer N  of the socket, in bytes\n"
		"  --pause             say 'sent', then wait for a line\n"
		"  --join              only join the multicast group\n"
		"  --follow            join it, say 'following', then print a line\n"
		"                      for each event, and 'overrun' where some\n"
		"                      did not fit the buffer, until it is killed\n"
		"\n"
		"Prints 'ok replies=N' and exits 0, or 'error=ERRNO offset=N\n"
		"message=TEXT' and exits 1; 'silence' and 3 without any answer.\n"
		"A dump that says that it was interrupted has 'interrupted=1'.\n",
		wrong);
	exit(2);
}

static void put_attribute(uint16_t type, const void *data, size_t len)
{
	if (!nl_put_attribute(&request, type, data, len))
		usage("too long");
}

static size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = 0;

	for (; *text; text += 2) {
		unsigned int byte;

		if (len == room || sscanf(text, "%2x", &byte) != 1 || !text[1])
			usage(text);
		bytes[len++] = byte;
	}
	return len;
}

static const struct attribute *find_attribute(enum set set, const char *name,
					      size_t len)
{
	size_t i;

	for (i = 0; i < LENGTH(attributes); i++)
		if (attributes[i].set == set && !attributes[i].nest &&
		    !strncmp(name, attributes[i].name, len) &&
		    !attributes[i].name[len])
			return &attributes[i];
	/* A selector where it does not belong. */
	if (set != SET_NETNS)
		return find_attribute(SET_NETNS, name, len);
	usage(name);
}

static void put_argument(enum set set, const char *text)
{
	const char *equals = strchr(text, '=');
	const struct attribute *a;
	uint8_t bytes[4096];
	uint64_t value;
	uint32_t low;
	char *end;
	size_t type;

	if (equals) {
		a = find_attribute(set, text, equals - text);
		value = strtoull(equals + 1, &end, 0);
		if (*end || end == equals + 1)
			usage(text);
		low = value;
		if (a->size == sizeof(low))
			put_attribute(a->type, &low, a->size);
		else
			put_attribute(a->type, &value, a->size);
		return;
	}
	if (!strchr(text, ':')) {
		a = find_attribute(set, text, strlen(text));
		put_attribute(a->type, NULL, 0);
		return;
	}
	type = strtoul(text, &end, 0);
	if (end == text || *end != ':')
		usage(text);
	put_attribute(type, bytes, from_hex(end + 1, bytes, sizeof(bytes)));
}

/* A command by its name, or any number with the attributes of netns-get. */
static struct command find_command(const char *text)
{
	struct command command = { .set = SET_NETNS };
	char *end;
	size_t i;

	for (i = 0; i < LENGTH(commands); i++)
		if (!strcmp(text, commands[i].name))
			return commands[i];
	command.number = strtoul(text, &end, 0);
	if (end == text || *end)
		usage(text);
	return command;
}

static enum set set_of_reply(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);
	size_t i;

	for (i = 0; i < LENGTH(commands); i++)
		if (commands[i].number == genl->cmd)
			return commands[i].set;
	return SET_NONE;
}

static void print_value(const struct attribute *known, const struct nlattr *a)
{
	const unsigned char *byte = (const void *)(a + 1);
	int len = a->nla_len - NLA_HDRLEN;

	if (!known->size)
		printf("%.*s", len, (const char *)byte);
	else if (len == known->size)
		printf("%llu", (unsigned long long)nl_number(a));
	else if (known->size == SIZE_ANY)
		while (len--)
			printf("%02x", *byte++);
}

static void print_attribute(const struct attribute *known,
			    const struct nlattr *a, const char *prefix)
{
	printf(" %s%s=", prefix, known->name);
	print_value(known, a);
}

/* One of many alike, as NAME=KEY:VALUE,KEY:VALUE. */
static void print_part(const struct attribute *known, const struct nlattr *a)
{
	const char *before = "";
	size_t i, left;

	printf(" %s=", known->name);
	for (a = nl_nested(a, &left); nl_attribute_ok(a, left);
	     a = nl_next_attribute(a, &left)) {
		for (i = 0; i < LENGTH(attributes); i++) {
			if (attributes[i].set != known->nest ||
			    attributes[i].type != a->nla_type)
				continue;
			printf("%s%s:", before, attributes[i].name);
			print_value(&attributes[i], a);
			before = ",";
		}
	}
}

/* Prints those that are known; of a nest, with its name before theirs. */
static void print_attributes(enum set set, const struct nlattr *a, size_t left,
			     const char *prefix)
{
	const struct nlattr *first;
	size_t i, inner;

	for (; nl_attribute_ok(a, left); a = nl_next_attribute(a, &left)) {
		for (i = 0; i < LENGTH(attributes); i++) {
			const struct attribute *known = &attributes[i];

			if (known->set != set ||
			    (a->nla_type & NLA_TYPE_MASK) != known->type)
				continue;
			if (known->nest == SET_PART) {
				print_part(known, a);
			} else if (known->nest) {
				first = nl_nested(a, &inner);
				print_attributes(known->nest, first, inner,
						 "actor-");
			} else {
				print_attribute(known, a, prefix);
			}
		}
	}
}

static void print_reply(const struct nlmsghdr *nlh)
{
	size_t left;
	const struct nlattr *a = nl_attributes(nlh, &left);

	fputs("reply", stdout);
	print_attributes(set_of_reply(nlh), a, left, "");
	putchar('\n');
}

static void print_error(const struct nlmsghdr *nlh)
{
	const char *message = "";
	const struct nlattr *a;
	long offset = -1;
	size_t left;

	for (a = nl_extack(nlh, &left); nl_attribute_ok(a, left);
	     a = nl_next_attribute(a, &left)) {
		if (a->nla_type == NLMSGERR_ATTR_MSG)
			message = (const char *)(a + 1);
		if (a->nla_type == NLMSGERR_ATTR_OFFS)
			offset = nl_number(a);
	}
	printf("error=%s offset=%ld message=%s\n",
	       strerrorname_np(-nl_error(nlh)) ?: "EUNKNOWN", offset, message);
}

/* Exits unless the answer goes on. */
static void take_message(const struct nlmsghdr *nlh)
{
	static unsigned int replies;
	static bool interrupted;

	interrupted |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR) &&
		       nlh->nlmsg_type != NLMSG_ERROR;
	if (!nl_ends(nlh)) {
		replies++;
		print_reply(nlh);
		return;
	}
	if (nl_error(nlh)) {
		print_error(nlh);
		exit(1);
	}
	printf("ok replies=%u%s\n", replies,
	       interrupted ? " interrupted=1" : "");
	exit(0);
}

__attribute__((noreturn))
static void read_answer(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct nlmsghdr *nlh;
	ssize_t len;

	while (poll(&p, 1, ANSWER_WAIT_MS) > 0) {
		len = recv(sock, &answer, sizeof(answer), 0);
		if (len < 0)
			nl_die("recv");
		for (nlh = &answer.nlh; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len))
			take_message(nlh);
	}
	puts("silence");
	exit(3);
}

/* Exits where that is refused. */
static void join(uint32_t group)
{
	if (nl_join(sock, group))
		return;
	printf("error=%s\n", strerrorname_np(errno));
	exit(1);
}

__attribute__((noreturn))
static void follow(void)
{
	struct nlmsghdr *nlh;
	ssize_t len;

	setlinebuf(stdout);
	puts("following");
	for (;;) {
		len = recv(sock, &answer, sizeof(answer), 0);
		if (len < 0 && errno != ENOBUFS)
			nl_die("recv");
		if (len < 0)
			puts("overrun");
		for (nlh = &answer.nlh; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len))
			print_reply(nlh);
	}
}

static void set_receive_buffer(const char *text)
{
	int size = strtoul(text, NULL, 0);

	if (setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)))
		nl_die("setsockopt");
}

/* What the kernel has to say is waiting to be read by now. */
static void wait_for_line(void)
{
	puts("sent");
	fflush(stdout);
	while (getchar() >= ' ')
		;
}

static struct {
	uint16_t flags;
	const char *length;
	const char *payload;
	const char *buffer;
	bool pause;
	bool join;
	bool follow;
} asked;

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dump", no_argument, NULL, 'd' },
		{ "length", required_argument, NULL, 'l' },
		{ "payload", required_argument, NULL, 'p' },
		{ "receive-buffer", required_argument, NULL, 'b' },
		{ "pause", no_argument, NULL, 'w' },
		{ "join", no_argument, NULL, 'j' },
		{ "follow", no_argument, NULL, 'f' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			asked.flags = NLM_F_DUMP;
		else if (c == 'l')
			asked.length = optarg;
		else if (c == 'p')
			asked.payload = optarg;
		else if (c == 'b')
			asked.buffer = optarg;
		else if (c == 'w')
			asked.pause = true;
		else if (c == 'j')
			asked.join = true;
		else if (c == 'f')
			asked.follow = true;
		else
			usage("option");
	}
}

static void make_request(uint16_t family, char **arguments)
{
	struct command command;
	uint8_t bytes[4096];

	if (asked.payload) {
		nl_begin(&request, family, asked.flags);
		nl_put(&request, bytes,
		       from_hex(asked.payload, bytes, sizeof(bytes)));
		return;
	}
	if (!*arguments)
		usage("no command");
	command = find_command(*arguments);
	nl_begin_command(&request, family, command.number, asked.flags);
	while (*++arguments)
		put_argument(command.set, *arguments);
}

int main(int argc, char **argv)
{
	struct nl_family family = { .group_name = CTK_MCGRP_EVENTS };
	size_t sent;

	parse_options(argc, argv);
	sock = nl_open();
	nl_set(sock, NETLINK_EXT_ACK);
	nl_set(sock, NETLINK_CAP_ACK);
	nl_find_family(sock, CTK_FAMILY_NAME, &family);
	if (asked.buffer)
		set_receive_buffer(asked.buffer);
	if (asked.join || asked.follow)
		join(family.group);
	if (asked.follow)
		follow();
	if (asked.join) {
		puts("ok");
		return 0;
	}
	make_request(family.id, argv + optind);
	sent = request.nlh.nlmsg_len;
	if (asked.length)
		request.nlh.nlmsg_len = strtoul(asked.length, NULL, 0);
	nl_send(sock, &request, sent);
	if (asked.pause)
		wait_for_line();
	read_answer();
}
