/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of ctkstat share: the options, the commands, what was read
 * and where from. Data flows one way: a source fills a snapshot, verdict.c
 * judges it, a command prints it. Nothing here is known to the module; the
 * protocol is in linux/ctk.h.
 */
#ifndef CTKSTAT_H
#define CTKSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <linux/ctk.h>

#include "fields.h"

enum exit_code {
	EXIT_OK,
	EXIT_USAGE,
	EXIT_FAILED,
};

/* The namespaces to read: the one that -N names, or all. */
struct selector {
	enum {
		SELECT_ALL,
		SELECT_OWN,
		SELECT_PID,
		SELECT_INUM,
		SELECT_FD,
	} by;
	const char *text;
	uint32_t number;	/* pid, inode number or file descriptor */
};

/* The order of those who lost packets. */
enum sort {
	SORT_LOST,
	SORT_LAST,
	SORT_SRC,
	SORT_DST,
};

struct options {
	bool json;
	bool pretty;
	bool all;
	bool numeric;
	bool header;
	bool timestamp;
	bool terminal;		/* bars, and screens that fit */
	bool color;
	bool redraw;		/* in place, as INTERVAL does on a terminal */
	bool utf8;
	double interval;	/* seconds; 0 is once */
	unsigned long count;	/* of screens; 0 is for ever */
	bool follow;		/* go on with what happens next */
	bool print_config;	/* the files that keep what why proposes */
	bool kept;		/* what was counted when losses began */
	enum sort sort;
	const char *sorted;	/* as -s was given, or NULL */
	int about;		/* V or h, instead of a command */
	const char *which;	/* as -N was given, or NULL */
	struct selector netns;
};

/* A name of a network namespace: a file in /run/netns, or "(host)". */
struct name {
	uint32_t inum;
	char *text;
};

struct names {
	struct name *list;	/* by inum, then by text */
	size_t n;
};

struct netns {
	struct record r;	/* netns_fields */
	struct record stats;	/* kernel_stats_fields */
	const struct name *names;
	size_t n_names;
};

#define HOOKS_MAX	8

struct status {
	struct record r;	/* status_fields */
	struct record hooks[HOOKS_MAX];
	size_t n_hooks;
	struct record attached_by;	/* actor_fields */
};

#define LABEL_WIDTH	18

/* Something that happened; or, with @lost, so many that were overwritten. */
struct event {
	uint64_t lost;
	struct record r;	/* event_fields */
	struct record actor;	/* actor_fields */
	char label[LABEL_WIDTH + 1];	/* of its namespace, if it has one */
};

#define CGROUP_NAME	96

/* Packets lost that were alike. */
struct offender {
	struct record r;	/* offender_fields */
	const struct netns *netns;	/* that lost them; NULL once it is gone */
	char *cgroup;		/* path below the root; NULL if not known */
	char cgroup_name[CGROUP_NAME];	/* container or unit; else empty */
};

struct parts {
	struct record *list;	/* census_part_fields */
	size_t n;
};

/* What fills a table. */
struct census {
	struct record r;	/* census_fields */
	struct parts parts[CTK_A_CENSUS_MAX + 1];	/* census_lists */
	const struct netns *netns;	/* NULL for all, and once it is gone */
};

struct censuses {
	struct census *list;
	size_t n;
};

struct source;

/* All that was read for one screen, at one moment. */
struct snapshot {
	const struct source *source;
	uint64_t now;		/* nanoseconds since the epoch */
	uint32_t own;		/* inode number of the reader's namespace */
	struct status status;
	struct netns *netns;
	size_t n_netns;
	struct event *events;
	size_t n_events;
	uint64_t last_seq;	/* of all that were read */
	struct offender *offenders;
	size_t n_offenders;
	struct censuses counted;	/* now, in the order of asking */
	struct censuses kept;	/* when losses began, oldest first */
	size_t refused;		/* namespaces known, but not ours to enter */
	bool asked_all;
	bool hidden;		/* some are not ours to see */
	bool torn;		/* namespaces came and went while it was read */
	struct names names;
	struct why *why;	/* diagnoses, see why.h, if there are any */
};

/*
 * Where the data come from. Each function returns 0, or -1 after fail();
 * probe() returns 1 if this source can be used here and 0 if it cannot.
 */
struct source {
	const char *name;
	int (*probe)(void);
	int (*read_status)(struct snapshot *s);
	int (*read_netns)(struct snapshot *s, const struct selector *which);
	/* Clears what is in @s, one by one; absent where nothing can be. */
	int (*reset)(struct snapshot *s);
	/* Those after @s->last_seq; absent where nothing is remembered. */
	int (*read_events)(struct snapshot *s);
	/* A file to poll(), readable once more happens after drain(). */
	int (*subscribe)(void);
	void (*drain)(void);
	/* Of the namespace with ctk's @id; 0 is all that may be seen. */
	int (*read_offenders)(struct snapshot *s, uint64_t id);
	/* Adds a census made now of the namespace @id; 0 is all together. */
	int (*read_census)(struct snapshot *s, uint64_t id);
	int (*read_kept)(struct snapshot *s, uint64_t id);
};

extern const struct source source_module;
extern const struct source source_proc;

int snapshot_read_status(struct snapshot *s, const struct options *o);
int snapshot_read(struct snapshot *s, const struct options *o);
int snapshot_read_offenders(struct snapshot *s, const struct options *o);
int snapshot_read_census(struct snapshot *s, const struct options *o);
int snapshot_read_kept(struct snapshot *s, const struct options *o);
uint64_t now_ns(void);
bool snapshot_complete(const struct snapshot *s);
struct netns *snapshot_add(struct snapshot *s);
void snapshot_free(struct snapshot *s);
void censuses_free(struct censuses *censuses);

enum level {
	LEVEL_OK,
	LEVEL_WARNING,
	LEVEL_FULL,
	LEVEL_UNKNOWN,
};

#define VERDICT_LINES	12

struct verdict {
	enum level level;
	char line[256];			/* without the word for the level */
	char more[VERDICT_LINES][432];
	bool command[VERDICT_LINES];	/* such a line ends in one, to paste */
	size_t n_more;
};

/* @width: columns that the first line may take, the level included. */
void verdict_reach(struct verdict *v, const struct snapshot *s, size_t width);
bool hook_is_blind(const struct snapshot *s);
const struct netns *verdict_subject(const struct snapshot *s);
const char *level_word(enum level level);
const char *level_name(enum level level);
uint64_t other_losses(const struct record *r);

/* Of one namespace, the worst last. */
enum state {
	STATE_FINE,
	STATE_HIGH,
	STATE_LOST_RECENTLY,
	STATE_OTHER_LOSS,
	STATE_CHAINS,
	STATE_FULL,
	STATE_LOSING,
};

enum state netns_state(const struct snapshot *s, const struct netns *n);

/* The namespace to name, how many more are in its state, their losses. */
struct worst {
	const struct netns *netns;
	enum state state;
	size_t others;
	uint64_t lost;
	uint64_t last;
};

/* Of those that lost something and were deleted: who, how many more, what. */
struct deleted {
	const struct event *most;	/* NULL where there is none */
	size_t others;
	uint64_t lost;
	uint64_t last;
};

void deleted_since(struct deleted *d, const struct snapshot *s, uint64_t since);

/* words.c */
void say_deleted(struct verdict *v, const struct snapshot *s,
		 const struct deleted *d, bool first);
void say_worst(struct verdict *v, const struct snapshot *s,
	       const struct worst *w, size_t width);
void say_blind(struct verdict *v, const struct snapshot *s,
	       enum state state);
void say_why_blind(char *buf, size_t size, const struct snapshot *s,
		   const char **command);

/* A namespace below this, in millionths, that lost nothing can be folded. */
#define FILL_FOLDED	200000U
#define FILL_WARNING	800000U
#define FILL_FULL	1000000U

typedef void (*put_page)(FILE *out, const struct options *o,
			 const struct snapshot *s);

/*
 * A command is one file and one line in main.c: it reads a snapshot and makes
 * a text or JSON of it.
 */
struct command {
	const char *name;
	const char *summary;
	bool repeats;		/* takes INTERVAL and COUNT */
	const char *options;	/* of those that not every command has */
	bool all_is_lines;	/* -a shows more of what is shown */
	int (*read)(struct snapshot *s, const struct options *o);
	put_page text;
	json_t *(*json)(const struct options *o, const struct snapshot *s);
	int (*follow)(const struct options *o);	/* as -f asks, or NULL */
};

extern const struct command command_screen;
extern const struct command command_drops;
extern const struct command command_entries;
extern const struct command command_events;
extern const struct command command_why;
extern const struct command command_status;
extern const struct command command_reset;

/* names.c */
#define NAMES_DIR	"/run/netns"
#define NAME_HOST	"(host)"

void names_load(struct names *names);
void names_free(struct names *names);
const struct name *names_find(const struct names *names, uint32_t inum,
			      size_t *n);
void netns_label(char *buf, size_t size, const struct netns *n, size_t width);
uint32_t own_netns(void);
uint64_t nsfs_device(void);

/* options.c */
void detect_terminal(struct options *o);
int parse_options(struct options *o, int argc, char **argv);
int check_options(const struct options *o, const struct command *command);
int parse_interval(double *interval, const char *text);
int parse_count(unsigned long *count, const char *text);

/* selector.c */
int selector_parse(struct selector *sel, const char *text);
int selector_no_process(const struct selector *sel);

/* screen.c */
void put_unseen(FILE *out, const struct snapshot *s);

/* census-page.c */
void put_census(FILE *out, const struct options *o, const struct snapshot *s,
		const struct census *c);

/* sentences.c */
void say_event(char *buf, size_t size, const struct event *event);
void say_actor(char *buf, size_t size, const struct record *actor);

/* output.c */
char *make_text(put_page page, const struct options *o,
		const struct snapshot *s);
int put_text(const struct options *o, const char *text);
int put_json(const struct options *o, json_t *json);
int flush_output(void);
#define COLUMNS	80

void put_hanging(FILE *out, const char *lead, size_t hang, const char *text);
void put_command(FILE *out, const char *lead, size_t hang, const char *text);
void put_wrapped(FILE *out, const char *indent, const char *text);
size_t screen_rows(void);
void put_bar(FILE *out, const struct options *o, uint64_t part, uint64_t whole,
	     int width);

/* json.c */
json_t *json_record(const struct record *r, const struct field *fields);
void json_add(json_t *object, const struct record *r, const struct field *f);
json_t *json_netns(const struct netns *n);
json_t *json_event(const struct event *e);
json_t *json_names(const struct netns *n);
json_t *json_name(const char *text);
json_t *json_time(uint64_t ns);

/* cgroups.c */
char *cgroup_path(uint64_t id);
void cgroup_name(char *buf, size_t size, const char *path);

/* fail.c */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *failure(void);

/* array.c */
void *grow(void *list, size_t n, size_t size);

#endif /* CTKSTAT_H */
