/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a packet's verdict to the moment it is freed.
 */
#ifndef _CTK_MARK_H
#define _CTK_MARK_H

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/types.h>

struct ctk_netns;

/*
 * There are two contexts on each CPU, and those of preempted tasks; with few
 * of the slots in use a mark has one of its four free as good as always.
 */
#define CTK_MARK_BITS 8
#define CTK_MARK_WAYS 4

/**
 * struct ctk_mark - a packet that was refused is about to be freed
 * @context: where; 0 for nobody's
 * @ns: its namespace
 * @time: the low half of jiffies when it was left
 * @reason: CTK_DROP_REASON_*
 *
 * Written and read in its own context alone, but for @context, and with
 * %CTK_MARK_BUSY in that.
 */
struct ctk_mark {
	unsigned long context;
	struct ctk_netns *ns;
	u32 time;
	u8 reason;
};

/* No task stays preempted for so long, and lives. */
#define CTK_MARK_AGE (10 * HZ)

/* Added to a task where it serves a softirq; tasks are aligned to more. */
#define CTK_MARK_SOFTIRQ 1UL

/* Added while the rest of the slot is being written: it is nobody's then. */
#define CTK_MARK_BUSY 2UL

extern bool ctk_marking;
extern atomic64_t ctk_marks_lost;
extern struct ctk_mark ctk_marks[1 << CTK_MARK_BITS][CTK_MARK_WAYS];

/**
 * ctk_mark_context() - who runs: a task, or the softirq that it serves
 *
 * Context: any but NMI.
 */
static inline unsigned long ctk_mark_context(void)
{
	return (unsigned long)current +
	       (in_serving_softirq() ? CTK_MARK_SOFTIRQ : 0);
}

struct ctk_mark *ctk_mark_take_over(unsigned long context);
void ctk_mark_drop(void);
void ctk_marks_forget(const struct ctk_netns *ns);

static inline bool ctk_mark_in_softirq(unsigned long context)
{
	return context & CTK_MARK_SOFTIRQ;
}

/* The slots that a context's mark can be in. */
static inline struct ctk_mark *ctk_mark_slots(unsigned long context)
{
	return ctk_marks[hash_long(context, CTK_MARK_BITS)];
}

/**
 * ctk_mark_find() - whether a packet was refused in this context
 * @context: from ctk_mark_context()
 *
 * Context: any but NMI and hard interrupts, which would find the mark of whom
 * they interrupt.
 *
 * Return: for ctk_mark_redeem(), or NULL.
 */
static inline struct ctk_mark *ctk_mark_find(unsigned long context)
{
	struct ctk_mark *mark = ctk_mark_slots(context);
	int i;

	for (i = 0; i < CTK_MARK_WAYS; i++, mark++)
		if (READ_ONCE(mark->context) == context)
			return mark;
	return NULL;
}

static inline bool ctk_mark_is_old(const struct ctk_mark *mark)
{
	return (u32)jiffies - READ_ONCE(mark->time) > CTK_MARK_AGE;
}

/**
 * ctk_mark_redeem() - the packet is being freed
 * @mark: from ctk_mark_find()
 * @context: likewise
 * @reason: set to CTK_DROP_REASON_*
 *
 * An old one is not believed: this is another packet.
 *
 * Context: as ctk_mark_find(), in an RCU read-side section.
 *
 * Return: the packet's namespace, valid until the end of the section; NULL
 * when the mark was not this packet's.
 */
static inline struct ctk_netns *ctk_mark_redeem(struct ctk_mark *mark,
						unsigned long context,
						u8 *reason)
{
	struct ctk_netns *ns = READ_ONCE(mark->ns);
	bool old = ctk_mark_is_old(mark);

	*reason = mark->reason;
	if (unlikely(old)) {
		ctk_mark_drop();
		return NULL;
	}
	return cmpxchg(&mark->context, context, 0) == context ? ns : NULL;
}

/* Whether one of a context's slots has a mark of its own. */
static __always_inline bool ctk_mark_remains(const struct ctk_mark *mark,
					     unsigned long context)
{
	int i;

#pragma GCC unroll 4
	for (i = 0; i < CTK_MARK_WAYS; i++)
		if (unlikely(READ_ONCE(mark[i].context) == context))
			return true;
	return false;
}

/*
 * A slot that is free, busy from now on. A context has one mark at most: that
 * of a packet which was not freed after all goes first.
 */
static __always_inline struct ctk_mark *ctk_mark_claim(unsigned long context)
{
	struct ctk_mark *mark = ctk_mark_slots(context);
	int i;

	if (ctk_mark_remains(mark, context))
		ctk_mark_drop();
	for (i = 0; i < CTK_MARK_WAYS; i++, mark++)
		if (!READ_ONCE(mark->context) &&
		    !cmpxchg(&mark->context, 0, context + CTK_MARK_BUSY))
			return mark;
	return NULL;
}

/**
 * ctk_mark_leave() - the packet that is looked at now will be freed
 * @ns: its namespace
 * @reason: CTK_DROP_REASON_*
 *
 * Context: any but NMI, in an RCU read-side section. Takes no lock.
 */
static __always_inline void ctk_mark_leave(struct ctk_netns *ns, u8 reason)
{
	unsigned long context = ctk_mark_context();
	struct ctk_mark *mark = ctk_mark_claim(context);

	if (unlikely(!mark))
		mark = ctk_mark_take_over(context);
	if (unlikely(!mark))
		return;
	WRITE_ONCE(mark->ns, ns);
	WRITE_ONCE(mark->time, jiffies);
	mark->reason = reason;
	/* Whoever finds it by its context finds it filled. */
	smp_store_release(&mark->context, context);
}

#endif /* _CTK_MARK_H */
