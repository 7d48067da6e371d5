// SPDX-License-Identifier: GPL-2.0
/*
 * Who lost packets in a namespace: a table of a fixed size, of lost packets
 * that were alike, most frequent first to stay (topk.c).
 *
 * A namespace gets one when it first loses packets, or when it is made, and
 * has it until its own memory is freed. &ctk_offenders.lock is held with
 * interrupts off, by readers for one record at a time; on a packet's path it
 * is tried a bounded number of times, and a loss that did not get it remains
 * unattributed.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "netns.h"
#include "offender.h"

/* How many tables there are. */
static atomic_t ctk_offenders_all = ATOMIC_INIT(0);

static struct ctk_offenders *ctk_offenders_make(void)
{
	struct ctk_offenders *o = kvzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);

	if (!o)
		return NULL;
	raw_spin_lock_init(&o->lock);
	o->topk = ctk_topk_alloc(CTK_OFFENDER_SLOTS,
				 sizeof(struct ctk_offender_key),
				 GFP_KERNEL_ACCOUNT);
	if (!o->topk) {
		kvfree(o);
		return NULL;
	}
	return o;
}

/**
 * ctk_offenders_alloc() - a table
 *
 * Context: process. Sleeps.
 *
 * Return: for ctk_offenders_free(), or NULL, also where there are
 * %CTK_OFFENDERS_MOST.
 */
struct ctk_offenders *ctk_offenders_alloc(void)
{
	struct ctk_offenders *o = NULL;

	if (atomic_inc_return(&ctk_offenders_all) <= CTK_OFFENDERS_MOST)
		o = ctk_offenders_make();
	if (!o)
		atomic_dec(&ctk_offenders_all);
	return o;
}

/**
 * ctk_offenders_free() - a table is not needed any more
 * @o: from ctk_offenders_alloc(), or NULL
 *
 * Context: any but interrupts off.
 */
void ctk_offenders_free(struct ctk_offenders *o)
{
	if (!o)
		return;
	ctk_topk_free(o->topk);
	kvfree(o);
	atomic_dec(&ctk_offenders_all);
}

/**
 * ctk_offenders_attributed() - of how many losses the records speak
 * @ns: a namespace
 *
 * Context: any.
 */
u64 ctk_offenders_attributed(const struct ctk_netns *ns)
{
	struct ctk_offenders *o = ctk_offenders_of(ns);

	return o ? READ_ONCE(o->attributed) : 0;
}

/**
 * ctk_offenders_forget() - begin the records of a namespace anew
 * @ns: it
 *
 * Context: process.
 */
void ctk_offenders_forget(struct ctk_netns *ns)
{
	struct ctk_offenders *o = ctk_offenders_of(ns);
	unsigned long flags;

	if (!o)
		return;
	raw_spin_lock_irqsave(&o->lock, flags);
	ctk_topk_clear(o->topk);
	WRITE_ONCE(o->attributed, 0);
	raw_spin_unlock_irqrestore(&o->lock, flags);
}

static u64 ctk_jiffies_to_boottime(u64 then)
{
	return ktime_get_boottime_ns() -
	       jiffies64_to_nsecs(get_jiffies_64() - then);
}

/**
 * ctk_offender_read() - a record
 * @ns: of this namespace
 * @i: from 0 on
 * @offender: filled
 *
 * Context: process.
 *
 * Return: false when there is none from @i on.
 */
bool ctk_offender_read(struct ctk_netns *ns, unsigned int i,
		       struct ctk_offender *offender)
{
	struct ctk_offenders *o = ctk_offenders_of(ns);
	unsigned long flags;
	bool found;

	if (!o)
		return false;
	raw_spin_lock_irqsave(&o->lock, flags);
	found = i < o->topk->used;
	if (found) {
		memcpy(&offender->key, ctk_topk_key(o->topk, i),
		       sizeof(offender->key));
		offender->note = o->note[i];
		offender->slot = *ctk_topk_slot(o->topk, i);
	}
	raw_spin_unlock_irqrestore(&o->lock, flags);
	if (!found)
		return false;
	offender->note.first = ctk_jiffies_to_boottime(offender->note.first);
	offender->note.last = ctk_jiffies_to_boottime(offender->note.last);
	offender->note.comm[sizeof(offender->note.comm) - 1] = '\0';
	return true;
}
