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
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* The kernel answers before send() returns; this is for what it ignores. */
#define ANSWER_WAIT_MS 2000

struct attribute {
	const char *name;
	uint16_t type;
	uint16_t size;
};

/* From ctk.yaml, the attribute set netns. */
static const struct attribute attributes[] = {
	{ "id", 1, 8 },
	{ "netns-inum", 2, 4 },
	{ "netns-fd", 3, 4 },
	{ "netns-pid", 4, 4 },
	{ "lost", 16, 8 },
	{ "table-full-drops", 19, 8 },
};

static const char * const commands[] = {
	"", "status-get", "netns-get", "reset"
};

static union {
	struct nlmsghdr nlh;
	char bytes[1 << 16];
} request, answer;

static int sock;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "nlprobe: %s: %s\n", what, strerror(errno));
	exit(2);
}

__attribute__((noreturn))
static void usage(const char *wrong)
{
	fprintf(stderr,
		"nlprobe: %s: wrong\n"
		"Usage: nlprobe [OPTION...] COMMAND|NUMBER [ATTRIBUTE...]\n"
		"       nlprobe --random COUNT\n"
		"\n"
		"  ATTRIBUTE is NAME=NUMBER, or TYPE:HEX for any type and bytes\n"
		"  --dump          with NLM_F_DUMP\n"
		"  --length N      in the header, whatever is sent\n"
		"  --payload HEX   all that follows the netlink header\n"
		"  --random COUNT  messages that make no sense, always the same\n"
		"\n"
		"Prints 'ok replies=N' and exits 0, or 'error=ERRNO offset=N\n"
		"message=TEXT' and exits 1; 'silence' and 3 without any answer.\n",
		wrong);
	exit(2);
}

static void put_bytes(const void *data, size_t len)
{
	if (request.nlh.nlmsg_len + NLA_ALIGN(len) > sizeof(request))
		usage("too long");
	memcpy(request.bytes + request.nlh.nlmsg_len, data, len);
	request.nlh.nlmsg_len += NLA_ALIGN(len);
}

static void put_attribute(uint16_t type, const void *data, size_t len)
{
	struct nlattr a = { .nla_type = type, .nla_len = NLA_HDRLEN + len };

	put_bytes(&a, sizeof(a));
	put_bytes(data, len);
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

static void put_argument(const char *text)
{
	const char *equals = strchr(text, '=');
	uint8_t bytes[4096];
	uint64_t value;
	uint32_t low;
	char *end;
	size_t i;

	for (i = 0; equals && i < sizeof(attributes) / sizeof(*attributes);
	     i++) {
		const struct attribute *a = &attributes[i];

		if (strncmp(text, a->name, equals - text) ||
		    a->name[equals - text])
			continue;
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
	i = strtoul(text, &end, 0);
	if (end == text || *end != ':')
		usage(text);
	put_attribute(i, bytes, from_hex(end + 1, bytes, sizeof(bytes)));
}

static int command_number(const char *text)
{
	char *end;
	size_t i;

	for (i = 1; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(text, commands[i]))
			return i;
	i = strtoul(text, &end, 0);
	if (end == text || *end)
		usage(text);
	return i;
}

static void begin(uint16_t type, uint16_t flags)
{
	static uint32_t sequence;

	memset(&request, 0, NLMSG_HDRLEN);
	request.nlh.nlmsg_len = NLMSG_HDRLEN;
	request.nlh.nlmsg_type = type;
	request.nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request.nlh.nlmsg_seq = ++sequence;
}

static void begin_command(uint16_t family, uint8_t command, uint16_t flags)
{
	struct genlmsghdr genl = { .cmd = command, .version = 1 };

	begin(family, flags);
	put_bytes(&genl, sizeof(genl));
}

static const struct nlattr *next_attribute(const struct nlattr *a, size_t *left)
{
	size_t step = NLA_ALIGN(a->nla_len);

	*left -= step < *left ? step : *left;
	return (const void *)((const char *)a + step);
}

static bool attribute_ok(const struct nlattr *a, size_t left)
{
	return left >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN &&
	       a->nla_len <= left;
}

static uint64_t number_in(const struct nlattr *a)
{
	uint32_t u32;
	uint64_t u64;

	memcpy(&u32, a + 1, sizeof(u32));
	if (a->nla_len < NLA_HDRLEN + sizeof(u64))
		return u32;
	memcpy(&u64, a + 1, sizeof(u64));
	return u64;
}

static void print_reply(const struct nlmsghdr *nlh)
{
	const struct nlattr *a = (const void *)((const char *)(nlh + 1) +
						GENL_HDRLEN);
	size_t left = nlh->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	size_t i;

	fputs("reply", stdout);
	for (; attribute_ok(a, left); a = next_attribute(a, &left))
		for (i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
			if ((a->nla_type & NLA_TYPE_MASK) == attributes[i].type &&
			    a->nla_len == NLA_HDRLEN + attributes[i].size)
				printf(" %s=%llu", attributes[i].name,
				       (unsigned long long)number_in(a));
	putchar('\n');
}

/*
 * The extack of a refusal. Its attributes follow the capped request, or the
 * errno alone where a dump ends with one.
 */
static void print_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);
	size_t head = nlh->nlmsg_type == NLMSG_DONE ? sizeof(e->error) :
						      sizeof(*e);
	const struct nlattr *a = (const void *)((const char *)e + head);
	size_t left = nlh->nlmsg_len - NLMSG_LENGTH(head);
	const char *message = "";
	long offset = -1;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		left = 0;
	for (; attribute_ok(a, left); a = next_attribute(a, &left)) {
		if (a->nla_type == NLMSGERR_ATTR_MSG)
			message = (const char *)(a + 1);
		if (a->nla_type == NLMSGERR_ATTR_OFFS)
			offset = number_in(a);
	}
	printf("error=%s offset=%ld message=%s\n",
	       strerrorname_np(-e->error) ?: "EUNKNOWN", offset, message);
}

static int error_of(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);

	if (nlh->nlmsg_type == NLMSG_DONE)
		return *(int *)NLMSG_DATA(nlh);
	return e->error;
}

/* Reads up to the end of the answer. 0, a negative errno, 1 for silence. */
static int read_answer(bool print, unsigned int *replies)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct nlmsghdr *nlh;
	ssize_t len;

	for (;;) {
		if (poll(&p, 1, ANSWER_WAIT_MS) <= 0)
			return 1;
		len = recv(sock, &answer, sizeof(answer), 0);
		if (len < 0)
			die("recv");
		for (nlh = &answer.nlh; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type == NLMSG_ERROR ||
			    nlh->nlmsg_type == NLMSG_DONE) {
				if (print && error_of(nlh))
					print_error(nlh);
				return error_of(nlh);
			}
			++*replies;
			if (print)
				print_reply(nlh);
		}
	}
}

static void send_request(size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(sock, &request, len, 0, (void *)&kernel, sizeof(kernel)) < 0)
		die("send");
}

static void open_socket(void)
{
	int one = 1;

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sock < 0)
		die("socket");
	if (setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)))
		die("setsockopt");
}

static uint16_t find_family(const char *name)
{
	unsigned int replies = 0;
	const struct nlattr *a;
	ssize_t len;
	size_t left;

	begin_command(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put_attribute(CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	send_request(request.nlh.nlmsg_len);
	len = recv(sock, &answer, sizeof(answer), 0);
	if (len < 0)
		die("recv");
	if (answer.nlh.nlmsg_type == NLMSG_ERROR) {
		errno = -error_of(&answer.nlh);
		die(name);
	}
	a = (const void *)(answer.bytes + NLMSG_HDRLEN + GENL_HDRLEN);
	left = answer.nlh.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	for (; attribute_ok(a, left); a = next_attribute(a, &left)) {
		uint16_t id;

		if (a->nla_type != CTRL_ATTR_FAMILY_ID)
			continue;
		memcpy(&id, a + 1, sizeof(id));
		read_answer(false, &replies);
		return id;
	}
	errno = ENOENT;
	die(name);
}

/* Every one of them has to be answered; by what is counted. */
static int send_random(uint16_t family, unsigned long count)
{
	unsigned long answered = 0, refused = 0, i;
	unsigned int replies = 0;

	srand(1);
	for (i = 0; i < count; i++) {
		size_t len = rand() % 96;
		int error;

		begin(family, rand() % 4 ? 0 : NLM_F_DUMP);
		while (len--)
			request.bytes[request.nlh.nlmsg_len++] =
				rand() % 3 ? rand() % 12 : rand();
		send_request(request.nlh.nlmsg_len);
		error = read_answer(false, &replies);
		answered += error <= 0;
		refused += error < 0;
	}
	printf("ok replies=%u answered=%lu refused=%lu\n", replies, answered,
	       refused);
	return 0;
}

static int verdict(void)
{
	unsigned int replies = 0;
	int error = read_answer(true, &replies);

	if (error > 0) {
		puts("silence");
		return 3;
	}
	if (error)
		return 1;
	printf("ok replies=%u\n", replies);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dump", no_argument, NULL, 'd' },
		{ "length", required_argument, NULL, 'l' },
		{ "payload", required_argument, NULL, 'p' },
		{ "random", required_argument, NULL, 'r' },
		{ }
	};
	const char *payload = NULL, *length = NULL, *random_count = NULL;
	uint8_t bytes[4096];
	uint16_t family, flags = 0;
	size_t sent;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			flags = NLM_F_DUMP;
		else if (c == 'l')
			length = optarg;
		else if (c == 'p')
			payload = optarg;
		else if (c == 'r')
			random_count = optarg;
		else
			usage("option");
	}
	open_socket();
	family = find_family("ctk");
	if (random_count)
		return send_random(family, strtoul(random_count, NULL, 0));
	if (payload) {
		begin(family, flags);
		put_bytes(bytes, from_hex(payload, bytes, sizeof(bytes)));
	} else {
		if (optind == argc)
			usage("no command");
		begin_command(family, command_number(argv[optind]), flags);
		for (c = optind + 1; c < argc; c++)
			put_argument(argv[c]);
	}
	sent = request.nlh.nlmsg_len;
	if (length)
		request.nlh.nlmsg_len = strtoul(length, NULL, 0);
	send_request(sent);
	return verdict();
}
