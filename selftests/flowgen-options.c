// SPDX-License-Identifier: GPL-2.0
/*
 * The command line of flowgen: what its modes are, what each may be told,
 * and a clear word about everything that is wrong. It never acts on any of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowgen.h"

static const struct mode modes[] = {
	{ "udp", "sent", udp_run, NULL, NULL, "frSD" },
	{ "raw", "sent", raw_run, NULL, NULL, "frSD" },
	{ "tcp", "opened", tcp_run, tcp_report, tcp_hold, "frDHNy" },
	{ "ctnetlink", "inserted", ctnetlink_run, NULL, NULL, "fSDPT" },
};

static const struct mode *mode;

__attribute__((noreturn, format(printf, 1, 2)))
static void usage_error(const char *format, ...)
{
	va_list args;

	fputs("flowgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry 'flowgen --help'.\n", stderr);
	exit(FLOWGEN_USAGE);
}

static const char help[] =
"Usage: flowgen MODE --to ADDRESS --count N|--seconds N [OPTIONS]\n"
"       flowgen --help\n"
"\n"
"  udp        one datagram per flow, one sendto() each\n"
"  raw        likewise, each from a source drawn at random from --from\n"
"  tcp        real connections, both ends opened and accepted by flowgen\n"
"  ctnetlink  assured entries put into this namespace's conntrack table\n"
"\n"
"  -t, --to ADDRESS           IPv4 or IPv6 destination\n"
"  -n, --count N              this many attempts\n"
"  -s, --seconds N            or for this long\n"
"  -c, --cpu N                run on this CPU only\n"
"  -f, --from FIRST[-LAST]    source addresses, need not be on an interface\n"
"  -D, --dport FIRST[-LAST]   destination ports (1024-60999; tcp: 5201)\n"
"  -S, --sport FIRST[-LAST]   source ports (61000-64999), but not tcp\n"
"  -r, --rate N               attempts per second, but not ctnetlink\n"
"  -N, --server-netns PATH    tcp: the accepting end is in that namespace\n"
"  -y, --syn-retries N        tcp: as TCP_SYNCNT (1)\n"
"  -H, --hold                 tcp: keep the connections until SIGTERM\n"
"  -P, --proto tcp|udp        ctnetlink: of the entries (tcp, established)\n"
"  -T, --timeout SECONDS      ctnetlink: of the entries (432000)\n"
"\n"
"Source and destination ports should not overlap between addresses of one\n"
"host: a flow whose reverse is tracked already is not a new one.\n"
"\n"
"The last line says what happened: attempts, sent (opened, inserted), and\n"
"each errno by its name. Exit: 0 when that line was printed, whatever it\n"
"says; 1 for bad usage; 2 when the run was not possible.\n";

static const struct option long_options[] = {
	{ "to", required_argument, NULL, 't' },
	{ "count", required_argument, NULL, 'n' },
	{ "seconds", required_argument, NULL, 's' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "from", required_argument, NULL, 'f' },
	{ "dport", required_argument, NULL, 'D' },
	{ "sport", required_argument, NULL, 'S' },
	{ "rate", required_argument, NULL, 'r' },
	{ "server-netns", required_argument, NULL, 'N' },
	{ "syn-retries", required_argument, NULL, 'y' },
	{ "hold", no_argument, NULL, 'H' },
	{ "proto", required_argument, NULL, 'P' },
	{ "timeout", required_argument, NULL, 'T' },
	{ }
};

static uint64_t parse_number(const char *what, const char *text, uint64_t min,
			     uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < min ||
	    value > max)
		usage_error("--%s '%s' is not a number from %llu to %llu", what,
			    text, (unsigned long long)min,
			    (unsigned long long)max);
	return value;
}

/* Cuts FIRST[-LAST] in two; LAST is FIRST where it is not given. */
static void split_range(char *text, char **first, char **last)
{
	char *dash = strchr(text, '-');

	*first = text;
	*last = text;
	if (dash) {
		*dash = '\0';
		*last = dash + 1;
	}
}

static struct port_range parse_ports(const char *what, char *text)
{
	struct port_range range;
	char *first, *last;

	split_range(text, &first, &last);
	range.first = parse_number(what, first, 1, UINT16_MAX);
	range.last = parse_number(what, last, 1, UINT16_MAX);
	if (range.last < range.first)
		usage_error("--%s %s-%s ends before it begins", what, first,
			    last);
	return range;
}

static union address parse_address(const char *what, const char *text)
{
	union address a = { };

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	else
		usage_error("--%s '%s' is not an IP address", what, text);
	return a;
}

/* As parse_address() gives them, with zeros in what is not used. */
static bool same_address(const union address *a, const union address *b)
{
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	return !memcmp(a, b, sizeof(*a));
}

static void parse_sources(struct options *o, char *text)
{
	char *first, *last;
	union address end, reached;

	split_range(text, &first, &last);
	o->from = parse_address("from", first);
	end = parse_address("from", last);
	o->from_count = address_low(&end) - address_low(&o->from) + 1;
	reached = address_at(&o->from, o->from_count - 1, 0);
	if (address_low(&end) < address_low(&o->from) || !o->from_count ||
	    !same_address(&reached, &end))
		usage_error("--from %s-%s is not a range of addresses", first,
			    last);
}

static const struct mode *parse_mode(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (name && !strcmp(name, modes[i].name))
			return &modes[i];
	usage_error(name ? "there is no mode '%s'" : "no mode given", name);
}

static void parse_option(struct options *o, int c)
{
	if (!strchr("tnsc?", c) && !strchr(mode->options, c))
		usage_error("mode %s has no option -%c", mode->name, c);
	switch (c) {
	case 't':
		o->to = parse_address("to", optarg);
		break;
	case 'n':
		o->count = parse_number("count", optarg, 1, UINT32_MAX);
		break;
	case 's':
		o->seconds = parse_number("seconds", optarg, 1, 86400);
		break;
	case 'c':
		o->cpu = parse_number("cpu", optarg, 0, CPU_SETSIZE - 1);
		break;
	case 'f':
		parse_sources(o, optarg);
		break;
	case 'D':
		o->dport = parse_ports("dport", optarg);
		break;
	case 'S':
		o->sport = parse_ports("sport", optarg);
		break;
	case 'r':
		o->rate = parse_number("rate", optarg, 1, 100000000);
		break;
	case 'N':
		o->server_netns = optarg;
		break;
	case 'y':
		o->syn_retries = parse_number("syn-retries", optarg, 1, 127);
		break;
	case 'H':
		o->hold = true;
		break;
	case 'P':
		o->proto = !strcmp(optarg, "tcp") ? IPPROTO_TCP :
			   !strcmp(optarg, "udp") ? IPPROTO_UDP : 0;
		if (!o->proto)
			usage_error("--proto '%s' is neither tcp nor udp", optarg);
		break;
	case 'T':
		o->timeout = parse_number("timeout", optarg, 1, INT32_MAX);
		break;
	default:
		usage_error("wrong options");
	}
}

static void check_options(const struct options *o)
{
	if (!o->to.sa.sa_family)
		usage_error("no destination, give --to");
	if (!o->count == !o->seconds)
		usage_error("give either --count or --seconds");
	if (o->from_count && o->from.sa.sa_family != o->to.sa.sa_family)
		usage_error("--from and --to are of different families");
	if (mode->run == raw_run &&
	    (o->to.sa.sa_family != AF_INET || !o->from_count))
		usage_error("mode raw is for IPv4 and needs --from");
	if (mode->run != tcp_run && o->count > flows_distinct(o))
		usage_error("these addresses and ports make %llu flows, fewer than --count %llu",
			    (unsigned long long)flows_distinct(o),
			    (unsigned long long)o->count);
}

const struct mode *parse_options(struct options *o, int argc, char **argv)
{
	int c;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(help, stdout);
		exit(0);
	}
	mode = parse_mode(argv[1]);
	if (mode->run == tcp_run) {
		o->sport = (struct port_range){ 1, 1 };
		o->dport = (struct port_range){ 5201, 5201 };
	}
	optind = 2;
	while ((c = getopt_long(argc, argv, "t:n:s:c:f:D:S:r:N:y:HP:T:",
				long_options, NULL)) != -1)
		parse_option(o, c);
	if (optind < argc)
		usage_error("'%s' is not an option", argv[optind]);
	check_options(o);
	return mode;
}
