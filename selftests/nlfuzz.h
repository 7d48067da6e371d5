/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of nlfuzz share: who it is, the random numbers, the message
 * under way.
 */
#ifndef NLFUZZ_H
#define NLFUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "nl.h"

/* Numbers asked for are below this, or that near to the sender's own. */
#define FUZZ_LOW_NUMBERS 64

/**
 * struct fuzz_self - the sender
 * @family: whom it speaks to
 * @inum: of its network namespace, by /proc
 * @netns_fd: of it
 * @only_own: it must never be told of another
 * @id: of its namespace, as ctk has it; 0 until it has been told
 * @heard: the number of the last notification; 0 where the next may be any
 */
struct fuzz_self {
	struct nl_family family;
	uint32_t inum;
	int netns_fd;
	bool only_own;
	uint64_t id;
	uint64_t heard;
};

/**
 * struct fuzz_message - a datagram, which may hold several messages
 * @m: its bytes
 * @sent: how many of them
 * @ends_min: acknowledgments, refusals and ends of dumps that are due
 * @ends_max: likewise
 */
struct fuzz_message {
	union nl_message m;
	size_t sent;
	unsigned int ends_min;
	unsigned int ends_max;
};

/**
 * struct fuzz_answer - what came back for one message, or for all
 * @ends: acknowledgments, refusals, ends of dumps
 * @refused: of these, those with an errno
 * @replies: messages of the family
 * @events: of these, events
 * @censuses: of these, censuses
 * @notified: events that were not asked for
 */
struct fuzz_answer {
	unsigned long ends;
	unsigned long refused;
	unsigned long replies;
	unsigned long events;
	unsigned long censuses;
	unsigned long notified;
};

#define FUZZ_ERRNOS 134
extern unsigned long fuzz_errnos[FUZZ_ERRNOS];

/* nlfuzz-make.c */
void fuzz_seed(uint64_t seed);
uint32_t fuzz_random(uint32_t below);
void fuzz_make(const struct fuzz_self *self, struct fuzz_message *message);

/* nlfuzz-check.c: both return what is wrong, or NULL. */
const char *fuzz_check(struct fuzz_self *self, const void *answer, size_t len,
		       struct fuzz_answer *counts);
const char *fuzz_check_ends(const struct fuzz_message *message,
			    const struct fuzz_answer *answer);

#endif /* NLFUZZ_H */
