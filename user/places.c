// SPDX-License-Identifier: GPL-2.0
/*
 * Where namespaces can be entered: names lead to some, processes to others.
 * Finds them, and takes a thread there that asks for it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctkstat.h"
#include "places.h"

static int add_place(struct places *p, const char *path, uint32_t inum)
{
	struct place *list = grow(p->list, p->n, sizeof(*list));

	if (!list)
		return -1;
	p->list = list;
	list[p->n].inum = inum;
	list[p->n].path = strdup(path);
	if (!list[p->n].path)
		return fail("no memory for %zu namespaces", p->n);
	p->n++;
	return 0;
}

static int add_names(struct places *p, const struct snapshot *s)
{
	const struct names *names = &s->names;
	char path[PATH_MAX];

	for (size_t i = 0; i < names->n; i++) {
		/* A process leads to the host's, if any may. */
		if (!strcmp(names->list[i].text, NAME_HOST))
			continue;
		snprintf(path, sizeof(path), NAMES_DIR "/%s",
			 names->list[i].text);
		if (add_place(p, path, names->list[i].inum))
			return -1;
	}
	return 0;
}

/* Containers have processes, but seldom a name in /run/netns. */
static int add_processes(struct places *p)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	char path[PATH_MAX];
	struct stat st;
	int error = 0;

	while (proc && !error && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		if (!stat(path, &st))
			error = add_place(p, path, (uint32_t)st.st_ino);
		else if (errno == EACCES)
			p->hidden = true;
	}
	if (proc)
		closedir(proc);
	return error;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->inum != y->inum)
		return x->inum < y->inum ? -1 : 1;
	/* A name in /run outlives a process in /proc. */
	return strcmp(y->path, x->path);
}

/* Each namespace once; the own one first, where the thread begins. */
static void tidy(struct places *p, uint32_t first)
{
	size_t kept = 0;

	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), compare);
	for (size_t i = 0; i < p->n; i++) {
		if (kept && p->list[kept - 1].inum == p->list[i].inum)
			free(p->list[i].path);
		else
			p->list[kept++] = p->list[i];
	}
	p->n = kept;
	for (size_t i = 0; i < p->n; i++) {
		struct place own = p->list[i];

		if (own.inum == first) {
			p->list[i] = p->list[0];
			p->list[0] = own;
		}
	}
}

static void keep_only(struct places *p, uint32_t inum)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->list[i].inum == inum)
			p->list[kept++] = p->list[i];
		else
			free(p->list[i].path);
	}
	p->n = kept;
}

static int add_file(struct places *p, const char *path, const char *text)
{
	struct stat st;

	if (stat(path, &st))
		return fail("cannot find the namespace %s: %s", text,
			    strerror(errno));
	return add_place(p, path, (uint32_t)st.st_ino);
}

static int add_places(struct places *p, const struct snapshot *s,
		      const struct selector *which)
{
	char path[64];

	switch (which->by) {
	case SELECT_PID:
		snprintf(path, sizeof(path), "/proc/%u/ns/net", which->number);
		return add_file(p, path, which->text);
	case SELECT_FD:
		snprintf(path, sizeof(path), "/proc/self/fd/%u",
			 which->number);
		return add_file(p, path, which->text);
	case SELECT_OWN:
		return add_file(p, "/proc/self/ns/net", "of this process");
	default:
		break;
	}
	if (add_file(p, "/proc/self/ns/net", "of this process") ||
	    add_names(p, s) || add_processes(p))
		return -1;
	if (which->by == SELECT_INUM)
		keep_only(p, which->number);
	return 0;
}

/* Each namespace that @which asks for, once; the caller frees them. */
int places_find(struct places *p, const struct snapshot *s,
		const struct selector *which)
{
	if (add_places(p, s, which))
		return -1;
	tidy(p, s->own);
	return 0;
}

void places_free(struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].path);
	free(p->list);
}

/*
 * Whether this process is in the initial namespace, where alone the limit and
 * the buckets can be changed, and where alone it is told who did. nf_conntrack
 * makes net.nf_conntrack_max in that one only, on all kernels
 * (nf_conntrack_standalone_init()); net.netfilter.nf_conntrack_max is in others
 * too, read-only since 5.13. Whether somebody may write it is another matter.
 * False also where nf_conntrack is not loaded.
 */
bool limit_is_here(void)
{
	return !access("/proc/sys/net/nf_conntrack_max", F_OK);
}

/*
 * The calling thread goes there: -1 if it may not, 0 if the place is gone, 1 if
 * it is there.
 */
int place_enter(const struct place *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int entered;

	if (fd < 0)
		return errno == EACCES || errno == EPERM ? -1 : 0;
	if (fstat(fd, &st) || (uint32_t)st.st_ino != p->inum) {
		close(fd);
		return 0;
	}
	entered = !setns(fd, CLONE_NEWNET);
	close(fd);
	return entered ? 1 : -1;
}
