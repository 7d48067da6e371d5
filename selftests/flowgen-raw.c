// SPDX-License-Identifier: GPL-2.0
/*
 * The raw mode of flowgen: a datagram of one byte per flow, as in the udp
 * mode, but each from an address drawn at random from --from, which nobody
 * need have. It owns one raw socket and writes the IP header itself, so that a
 * million sources cost no socket each.
 *
 * The addresses are drawn by the number of the flow, so a run can be repeated.
 * EPERM is what a hook on the way out refused, as in the udp mode.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "flowgen.h"

/* The kernel fills in the length, the id and the checksum of IP: raw(7). */
struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char data;
} __attribute__((packed));

/* splitmix64, of Steele, Lea, Flood: Fast Splittable PRNGs, OOPSLA 2014. */
static uint64_t drawn(uint64_t number)
{
	uint64_t z = (number + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void raw_run(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	union address to = address_at(&opts->to, 0, 0);
	struct packet packet = {
		.ip = {
			.version = 4,
			.ihl = sizeof(packet.ip) / 4,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.daddr = to.v4.sin_addr.s_addr,
		},
		.udp.len = htons(sizeof(packet.udp) + sizeof(packet.data)),
		.data = 'x',
	};
	uint64_t index;

	if (fd < 0)
		die(errno, "raw socket");
	while (attempt_next(&index)) {
		struct flow flow = flow_at(index);
		union address from = address_at(&opts->from,
						drawn(index) % opts->from_count,
						0);

		packet.ip.saddr = from.v4.sin_addr.s_addr;
		packet.udp.source = htons(flow.sport);
		packet.udp.dest = htons(flow.dport);
		if (sendto(fd, &packet, sizeof(packet), 0, &to.sa,
			   address_len(&to)) == sizeof(packet))
			tally.done++;
		else
			count_error(errno);
	}
	close(fd);
}
