// SPDX-License-Identifier: GPL-2.0
/*
 * The udp mode of flowgen: a datagram of one byte per flow. It owns one
 * socket at a time, bound to a source, and never waits for an answer.
 *
 * A datagram that a netfilter hook on the way out refuses comes back as
 * EPERM, which makes sendto() an exact witness of what the table cost.
 */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "flowgen.h"

static void set_flag(int fd, int level, int option)
{
	int one = 1;

	if (setsockopt(fd, level, option, &one, sizeof(one)))
		die(errno, "setsockopt %d", option);
}

/*
 * SO_REUSEADDR lets several floods run from the same ports; the freebind
 * options allow a source that no interface has.
 */
static int open_source(const struct flow *flow)
{
	union address from = { .sa.sa_family = opts->to.sa.sa_family };
	int fd = socket(from.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(errno, "socket");
	set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
	if (from.sa.sa_family == AF_INET)
		set_flag(fd, IPPROTO_IP, IP_FREEBIND);
	else
		set_flag(fd, IPPROTO_IPV6, IPV6_FREEBIND);
	if (opts->from_count)
		from = opts->from;
	from = address_at(&from, flow->source, flow->sport);
	if (bind(fd, &from.sa, address_len(&from)))
		die(errno, "bind to port %u", flow->sport);
	return fd;
}

void udp_run(void)
{
	struct flow last = { };
	union address to;
	uint64_t index;
	int fd = -1;

	while (attempt_next(&index)) {
		struct flow flow = flow_at(index);

		if (fd < 0 || flow.sport != last.sport ||
		    flow.source != last.source) {
			if (fd >= 0)
				close(fd);
			fd = open_source(&flow);
			last = flow;
		}
		to = address_at(&opts->to, 0, flow.dport);
		if (sendto(fd, "x", 1, 0, &to.sa, address_len(&to)) == 1)
			tally.done++;
		else
			count_error(errno);
	}
	if (fd >= 0)
		close(fd);
}
