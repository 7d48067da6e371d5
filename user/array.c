// SPDX-License-Identifier: GPL-2.0
/*
 * Lists that grow while they are read. Frees nothing.
 */
#include <stdlib.h>

#include "ctkstat.h"

/*
 * Room for one more than @n, all of which came from here. Doubled at 1, 2, 4,
 * ... so that a thousand cost ten copies. NULL, and a failure, without memory.
 */
void *grow(void *list, size_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	list = reallocarray(list, n ? 2 * n : 1, size);
	if (!list)
		fail("no memory for a list of more than %zu", n);
	return list;
}
