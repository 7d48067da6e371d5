/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that speak generic netlink share: to put a message
 * together, to find a family, to walk an answer. Nothing here corrects what a
 * caller wants to be wrong, and nothing judges.
 */
#ifndef NL_H
#define NL_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

union nl_message {
	struct nlmsghdr nlh;
	char bytes[1 << 16];
};

struct nl_family {
	uint16_t id;
	uint32_t group;			/* of @group_name, 0 for none */
	const char *group_name;
};

__attribute__((noreturn)) void nl_die(const char *what);

int nl_open(void);
void nl_set(int sock, int option);
bool nl_join(int sock, uint32_t group);
void nl_find_family(int sock, const char *name, struct nl_family *family);

void nl_begin(union nl_message *m, uint16_t type, uint16_t flags);
void nl_begin_command(union nl_message *m, uint16_t family, uint8_t command,
		      uint16_t flags);
bool nl_put(union nl_message *m, const void *data, size_t len);
bool nl_put_attribute(union nl_message *m, uint16_t type, const void *data,
		      size_t len);
void nl_send(int sock, const union nl_message *m, size_t len);

/* The attributes of a message of generic netlink, or those in an attribute. */
const struct nlattr *nl_attributes(const struct nlmsghdr *nlh, size_t *left);
const struct nlattr *nl_nested(const struct nlattr *a, size_t *left);
bool nl_attribute_ok(const struct nlattr *a, size_t left);
const struct nlattr *nl_next_attribute(const struct nlattr *a, size_t *left);
uint64_t nl_number(const struct nlattr *a);

/* Of an NLMSG_ERROR or NLMSG_DONE: the errno, negative, and its extack. */
bool nl_ends(const struct nlmsghdr *nlh);
int nl_error(const struct nlmsghdr *nlh);
const struct nlattr *nl_extack(const struct nlmsghdr *nlh, size_t *left);

#endif /* NL_H */
