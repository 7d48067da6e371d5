/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine behind ctkstat why, and behind the lines of the first screen that
 * say the same in short. Data flows one way: facts.c gathers what is known of
 * a namespace, rules.c names the causes, remedy.c reckons what to do, and
 * why-words.c, why.c, why-json.c and config.c say it. None of it ever changes
 * the system.
 */
#ifndef WHY_H
#define WHY_H

#include "ctkstat.h"

/*
 * More entries than this for each bucket is a promise the kernel does not
 * keep: since 5.16 it refuses what comes to a chain of more than 50 to 79
 * nodes (nf_conntrack_core.c, MIN_CHAINLEN), an entry being two, and the
 * longest chains of a table reach that at about 16 entries for each bucket.
 */
#define ENTRIES_PER_BUCKET	12

/* What nf_conntrack multiplies hashsize= by (nf_conntrack_init_start()). */
#define HASHSIZE_FACTOR		8

/* Neither 0 nor a number can be more than unlimited. */
#define UNLIMITED		UINT64_MAX

/* Where something holds the most of a census or of the losses. */
struct share {
	bool known;
	char who[80];		/* an address, with a port where it is meant */
	char addr[48];
	uint64_t l4proto;
	uint64_t port;
	uint64_t part;		/* certainly its */
	uint64_t whole;
};

#define IDLE_MAX	16

/* Established TCP entries for which no packet came so long. */
struct idle {
	uint64_t seconds;	/* at least */
	uint64_t entries;
};

/* A census, as far as a cause can be read from it. */
struct fill {
	bool known;
	bool fresh;		/* counted now; else kept from an episode */
	uint64_t time;
	uint64_t entries;
	uint64_t limit;
	uint64_t buckets;
	uint64_t assured;
	uint64_t evictable;
	uint64_t expired;
	uint64_t established;	/* TCP */
	uint64_t closing;	/* TCP, from its first FIN or RST on */
	uint64_t half_open;	/* TCP, before it is established */
	uint64_t l4proto;	/* the most frequent, and how many it has */
	uint64_t of_l4proto;
	struct share src;
	struct share service;
	uint64_t established_timeout;
	struct idle idle[IDLE_MAX];
	size_t n_idle;
	uint64_t loss_ratio;	/* millionths; 0 also where unknown */
};

/* Of whom the lost packets were. */
struct victims {
	uint64_t attributed;
	struct share src;
	struct share service;
	char process[48];	/* of most of the source's packets, if known */
	char text[256];		/* who, as drops has it */
};

/* What /proc says in the namespace itself; 0 where unknown. */
struct inside {
	char path[64];		/* a file that leads there; empty if none */
	uint64_t established_timeout;
	uint64_t time_wait_timeout;
	uint64_t queued;	/* packets that wait for a program to judge */
	uint64_t queue;		/* the number of the longest such queue */
};

/* The limit fell, by one change of one actor, which @old and @now are of. */
struct fall {
	const struct event *detached;	/* NULL unless a reload */
	const struct event *event;	/* attached, or limit-changed */
	uint64_t old;
	uint64_t now;
};

#define FALLS_MAX	3

struct facts {
	const struct snapshot *s;
	const struct netns *netns;
	enum state state;
	uint64_t moment;	/* that all is about: now, or the last loss */
	bool full;		/* it is or was about the limit */
	struct fall fall[FALLS_MAX];	/* not put back before it; oldest first */
	size_t n_falls;
	const struct event *attached;	/* the last one, if seen */
	bool limit_set;		/* by somebody since then */
	struct fill fill;	/* what filled it */
	bool fill_is_of_now;	/* of the episode that goes on, or of none */
	struct fill fresh;	/* what fills it, if it is in trouble now */
	struct victims victims;
	struct inside inside;
	uint64_t memory;	/* bytes, of the machine */
	uint64_t memory_free;
};

#define EVIDENCE_MAX	8

struct evidence {
	char text[240];
	char source[64];
};

enum remedy {
	REMEDY_LIMIT = 1 << 0,
	REMEDY_BUCKETS = 1 << 1,
	REMEDY_ESTABLISHED = 1 << 2,
	REMEDY_TIME_WAIT = 1 << 3,
	REMEDY_SOURCE = 1 << 4,
	REMEDY_SERVICE = 1 << 5,
	REMEDY_QUEUE = 1 << 6,
	REMEDY_MEMORY = 1 << 7,
	REMEDY_HOOK = 1 << 8,
	REMEDY_ASK = 1 << 9,	/* what would have to be known */
};

struct rule;

struct finding {
	const struct rule *rule;
	char sentence[400];
	struct evidence evidence[EVIDENCE_MAX];
	size_t n_evidence;
};

struct rule {
	const char *name;
	bool (*applies)(struct finding *f, const struct facts *facts);
	unsigned int remedies;
};

extern const struct rule rules[];

#define RULES_MAX	16

/* What the settings should be; where 0, as they are. */
struct plan {
	uint64_t limit;
	uint64_t buckets;
	uint64_t wanted;	/* a limit that would have taken too much */
	uint64_t entry_size;
	uint64_t entries_bytes;
	uint64_t buckets_bytes;
	uint64_t memory;
	uint64_t established;	/* seconds */
	uint64_t freed;		/* entries, of the census @freed_of */
	const struct fill *freed_of;
	uint64_t time_wait;
	const struct share *flood;	/* not to be tracked */
	char notrack[1024];	/* for nft -f */
};

#define COMMANDS_MAX	4

struct step {
	const char *kind;
	char text[400];
	char command[COMMANDS_MAX][192];
	size_t n_commands;
};

#define STEPS_MAX	6

struct diagnosis {
	const struct facts *facts;
	struct finding finding[RULES_MAX];	/* the first is the cause */
	size_t n_findings;
	struct plan plan;
	struct step step[STEPS_MAX];
	size_t n_steps;
};

/* All that is wrong, worst first. */
struct why {
	struct facts *facts;
	struct diagnosis *list;
	size_t n;
	char denied[320];	/* what could not be asked for, and why not */
	bool events;		/* known, so that changes of the limit are */
	bool elsewhere;		/* not where the limit is, see limit_is_here() */
};

static inline uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* facts.c */
bool facts_wanted(const struct snapshot *s, const struct netns *n);
void facts_gather(struct facts *f, struct snapshot *s, const struct netns *n,
		  bool deep);

/* facts-events.c */
void facts_of_events(struct facts *f);
const struct fall *last_fall(const struct facts *f);
bool event_concerns(const struct facts *f, const struct event *e);

/* facts-proc.c */
void facts_of_proc(struct facts *f);
uint64_t read_meminfo(const char *key);

/* facts-census.c */
void fill_from(struct fill *fill, const struct census *c, uint64_t timeout);
void share_name(struct share *share);
uint64_t idle_for(const struct fill *fill, uint64_t seconds);

/* facts-victims.c */
void victims_from(struct victims *v, const struct snapshot *s);
void victims_unknown(struct facts *f);

/* rules.c */
void rules_apply(struct diagnosis *d);
bool rules_warn(struct finding *f, const struct facts *facts);

/* remedy.c */
void plan_make(struct plan *p, const struct diagnosis *d);
void steps_make(struct diagnosis *d);
uint64_t limit_of(uint64_t limit);
bool outside_own(const struct facts *f);

/* why-read.c */
void why_denied(struct snapshot *s);
int why_read(struct snapshot *s, const struct netns *only);
void why_free(struct why *why);

/* why-words.c */
void append(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void say_filled(char *buf, size_t size, const struct facts *f);
void say_source_of(char *buf, size_t size, const struct facts *f,
		   const struct fill *fill);
void say_who(char *buf, size_t size, const struct record *actor);
void say_why(struct verdict *v, const struct diagnosis *d);
void format_bytes(char *buf, size_t size, uint64_t bytes);
uint64_t percent_of(uint64_t part, uint64_t whole);

/* why.c */
const char *why_word(const struct facts *f);
void why_headline(struct verdict *v, const struct facts *f);
bool why_tells(const struct facts *f, const struct event *e);
bool why_keeps(const struct diagnosis *d);
bool why_gone(const struct event *e);
bool why_warns(struct finding *f, const struct snapshot *s);

/* why-json.c */
json_t *why_json(const struct options *o, const struct snapshot *s);

/* config.c */
int config_check(const struct snapshot *s);
void put_config(FILE *out, const struct options *o, const struct snapshot *s);
bool config_asks(char *path, size_t size, uint64_t *limit);
json_t *json_config(const struct snapshot *s);

#endif /* WHY_H */
