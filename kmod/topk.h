/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The most frequent keys of a stream, in memory that does not grow.
 */
#ifndef _CTK_TOPK_H
#define _CTK_TOPK_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/types.h>

/**
 * struct ctk_topk_slot - how often a key came
 * @count: at most so often
 * @error: at most so much less often; 0 where @count is exact
 */
struct ctk_topk_slot {
	u64 count;
	u64 error;
};

/**
 * struct ctk_topk_group - the slots of the same count
 * @count: it
 * @order: in &ctk_topk.groups or &ctk_topk.spare
 * @entries: at least one where it is in use
 */
struct ctk_topk_group {
	u64 count;
	struct hlist_node order;
	struct hlist_head entries;
};

/**
 * struct ctk_topk_entry - what the table keeps of a slot
 * @slot: for its owner
 * @hash: of @key
 * @chain: in &ctk_topk.index
 * @peers: in &ctk_topk_group.entries
 * @group: with the same count
 * @i: the slot's number
 * @key: of the table's size
 */
struct ctk_topk_entry {
	struct ctk_topk_slot slot;
	u64 hash;
	struct hlist_node chain;
	struct hlist_node peers;
	struct ctk_topk_group *group;
	u64 i;
	u64 key[];
};

/**
 * struct ctk_topk - a table of the keys that come most often
 * @slots: how many keys it can hold
 * @used: how many it holds; slots from 0 on
 * @words: 8-byte words in a key
 * @index_shift: of a hash, all but the upper bits that number a chain
 * @seed: of the hash
 * @index: heads of chains of entries with the like hash
 * @groups: those in use, by rising count, each with another count
 * @spare: groups not in use
 * @group: one for each slot
 * @entries: one for each slot, @stride bytes from one to the next
 * @stride: likewise
 *
 * All of it is under a lock of its owner's.
 */
struct ctk_topk {
	unsigned int slots;
	unsigned int used;
	unsigned int words;
	unsigned int index_shift;
	u64 seed;
	struct hlist_head *index;
	struct hlist_head groups;
	struct hlist_head spare;
	struct ctk_topk_group *group;
	void *entries;
	size_t stride;
};

struct ctk_topk *ctk_topk_alloc(unsigned int slots, size_t key_size, gfp_t gfp);
void ctk_topk_free(struct ctk_topk *t);
void ctk_topk_clear(struct ctk_topk *t);

unsigned int ctk_topk_count(struct ctk_topk *t, const void *key, bool *is_new);

/* Of ctk_topk_count_sized() only. */
void ctk_topk_step(struct ctk_topk *t, struct ctk_topk_entry *e);
struct ctk_topk_entry *ctk_topk_admit(struct ctk_topk *t, u64 hash);

static inline struct ctk_topk_entry *ctk_topk_entry(const struct ctk_topk *t,
						    unsigned int i)
{
	return t->entries + i * t->stride;
}

/**
 * ctk_topk_key() - the key in a slot
 * @t: a table
 * @i: below &ctk_topk.used
 */
static inline const void *ctk_topk_key(const struct ctk_topk *t,
				       unsigned int i)
{
	return ctk_topk_entry(t, i)->key;
}

/**
 * ctk_topk_slot() - how often the key in a slot came
 * @t: a table
 * @i: below &ctk_topk.used
 */
static inline const struct ctk_topk_slot *ctk_topk_slot(const struct ctk_topk *t,
							unsigned int i)
{
	return &ctk_topk_entry(t, i)->slot;
}

/*
 * A step for each word, as in the hash of the Rust compiler's tables (FxHash),
 * whose upper bits are the good ones. From a seed that nobody knows.
 */
static __always_inline u64 ctk_topk_hash(u64 seed, const u64 *key,
					 unsigned int words)
{
	u64 hash = seed;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < words; i++)
		hash = (rol64(hash, 5) ^ key[i]) * GOLDEN_RATIO_64;
	return hash;
}

static __always_inline bool ctk_topk_equal(const u64 *a, const u64 *b,
					   unsigned int words)
{
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < words; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static inline struct hlist_head *ctk_topk_chain(const struct ctk_topk *t,
						u64 hash)
{
	return &t->index[hash >> t->index_shift];
}

/**
 * ctk_topk_count_sized() - ctk_topk_count() where the size of a key is known
 * @t: a table
 * @key: as for ctk_topk_count()
 * @size: of @key, a constant, so that nothing loops
 * @is_new: as for ctk_topk_count()
 */
static __always_inline u64 ctk_topk_count_sized(struct ctk_topk *t,
						const void *key, size_t size,
						bool *is_new)
{
	const unsigned int words = size / sizeof(u64);
	u64 hash = ctk_topk_hash(t->seed, key, words);
	struct ctk_topk_entry *e;
	unsigned int i;

	hlist_for_each_entry(e, ctk_topk_chain(t, hash), chain) {
		if (e->hash == hash && ctk_topk_equal(e->key, key, words)) {
			ctk_topk_step(t, e);
			*is_new = false;
			return e->i;
		}
	}
	e = ctk_topk_admit(t, hash);
#pragma GCC unroll 8
	for (i = 0; i < words; i++)
		e->key[i] = ((const u64 *)key)[i];
	*is_new = true;
	return e->i;
}

#endif /* _CTK_TOPK_H */
