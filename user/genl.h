/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A generic netlink conversation: one request at a time, checked answers, and
 * the kernel's own words for a refusal; or, on a socket of its own, news.
 */
#ifndef GENL_H
#define GENL_H

#include <stdint.h>

#include <libmnl/libmnl.h>

#define GENL_REQUEST_SIZE	256

struct genl {
	struct mnl_socket *nl;
	uint32_t port;
	uint32_t seq;
	uint16_t family;
	uint32_t version;	/* of the family, as the kernel gave it */
	char *buffer;

	/* Of the last refusal, from its extended ack. */
	char message[256];
	uint32_t offset;	/* into the request; 0 where none was given */
	int attr;		/* the attribute there; 0 where none was given */
};

/* Called with each message of an answer; -1 after fail() ends it. */
typedef int (*genl_reply)(const struct nlmsghdr *nlh, void *data);

#define GENL_TORN	1	/* a dump that is not of one moment */

int genl_open(struct genl *g);
void genl_close(struct genl *g);
int genl_find(struct genl *g, const char *family);
struct nlmsghdr *genl_request(struct genl *g, char *buf, uint8_t cmd,
			      uint16_t flags);
int genl_talk(struct genl *g, const struct nlmsghdr *request,
	      genl_reply reply, void *data);

/* News: what comes is dropped, since that it came is all there is to know. */
int genl_join(struct genl *g, const char *family, const char *group);
void genl_drain(const struct genl *g);

#endif /* GENL_H */
