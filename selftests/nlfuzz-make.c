// SPDX-License-Identifier: GPL-2.0
/*
 * The messages of nlfuzz: of each command, and of numbers that are none, with
 * attributes that may be right, then made wrong in a way or two. Says also how
 * often the kernel has to answer, by the rules of netlink_rcv_skb(). Never
 * sends, and never addresses another family.
 */
#include <string.h>
#include <unistd.h>
#include <linux/ctk.h>
#include "nlfuzz.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Deeper than any parser goes, and wider. */
#define DEEP 64
#define WIDE 200

static uint64_t state;

void fuzz_seed(uint64_t seed)
{
	state = seed * 2 + 1;
}

/* xorshift64*, whose numbers are the same everywhere. */
static uint32_t random_u32(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL) >> 32;
}

uint32_t fuzz_random(uint32_t below)
{
	return random_u32() % below;
}

static bool one_in(uint32_t n)
{
	return !fuzz_random(n);
}

/* --- Attributes as they should be ------------------------------------- */

/* Namespaces are made one after the other, so that others are near. */
static void put_inum(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint32_t inum = self->inum;

	if (one_in(2))
		inum += fuzz_random(2 * FUZZ_LOW_NUMBERS) - FUZZ_LOW_NUMBERS;
	nl_put_attribute(&f->m, CTK_A_NETNS_NETNS_INUM, &inum, sizeof(inum));
}

static void put_id(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint64_t id = self->id;

	if (one_in(2))
		id = fuzz_random(FUZZ_LOW_NUMBERS);
	nl_put_attribute(&f->m, CTK_A_NETNS_ID, &id, sizeof(id));
}

static void put_pid(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint32_t pid = getpid();

	(void)self;
	if (one_in(2))
		pid = fuzz_random(FUZZ_LOW_NUMBERS);
	nl_put_attribute(&f->m, CTK_A_NETNS_NETNS_PID, &pid, sizeof(pid));
}

static void put_fd(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint32_t fd = self->netns_fd;

	if (one_in(2))
		fd = fuzz_random(FUZZ_LOW_NUMBERS);
	nl_put_attribute(&f->m, CTK_A_NETNS_NETNS_FD, &fd, sizeof(fd));
}

static void put_seq(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint64_t seq = fuzz_random(FUZZ_LOW_NUMBERS);

	(void)self;
	nl_put_attribute(&f->m, CTK_A_EVENT_SEQ, &seq, sizeof(seq));
}

static void put_offender_id(const struct fuzz_self *self,
			    struct fuzz_message *f)
{
	uint64_t id = self->id;

	if (one_in(2))
		id = fuzz_random(FUZZ_LOW_NUMBERS);
	nl_put_attribute(&f->m, CTK_A_OFFENDER_NETNS_ID, &id, sizeof(id));
}

static void put_census_id(const struct fuzz_self *self, struct fuzz_message *f)
{
	uint64_t id = self->id;

	if (one_in(2))
		id = fuzz_random(FUZZ_LOW_NUMBERS);
	nl_put_attribute(&f->m, CTK_A_CENSUS_NETNS_ID, &id, sizeof(id));
}

static void put_all(const struct fuzz_self *self, struct fuzz_message *f)
{
	(void)self;
	nl_put_attribute(&f->m, CTK_A_CENSUS_ALL, NULL, 0);
}

/* One that the command takes, but for now and then. */
static void put_right(const struct fuzz_self *self, uint8_t command,
		      struct fuzz_message *f)
{
	static void (* const put_selector[])(const struct fuzz_self *self,
					     struct fuzz_message *f) = {
		put_inum, put_id, put_pid, put_fd,
	};
	static void (* const put_whose[])(const struct fuzz_self *self,
					  struct fuzz_message *f) = {
		put_census_id, put_all,
	};
	bool of_event = command == CTK_CMD_EVENT_GET;
	bool of_offender = command == CTK_CMD_OFFENDER_GET;

	if (command == CTK_CMD_CENSUS_GET && !one_in(16))
		put_whose[fuzz_random(LENGTH(put_whose))](self, f);
	else if (of_offender && !one_in(16))
		put_offender_id(self, f);
	else if (of_event != one_in(16))
		put_seq(self, f);
	else
		put_selector[fuzz_random(LENGTH(put_selector))](self, f);
}

/* --- What makes it wrong ----------------------------------------------- */

static void put_wrong(struct fuzz_message *f, uint16_t type, size_t len)
{
	uint32_t words[1024];
	size_t i;

	for (i = 0; i < (len + 3) / 4; i++)
		words[i] = random_u32();
	nl_put_attribute(&f->m, type, words, len);
}

/* Attributes that no request has, known to replies and to nobody. */
static void unknown_attribute(struct fuzz_message *f)
{
	put_wrong(f, fuzz_random(one_in(4) ? NLA_TYPE_MASK : 40),
		  fuzz_random(one_in(8) ? 4096 : 24));
}

static void many_attributes(struct fuzz_message *f)
{
	int i = 1 + fuzz_random(one_in(16) ? WIDE : 8);

	while (i--)
		unknown_attribute(f);
}

/* One of the first few, if it is there. */
static struct nlattr *some_attribute(struct fuzz_message *f)
{
	size_t left;
	const struct nlattr *a = nl_attributes(&f->m.nlh, &left);
	int skip = fuzz_random(3);

	while (skip-- && nl_attribute_ok(a, left))
		a = nl_next_attribute(a, &left);
	return nl_attribute_ok(a, left) ? (struct nlattr *)a : NULL;
}

static void attribute_length(struct fuzz_message *f)
{
	static const uint16_t lengths[] = {
		0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 20, 0x7fff, 0xffff
	};
	struct nlattr *a = some_attribute(f);

	if (a)
		a->nla_len = lengths[fuzz_random(LENGTH(lengths))];
}

static void attribute_type(struct fuzz_message *f)
{
	struct nlattr *a = some_attribute(f);

	if (!a)
		return;
	if (one_in(2))
		a->nla_type |= NLA_F_NESTED;
	else if (one_in(2))
		a->nla_type |= NLA_F_NET_BYTEORDER;
	else
		a->nla_type = random_u32();
}

static void duplicate_attribute(struct fuzz_message *f)
{
	const struct nlattr *a = some_attribute(f);
	int i = 1 + fuzz_random(one_in(16) ? WIDE : 3);
	uint64_t value[8];
	struct nlattr copy;

	if (!a || a->nla_len > NLA_HDRLEN + sizeof(value))
		return;
	copy = *a;
	memcpy(value, a + 1, copy.nla_len - NLA_HDRLEN);
	while (i--)
		nl_put_attribute(&f->m, copy.nla_type, value,
				 copy.nla_len - NLA_HDRLEN);
}

/* Each holds all that follow. */
static void deep_nest(struct fuzz_message *f)
{
	int depth = 1 + fuzz_random(DEEP);

	for (; depth; depth--) {
		struct nlattr a = {
			.nla_type = fuzz_random(CTK_A_NETNS_MAX + 2) |
				    (one_in(8) ? 0 : NLA_F_NESTED),
			.nla_len = depth * NLA_HDRLEN,
		};

		nl_put(&f->m, &a, sizeof(a));
	}
}

static void message_length(struct fuzz_message *f)
{
	const uint32_t lengths[] = {
		0, 4, 15, 16, 17, 18, 19, 20, 21, 24, f->m.nlh.nlmsg_len - 1,
		f->m.nlh.nlmsg_len + 1, f->m.nlh.nlmsg_len + 4, 0xffffffff,
		fuzz_random(256)
	};

	f->sent = f->m.nlh.nlmsg_len;
	f->m.nlh.nlmsg_len = lengths[fuzz_random(LENGTH(lengths))];
}

/* Cut off anywhere, the netlink header included. */
static void truncate_message(struct fuzz_message *f)
{
	f->sent = 1 + fuzz_random(f->m.nlh.nlmsg_len);
	if (one_in(2))
		f->m.nlh.nlmsg_len = f->sent;
}

static void generic_header(struct fuzz_message *f)
{
	struct genlmsghdr *genl = NLMSG_DATA(&f->m.nlh);

	if (one_in(2))
		genl->version = fuzz_random(256);
	else
		genl->reserved = random_u32();
}

static void message_flags(struct fuzz_message *f)
{
	f->m.nlh.nlmsg_flags = random_u32();
	if (!one_in(8))
		f->m.nlh.nlmsg_flags |= NLM_F_REQUEST;
}

/* NLMSG_NOOP, NLMSG_DONE and the like, which nobody sends to the kernel. */
static void control_message(struct fuzz_message *f)
{
	f->m.nlh.nlmsg_type = fuzz_random(NLMSG_MIN_TYPE);
}

static void any_byte(struct fuzz_message *f)
{
	int i = 1 + fuzz_random(8);

	while (i--)
		f->m.bytes[NLMSG_HDRLEN +
			   fuzz_random(f->m.nlh.nlmsg_len - NLMSG_HDRLEN)] =
			fuzz_random(256);
}

/* Bytes that are no attribute, at an end that is not aligned. */
static void garbage_tail(struct fuzz_message *f)
{
	int i = 1 + fuzz_random(15);

	while (i-- && f->m.nlh.nlmsg_len < sizeof(f->m))
		f->m.bytes[f->m.nlh.nlmsg_len++] = fuzz_random(256);
}

static void (* const spoil[])(struct fuzz_message *f) = {
	unknown_attribute, many_attributes, attribute_length, attribute_type,
	duplicate_attribute, deep_nest, generic_header, message_flags,
	control_message, any_byte, garbage_tail,
};

/* These are the last, since they break what the others go by. */
static void (* const break_off[])(struct fuzz_message *f) = {
	message_length, truncate_message,
};

/* --- The datagram ------------------------------------------------------ */

static void make_one(const struct fuzz_self *self, struct fuzz_message *f)
{
	/* Those that there are, mostly. */
	uint8_t command = one_in(4) ? fuzz_random(CTK_CMD_MAX + 3) :
				      1 + fuzz_random(CTK_CMD_MAX);
	int rights = fuzz_random(8) * 3 / 8;
	int wrongs = fuzz_random(3);
	bool dump = command == CTK_CMD_EVENT_GET ? !one_in(8) : one_in(3);

	nl_begin_command(&f->m, self->family.id, command,
			 dump ? NLM_F_DUMP : 0);
	if (one_in(4))
		f->m.nlh.nlmsg_flags &= ~NLM_F_ACK;
	while (rights--)
		put_right(self, command, f);
	while (wrongs--)
		spoil[fuzz_random(LENGTH(spoil))](f);
	f->sent = f->m.nlh.nlmsg_len;
}

/* Another message behind it in the same datagram. */
static void add_message(const struct fuzz_self *self, struct fuzz_message *f)
{
	static struct fuzz_message second;
	size_t at = NLMSG_ALIGN(f->sent);

	make_one(self, &second);
	if (at + second.sent > sizeof(f->m))
		return;
	memset(f->m.bytes + f->sent, 0, at - f->sent);
	memcpy(f->m.bytes + at, second.m.bytes, second.sent);
	f->sent = at + second.sent;
}

/*
 * Takes the datagram apart as netlink_rcv_skb() does, where what follows too
 * short a message is another, and keeps any that would be for somebody else
 * here. What asks for an acknowledgment gets one, or a refusal, or the end of
 * a dump; of the rest a refusal and the end of a dump only.
 */
static void expect_ends(const struct fuzz_self *self, struct fuzz_message *f)
{
	size_t at = 0, left = f->sent;

	f->ends_min = 0;
	f->ends_max = 0;
	while (left >= NLMSG_HDRLEN) {
		struct nlmsghdr *nlh = (void *)(f->m.bytes + at);
		size_t step = NLMSG_ALIGN((size_t)nlh->nlmsg_len);

		if (nlh->nlmsg_len < NLMSG_HDRLEN || nlh->nlmsg_len > left)
			break;
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE)
			nlh->nlmsg_type = self->family.id;
		if (nlh->nlmsg_flags & NLM_F_ACK)
			f->ends_min++;
		if (nlh->nlmsg_flags & NLM_F_ACK ||
		    (nlh->nlmsg_flags & NLM_F_REQUEST &&
		     nlh->nlmsg_type >= NLMSG_MIN_TYPE))
			f->ends_max++;
		if (step > left)
			step = left;
		at += step;
		left -= step;
	}
}

/**
 * fuzz_make() - the next datagram
 * @self: who sends it
 * @f: filled
 */
void fuzz_make(const struct fuzz_self *self, struct fuzz_message *f)
{
	make_one(self, f);
	if (one_in(8))
		break_off[fuzz_random(LENGTH(break_off))](f);
	else if (one_in(16))
		add_message(self, f);
	expect_ends(self, f);
}
