// SPDX-License-Identifier: GPL-2.0
/*
 * The most frequent keys of a stream, in memory that does not grow.
 *
 * This is Space-Saving: Metwally, Agrawal, El Abbadi, Efficient Computation
 * of Frequent and Top-k Elements in Data Streams, ICDT 2005. A key that is
 * not in a full table takes the slot of one with the lowest count, and that
 * count, which becomes its error. So the counts add up to the length of the
 * stream, n; none is too low, or too high by more than its error; no error is
 * above n / slots; and a key that came more often than that is in the table.
 *
 * The lowest count is found as in the paper's Stream-Summary: slots of the
 * same count form a group, and groups are in a list by rising count. A count
 * only ever grows by one, so each step is a move to the next group.
 *
 * It has no lock: its owner has. Counting neither sleeps nor allocates, and
 * takes the same time however many slots there are, save that keys with the
 * like hash share a chain, which whoever chooses the keys cannot make longer
 * than the table. Lists are hlists since those are not checked at each step
 * where the kernel checks lists; finding a key is inline in topk.h.
 */
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "topk.h"

/**
 * ctk_topk_clear() - forget all keys
 * @t: a table
 */
void ctk_topk_clear(struct ctk_topk *t)
{
	unsigned int i;

	t->used = 0;
	for (i = 0; i < 1U << (64 - t->index_shift); i++)
		INIT_HLIST_HEAD(&t->index[i]);
	INIT_HLIST_HEAD(&t->groups);
	INIT_HLIST_HEAD(&t->spare);
	for (i = 0; i < t->slots; i++)
		hlist_add_head(&t->group[i].order, &t->spare);
}

/**
 * ctk_topk_alloc() - a table, empty
 * @slots: how many keys it holds; at least 1
 * @key_size: bytes of a key, a multiple of 8
 * @gfp: as for kvmalloc()
 *
 * Return: for ctk_topk_free(), or NULL.
 */
struct ctk_topk *ctk_topk_alloc(unsigned int slots, size_t key_size, gfp_t gfp)
{
	size_t stride = sizeof(struct ctk_topk_entry) + key_size;
	unsigned int chains = roundup_pow_of_two(slots) * 2;
	struct ctk_topk *t;
	unsigned int i;

	if (WARN_ON_ONCE(!slots || !key_size || key_size % sizeof(u64)))
		return NULL;
	t = kvzalloc(sizeof(*t) + array_size(slots, stride) +
		     array_size(slots, sizeof(*t->group)) +
		     array_size(chains, sizeof(*t->index)), gfp);
	if (!t)
		return NULL;
	t->slots = slots;
	t->words = key_size / sizeof(u64);
	t->index_shift = 64 - ilog2(chains);
	t->seed = get_random_long();
	t->stride = stride;
	t->group = (void *)(t + 1);
	t->index = (void *)(t->group + slots);
	t->entries = t->index + chains;
	for (i = 0; i < slots; i++)
		ctk_topk_entry(t, i)->i = i;
	ctk_topk_clear(t);
	return t;
}

/**
 * ctk_topk_free() - a table is not needed any more
 * @t: from ctk_topk_alloc(), or NULL
 */
void ctk_topk_free(struct ctk_topk *t)
{
	kvfree(t);
}

/* There are as many groups as slots, and none in use is empty. */
static struct ctk_topk_group *ctk_topk_new_group(struct ctk_topk *t, u64 count)
{
	struct ctk_topk_group *g = hlist_entry(t->spare.first,
					       struct ctk_topk_group, order);

	__hlist_del(&g->order);
	g->count = count;
	INIT_HLIST_HEAD(&g->entries);
	return g;
}

static void ctk_topk_join(struct ctk_topk_entry *e, struct ctk_topk_group *g)
{
	e->group = g;
	hlist_add_head(&e->peers, &g->entries);
}

static __always_inline void ctk_topk_move_up(struct ctk_topk *t,
					     struct ctk_topk_entry *e,
					     bool alone)
{
	struct ctk_topk_group *g = e->group;
	struct ctk_topk_group *next =
		hlist_entry_safe(g->order.next, struct ctk_topk_group, order);

	e->slot.count++;
	if (!next || next->count != e->slot.count) {
		if (alone) {
			g->count++;
			return;
		}
		next = ctk_topk_new_group(t, e->slot.count);
		hlist_add_behind(&next->order, &g->order);
	}
	__hlist_del(&e->peers);
	ctk_topk_join(e, next);
	if (alone) {
		__hlist_del(&g->order);
		hlist_add_head(&g->order, &t->spare);
	}
}

/**
 * ctk_topk_step() - one more of a key that is in the table
 * @t: a table
 * @e: the key's
 *
 * Context: as ctk_topk_count().
 */
void ctk_topk_step(struct ctk_topk *t, struct ctk_topk_entry *e)
{
	bool first = e->group->entries.first == &e->peers;

	ctk_topk_move_up(t, e, first && !e->peers.next);
}

/* The first of a key, in a table that has room. */
static struct ctk_topk_entry *ctk_topk_add(struct ctk_topk *t)
{
	struct ctk_topk_entry *e = ctk_topk_entry(t, t->used++);
	struct ctk_topk_group *g =
		hlist_entry_safe(t->groups.first, struct ctk_topk_group, order);

	if (!g || g->count != 1) {
		g = ctk_topk_new_group(t, 1);
		hlist_add_head(&g->order, &t->groups);
	}
	e->slot.count = 1;
	e->slot.error = 0;
	ctk_topk_join(e, g);
	return e;
}

/* The first of a key, in one that is full. */
static struct ctk_topk_entry *ctk_topk_take_over(struct ctk_topk *t)
{
	struct ctk_topk_group *lowest =
		hlist_entry(t->groups.first, struct ctk_topk_group, order);
	struct ctk_topk_entry *e = hlist_entry(lowest->entries.first,
					       struct ctk_topk_entry, peers);

	__hlist_del(&e->chain);
	e->slot.error = e->slot.count;
	ctk_topk_move_up(t, e, !e->peers.next);
	return e;
}

/**
 * ctk_topk_admit() - the first of a key that is not in the table
 * @t: a table
 * @hash: of the key
 *
 * Context: as ctk_topk_count().
 *
 * Return: what was nobody's or another key's; the caller sets its key.
 */
struct ctk_topk_entry *ctk_topk_admit(struct ctk_topk *t, u64 hash)
{
	struct ctk_topk_entry *e = t->used < t->slots ? ctk_topk_add(t) :
							ctk_topk_take_over(t);

	e->hash = hash;
	hlist_add_head(&e->chain, ctk_topk_chain(t, hash));
	return e;
}

/**
 * ctk_topk_count() - a key came
 * @t: a table
 * @key: of the size that the table was made for, aligned as a u64, with each
 *	byte of it set
 * @is_new: set to whether the slot was another key's, or nobody's, before
 *
 * Context: any; the owner's lock held.
 *
 * Return: the key's slot.
 */
unsigned int ctk_topk_count(struct ctk_topk *t, const void *key, bool *is_new)
{
	return ctk_topk_count_sized(t, key, t->words * sizeof(u64), is_new);
}
