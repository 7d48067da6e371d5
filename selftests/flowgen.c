// SPDX-License-Identifier: GPL-2.0
/*
 * flowgen - makes flows and says exactly what became of each.
 *
 * This file owns the pace, the progress bar and the result, whose last line
 * is key=value pairs for scripts. It never opens a socket: that is what
 * flowgen-udp.c, flowgen-raw.c, flowgen-tcp.c and flowgen-ctnetlink.c do.
 *
 * Every attempt is one system call of its own, because a batch hides which
 * of its packets failed: sendmmsg() reports an error only where it struck
 * the first message (see its man page, BUGS), and so counts too few.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "flowgen.h"

const struct options *opts;
struct tally tally;

static const struct mode *mode;
/* checkpatch: VOLATILE: what a signal handler may write, says ISO C. */
static volatile sig_atomic_t stop;
static struct timespec started;

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

bool interrupted(void)
{
	return stop;
}

void die(int error, const char *format, ...)
{
	va_list args;

	fputs("flowgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(FLOWGEN_FAILED);
}

static double elapsed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - started.tv_sec +
	       (now.tv_nsec - started.tv_nsec) / 1e9;
}

void count_error(int error)
{
	if (error < 0 || error >= FLOWGEN_ERRNO_MAX)
		die(error, "errno %d is out of range", error);
	tally.errors[error]++;
}

static void show_progress(double seconds)
{
	double part = opts->count ? (double)tally.attempts / opts->count :
				    seconds / opts->seconds;
	int width = 40, full, i;

	if (part > 1)
		part = 1;
	full = part * width;
	fprintf(stderr, "\r%s [", mode->name);
	for (i = 0; i < width; i++)
		fputc(i < full ? '#' : '.', stderr);
	fprintf(stderr, "] %3d%% %llu", (int)(part * 100),
		(unsigned long long)tally.attempts);
}

/* Looks at the clock, which costs a flood too much to do for each packet. */
static bool time_is_left(void)
{
	static double shown = -1;
	static int on_terminal = -1;
	double now = elapsed();

	if (on_terminal < 0)
		on_terminal = isatty(STDERR_FILENO);
	if (on_terminal && now - shown > 0.2) {
		show_progress(now);
		shown = now;
	}
	return !opts->seconds || now < opts->seconds;
}

static void keep_pace(void)
{
	double ahead = (double)tally.attempts / opts->rate - elapsed();
	struct timespec pause;

	if (ahead <= 0)
		return;
	pause.tv_sec = ahead;
	pause.tv_nsec = (ahead - pause.tv_sec) * 1e9;
	nanosleep(&pause, NULL);
}

/* Gives the number of the next flow, or false when the run is over. */
bool attempt_next(uint64_t *index)
{
	static uint64_t distinct;

	if (stop || (opts->count && tally.attempts >= opts->count))
		return false;
	if (opts->rate)
		keep_pace();
	if ((tally.attempts % 256 == 0 || opts->rate) && !time_is_left())
		return false;
	if (!distinct)
		distinct = flows_distinct(opts);
	*index = tally.attempts++ % distinct;
	return true;
}

static uint32_t ports_in(const struct port_range *range)
{
	return range->last - range->first + 1;
}

uint64_t flows_distinct(const struct options *o)
{
	uint64_t sources = o->from_count ? o->from_count : 1;

	return sources * ports_in(&o->sport) * ports_in(&o->dport);
}

/* Destination ports change fastest: a UDP socket serves a run of them. */
struct flow flow_at(uint64_t index)
{
	uint32_t sources = opts->from_count ? opts->from_count : 1;
	uint32_t dports = ports_in(&opts->dport);
	struct flow flow;

	flow.dport = opts->dport.first + index % dports;
	index /= dports;
	flow.source = index % sources;
	flow.sport = opts->sport.first + index / sources;
	return flow;
}

socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

/* The part of an address that ranges count in: its last 32 bits. */
uint32_t address_low(const union address *a)
{
	uint32_t low;

	if (a->sa.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr);
	memcpy(&low, &a->v6.sin6_addr.s6_addr[12], sizeof(low));
	return ntohl(low);
}

union address address_at(const union address *base, uint32_t offset,
			 uint16_t port)
{
	union address a = *base;
	uint32_t low = htonl(address_low(base) + offset);

	if (a.sa.sa_family == AF_INET) {
		a.v4.sin_addr.s_addr = low;
		a.v4.sin_port = htons(port);
	} else {
		memcpy(&a.v6.sin6_addr.s6_addr[12], &low, sizeof(low));
		a.v6.sin6_port = htons(port);
	}
	return a;
}

void raise_open_files(uint64_t need)
{
	struct rlimit limit = { .rlim_cur = need, .rlim_max = need };
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now))
		die(errno, "getrlimit");
	if (now.rlim_cur >= need)
		return;
	if (now.rlim_max >= need)
		limit.rlim_max = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die(errno, "%llu files cannot be open at once, see fs.nr_open",
		    (unsigned long long)need);
}

static void report(void)
{
	int error;

	if (isatty(STDERR_FILENO)) {
		show_progress(elapsed());
		fputc('\n', stderr);
	}
	printf("mode=%s attempts=%llu %s=%llu", mode->name,
	       (unsigned long long)tally.attempts, mode->done_key,
	       (unsigned long long)tally.done);
	if (mode->report)
		mode->report();
	for (error = 0; error < FLOWGEN_ERRNO_MAX; error++) {
		if (!tally.errors[error])
			continue;
		printf(" %s=%llu", strerrorname_np(error) ?: "EUNKNOWN",
		       (unsigned long long)tally.errors[error]);
	}
	printf(" elapsed=%.9f\n", elapsed());
	if (fflush(stdout))
		die(errno, "standard output");
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die(errno, "CPU %d", cpu);
}

int main(int argc, char **argv)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_RESTART,
	};
	struct options options = {
		.sport = { 61000, 64999 },
		.dport = { 1024, 60999 },
		.timeout = 432000,
		.syn_retries = 1,
		.cpu = -1,
		.proto = IPPROTO_TCP,
	};

	mode = parse_options(&options, argc, argv);
	opts = &options;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (options.cpu >= 0)
		pin(options.cpu);
	clock_gettime(CLOCK_MONOTONIC, &started);
	mode->run();
	report();
	if (options.hold)
		mode->hold();
	return 0;
}
