// SPDX-License-Identifier: GPL-2.0
/*
 * What fills a table, as the module ctk counts it: now, or when an episode of
 * losses began. Which namespace a census is of is found out in source.c.
 */
#include <string.h>

#include <linux/ctk.h>
#include <linux/genetlink.h>

#include "ctkstat.h"
#include "module.h"

static int parse_part(const struct nlattr *nest, struct parts *parts)
{
	struct record *list = grow(parts->list, parts->n, sizeof(*list));

	if (!list)
		return -1;
	parts->list = list;
	list += parts->n++;
	memset(list, 0, sizeof(*list));
	return parse_nest(nest, census_part_fields, list);
}

static int parse_census(const struct nlmsghdr *nlh, struct census *census)
{
	const struct nlattr *attr;
	int error;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (field_of(census_lists, type))
			error = parse_part(attr, &census->parts[type]);
		else
			error = parse_attr(attr, census_fields, &census->r);
		if (error)
			return -1;
	}
	return 0;
}

static int add_census(const struct nlmsghdr *nlh, struct censuses *censuses)
{
	struct census *list = grow(censuses->list, censuses->n, sizeof(*list));

	if (!list)
		return -1;
	censuses->list = list;
	list += censuses->n++;
	memset(list, 0, sizeof(*list));
	return parse_census(nlh, list);
}

static int parse_counted(const struct nlmsghdr *nlh, void *data)
{
	return add_census(nlh, &((struct snapshot *)data)->counted);
}

static int parse_kept(const struct nlmsghdr *nlh, void *data)
{
	return add_census(nlh, &((struct snapshot *)data)->kept);
}

static void clear_kept(struct snapshot *s)
{
	censuses_free(&s->kept);
}

/* Adds that of the namespace @id, or with 0 that of all together. */
int module_read_census(struct snapshot *s, uint64_t id)
{
	static const struct question question = {
		"entries", "count what fills the table", census_fields
	};
	char buf[GENL_REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int error;

	nlh = genl_request(&ctk, buf, CTK_CMD_CENSUS_GET, 0);
	if (id)
		mnl_attr_put_u64(nlh, CTK_A_CENSUS_NETNS_ID, id);
	else
		mnl_attr_put(nlh, CTK_A_CENSUS_ALL, 0, NULL);
	error = genl_talk(&ctk, nlh, parse_counted, s);
	return error < 0 ? module_refused(&question, error) : 0;
}

/* Those of the namespace @id, or with 0 of all that may be seen. */
int module_read_kept(struct snapshot *s, uint64_t id)
{
	static const struct question question = {
		"entries", "read what filled the table", census_fields
	};

	return module_dump(&question, CTK_CMD_CENSUS_GET,
			   CTK_A_CENSUS_NETNS_ID, id, parse_kept, clear_kept,
			   s);
}
