// SPDX-License-Identifier: GPL-2.0
/*
 * The names that people gave to network namespaces: files in /run/netns, as
 * ip-netns(8) mounts them. Matched by inode number, since that is all that a
 * namespace and its name have in common. Never enters a namespace.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ctk.h>

#include "ctkstat.h"

/* PROC_PID_INIT_INO: the initial pid namespace, on every kernel. */
#define INIT_PIDNS	0xEFFFFFFCU

uint32_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

/* What tells a mounted namespace from a file that was left behind. */
uint64_t nsfs_device(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_dev;
}

static void add(struct names *names, uint32_t inum, const char *text)
{
	struct name *list = grow(names->list, names->n, sizeof(*list));

	if (!list)
		return;
	names->list = list;
	list[names->n].inum = inum;
	list[names->n].text = strdup(text);
	if (list[names->n].text)
		names->n++;
}

/* Process 1 is the host's only in the initial pid namespace. */
static void add_host(struct names *names)
{
	struct stat pidns, netns;

	if (!stat("/proc/self/ns/pid", &pidns) &&
	    pidns.st_ino == INIT_PIDNS && !stat("/proc/1/ns/net", &netns))
		add(names, (uint32_t)netns.st_ino, NAME_HOST);
}

static void add_directory(struct names *names)
{
	uint64_t nsfs = nsfs_device();
	const struct dirent *entry;
	DIR *dir = opendir(NAMES_DIR);
	struct stat st;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    !fstatat(dirfd(dir), entry->d_name, &st, 0) &&
		    st.st_dev == nsfs)
			add(names, (uint32_t)st.st_ino, entry->d_name);
	closedir(dir);
}

static int compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->inum != y->inum)
		return x->inum < y->inum ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* What cannot be read has no name; that is no failure. */
void names_load(struct names *names)
{
	add_host(names);
	add_directory(names);
	if (names->n)
		qsort(names->list, names->n, sizeof(*names->list), compare);
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i].text);
	free(names->list);
	memset(names, 0, sizeof(*names));
}

/* The first of @n names of a namespace; NULL if it has none. */
const struct name *names_find(const struct names *names, uint32_t inum,
			      size_t *n)
{
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->list[middle].inum < inum)
			low = middle + 1;
		else
			high = middle;
	}
	for (*n = 0; low + *n < names->n; ++*n)
		if (names->list[low + *n].inum != inum)
			break;
	return *n ? &names->list[low] : NULL;
}

/* How a namespace is called on the screen, in @width columns. */
void netns_label(char *buf, size_t size, const struct netns *n, size_t width)
{
	char number[32];

	if (n->names) {
		shorten(buf, size, n->names->text, width);
		return;
	}
	snprintf(number, sizeof(number), "netns:%u",
		 (uint32_t)get(&n->r, CTK_A_NETNS_NETNS_INUM));
	shorten(buf, size, number, width);
}
