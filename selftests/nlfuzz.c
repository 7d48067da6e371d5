// SPDX-License-Identifier: GPL-2.0
/*
 * nlfuzz - sends ctk messages that are wrong in all ways, and some that are
 * right, and looks at each answer: an errno, a valid message, or silence where
 * netlink itself ignores what was sent. The same seed sends the same. Ends at
 * the first answer that is wrong, with the message that got it.
 *
 * The kernel handles a message before send() returns, and puts the next part
 * of a dump into the socket before recv() returns the last; so the answer is
 * complete when there is nothing to read. Only a notification is waited for, by
 * whoever may be told and was not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/ctk.h>
#include "nlfuzz.h"

/* With and without an extack, and with the request in it and without. */
#define SOCKETS 4

/* Sockets with an unfinished dump each, at once and for how many messages. */
#define CROWD 300
#define CROWD_STAYS 4096

/* Messages from one dump closed half-way, and one joining, to the next. */
#define CLOSE_EVERY 64
#define JOIN_EVERY 256

/* Milliseconds at most until something has happened and a worker has told. */
#define NOTIFIED_WITHIN 120000

static struct {
	unsigned long sent;
	unsigned long answered;
	unsigned long silent;
	unsigned long closed;
	unsigned long joined;
	unsigned long join_refused;
	struct fuzz_answer answer;
} total;

static struct fuzz_self self = {
	.family.group_name = CTK_MCGRP_EVENTS,
};

static struct fuzz_message message;

/* A refusal may hold all of the request, and more. */
static union {
	struct nlmsghdr nlh;
	char bytes[2 * sizeof(union nl_message)];
} answer;

static unsigned long seed = 1;
static int sockets[SOCKETS];
static int listener;
static int crowd[CROWD];
static size_t crowded;

static void print_bytes(const char *what, const char *bytes, size_t len)
{
	size_t i;

	fprintf(stderr, "  %s", what);
	for (i = 0; i < len && i < 512; i++)
		fprintf(stderr, "%s%02x", i % 4 ? "" : " ",
			(unsigned char)bytes[i]);
	fprintf(stderr, "%s\n", i < len ? " ..." : "");
}

static void complain(const char *wrong, size_t received)
{
	fprintf(stderr, "nlfuzz: message %lu of --seed %lu: %s\n", total.sent,
		seed, wrong);
	print_bytes("sent", message.m.bytes, message.sent);
	print_bytes("received", answer.bytes, received);
	exit(1);
}

/* One part of an answer. False where there is none. */
static bool receive(int sock, struct fuzz_answer *counts)
{
	ssize_t len = recv(sock, &answer, sizeof(answer), MSG_DONTWAIT);
	const char *wrong;

	if (len < 0) {
		if (errno == EAGAIN)
			return false;
		if (errno != ENOBUFS || sock != listener)
			nl_die("recv");
		self.heard = 0;
		return true;
	}
	wrong = fuzz_check(&self, &answer, len, counts);
	if (wrong)
		complain(wrong, len);
	return true;
}

static void receive_all(int sock, struct fuzz_answer *counts)
{
	while (receive(sock, counts))
		;
}

static void add_up(const struct fuzz_answer *got)
{
	total.answered += got->ends || got->replies;
	total.silent += !got->ends && !got->replies;
	total.answer.ends += got->ends;
	total.answer.refused += got->refused;
	total.answer.replies += got->replies;
	total.answer.events += got->events;
	total.answer.censuses += got->censuses;
	total.answer.notified += got->notified;
}

static void send_one(int sock)
{
	struct fuzz_answer got = { };
	const char *wrong;

	fuzz_make(&self, &message);
	nl_send(sock, &message.m, message.sent);
	total.sent++;
	receive_all(sock, &got);
	wrong = fuzz_check_ends(&message, &got);
	if (wrong)
		complain(wrong, 0);
	add_up(&got);
}

/* --- Dumps that nobody reads to the end ---------------------------------- */

static void send_right(int sock, uint8_t command, uint16_t flags)
{
	nl_begin_command(&message.m, self.family.id, command, flags);
	message.sent = message.m.nlh.nlmsg_len;
	nl_send(sock, &message.m, message.sent);
	total.sent++;
}

static int begin_dump(void)
{
	static const uint8_t dumps[] = {
		CTK_CMD_NETNS_GET, CTK_CMD_EVENT_GET, CTK_CMD_CENSUS_GET
	};
	int sock = nl_open();

	send_right(sock, dumps[fuzz_random(sizeof(dumps))], NLM_F_DUMP);
	return sock;
}

/* What has been read of it is checked, be it none, a part or all. */
static void end_dump(int sock)
{
	struct fuzz_answer got = { };
	int parts = fuzz_random(4);

	while (parts-- && receive(sock, &got))
		;
	add_up(&got);
	total.closed += !got.ends;
	close(sock);
}

static void gather_crowd(void)
{
	for (crowded = 0; crowded < CROWD; crowded++)
		crowd[crowded] = begin_dump();
}

static void disperse_crowd(void)
{
	while (crowded)
		end_dump(crowd[--crowded]);
}

/* --- The multicast group ------------------------------------------------- */

static void join(int sock)
{
	if (nl_join(sock, self.family.group))
		total.joined++;
	else if (errno == EPERM)
		total.join_refused++;
	else
		nl_die("join");
}

/* What the one that stays has heard. */
static void listen_to_all(void)
{
	struct fuzz_answer got = { };

	receive_all(listener, &got);
	total.answer.notified += got.notified;
}

/* And one that comes and goes. */
static void listen_and_join(void)
{
	int sock = nl_open();

	join(sock);
	listen_to_all();
	close(sock);
}

/* All may be sent before anything happens. */
static void be_notified(void)
{
	struct pollfd heard = { .fd = listener, .events = POLLIN };

	listen_to_all();
	if (!total.joined || total.answer.notified)
		return;
	if (poll(&heard, 1, NOTIFIED_WITHIN) < 0)
		nl_die("poll");
	listen_to_all();
}

/* --- All of it ------------------------------------------------------------ */

static void fuzz(unsigned long count)
{
	unsigned long i;

	for (i = 0; total.sent < count; i++) {
		if (i % (4 * CROWD_STAYS) == 0)
			gather_crowd();
		if (i % (4 * CROWD_STAYS) == CROWD_STAYS)
			disperse_crowd();
		if (i % CLOSE_EVERY == 0)
			end_dump(begin_dump());
		if (i % JOIN_EVERY == 0)
			listen_and_join();
		send_one(sockets[i % SOCKETS]);
	}
	disperse_crowd();
}

/* Each has to be answered, with something, as if nothing had been. */
static void still_right(int sock, uint8_t command, uint16_t flags)
{
	struct fuzz_answer got = { };

	send_right(sock, command, flags);
	receive_all(sock, &got);
	if (got.ends != 1 || got.refused || !got.replies)
		complain("a right message is not answered any more", 0);
	add_up(&got);
}

static void find_self(void)
{
	struct stat st;

	self.netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (self.netns_fd < 0 || fstat(self.netns_fd, &st))
		nl_die("/proc/self/ns/net");
	self.inum = st.st_ino;
}

static void open_sockets(void)
{
	int i;

	for (i = 0; i < SOCKETS; i++) {
		sockets[i] = nl_open();
		if (i & 1)
			nl_set(sockets[i], NETLINK_EXT_ACK);
		if (i & 2)
			nl_set(sockets[i], NETLINK_CAP_ACK);
	}
	nl_find_family(sockets[0], CTK_FAMILY_NAME, &self.family);
	listener = nl_open();
	join(listener);
}

static void report(void)
{
	int i;

	printf("seed=%lu sent=%lu answered=%lu silent=%lu ends=%lu refused=%lu replies=%lu events=%lu censuses=%lu closed=%lu joined=%lu join_refused=%lu notified=%lu",
	       seed, total.sent, total.answered, total.silent,
	       total.answer.ends, total.answer.refused, total.answer.replies,
	       total.answer.events, total.answer.censuses, total.closed,
	       total.joined,
	       total.join_refused, total.answer.notified);
	for (i = 1; i < FUZZ_ERRNOS; i++)
		if (fuzz_errnos[i])
			printf(" %s=%lu", strerrorname_np(i), fuzz_errnos[i]);
	putchar('\n');
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (*end || end == text) {
		errno = EINVAL;
		nl_die(text);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "only-own", no_argument, NULL, 'o' },
		{ }
	};
	unsigned long count = 10000;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's') {
			seed = number(optarg);
		} else if (c == 'c') {
			count = number(optarg);
		} else if (c == 'o') {
			self.only_own = true;
		} else {
			fputs("usage: nlfuzz [--seed N] [--count N] [--only-own]\n",
			      stderr);
			return 2;
		}
	}
	fuzz_seed(seed);
	find_self();
	open_sockets();
	still_right(sockets[0], CTK_CMD_NETNS_GET, 0);
	fuzz(count);
	be_notified();
	still_right(sockets[0], CTK_CMD_STATUS_GET, 0);
	still_right(sockets[0], CTK_CMD_NETNS_GET, 0);
	still_right(sockets[0], CTK_CMD_NETNS_GET, NLM_F_DUMP);
	report();
	return 0;
}
