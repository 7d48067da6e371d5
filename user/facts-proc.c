// SPDX-License-Identifier: GPL-2.0
/*
 * What /proc says of a namespace that the module does not: two timeouts, and
 * packets that wait for a program to judge them. They are read from inside,
 * by a thread made for it, as source-proc.c does. And how much memory the
 * machine has. What cannot be read stays 0.
 */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <linux/ctk.h>

#include "places.h"
#include "why.h"

#define TIMEOUTS	"/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_"
#define QUEUES		"/proc/thread-self/net/netfilter/nfnetlink_queue"

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* Queue, its program's port, packets that wait: seq_show() of nfnetlink_queue. */
static void read_queues(struct inside *inside)
{
	FILE *file = fopen(QUEUES, "re");
	uint64_t queue, port, queued;
	char line[256];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &queue,
			   &port, &queued) == 3 && queued > inside->queued) {
			inside->queued = queued;
			inside->queue = queue;
		}
	fclose(file);
}

struct visit {
	const struct place *place;
	bool enter;
	struct inside *inside;
};

static void *look_inside(void *data)
{
	const struct visit *v = data;

	if (v->enter && place_enter(v->place) <= 0)
		return NULL;
	v->inside->established_timeout = read_number(TIMEOUTS "established");
	v->inside->time_wait_timeout = read_number(TIMEOUTS "time_wait");
	read_queues(v->inside);
	return NULL;
}

static void visit(struct facts *f, const struct place *place)
{
	struct visit v = {
		.place = place,
		.enter = place->inum != f->s->own,
		.inside = &f->inside,
	};
	pthread_t thread;

	if (pthread_create(&thread, NULL, look_inside, &v))
		return;
	pthread_join(thread, NULL);
	snprintf(f->inside.path, sizeof(f->inside.path), "%s", place->path);
}

void facts_of_proc(struct facts *f)
{
	struct selector which = {
		.by = SELECT_INUM,
		.number = (uint32_t)get(&f->netns->r, CTK_A_NETNS_NETNS_INUM),
	};
	struct places places = { 0 };

	if (!places_find(&places, f->s, &which) && places.n)
		visit(f, &places.list[0]);
	places_free(&places);
	f->memory = read_meminfo("MemTotal:");
	f->memory_free = read_meminfo("MemAvailable:");
}

/* In bytes. */
uint64_t read_meminfo(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	if (!file)
		return 0;
	while (!kib && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), "%" SCNu64, &kib) != 1)
			break;
	fclose(file);
	return kib * 1024;
}
