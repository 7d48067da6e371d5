/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the modes of the flow generator share: the options, the loop that
 * paces and counts attempts, the arithmetic from a flow's number to its
 * addresses and ports. A mode owns its sockets and nothing else.
 */
#ifndef FLOWGEN_H
#define FLOWGEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define FLOWGEN_ERRNO_MAX 256

/* Exit codes beside 0. */
#define FLOWGEN_USAGE 1
#define FLOWGEN_FAILED 2

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct port_range {
	uint16_t first;
	uint16_t last;
};

struct options {
	union address to;
	union address from;		/* the first of @from_count */
	uint32_t from_count;		/* 0: the kernel chooses the source */
	struct port_range sport;
	struct port_range dport;
	uint64_t count;			/* 0: until @seconds have passed */
	uint32_t seconds;
	uint32_t rate;			/* attempts per second, 0: no limit */
	uint32_t timeout;		/* seconds, of an entry made by ctnetlink */
	uint32_t syn_retries;
	int cpu;			/* -1: where the scheduler likes */
	int proto;			/* IPPROTO_TCP or _UDP, for ctnetlink */
	bool hold;
	const char *server_netns;
};

struct mode {
	const char *name;
	const char *done_key;		/* what tally.done is called */
	void (*run)(void);
	void (*report)(void);
	void (*hold)(void);
	const char *options;		/* those it takes beside the common ones */
};

/* One line of the result is made of these; see report() in flowgen.c. */
struct tally {
	uint64_t attempts;
	uint64_t done;
	uint64_t errors[FLOWGEN_ERRNO_MAX];
};

/* A flow: which source address, source port and destination port. */
struct flow {
	uint32_t source;
	uint16_t sport;
	uint16_t dport;
};

const struct mode *parse_options(struct options *o, int argc, char **argv);

extern const struct options *opts;
extern struct tally tally;

bool attempt_next(uint64_t *index);
bool interrupted(void);
void count_error(int error);
uint64_t flows_distinct(const struct options *o);
struct flow flow_at(uint64_t index);
union address address_at(const union address *base, uint32_t offset,
			 uint16_t port);
uint32_t address_low(const union address *a);
socklen_t address_len(const union address *a);
void raise_open_files(uint64_t need);
__attribute__((noreturn, format(printf, 2, 3)))
void die(int error, const char *format, ...);

void udp_run(void);
void raw_run(void);
void tcp_run(void);
void tcp_report(void);
void tcp_hold(void);
void ctnetlink_run(void);

#endif
