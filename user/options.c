// SPDX-License-Identifier: GPL-2.0
/*
 * The command line's options, numbers and defaults. What a command makes of
 * them is its own affair.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctkstat.h"

/* Has no letter. */
#define PRINT_CONFIG	256

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "follow", no_argument, NULL, 'f' },
	{ "print-config", no_argument, NULL, PRINT_CONFIG },
	{ "kept", no_argument, NULL, 'k' },
	{ "sort", required_argument, NULL, 's' },
	{ "all", no_argument, NULL, 'a' },
	{ "netns", required_argument, NULL, 'N' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "timestamp", no_argument, NULL, 't' },
	{ "color", optional_argument, NULL, 'c' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static int parse_color(struct options *o, const char *when)
{
	if (!when || !strcmp(when, "always"))
		o->color = true;
	else if (!strcmp(when, "never"))
		o->color = false;
	else if (strcmp(when, "auto"))
		return fail("--color is auto, always or never, not '%s'",
			    when);
	return 0;
}

static int parse_sort(struct options *o, const char *key)
{
	static const char *const keys[] = {
		[SORT_LOST] = "lost",
		[SORT_LAST] = "last",
		[SORT_SRC] = "src",
		[SORT_DST] = "dst",
	};

	o->sorted = key;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i]))
			continue;
		o->sort = (enum sort)i;
		return 0;
	}
	return fail("--sort is lost, last, src or dst, not '%s'", key);
}

void detect_terminal(struct options *o)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool dumb = !term || !strcmp(term, "dumb");

	/* The character set alone: dates and numbers stay plain. */
	setlocale(LC_CTYPE, "");
	o->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	o->terminal = isatty(STDOUT_FILENO);
	o->color = o->terminal && !dumb && !(no_color && *no_color);
	o->redraw = o->terminal && !dumb;
}

static bool is_known(int c)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == c)
			return true;
	return false;
}

/* What was given is only known of a long one; another can be in a cluster. */
static int bad_option(int c, char *const argv[])
{
	const char *given = argv[optind - 1];

	if (c == ':')
		return fail("option '-%c' needs an argument", optopt);
	if (optopt >= '0' && optopt <= '9')
		return fail("'-%c...': INTERVAL and COUNT are above 0",
			    optopt);
	if (!optopt || is_known(optopt))
		return fail("unknown option '%s'", given);
	return fail("unknown option '-%c'", optopt);
}

static int parse_option(struct options *o, int c, char *const argv[])
{
	switch (c) {
	case 'j':
		o->json = true;
		return 0;
	case 'p':
		o->pretty = true;
		return 0;
	case 'f':
		o->follow = true;
		return 0;
	case PRINT_CONFIG:
		o->print_config = true;
		return 0;
	case 'k':
		o->kept = true;
		return 0;
	case 's':
		return parse_sort(o, optarg);
	case 'a':
		o->all = true;
		return 0;
	case 'N':
		o->which = optarg;
		return 0;
	case 'n':
		o->numeric = true;
		return 0;
	case 'H':
		o->header = false;
		return 0;
	case 't':
		o->timestamp = true;
		return 0;
	case 'c':
		return parse_color(o, optarg);
	case 'V':
	case 'h':
		o->about = c;
		return 0;
	default:
		return bad_option(c, argv);
	}
}

/* All are read before the first error is told, since -j says how. */
int parse_options(struct options *o, int argc, char **argv)
{
	int c, error = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":jpfks:aN:nHtc::Vh", long_options,
				NULL)) >= 0)
		if (error)
			o->json |= c == 'j';
		else
			error = parse_option(o, c, argv);
	if (error || o->about)
		return error;
	if (o->pretty && !o->json)
		return fail("-p makes JSON pretty: it needs -j");
	return 0;
}

/* What would be done without, and not be missed until it is too late. */
int check_options(const struct options *o, const struct command *command)
{
	const struct {
		char letter;
		const char *option;
		bool given;
		const char *why;
	} particular[] = {
		{ 'a', "-a", o->all, "-a is for the first screen, drops, entries and reset" },
		{ 'N', "-N", o->which, "what it tells is of no single namespace" },
		{ 'f', "-f", o->follow, "-f follows events: ctkstat events -f" },
		{ 'k', "-k", o->kept, "-k is for what entries has kept: ctkstat entries -k" },
		{ 's', "-s", o->sorted, "-s is the order of drops: ctkstat drops -s last" },
		{ 'P', "--print-config", o->print_config,
		  "it is of why: ctkstat why --print-config" },
	};

	for (size_t i = 0; i < sizeof(particular) / sizeof(particular[0]); i++)
		if (particular[i].given &&
		    !strchr(command->options, particular[i].letter))
			return fail("%s takes no %s: %s", *command->name ?
				    command->name : "the first screen",
				    particular[i].option, particular[i].why);
	if (o->all && o->which && !command->all_is_lines)
		return fail("-a and -N exclude each other");
	return 0;
}

#define INTERVAL_MAX	86400.0

int parse_interval(double *interval, const char *text)
{
	char *end;

	/* Digits and a point: no hex, no exponent, no sign, no nan. */
	*interval = strtod(text, &end);
	if (!*text || *end || text[strspn(text, "0123456789.")])
		return fail("'%s' is not an INTERVAL: seconds, such as 1 or 0.5",
			    text);
	if (*interval < 0.01 || *interval > INTERVAL_MAX)
		return fail("INTERVAL is from 0.01 to %.0f seconds, not '%s'",
			    INTERVAL_MAX, text);
	return 0;
}

int parse_count(unsigned long *count, const char *text)
{
	errno = 0;
	*count = strtoul(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")])
		return fail("'%s' is not a COUNT: a whole number above 0",
			    text);
	if (errno || !*count)
		return fail("COUNT is a number above 0, not '%s'", text);
	return 0;
}
