// SPDX-License-Identifier: GPL-2.0
/*
 * What nlfuzz holds each answer against: it is an errno that there is, or a
 * message of the family whose attributes are known and fill it to the end; and
 * nothing of another namespace, where that is not the sender's to see. Asks
 * the kernel nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/ctk.h>
#include "nlfuzz.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (1ULL << (n))

unsigned long fuzz_errnos[FUZZ_ERRNOS];

/**
 * struct set - the attributes of a reply or of a nest
 * @max: the last that is known
 * @nests: those that are nests, and what is in them
 * @all_only: those for readers of all namespaces, a bit each
 * @never: those that are not told here, likewise
 * @inum: the one that is the namespace's inode number, or 0; always there
 *	where only the reader's own may be told
 * @id: the one that is ctk's number of it; likewise
 */
struct set {
	uint16_t max;
	struct {
		uint16_t type;
		const struct set *set;
	} nests[10];
	uint64_t all_only;
	uint64_t never;
	uint16_t inum;
	uint16_t id;
};

static const struct set hook = {
	.max = CTK_A_HOOK_MAX,
	.all_only = BIT(CTK_A_HOOK_MISSED),
};

static const struct set kernel_stats = { .max = CTK_A_KERNEL_STATS_MAX };

/* Who did it is told with what is true of all namespaces. */
static const struct set actor = {
	.max = CTK_A_ACTOR_MAX,
	.all_only = ~0ULL,
};

static const struct set status = {
	.max = CTK_A_STATUS_MAX,
	.nests = {
		{ CTK_A_STATUS_HOOKS, &hook },
		{ CTK_A_STATUS_ATTACHED_BY, &actor },
	},
	.all_only = BIT(CTK_A_STATUS_MISSED) | BIT(CTK_A_STATUS_ATTACHED_BY) |
		    BIT(CTK_A_STATUS_MARKS_LOST),
};

static const struct set netns = {
	.max = CTK_A_NETNS_MAX,
	.nests = { { CTK_A_NETNS_KERNEL_STATS, &kernel_stats } },
	.inum = CTK_A_NETNS_NETNS_INUM,
	.id = CTK_A_NETNS_ID,
};

static const struct set event = {
	.max = CTK_A_EVENT_MAX,
	.nests = { { CTK_A_EVENT_ACTOR, &actor } },
	.inum = CTK_A_EVENT_NETNS_INUM,
	.id = CTK_A_EVENT_NETNS_ID,
};

static const struct set offender = {
	.max = CTK_A_OFFENDER_MAX,
	.inum = CTK_A_OFFENDER_NETNS_INUM,
	.id = CTK_A_OFFENDER_NETNS_ID,
};

/* Who receives a notification is not known, so it says no pid. */
static const struct set notified_actor = {
	.max = CTK_A_ACTOR_MAX,
	.all_only = ~0ULL,
	.never = BIT(CTK_A_ACTOR_PID),
};

static const struct set notification = {
	.max = CTK_A_EVENT_MAX,
	.nests = { { CTK_A_EVENT_ACTOR, &notified_actor } },
	.inum = CTK_A_EVENT_NETNS_INUM,
	.id = CTK_A_EVENT_NETNS_ID,
};

static const struct set census_part = { .max = CTK_A_CENSUS_PART_MAX };

static const struct set census = {
	.max = CTK_A_CENSUS_MAX,
	.nests = {
		{ CTK_A_CENSUS_BY_L4PROTO, &census_part },
		{ CTK_A_CENSUS_BY_TCP_STATE, &census_part },
		{ CTK_A_CENSUS_TIME_LEFT, &census_part },
		{ CTK_A_CENSUS_ESTABLISHED_IDLE, &census_part },
		{ CTK_A_CENSUS_TOP_SRC, &census_part },
		{ CTK_A_CENSUS_TOP_DST, &census_part },
		{ CTK_A_CENSUS_TOP_DPORT, &census_part },
		{ CTK_A_CENSUS_TOP_SERVICE, &census_part },
		{ CTK_A_CENSUS_CHAIN_LENGTH, &census_part },
	},
	.all_only = BIT(CTK_A_CENSUS_CHAIN_LENGTH) |
		    BIT(CTK_A_CENSUS_CHAIN_LOSS_RATIO),
	.inum = CTK_A_CENSUS_NETNS_INUM,
	.id = CTK_A_CENSUS_NETNS_ID,
};

/* A command that replies has its line here, or its replies are wrong. */
static const struct set * const replies[CTK_CMD_MAX + 1] = {
	[CTK_CMD_STATUS_GET]	= &status,
	[CTK_CMD_NETNS_GET]	= &netns,
	[CTK_CMD_EVENT_GET]	= &event,
	[CTK_CMD_EVENT_NTF]	= &notification,
	[CTK_CMD_CENSUS_GET]	= &census,
	[CTK_CMD_OFFENDER_GET]	= &offender,
};

/* --- Attributes --------------------------------------------------------- */

static const struct set *nest_of(const struct set *set, uint16_t type)
{
	size_t i;

	for (i = 0; i < LENGTH(set->nests); i++)
		if (set->nests[i].set && set->nests[i].type == type)
			return set->nests[i].set;
	return NULL;
}

static const char *check_attributes(const struct fuzz_self *self,
				    const struct set *set,
				    const struct nlattr *a, size_t left)
{
	const struct nlattr *first;
	const char *wrong = NULL;
	size_t inner;

	for (; !wrong && left; a = nl_next_attribute(a, &left)) {
		uint16_t type = a->nla_type & NLA_TYPE_MASK;
		const struct set *nest = nest_of(set, type);

		if (!nl_attribute_ok(a, left))
			return "bytes that are no attribute";
		if (!type || type > set->max)
			return "an attribute that is not known";
		if (a->nla_type != (nest ? type | NLA_F_NESTED : type))
			return "an attribute with wrong flags";
		if (self->only_own && set->all_only & BIT(type))
			return "an attribute for readers of all namespaces";
		if (set->never & BIT(type))
			return "an attribute that is not to be told here";
		if (nest) {
			first = nl_nested(a, &inner);
			wrong = check_attributes(self, nest, first, inner);
		}
	}
	return wrong;
}

/* The number in an attribute that has to be there, or 0, which none has. */
static uint64_t number_of(const struct nlattr *a, size_t left, uint16_t type,
			  size_t size)
{
	for (; nl_attribute_ok(a, left); a = nl_next_attribute(a, &left))
		if (a->nla_type == type && a->nla_len == NLA_HDRLEN + size)
			return nl_number(a);
	return 0;
}

static const char *check_own(struct fuzz_self *self, const struct set *set,
			     const struct nlattr *a, size_t left)
{
	uint64_t id;

	if (!set->inum || !self->only_own)
		return NULL;
	if (number_of(a, left, set->inum, sizeof(uint32_t)) != self->inum)
		return "another namespace's";
	id = number_of(a, left, set->id, sizeof(id));
	if (!self->id)
		self->id = id;
	return id && id == self->id ? NULL : "another namespace's id";
}

/*
 * Numbers of notifications have no gap but for what did not fit the buffer,
 * whatever happens elsewhere.
 */
static const char *check_heard(struct fuzz_self *self, const struct nlattr *a,
			       size_t left)
{
	uint64_t seq = number_of(a, left, CTK_A_EVENT_SEQ, sizeof(seq));
	uint64_t due = self->heard ? self->heard + 1 : seq;

	self->heard = seq;
	return seq && seq == due ? NULL : "a notification out of turn";
}

/* --- Messages ----------------------------------------------------------- */

static const char *check_reply(struct fuzz_self *self,
			       const struct nlmsghdr *nlh,
			       struct fuzz_answer *counts)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);
	const struct set *set;
	const struct nlattr *a;
	const char *wrong;
	size_t left;

	if (nlh->nlmsg_type != self->family.id)
		return "a reply of another family";
	if (nlh->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return "a reply without a header";
	if (genl->version != CTK_FAMILY_VERSION)
		return "a reply of another version";
	set = genl->cmd <= CTK_CMD_MAX ? replies[genl->cmd] : NULL;
	if (!set)
		return "a reply of a command that nlfuzz-check.c does not know";
	a = nl_attributes(nlh, &left);
	wrong = check_attributes(self, set, a, left);
	if (!wrong)
		wrong = check_own(self, set, a, left);
	if (!wrong && genl->cmd == CTK_CMD_EVENT_NTF)
		wrong = check_heard(self, a, left);
	if (genl->cmd == CTK_CMD_EVENT_NTF) {
		counts->notified++;
	} else {
		counts->replies++;
		counts->events += genl->cmd == CTK_CMD_EVENT_GET;
		counts->censuses += genl->cmd == CTK_CMD_CENSUS_GET;
	}
	return wrong;
}

/*
 * A message that did not fit its buffer, memory that is not there, and where
 * nothing of others may be told, whether one of them exists.
 */
static const char *check_errno(const struct fuzz_self *self, int error)
{
	if (error < 0 || error >= FUZZ_ERRNOS || !strerrorname_np(error))
		return "an errno that there is not";
	if (error == EMSGSIZE || error == ENOMEM || error == EFAULT)
		return "an errno of something broken";
	if (self->only_own &&
	    (error == ENOENT || error == ESRCH || error == EBADF))
		return "an errno that tells that something does not exist";
	return NULL;
}

static const char *check_extack(const struct nlmsghdr *nlh)
{
	const struct nlattr *a;
	size_t left;

	for (a = nl_extack(nlh, &left); left;
	     a = nl_next_attribute(a, &left)) {
		if (!nl_attribute_ok(a, left))
			return "an extack with bytes that are no attribute";
		if (a->nla_type == NLMSGERR_ATTR_MSG &&
		    (a->nla_len == NLA_HDRLEN ||
		     ((const char *)a)[a->nla_len - 1]))
			return "an extack whose text does not end";
	}
	return NULL;
}

static const char *check_end(const struct fuzz_self *self,
			     const struct nlmsghdr *nlh,
			     struct fuzz_answer *counts)
{
	size_t least = nlh->nlmsg_type == NLMSG_DONE ? sizeof(int) :
						       sizeof(struct nlmsgerr);
	const char *wrong;
	int error;

	if (nlh->nlmsg_len < NLMSG_LENGTH(least))
		return "an end that is too short";
	error = -nl_error(nlh);
	wrong = check_errno(self, error);
	if (wrong)
		return wrong;
	counts->ends++;
	counts->refused += !!error;
	fuzz_errnos[error]++;
	return check_extack(nlh);
}

/**
 * fuzz_check() - whether an answer is one
 * @self: who gets it
 * @answer: what one recv() returned
 * @len: bytes of it
 * @counts: what is found is added
 *
 * Return: what is wrong, or NULL.
 */
const char *fuzz_check(struct fuzz_self *self, const void *answer, size_t len,
		       struct fuzz_answer *counts)
{
	const char *at = answer, *end = at + len, *wrong = NULL;

	while (!wrong && at < end) {
		const struct nlmsghdr *nlh = (const void *)at;

		if (!NLMSG_OK(nlh, (size_t)(end - at)))
			return "bytes that are no message";
		if (nl_ends(nlh))
			wrong = check_end(self, nlh, counts);
		else
			wrong = check_reply(self, nlh, counts);
		at += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	return wrong;
}

/**
 * fuzz_check_ends() - whether a datagram got the answers that are due
 * @f: the datagram
 * @answer: all that came back
 *
 * Return: what is wrong, or NULL.
 */
const char *fuzz_check_ends(const struct fuzz_message *f,
			    const struct fuzz_answer *answer)
{
	if (answer->ends < f->ends_min)
		return "silence";
	return answer->ends > f->ends_max ? "more than was asked for" : NULL;
}
