/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Namespaces to enter, and for each a file that leads there.
 */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct selector;

struct place {
	uint32_t inum;
	char *path;
};

struct places {
	struct place *list;
	size_t n;
	bool hidden;	/* some processes do not show theirs */
};

int places_find(struct places *p, const struct snapshot *s,
		const struct selector *which);
void places_free(struct places *p);
int place_enter(const struct place *p);
bool limit_is_here(void);

#endif /* PLACES_H */
