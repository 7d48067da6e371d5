// SPDX-License-Identifier: GPL-2.0
/*
 * Who lost packets, in words: source, destination, process and container of a
 * group. What a terminal might obey is made visible, since processes choose
 * their names. Decides nothing and prints nothing.
 */
#include <inttypes.h>
#include <string.h>

#include <linux/ctk.h>

#include "ctkstat.h"
#include "groups.h"

#define COMM_WIDTH	16
#define CGROUP_WIDTH	40

/* 214 ports, or 214+ ports where others may have gone. */
static void say_many(char *buf, size_t size, const struct group *g, size_t n,
		     const char *what)
{
	snprintf(buf, size, "%zu%s %s", n, g->approximate ? "+" : "", what);
}

void say_source(char *buf, size_t size, const struct group *g)
{
	char many[48];

	if (g->sources == 1 && g->kind != GROUP_REST) {
		snprintf(buf, size, "%s",
			 get_text(&g->member[0]->r, CTK_A_OFFENDER_SRC));
		return;
	}
	say_many(many, sizeof(many), g, g->sources, "sources");
	snprintf(buf, size, "* (%s)", many);
}

/* 10.0.0.1:443, [2001:db8::1]:443, 10.0.0.1:*; without a port the address. */
static void say_address(char *buf, size_t size, const char *address,
			const char *port)
{
	bool bracket = *port && strchr(address, ':');

	snprintf(buf, size, "%s%s%s%s%s", bracket ? "[" : "", address,
		 bracket ? "]" : "", *port ? ":" : "", port);
}

/* What it has many of, in brackets. */
static void say_breadth(char *buf, size_t size, const struct group *g)
{
	char hosts[32] = "", ports[32] = "";

	buf[0] = '\0';
	if (g->hosts > 1)
		say_many(hosts, sizeof(hosts), g, g->hosts, "hosts");
	if (g->ports > 1)
		say_many(ports, sizeof(ports), g, g->ports, "ports");
	if (*hosts || *ports)
		snprintf(buf, size, " (%s%s%s)", hosts,
			 *hosts && *ports ? ", " : "", ports);
}

static void say_type(char *buf, size_t size, const struct group *g)
{
	const struct record *r = &g->member[0]->r;
	char icmp[32];

	buf[0] = '\0';
	if (g->types != 1)
		return;
	format_icmp(icmp, sizeof(icmp), get(r, CTK_A_OFFENDER_L4PROTO),
		    get(r, CTK_A_OFFENDER_ICMP_TYPE),
		    get(r, CTK_A_OFFENDER_ICMP_CODE));
	snprintf(buf, size, " %s", icmp);
}

void say_destination(char *buf, size_t size, const struct group *g)
{
	const struct record *r = &g->member[0]->r;
	char port[16] = "", address[64], breadth[80], type[40], zone[24] = "";

	if (g->ports == 1)
		snprintf(port, sizeof(port), "%" PRIu64,
			 get(r, CTK_A_OFFENDER_DPORT));
	else if (g->ports && g->hosts == 1)
		snprintf(port, sizeof(port), "*");
	say_address(address, sizeof(address), g->hosts == 1 ?
		    get_text(r, CTK_A_OFFENDER_DST) : "*", port);
	say_breadth(breadth, sizeof(breadth), g);
	say_type(type, sizeof(type), g);
	if (has(r, CTK_A_OFFENDER_ZONE))
		snprintf(zone, sizeof(zone), " zone %" PRIu64,
			 get(r, CTK_A_OFFENDER_ZONE));
	snprintf(buf, size, "%s%s%s%s", address, type, breadth, zone);
}

static const struct offender *first_with(const struct group *g,
					 unsigned int attr)
{
	for (size_t i = 0; i < g->n; i++)
		if (has(&g->member[i]->r, attr))
			return g->member[i];
	return NULL;
}

/* The device that it came in by, where no process of this host sent it. */
static void say_device(char *buf, size_t size, const struct group *g)
{
	const struct offender *o = first_with(g, CTK_A_OFFENDER_IFINDEX);
	char name[COMM_WIDTH + 1];

	buf[0] = '\0';
	if (g->devices > 1) {
		snprintf(buf, size, "in via %zu devices", g->devices);
	} else if (o && has(&o->r, CTK_A_OFFENDER_IFNAME)) {
		shorten(name, sizeof(name),
			get_text(&o->r, CTK_A_OFFENDER_IFNAME), COMM_WIDTH);
		snprintf(buf, size, "in via %s", name);
	} else if (o) {
		snprintf(buf, size, "in via device %" PRIu64,
			 get(&o->r, CTK_A_OFFENDER_IFINDEX));
	}
}

/* java/8123, ping (12 pids), java and 2 more. */
void say_process(char *buf, size_t size, const struct group *g)
{
	const struct offender *o = first_with(g, CTK_A_OFFENDER_COMM);
	char comm[COMM_WIDTH + 1];

	if (!o) {
		say_device(buf, size, g);
		return;
	}
	shorten(comm, sizeof(comm), get_text(&o->r, CTK_A_OFFENDER_COMM),
		COMM_WIDTH);
	if (g->comms > 1)
		snprintf(buf, size, "%s and %zu more", comm, g->comms - 1);
	else if (g->pids > 1)
		snprintf(buf, size, "%s (%zu%s pids)", comm, g->pids,
			 g->approximate ? "+" : "");
	else if (has(&o->r, CTK_A_OFFENDER_PID))
		snprintf(buf, size, "%s/%" PRIu64, comm,
			 get(&o->r, CTK_A_OFFENDER_PID));
	else
		snprintf(buf, size, "%s", comm);
}

/* By its path where nothing better is known; the root says nothing. */
void say_container(char *buf, size_t size, const struct group *g)
{
	const struct offender *o = first_with(g, CTK_A_OFFENDER_CGROUP_ID);

	buf[0] = '\0';
	if (!o)
		return;
	if (g->cgroups > 1)
		snprintf(buf, size, "%zu cgroups", g->cgroups);
	else if (*o->cgroup_name)
		shorten(buf, size, o->cgroup_name, CGROUP_WIDTH);
	else if (!o->cgroup)
		snprintf(buf, size, "cgroup:%" PRIu64,
			 get(&o->r, CTK_A_OFFENDER_CGROUP_ID));
	else if (strcmp(o->cgroup, "/"))
		shorten(buf, size, o->cgroup, CGROUP_WIDTH);
}
