/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that talk to the module ctk share: the conversation, and the
 * way from its attributes to records.
 */
#ifndef MODULE_H
#define MODULE_H

#include "fields.h"
#include "genl.h"

struct snapshot;

extern struct genl ctk;

int parse_attr(const struct nlattr *attr, const struct field *fields,
	       struct record *r);
int parse_nest(const struct nlattr *nest, const struct field *fields,
	       struct record *r);
/* What is asked of the module, for the words about a refusal. */
struct question {
	const char *command;		/* that needs CAP_NET_ADMIN for it */
	const char *what;		/* "cannot" do */
	const struct field *fields;	/* attributes of the request */
};

int module_refused(const struct question *q, int error);
int module_dump(const struct question *q, uint8_t cmd, uint16_t attr,
		uint64_t id, genl_reply reply,
		void (*clear)(struct snapshot *s), struct snapshot *s);

/* module-events.c */
int module_read_events(struct snapshot *s);
int module_subscribe(void);
void module_drain(void);

/* module-offenders.c */
int module_read_offenders(struct snapshot *s, uint64_t id);

/* module-census.c */
int module_read_census(struct snapshot *s, uint64_t id);
int module_read_kept(struct snapshot *s, uint64_t id);

#endif /* MODULE_H */
