// SPDX-License-Identifier: GPL-2.0
/*
 * The tcp mode of flowgen: connections that are really open at both ends.
 * It owns the listening, the connecting and the accepted sockets; with
 * --server-netns the accepting ones belong to another namespace.
 *
 * At a full table connect() does not fail: the SYN is dropped and the
 * kernel sends it again (EINPROGRESS first, ETIMEDOUT after the last). So
 * the witness of what was lost is tcpi_total_retrans of every attempt that
 * failed, read after the kernel gave up, when it no longer moves: each has
 * cost one SYN more than that. No attempt is ever given up early.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowgen.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* How long the accepting end may lag behind the connecting one. */
#define ACCEPT_WAIT_MS 5000

static int listeners[UINT16_MAX];
static int listener_count;
static int *pending;
static size_t pending_count;
static uint64_t accepted, lost_syns, unfinished;

static int open_listener(uint16_t port)
{
	union address a = address_at(&opts->to, 0, port);
	int one = 1;
	int fd = socket(a.sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a.sa, address_len(&a)) || listen(fd, SOMAXCONN))
		die(errno, "cannot listen on port %u", port);
	return fd;
}

static void enter_netns(int fd, const char *what)
{
	if (setns(fd, CLONE_NEWNET))
		die(errno, "cannot enter the namespace %s", what);
}

static void open_listeners(void)
{
	int home = -1, away = -1;
	uint32_t port;

	if (opts->server_netns) {
		home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		away = open(opts->server_netns, O_RDONLY | O_CLOEXEC);
		if (home < 0 || away < 0)
			die(errno, "%s", opts->server_netns);
		enter_netns(away, opts->server_netns);
	}
	for (port = opts->dport.first; port <= opts->dport.last; port++)
		listeners[listener_count++] = open_listener(port);
	if (home >= 0) {
		enter_netns(home, "it came from");
		close(home);
		close(away);
	}
}

/* Takes what waits; the connections stay open until the process ends. */
static bool accept_from(int listener)
{
	bool any = false;

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			accepted++;
			any = true;
		} else if (errno == EAGAIN) {
			return any;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			die(errno, "accept");
		}
	}
}

static int open_client(const struct flow *flow)
{
	int one = 1, retries = opts->syn_retries;
	int fd = socket(opts->to.sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	union address from;

	if (fd < 0)
		die(errno, "socket");
	if (setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries)))
		die(errno, "TCP_SYNCNT");
	if (!opts->from_count)
		return fd;
	/* Choose the port in connect(), per destination, not in bind(). */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	from = address_at(&opts->from, flow->source, 0);
	if (bind(fd, &from.sa, address_len(&from)))
		die(errno, "bind");
	return fd;
}

/* A failed attempt: what it cost, and why. */
static void fail(int fd, int error)
{
	struct tcp_info info = { };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		die(errno, "TCP_INFO");
	lost_syns += 1 + info.tcpi_total_retrans;
	count_error(error);
	close(fd);
}

/* True when the attempt has ended, well or not. */
static bool settle(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error;

	if (poll(&p, 1, wait_ms) <= 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		die(errno, "SO_ERROR");
	if (error)
		fail(fd, error);
	else
		tally.done++;
	return true;
}

static void settle_pending(void)
{
	size_t i;

	for (i = 0; i < pending_count; i++) {
		while (!settle(pending[i], 1000)) {
			if (interrupted()) {
				unfinished += pending_count - i;
				return;
			}
		}
	}
}

static void accept_rest(void)
{
	struct pollfd p = { .events = POLLIN };
	int i;

	for (i = 0; i < listener_count; i++)
		accept_from(listeners[i]);
	for (i = 0; i < listener_count && accepted < tally.done; i++) {
		p.fd = listeners[i];
		while (accepted < tally.done &&
		       poll(&p, 1, ACCEPT_WAIT_MS / listener_count) > 0)
			accept_from(p.fd);
	}
}

static void add_pending(int fd)
{
	static size_t room;

	if (pending_count == room) {
		room = room ? room * 2 : 1024;
		pending = realloc(pending, room * sizeof(*pending));
		if (!pending)
			die(errno, "list of connections");
	}
	pending[pending_count++] = fd;
}

void tcp_run(void)
{
	union address to;
	uint64_t index;

	/* Two ends each; a run by time takes what fs.nr_open is by default. */
	raise_open_files(opts->count ?
			 opts->count * 2 + opts->dport.last -
			 opts->dport.first + 64 : 1 << 20);
	open_listeners();
	while (attempt_next(&index)) {
		struct flow flow = flow_at(index);
		int fd = open_client(&flow);

		to = address_at(&opts->to, 0, flow.dport);
		if (connect(fd, &to.sa, address_len(&to)) &&
		    errno != EINPROGRESS) {
			fail(fd, errno);
			continue;
		}
		accept_from(listeners[flow.dport - opts->dport.first]);
		if (!settle(fd, 0))
			add_pending(fd);
	}
	settle_pending();
	accept_rest();
}

void tcp_report(void)
{
	printf(" accepted=%llu lost_syns=%llu", (unsigned long long)accepted,
	       (unsigned long long)lost_syns);
	if (unfinished)
		printf(" unfinished=%llu", (unsigned long long)unfinished);
}

void tcp_hold(void)
{
	/* Not pause(), which would miss a signal just before it. */
	while (!interrupted())
		poll(NULL, 0, 1000);
}
