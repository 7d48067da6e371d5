// SPDX-License-Identifier: GPL-2.0
/*
 * From a packet's verdict to the moment it is freed: the hook, which knows
 * that a packet is refused but not which, leaves a mark, and whoever sees the
 * packet being freed redeems it.
 *
 * The kernel frees a packet that it refuses in the context in which it was
 * refused, and nothing else in between (nf_conntrack_in(), nf_hook_slow()). A
 * context is a task, or the softirq that it serves: a mark per CPU would be
 * the wrong one's when the task is preempted between the two, or moves to
 * another CPU.
 *
 * Marks are in a table of a fixed size, without a lock. A slot is claimed by
 * cmpxchg() of its context, with CTK_MARK_BUSY until it is filled, and given
 * back in the same way; what else is in it belongs to the context that holds
 * it, and nobody takes one that is busy. A mark that stays, as when a packet
 * was not freed after all, is replaced by the context's next, or by another's
 * when it is old. mark.h has what a packet pays for, inline.
 *
 * A mark names a namespace, which it does not hold. It is redeemed in an RCU
 * read-side section and left in one; netns.c frees a namespace's memory two
 * grace periods after nothing leaves marks for it any more, and clears those
 * that remain between the two.
 */
#include <linux/cache.h>
#include "mark.h"

/* Those of a context are not many contexts' cache lines. */
struct ctk_mark
ctk_marks[1 << CTK_MARK_BITS][CTK_MARK_WAYS] ____cacheline_aligned;

/* Whether to leave marks. What is left while this changes may stay. */
bool ctk_marking;

/*
 * How many were left in vain: not redeemed before they were replaced, taken
 * over, forgotten or too old, or not even left for want of a slot.
 */
atomic64_t ctk_marks_lost = ATOMIC64_INIT(0);

/**
 * ctk_mark_take_over() - a slot whose holder will not come back
 * @context: that wants it
 *
 * If the holder did come back, and left a mark anew between the two looks, that
 * one is lost: it may name a namespace that ctk_marks_forget() has passed by.
 *
 * Context: as ctk_mark_leave(), which calls it where no slot is free.
 *
 * Return: the slot, busy from now on, or NULL.
 */
struct ctk_mark *ctk_mark_take_over(unsigned long context)
{
	struct ctk_mark *mark = ctk_mark_slots(context);
	struct ctk_mark *end = mark + CTK_MARK_WAYS;

	for (; mark < end; mark++) {
		unsigned long holder = READ_ONCE(mark->context);

		if (!holder || (holder & CTK_MARK_BUSY) ||
		    !ctk_mark_is_old(mark) ||
		    cmpxchg(&mark->context, holder,
			    context + CTK_MARK_BUSY) != holder)
			continue;
		atomic64_inc(&ctk_marks_lost);
		if (ctk_mark_is_old(mark))
			return mark;
		/* Free only when all was read of it; pairs with cmpxchg(). */
		smp_store_release(&mark->context, 0);
	}
	atomic64_inc(&ctk_marks_lost);
	return NULL;
}

/**
 * ctk_mark_drop() - whatever mark there is in this context is not wanted
 *
 * Context: as ctk_mark_find().
 */
void ctk_mark_drop(void)
{
	unsigned long context = ctk_mark_context();
	struct ctk_mark *mark = ctk_mark_find(context);

	if (unlikely(mark) && cmpxchg(&mark->context, context, 0) == context)
		atomic64_inc(&ctk_marks_lost);
}

/**
 * ctk_marks_forget() - no mark names a namespace any more
 * @ns: a namespace that no new mark can name
 *
 * Who found a mark of it before this is in an RCU read-side section still. One
 * that is busy will name another.
 *
 * Context: any.
 */
void ctk_marks_forget(const struct ctk_netns *ns)
{
	unsigned int i;

	for (i = 0; i < sizeof(ctk_marks) / sizeof(ctk_marks[0][0]); i++) {
		struct ctk_mark *mark = &ctk_marks[0][0] + i;
		unsigned long context = READ_ONCE(mark->context);

		if (context && !(context & CTK_MARK_BUSY) &&
		    READ_ONCE(mark->ns) == ns &&
		    cmpxchg(&mark->context, context, 0) == context)
			atomic64_inc(&ctk_marks_lost);
	}
}
