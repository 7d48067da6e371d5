// SPDX-License-Identifier: GPL-2.0
/*
 * Who lost packets, as the module ctk has it: its records, in no order, into a
 * snapshot. Whose cgroup and which namespace they are of is found out in
 * source.c.
 */
#include <string.h>

#include <linux/ctk.h>
#include <linux/genetlink.h>

#include "ctkstat.h"
#include "module.h"

static int parse_offender(const struct nlmsghdr *nlh, void *data)
{
	struct snapshot *s = data;
	struct offender *list = grow(s->offenders, s->n_offenders,
				     sizeof(*list));
	const struct nlattr *attr;

	if (!list)
		return -1;
	s->offenders = list;
	list += s->n_offenders++;
	memset(list, 0, sizeof(*list));
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (parse_attr(attr, offender_fields, &list->r))
			return -1;
	return 0;
}

static void clear_offenders(struct snapshot *s)
{
	s->n_offenders = 0;
}

/* Of the namespace @id; 0 is all that may be seen. */
int module_read_offenders(struct snapshot *s, uint64_t id)
{
	static const struct question question = {
		"drops", "read who lost packets", offender_fields
	};

	return module_dump(&question, CTK_CMD_OFFENDER_GET,
			   CTK_A_OFFENDER_NETNS_ID, id, parse_offender,
			   clear_offenders, s);
}
