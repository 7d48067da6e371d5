// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat why --print-config: files that keep the settings over a reload of
 * nf_conntrack and a boot, each below a comment with its path. They are
 * printed, and never written.
 *
 * sysctl(8) and its kin run when the machine boots, mostly before something
 * loads nf_conntrack, and never again; what they set is then the default again
 * at each load. So that which has to be set is applied by modprobe itself,
 * whoever runs it: an install line of modprobe.d(5). Also finds what such
 * files ask for.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ctk.h>

#include "places.h"
#include "why.h"

#define MODPROBE_FILE	"/etc/modprobe.d/nf_conntrack.conf"
#define SYSCTL_FILE	"/etc/sysctl.d/90-nf_conntrack.conf"
#define NFT_FILE	"/etc/nftables.d/ctk-notrack.nft"

/* As modprobe would without the line, see modprobe.d(5). */
#define INSTALL	"/sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS"

/* What all diagnoses together ask for. */
struct settings {
	uint64_t limit;
	uint64_t buckets;
	uint64_t established;
	uint64_t time_wait;
	const char *notrack;
	char elsewhere[1024];	/* what is of other namespaces */
};

/* Of two that were reckoned, the one that helps both. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void add_elsewhere(struct settings *t, const struct diagnosis *d)
{
	const struct plan *p = &d->plan;
	char name[64];

	if (!p->established && !p->time_wait)
		return;
	netns_label(name, sizeof(name), d->facts->netns, 40);
	append(t->elsewhere, sizeof(t->elsewhere),
	       "# in the namespace %s, by whatever starts it:\n", name);
	if (p->established)
		append(t->elsewhere, sizeof(t->elsewhere),
		       "#   net.netfilter.nf_conntrack_tcp_timeout_established = %"
		       PRIu64 "\n", p->established);
	if (p->time_wait)
		append(t->elsewhere, sizeof(t->elsewhere),
		       "#   net.netfilter.nf_conntrack_tcp_timeout_time_wait = %"
		       PRIu64 "\n", p->time_wait);
}

static void settle(struct settings *t, const struct snapshot *s)
{
	const struct record *status = &s->status.r;

	memset(t, 0, sizeof(*t));
	t->limit = get(status, CTK_A_STATUS_LIMIT);
	t->buckets = get(status, CTK_A_STATUS_BUCKETS);
	for (size_t i = 0; i < s->why->n; i++) {
		const struct diagnosis *d = &s->why->list[i];
		const struct plan *p = &d->plan;

		/* Less than now only where memory does not allow that. */
		if (p->limit && p->limit < get(status, CTK_A_STATUS_LIMIT))
			t->limit = p->limit;
		else
			t->limit = larger(t->limit, p->limit);
		t->buckets = larger(t->buckets, p->buckets);
		if (!t->notrack && p->notrack[0])
			t->notrack = p->notrack;
		if (outside_own(d->facts)) {
			add_elsewhere(t, d);
			continue;
		}
		t->established = shorter(t->established, p->established);
		t->time_wait = shorter(t->time_wait, p->time_wait);
	}
	t->buckets = larger(t->buckets,
			    (t->limit + ENTRIES_PER_BUCKET - 1) /
			    ENTRIES_PER_BUCKET);
}

static bool is_built_in(void)
{
	return !access("/sys/module/nf_conntrack", F_OK) &&
	       access("/sys/module/nf_conntrack/initstate", F_OK);
}

static void put_modprobe(FILE *out, const struct settings *t)
{
	if (is_built_in()) {
		fprintf(out,
			"# nf_conntrack is built into this kernel: its command line takes\n"
			"#   nf_conntrack.hashsize=%" PRIu64 "\n", t->buckets);
		return;
	}
	fprintf(out,
		"# By hashsize alone the limit is %u for each bucket (4 on some kernels\n"
		"# before 5.15). Loading nf_conntrack makes all other settings the defaults\n"
		"# again, and at boot sysctl(8) comes before it is loaded: hence the second\n"
		"# line, which applies " SYSCTL_FILE " at each load.\n"
		"options nf_conntrack hashsize=%" PRIu64 "\n",
		HASHSIZE_FACTOR, t->buckets);
	fputs("install nf_conntrack " INSTALL, out);
	fputs(" && { /sbin/sysctl -q -p " SYSCTL_FILE " || true; }\n", out);
}

static void put_sysctl(FILE *out, const struct settings *t)
{
	fprintf(out, "net.netfilter.nf_conntrack_max = %" PRIu64 "\n",
		t->limit);
	if (t->established)
		fprintf(out, "net.netfilter.nf_conntrack_tcp_timeout_established = %"
			PRIu64 "\n", t->established);
	if (t->time_wait)
		fprintf(out, "net.netfilter.nf_conntrack_tcp_timeout_time_wait = %"
			PRIu64 "\n", t->time_wait);
	fputs(t->elsewhere, out);
}

static void put_nft(FILE *out, const struct settings *t)
{
	fputs("# To be included from /etc/nftables.conf, if the flood is to come again.\n",
	      out);
	fputs(t->notrack, out);
}

static const struct {
	const char *path;
	void (*put)(FILE *out, const struct settings *t);
} files[] = {
	{ MODPROBE_FILE, put_modprobe },
	{ SYSCTL_FILE, put_sysctl },
	{ NFT_FILE, put_nft },
};

#define N_FILES	(sizeof(files) / sizeof(files[0]))

static bool is_needed(const struct settings *t, size_t i)
{
	return files[i].put != put_nft || t->notrack;
}

/* -1 after a fail(), where there is nothing that files could keep. */
int config_check(const struct snapshot *s)
{
	if (!get(&s->status.r, CTK_A_STATUS_ATTACHED))
		return fail("nf_conntrack is not loaded: no limit is known to keep; load it (modprobe nf_conntrack), see that its limit is right, and ask again");
	if (!limit_is_here())
		return fail("the limit can be changed in the initial network namespace only; run \"ctkstat why -N %u --print-config\" there",
			    s->own);
	return 0;
}

/* How far the files can be relied on. */
static void put_remarks(FILE *out, const struct settings *t,
			const struct snapshot *s)
{
	if (!s->why->n) {
		fputs("# nothing is known to be wrong: these are the present values",
		      out);
		if (t->buckets > get(&s->status.r, CTK_A_STATUS_BUCKETS))
			fputs(",\n# but for the buckets, which are too few for the limit",
			      out);
		fputs("\n\n", out);
	}
	if (!s->why->events)
		fprintf(out,
			"# warning: %s:\n"
			"# what is kept here may be the value that is wrong\n\n",
			s->source->read_events ?
			"who changed the limit is told to root only" :
			"who changed the limit is not known without the module ctk");
}

void put_config(FILE *out, const struct options *o, const struct snapshot *s)
{
	struct settings t;

	(void)o;
	settle(&t, s);
	put_remarks(out, &t, s);
	for (size_t i = 0; i < N_FILES; i++) {
		if (!is_needed(&t, i))
			continue;
		fprintf(out, "%s# %s\n", i ? "\n" : "", files[i].path);
		files[i].put(out, &t);
	}
}

/* An array of path and text. */
json_t *json_config(const struct snapshot *s)
{
	json_t *list = json_array();
	struct settings t;

	settle(&t, s);
	for (size_t i = 0; i < N_FILES; i++) {
		char *text = NULL;
		size_t size;
		FILE *out;

		if (!is_needed(&t, i))
			continue;
		out = open_memstream(&text, &size);
		if (!out)
			break;
		files[i].put(out, &t);
		fclose(out);
		json_array_append_new(list, json_pack("{s:s, s:o}", "path",
						      files[i].path, "text",
						      json_string(text)));
		free(text);
	}
	return list;
}

/* net.netfilter.nf_conntrack_max = N, or without netfilter, or with slashes. */
static bool parse_limit(const char *line, uint64_t *limit)
{
	char key[64], *c;

	line += strspn(line, " \t-");
	if (sscanf(line, "%63[^ \t=] = %" SCNu64, key, limit) != 2)
		return false;
	for (c = key; *c; c++)
		if (*c == '/')
			*c = '.';
	return !strcmp(key, "net.netfilter.nf_conntrack_max") ||
	       !strcmp(key, "net.nf_conntrack_max");
}

static bool search_file(const char *path, uint64_t *limit)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char line[256];
	uint64_t value;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (parse_limit(line, &value)) {
			*limit = value;
			found = true;
		}
	fclose(file);
	return found;
}

static bool search_directory(const char *name, char *path, size_t size,
			     uint64_t *limit)
{
	const struct dirent *entry;
	DIR *dir = opendir(name);
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 5, ".conf"))
			continue;
		snprintf(path, size, "%s/%s", name, entry->d_name);
		found = search_file(path, limit);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A file of sysctl.d(5) that sets the limit, and to what. */
bool config_asks(char *path, size_t size, uint64_t *limit)
{
	static const char *const directories[] = {
		"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
		"/usr/lib/sysctl.d",
	};

	snprintf(path, size, "/etc/sysctl.conf");
	if (search_file(path, limit))
		return true;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]);
	     i++)
		if (search_directory(directories[i], path, size, limit))
			return true;
	return false;
}
