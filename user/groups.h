/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Those who lost packets, so grouped that a flood is one of few.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct offender;
struct options;
struct snapshot;

enum group_kind {
	GROUP_FLOW,	/* one source, one destination and port */
	GROUP_SOURCE,	/* one source, many destinations or ports */
	GROUP_SERVICE,	/* many sources, one destination and port */
	GROUP_HOST,	/* many sources and ports, one destination */
	GROUP_REST,	/* what is too rare to say more of */
	GROUP_KINDS
};

/* All of one namespace, reason, protocol and zone. */
struct group {
	enum group_kind kind;
	const struct offender **member;	/* most lost first */
	size_t n;
	uint64_t lost;
	uint64_t error;		/* of lost, how many may be others' */
	uint64_t last;		/* when */
	bool approximate;	/* more may belong to it */

	/* How many different ones its members have; 0 where none has any. */
	size_t sources, hosts, ports, types, comms, pids, cgroups, devices;
};

struct groups {
	struct group *list;
	size_t n;
	const struct offender **members;	/* of all groups */
};

int groups_make(struct groups *groups, const struct offender *offenders,
		size_t n);
void groups_free(struct groups *groups);

/* drops-table.c */
void put_groups(FILE *out, const struct options *o, const struct snapshot *s,
		const struct groups *groups, uint64_t whole);

/* group-words.c */
void say_source(char *buf, size_t size, const struct group *g);
void say_destination(char *buf, size_t size, const struct group *g);
void say_process(char *buf, size_t size, const struct group *g);
void say_container(char *buf, size_t size, const struct group *g);

#endif /* GROUPS_H */
