// SPDX-License-Identifier: GPL-2.0
/*
 * What the argument of -N names. A number up to 4194304, the largest pid that
 * Linux gives (PID_MAX_LIMIT), is a process; a larger one is an inode number,
 * which the kernel numbers from 4026531833 (NET_NS_INIT_INO) upwards. What
 * contains a slash is a path, all else a name in /run/netns.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/nsfs.h>
#include <linux/sched.h>

#include "ctkstat.h"

#define PID_LARGEST	4194304

static int select_number(struct selector *sel, const char *text)
{
	unsigned long long number;

	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno || number > UINT32_MAX || !number)
		return fail("'%s' is neither a pid (1 to %u) nor the inode number of a network namespace",
			    text, PID_LARGEST);
	sel->by = number > PID_LARGEST ? SELECT_INUM : SELECT_PID;
	sel->number = (uint32_t)number;
	return 0;
}

/* After a fail(): none has the pid. */
int selector_no_process(const struct selector *sel)
{
	return fail("there is no process %s: -N takes a number up to %u for a pid, a larger one for an inode number",
		    sel->text, PID_LARGEST);
}

static int open_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	/* A name that was left behind is an empty file, not a namespace. */
	if (fd >= 0 && (fstat(fd, &st) || st.st_dev != nsfs_device() ||
			ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static int select_file(struct selector *sel, const char *text,
		       const char *path)
{
	int fd = open_netns(path);

	if (fd < 0 && errno == EINVAL)
		return fail("%s is not a network namespace", path);
	if (fd < 0 && errno == ENOENT && path != text)
		return fail("no network namespace '%s' in " NAMES_DIR
			    ": ip netns lists them, and a path has a slash",
			    text);
	if (fd < 0)
		return fail("cannot open the namespace %s: %s", path,
			    strerror(errno));
	sel->by = SELECT_FD;
	sel->number = (uint32_t)fd;
	return 0;
}

/* The file descriptor stays open: it keeps the namespace the same. */
int selector_parse(struct selector *sel, const char *text)
{
	char path[PATH_MAX];

	sel->text = text;
	if (!*text)
		return fail("-N needs the name, pid, path or inode number of a namespace");
	if (text[strspn(text, "0123456789")] == '\0')
		return select_number(sel, text);
	if (strchr(text, '/'))
		return select_file(sel, text, text);
	if ((size_t)snprintf(path, sizeof(path), NAMES_DIR "/%s", text) >=
	    sizeof(path))
		return fail("the name of the namespace is too long");
	return select_file(sel, text, path);
}
