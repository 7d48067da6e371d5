// SPDX-License-Identifier: GPL-2.0
/*
 * The module ctk as a source: its generic netlink family, as ctk.yaml and
 * linux/ctk.h describe it. Attributes that this tool does not know are left
 * alone and those that are absent stay unknown; one of the wrong length is an
 * error, since a number that is not the module's is worse than none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/ctk.h>
#include <linux/genetlink.h>

#include "ctkstat.h"
#include "module.h"
#include "version.h"

/* Namespaces that come and go tear a dump; so many times it is read anew. */
#define DUMP_TRIES	8

struct genl ctk;

/* What the module calls itself, for a message about two that do not match. */
static void module_version(char *buf, size_t size)
{
	FILE *file = fopen("/sys/module/ctk/version", "re");

	snprintf(buf, size, "unknown");
	if (!file)
		return;
	if (fgets(buf, (int)size, file))
		buf[strcspn(buf, "\n")] = '\0';
	fclose(file);
}

static int module_probe(void)
{
	char version[64];
	int found;

	/* Sandboxes can be without any generic netlink. */
	if (!ctk.nl && genl_open(&ctk))
		return 0;
	found = genl_find(&ctk, CTK_FAMILY_NAME);
	if (found <= 0 || ctk.version == CTK_FAMILY_VERSION)
		return found;
	module_version(version, sizeof(version));
	return fail("the loaded module ctk (release %s) speaks version %u of its protocol, ctkstat %s speaks version %u: install both from one release, then reload the module (rmmod ctk; modprobe ctk)",
		    version, ctk.version, CTK_VERSION, CTK_FAMILY_VERSION);
}

static int bad_length(const struct nlattr *attr, const char *name)
{
	return fail("the module ctk sent %u bytes for %s: it and this ctkstat do not match, install both from one release",
		    mnl_attr_get_payload_len(attr), name);
}

static int parse_string(const struct nlattr *attr, const struct field *f,
			struct record *r)
{
	const char *text = mnl_attr_get_payload(attr);

	set_text(r, f->attr, text,
		 strnlen(text, mnl_attr_get_payload_len(attr)));
	return 0;
}

static int parse_address(const struct nlattr *attr, const struct field *f,
			 struct record *r)
{
	size_t len = mnl_attr_get_payload_len(attr);
	char text[INET6_ADDRSTRLEN];

	if (len != sizeof(struct in_addr) && len != sizeof(struct in6_addr))
		return bad_length(attr, f->name);
	inet_ntop(len == sizeof(struct in_addr) ? AF_INET : AF_INET6,
		  mnl_attr_get_payload(attr), text, sizeof(text));
	set_text(r, f->attr, text, strlen(text));
	return 0;
}

static int parse_value(const struct nlattr *attr, const struct field *f,
		       struct record *r)
{
	static const size_t lengths[] = {
		[TYPE_U8] = sizeof(uint8_t),
		[TYPE_U16] = sizeof(uint16_t),
		[TYPE_U32] = sizeof(uint32_t),
		[TYPE_S32] = sizeof(int32_t),
		[TYPE_U64] = sizeof(uint64_t),
	};

	if (f->type == TYPE_STRING)
		return parse_string(attr, f, r);
	if (f->type == TYPE_ADDRESS)
		return parse_address(attr, f, r);
	if (mnl_attr_get_payload_len(attr) != lengths[f->type])
		return bad_length(attr, f->name);
	switch ((enum field_type)f->type) {
	case TYPE_U8:
		set(r, f->attr, mnl_attr_get_u8(attr));
		break;
	case TYPE_U16:
		set(r, f->attr, mnl_attr_get_u16(attr));
		break;
	case TYPE_U32:
		set(r, f->attr, mnl_attr_get_u32(attr));
		break;
	case TYPE_S32:
		set(r, f->attr,
		    (uint64_t)(int64_t)(int32_t)mnl_attr_get_u32(attr));
		break;
	default:
		set(r, f->attr, mnl_attr_get_u64(attr));
		break;
	}
	return 0;
}

int parse_attr(const struct nlattr *attr, const struct field *fields,
	       struct record *r)
{
	const struct field *f = field_of(fields, mnl_attr_get_type(attr));

	return f ? parse_value(attr, f, r) : 0;
}

int parse_nest(const struct nlattr *nest, const struct field *fields,
	       struct record *r)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (parse_attr(attr, fields, r))
			return -1;
	return 0;
}

static int parse_hook(const struct nlattr *nest, struct status *status)
{
	if (status->n_hooks == HOOKS_MAX)
		return 0;
	return parse_nest(nest, hook_fields,
			  &status->hooks[status->n_hooks++]);
}

static int parse_status(const struct nlmsghdr *nlh, void *data)
{
	struct status *status = data;
	const struct nlattr *attr;
	int error;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTK_A_STATUS_HOOKS)
			error = parse_hook(attr, status);
		else if (mnl_attr_get_type(attr) == CTK_A_STATUS_ATTACHED_BY)
			error = parse_nest(attr, actor_fields,
					   &status->attached_by);
		else
			error = parse_attr(attr, status_fields, &status->r);
		if (error)
			return -1;
	}
	return 0;
}

static int parse_netns(const struct nlmsghdr *nlh, void *data)
{
	struct netns *netns = snapshot_add(data);
	const struct nlattr *attr;
	int error;

	if (!netns)
		return -1;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTK_A_NETNS_KERNEL_STATS)
			error = parse_nest(attr, kernel_stats_fields,
					   &netns->stats);
		else
			error = parse_attr(attr, netns_fields, &netns->r);
		if (error)
			return -1;
	}
	return 0;
}

static const char *request_attr_name(const struct field *fields, int attr)
{
	const struct field *f;

	if (fields == netns_fields && attr == CTK_A_NETNS_NETNS_FD)
		return "netns_fd";
	if (fields == netns_fields && attr == CTK_A_NETNS_NETNS_PID)
		return "netns_pid";
	if (fields == census_fields && attr == CTK_A_CENSUS_ALL)
		return "all";
	f = field_of(fields, (unsigned int)attr);
	return f ? f->name : "unknown";
}

static bool is_forbidden(int error)
{
	return error == -EPERM || error == -EACCES;
}

/*
 * What failed, and what to do. What nobody foresees is in the kernel's words,
 * where it had some.
 */
int module_refused(const struct question *q, int error)
{
	char where[96] = "";

	if (error == -ECANCELED)
		return -1;	/* said already */
	if (is_forbidden(error) && q->command)
		return fail("%s needs CAP_NET_ADMIN over the namespace: try as root in the initial one",
			    q->command);
	/* It was there when its id was read. */
	if (error == -ENOENT && ctk.attr)
		return fail("cannot %s: the namespace has been deleted meanwhile",
			    q->what);
	if (ctk.attr)
		snprintf(where, sizeof(where), " (attribute %s, offset %u)",
			 request_attr_name(q->fields, ctk.attr), ctk.offset);
	else if (ctk.offset)
		snprintf(where, sizeof(where), " (offset %u)", ctk.offset);
	return fail("cannot %s: %s%s%s%s", q->what, strerror(-error),
		    ctk.message[0] ? ": " : "", ctk.message, where);
}

static int module_read_status(struct snapshot *s)
{
	static const struct question question = {
		NULL, "read the status of ctk", status_fields
	};
	char buf[GENL_REQUEST_SIZE];
	int error;

	error = genl_talk(&ctk,
			  genl_request(&ctk, buf, CTK_CMD_STATUS_GET, 0),
			  parse_status, &s->status);
	return error ? module_refused(&question, error) : 0;
}

/*
 * What a dump has of the namespace @id, which is the attribute @attr of the
 * request, or with 0 of all that may be seen. Each attempt begins with @clear.
 */
int module_dump(const struct question *q, uint8_t cmd, uint16_t attr,
		uint64_t id, genl_reply reply,
		void (*clear)(struct snapshot *s), struct snapshot *s)
{
	int error = GENL_TORN;

	for (int i = 0; i < DUMP_TRIES && error == GENL_TORN; i++) {
		char buf[GENL_REQUEST_SIZE];
		struct nlmsghdr *nlh;

		clear(s);
		nlh = genl_request(&ctk, buf, cmd, NLM_F_DUMP);
		if (id)
			mnl_attr_put_u64(nlh, attr, id);
		error = genl_talk(&ctk, nlh, reply, s);
	}
	if (error < 0)
		return module_refused(q, error);
	s->torn |= error == GENL_TORN;
	return 0;
}

static void clear_netns(struct snapshot *s)
{
	s->n_netns = 0;
}

static int read_all(struct snapshot *s)
{
	static const struct question question = {
		NULL, "read the namespaces", netns_fields
	};

	if (module_dump(&question, CTK_CMD_NETNS_GET, 0, 0, parse_netns,
			clear_netns, s))
		return -1;
	/* Only told to those who see all, see ctk.yaml. */
	s->hidden = !has(&s->status.r, CTK_A_STATUS_MISSED);
	return 0;
}

static void put_selector(struct nlmsghdr *nlh, const struct selector *which)
{
	switch (which->by) {
	case SELECT_PID:
		mnl_attr_put_u32(nlh, CTK_A_NETNS_NETNS_PID, which->number);
		break;
	case SELECT_INUM:
		mnl_attr_put_u32(nlh, CTK_A_NETNS_NETNS_INUM, which->number);
		break;
	case SELECT_FD:
		mnl_attr_put_u32(nlh, CTK_A_NETNS_NETNS_FD, which->number);
		break;
	case SELECT_ALL:
	case SELECT_OWN:
		break;
	}
}

/* Of -N, as it was given. */
static int netns_refused(const struct selector *which, int error)
{
	struct question question = { .fields = netns_fields };
	char what[256];

	if (is_forbidden(error) && which->text)
		return fail("cannot show the namespace %s: other namespaces need root in the initial one",
			    which->text);
	if (error == -ESRCH && which->by == SELECT_PID)
		return selector_no_process(which);
	if (error == -ENOENT && which->by == SELECT_INUM)
		return fail("no network namespace has the inode number %s: ctkstat -an lists them",
			    which->text);
	snprintf(what, sizeof(what), "read the namespace %s",
		 which->text ? which->text : "of this process");
	question.what = what;
	return module_refused(&question, error);
}

static int module_read_netns(struct snapshot *s, const struct selector *which)
{
	char buf[GENL_REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int error;

	if (which->by == SELECT_ALL)
		return read_all(s);
	nlh = genl_request(&ctk, buf, CTK_CMD_NETNS_GET, 0);
	put_selector(nlh, which);
	error = genl_talk(&ctk, nlh, parse_netns, s);
	return error ? netns_refused(which, error) : 0;
}

static int reset_one(const struct netns *n)
{
	char buf[GENL_REQUEST_SIZE], what[64];
	const struct question question = { "reset", what, netns_fields };
	struct nlmsghdr *nlh;
	int error;

	nlh = genl_request(&ctk, buf, CTK_CMD_RESET, 0);
	mnl_attr_put_u64(nlh, CTK_A_NETNS_ID, get(&n->r, CTK_A_NETNS_ID));
	error = genl_talk(&ctk, nlh, NULL, NULL);
	if (error) {
		snprintf(what, sizeof(what), "reset the namespace %u",
			 (uint32_t)get(&n->r, CTK_A_NETNS_NETNS_INUM));
		module_refused(&question, error);
	}
	return error;
}

static int module_reset(struct snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_netns; i++) {
		int error = reset_one(&s->netns[i]);

		/* One that has ended meanwhile has nothing left to clear. */
		if (error == -ENOENT && s->n_netns > 1)
			continue;
		if (error)
			return -1;
		s->netns[kept++] = s->netns[i];
	}
	s->n_netns = kept;
	return 0;
}

const struct source source_module = {
	.name = "module",
	.probe = module_probe,
	.read_status = module_read_status,
	.read_netns = module_read_netns,
	.reset = module_reset,
	.read_events = module_read_events,
	.subscribe = module_subscribe,
	.drain = module_drain,
	.read_offenders = module_read_offenders,
	.read_census = module_read_census,
	.read_kept = module_read_kept,
};
