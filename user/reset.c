// SPDX-License-Identifier: GPL-2.0
/*
 * ctkstat reset: sets the losses of a namespace to zero and says what they
 * were: the reader's own, that of -N, or with -a all. The kernel's counters
 * stay as they are.
 */
#include <inttypes.h>

#include <linux/ctk.h>

#include "ctkstat.h"

static void put_cleared(FILE *out, const struct netns *n)
{
	uint64_t no_memory = get(&n->r, CTK_A_NETNS_NO_MEMORY_DROPS);
	char name[64], memory[48] = "", text[320];

	if (no_memory)
		snprintf(memory, sizeof(memory), ", no memory %" PRIu64,
			 no_memory);
	netns_label(name, sizeof(name), n, 40);
	snprintf(text, sizeof(text), "%s: cleared %" PRIu64
		 " lost (table-full %" PRIu64 ", chain-too-long %" PRIu64
		 "%s, other %" PRIu64 "), %" PRIu64 " refused inserts",
		 name, get(&n->r, CTK_A_NETNS_LOST),
		 get(&n->r, CTK_A_NETNS_TABLE_FULL_DROPS),
		 get(&n->r, CTK_A_NETNS_CHAIN_TOO_LONG_DROPS), memory,
		 get(&n->r, CTK_A_NETNS_OTHER_DROPS),
		 get(&n->r, CTK_A_NETNS_REFUSED_INSERTS));
	put_wrapped(out, "", text);
}

/* Of many only those that had something to clear, and how many had not. */
static void reset_text(FILE *out, const struct options *o,
		       const struct snapshot *s)
{
	size_t quiet = 0;

	(void)o;
	for (size_t i = 0; i < s->n_netns; i++) {
		const struct record *r = &s->netns[i].r;

		if (s->n_netns == 1 || get(r, CTK_A_NETNS_LOST) ||
		    get(r, CTK_A_NETNS_REFUSED_INSERTS))
			put_cleared(out, &s->netns[i]);
		else
			quiet++;
	}
	if (quiet)
		fprintf(out, "%zu namespaces had lost nothing\n", quiet);
	put_unseen(out, s);
}

/* The counters as they were before. */
static json_t *reset_json(const struct options *o, const struct snapshot *s)
{
	json_t *top = json_object(), *list = json_array();

	if (o->timestamp)
		json_object_set_new(top, "time", json_time(s->now));
	for (size_t i = 0; i < s->n_netns; i++)
		json_array_append_new(list, json_netns(&s->netns[i]));
	json_object_set_new(top, "reset", list);
	json_object_set_new(top, "complete",
			    json_boolean(snapshot_complete(s)));
	return top;
}

static int clear_losses(struct snapshot *s, const struct options *o)
{
	struct options one = *o;

	if (!o->all && o->netns.by == SELECT_ALL)
		one.netns.by = SELECT_OWN;
	if (snapshot_read(s, &one))
		return -1;
	if (!s->source->reset)
		return fail("reset needs the module ctk, which is not loaded: modprobe ctk, or insmod ctk.ko");
	return s->source->reset(s);
}

const struct command command_reset = {
	.name = "reset",
	.summary = "sets the losses of a namespace to zero (-N, or -a all)",
	.options = "aN",
	.read = clear_losses,
	.text = reset_text,
	.json = reset_json,
};
