// SPDX-License-Identifier: GPL-2.0
/*
 * What the number of a cgroup (version 2) stands for: its path, and the
 * container, pod, unit or session that the path is known to mean. The kernel
 * finds the path by the number (kernfs_fh_to_dentry, since 5.5), so nothing is
 * searched for. Never enters or changes a cgroup.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctkstat.h"

/* enum fid_type of linux/exportfs.h, which is not for user space. */
#define FILEID_KERNFS	0xfe

/* The root of the hierarchy, and where it is mounted. */
static int root = -1;
static char mount_point[PATH_MAX];

static void open_root(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;

	if (!mounts)
		return;
	while (root < 0 && (mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, "cgroup2"))
			continue;
		snprintf(mount_point, sizeof(mount_point), "%s",
			 mount->mnt_dir);
		root = open(mount->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	endmntent(mounts);
}

static int open_cgroup(uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} u = { .handle = {
		.handle_bytes = sizeof(id),
		.handle_type = FILEID_KERNFS,
	} };

	memcpy(u.handle.f_handle, &id, sizeof(id));
	return open_by_handle_at(root, &u.handle, O_PATH | O_CLOEXEC);
}

/*
 * Its path below the root, to be freed; NULL for one that is gone, and to those
 * who lack CAP_DAC_READ_SEARCH.
 */
char *cgroup_path(uint64_t id)
{
	char link[64], path[PATH_MAX];
	size_t prefix;
	ssize_t len;
	int fd;

	if (root < 0)
		open_root();
	if (root < 0)
		return NULL;
	fd = open_cgroup(id);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	close(fd);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	prefix = strlen(mount_point);
	if (strncmp(path, mount_point, prefix))
		return strdup(path);
	return strdup(path[prefix] ? path + prefix : "/");
}

/*
 * Who writes which names: @before an id and @after it in one component of the
 * path, or an id alone below the directory @below. Hexadecimal ids are
 * shortened as docker ps and crictl ps do.
 */
struct pattern {
	const char *kind;
	const char *below;
	const char *before, *after;
	enum { ID_HEX, ID_POD, ID_TEXT } id;
};

static const struct pattern patterns[] = {
	/* With the systemd driver of cgroups, then with that of cgroupfs. */
	{ "pod", NULL, "kubepods-besteffort-pod", ".slice", ID_POD },
	{ "pod", NULL, "kubepods-burstable-pod", ".slice", ID_POD },
	{ "pod", NULL, "kubepods-pod", ".slice", ID_POD },
	{ "pod", "kubepods", "pod", "", ID_POD },
	{ "pod", "burstable", "pod", "", ID_POD },
	{ "pod", "besteffort", "pod", "", ID_POD },
	{ "docker", NULL, "docker-", ".scope", ID_HEX },
	{ "docker", "docker", "", "", ID_HEX },
	{ "podman", NULL, "libpod-", ".scope", ID_HEX },
	{ "podman", NULL, "libpod-", "", ID_HEX },
	{ "containerd", NULL, "cri-containerd-", ".scope", ID_HEX },
	{ "containerd", NULL, "nerdctl-", ".scope", ID_HEX },
	{ "containerd", "default", "", "", ID_HEX },
	{ "containerd", "k8s.io", "", "", ID_HEX },
	{ "cri-o", NULL, "crio-", ".scope", ID_HEX },
	{ "cri-o", NULL, "crio-", "", ID_HEX },
	{ "lxc", NULL, "lxc.payload.", "", ID_TEXT },
	{ "lxc", "lxc", "", "", ID_TEXT },
	{ "machine", NULL, "machine-", ".scope", ID_TEXT },
	{ "session", NULL, "session-", ".scope", ID_TEXT },
};

#define N_PATTERNS	(sizeof(patterns) / sizeof(patterns[0]))
#define HEX_MIN		12	/* shorter ones are words */
#define POD_MIN		32	/* a uid, with or without its dashes */

static bool has_suffix(const char *text, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && !memcmp(text + len - n, suffix, n);
}

static bool all_hex(const char *text, size_t len, const char *also)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]) && !strchr(also, text[i]))
			return false;
	return len;
}

static bool is_id(const struct pattern *p, const char *id, size_t len)
{
	switch (p->id) {
	case ID_HEX:
		return len >= HEX_MIN && all_hex(id, len, "");
	case ID_POD:
		return len >= POD_MIN && all_hex(id, len, "-_");
	default:
		return len;
	}
}

struct component {
	const char *text;
	size_t len;
	const char *below;	/* the directory that it is in */
	size_t below_len;
};

static bool is_below(const struct component *c, const char *name)
{
	return !name || (c->below_len == strlen(name) &&
			 !memcmp(c->below, name, c->below_len));
}

static bool match(char *buf, size_t size, const struct pattern *p,
		  const struct component *c)
{
	size_t skip = strlen(p->before), len = c->len;
	const char *id = c->text + skip;

	if (!is_below(c, p->below) || len < skip + strlen(p->after) ||
	    memcmp(c->text, p->before, skip) ||
	    !has_suffix(c->text, len, p->after))
		return false;
	len -= skip + strlen(p->after);
	if (!is_id(p, id, len))
		return false;
	snprintf(buf, size, "%s:%.*s", p->kind,
		 (int)(p->id == ID_HEX ? HEX_MIN : len), id);
	/* systemd has no dashes in the name of a slice. */
	for (char *c = buf; p->id == ID_POD && *c; c++)
		if (*c == '_')
			*c = '-';
	return true;
}

/* The last component of @path before @end; false at its beginning. */
static bool component_before(struct component *c, const char *path,
			     const char *end)
{
	const char *start;

	while (end > path && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/'; )
		start--;
	c->text = start;
	c->len = (size_t)(end - start);
	for (end = start; end > path && end[-1] == '/'; )
		end--;
	for (start = end; start > path && start[-1] != '/'; )
		start--;
	c->below = start;
	c->below_len = (size_t)(end - start);
	return c->len;
}

static bool is_unit(const struct component *c)
{
	static const char *const suffixes[] = { ".service", ".scope", ".socket" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (has_suffix(c->text, c->len, suffixes[i]))
			return true;
	return false;
}

/*
 * Empty where nothing is known. A pod is found before the container in it,
 * since that is what kubectl knows; and those before a unit, since containers
 * run units of their own.
 */
void cgroup_name(char *buf, size_t size, const char *path)
{
	const char *end = path + strlen(path);
	struct component c;

	buf[0] = '\0';
	for (size_t i = 0; i < N_PATTERNS; i++)
		for (const char *at = end; component_before(&c, path, at);
		     at = c.text)
			if (match(buf, size, &patterns[i], &c))
				return;
	for (const char *at = end; component_before(&c, path, at); at = c.text)
		if (is_unit(&c)) {
			snprintf(buf, size, "%.*s", (int)c.len, c.text);
			return;
		}
}
