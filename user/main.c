// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat: who filled the connection tracking table, and what it cost. This
 * file finds the command, runs it once or every INTERVAL, and is the only one
 * that prints errors and decides the exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctkstat.h"
#include "version.h"

/* A command is registered here; the first runs where none is named. */
static const struct command *const commands[] = {
	&command_screen,
	&command_drops,
	&command_entries,
	&command_events,
	&command_why,
	&command_status,
	&command_reset,
};

#define N_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
	fputs("Usage: ctkstat [OPTIONS] [COMMAND] [INTERVAL [COUNT]]\n"
	      "Who filled the connection tracking table, and what it cost.\n\n",
	      stdout);
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-9s %s\n",
		       *commands[i]->name ? commands[i]->name : "(none)",
		       commands[i]->summary);
	fputs("\n"
	      "  -j, --json            JSON; with INTERVAL or -f an object per line\n"
	      "  -p, --pretty          indented JSON\n"
	      "  -f, --follow          events: and those still to come\n"
	      "  -k, --kept            entries: counted when losses began\n"
	      "  -s, --sort KEY        drops: by lost, last, src or dst\n"
	      "      --print-config    why: files that keep the fix over a reload\n"
	      "  -a, --all             every namespace or line; reset clears all\n"
	      "  -N, --netns WHICH     one: NAME, PID, PATH or inode number\n"
	      "  -n, --numeric         inode numbers instead of names\n"
	      "  -H, --no-header       no header above the table\n"
	      "  -t, --timestamp       when it was read\n"
	      "  -c, --color[=WHEN]    auto, always or never\n"
	      "  -V, --version\n"
	      "  -h, --help            also: ctkstat help\n\n"
	      "INTERVAL is in seconds, such as 1 or 0.5; COUNT screens, else for ever.\n"
	      "Exit code: 0 ok, 1 usage, 2 failed.\n", stdout);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 1; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	fail("unknown command '%s': ctkstat -h lists them", name);
	return NULL;
}

/* [COMMAND] [INTERVAL [COUNT]]; no command begins like a number. */
static const struct command *parse_words(struct options *o, char **words)
{
	const struct command *command = commands[0];

	if (*words && !strchr("0123456789.+-", **words)) {
		command = find_command(*words++);
		if (!command)
			return NULL;
	}
	if (check_options(o, command))
		return NULL;
	if (*words && !command->repeats) {
		fail("%s takes no further argument, such as '%s'",
		     command->name, *words);
		return NULL;
	}
	if (*words && parse_interval(&o->interval, *words++))
		return NULL;
	if (o->interval && *words && parse_count(&o->count, *words++))
		return NULL;
	if (*words) {
		fail("'%s' is one argument too many", *words);
		return NULL;
	}
	return command;
}

/* Where -j promised JSON, an error is JSON too. */
static enum exit_code give_up(const struct options *o, enum exit_code code)
{
	const char *why = failure();

	if (!*why)
		return code;
	/* First, since put_json() may fail for a reason of its own. */
	fprintf(stderr, "ctkstat: %s\n", why);
	if (o->json)
		put_json(o, json_pack("{s:o}", "error", json_name(why)));
	return code;
}

static int run(const struct command *command, const struct options *o)
{
	struct snapshot s;
	int error = command->read(&s, o);
	char *text;

	if (!error && o->json) {
		error = put_json(o, command->json(o, &s));
	} else if (!error) {
		text = make_text(command->text, o, &s);
		error = text ? put_text(o, text) : -1;
		free(text);
	}
	snapshot_free(&s);
	return error;
}

static void add_seconds(struct timespec *ts, double seconds)
{
	ts->tv_sec += (time_t)seconds;
	ts->tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (ts->tv_nsec >= (long)NSEC_PER_SEC) {
		ts->tv_nsec -= (long)NSEC_PER_SEC;
		ts->tv_sec++;
	}
}

/*
 * Until an INTERVAL after @next. Those that went by meanwhile, as while the
 * process was stopped, are not caught up on.
 */
static void wait_for(struct timespec *next, double interval)
{
	struct timespec now;

	add_seconds(next, interval);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (next->tv_sec < now.tv_sec ||
	    (next->tv_sec == now.tv_sec && next->tv_nsec < now.tv_nsec))
		*next = now;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) ==
	       EINTR)
		;
}

/* Screens are INTERVAL apart, however long each of them takes. */
static int repeat(const struct command *command, const struct options *o)
{
	unsigned long count = o->interval ? o->count : 1;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned long i = 1; !run(command, o); i++) {
		if (i == count)
			return 0;
		wait_for(&next, o->interval);
		if (!o->json && !o->redraw && putchar('\n') == EOF)
			return flush_output();
	}
	return -1;
}

static enum exit_code print_about(const struct options *o)
{
	if (o->about == 'h')
		print_help();
	else
		puts("ctkstat " CTK_VERSION);
	return flush_output() ? give_up(o, EXIT_FAILED) : EXIT_OK;
}

/*
 * What is closed would be given to the next file that is opened, and written
 * into. That stdout cannot be written is still noticed.
 */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	struct options o = { .header = true };
	const struct command *command;

	open_standard_files();
	signal(SIGPIPE, SIG_IGN);
	detect_terminal(&o);
	if (parse_options(&o, argc, argv))
		return give_up(&o, EXIT_USAGE);
	if (!o.about && optind < argc && !strcmp(argv[optind], "help"))
		o.about = 'h';
	if (o.about)
		return print_about(&o);
	command = parse_words(&o, argv + optind);
	if (!command)
		return give_up(&o, EXIT_USAGE);
	o.redraw = o.redraw && o.interval && !o.json;
	if (o.which && selector_parse(&o.netns, o.which))
		return give_up(&o, EXIT_FAILED);
	if (o.follow ? command->follow(&o) : repeat(command, &o))
		return give_up(&o, EXIT_FAILED);
	return EXIT_OK;
}
