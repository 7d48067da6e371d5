// SPDX-License-Identifier: GPL-2.0
/*
 * One pass over nf_conntrack's table.
 *
 * Whoever walks holds no reference to nf_conntrack, but is inside an RCU
 * read-side section that ctk_conntrack_rcu() was called in, a short one for
 * each batch of chains; attach.c says why that is enough. A chain is looked at
 * with its lock held, as ctnetlink does (nf_conntrack_netlink.c,
 * ctnetlink_dump_table()), so that no entry leaves it meanwhile. No lock is
 * held from one chain to the next, and nothing is allocated on the way.
 *
 * A table is another after a resize, which nf_conntrack_hash_resize() does
 * with all locks held, so its address and its size go together under any one
 * of them. The old one is freed a grace period later, so within the section
 * that has found it in place it can be asked, without a lock, which of its
 * chains are empty. One that was replaced twice and is found at its old
 * address, with its old size, has each entry in its old chain.
 *
 * ctk_census_lock: one walk at a time, so that readers cannot take all CPUs,
 * and memory is needed once. Process context only.
 */
#include <linux/ktime.h>
#include <linux/list_nulls.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include "attach.h"
#include "census.h"
#include "netns.h"

/* Chains and nodes to look at before others are let in. */
#define CTK_BATCH 2048

/*
 * Walks that are begun; the last goes on when a resize has spoilt it too, and
 * ends when that has happened so often.
 */
#define CTK_TRIES 3
#define CTK_RESIZES_MOST 16

/*
 * Of those who may see only their own namespace so many may wait at once, since
 * they do so inside a lock of generic netlink's that whoever registers a family
 * waits for (genetlink.c, genl_rcv()).
 */
#define CTK_CROWD 4

static DEFINE_MUTEX(ctk_census_lock);
static atomic_t ctk_census_crowd = ATOMIC_INIT(0);

/**
 * struct ctk_walk - a walk under way
 * @net: whose entries are counted, NULL for all
 * @tally: where
 * @since: &ctk_conntrack.since of the nf_conntrack that it began in
 * @hash: the table
 * @size: chains in it
 * @limit: nf_conntrack_max at the last look
 * @next: the chain to look at next
 */
struct ctk_walk {
	const struct net *net;
	struct ctk_tally *tally;
	u64 since;
	struct hlist_nulls_head *hash;
	u32 size;
	u32 limit;
	u32 next;
};

/* Whether the table is the one that the walk began in; under a lock of it. */
static bool ctk_walk_same_table(const struct ctk_walk *w,
				const struct ctk_conntrack *ct)
{
	return READ_ONCE(*ct->hash) == w->hash &&
	       READ_ONCE(*ct->buckets) == w->size;
}

/* Takes the table as it is now for the one to walk. */
static void ctk_walk_take_table(struct ctk_walk *w,
				const struct ctk_conntrack *ct)
{
	spinlock_t *lock = &ct->locks[0];

	local_bh_disable();
	ct->lock(lock);
	__acquire(lock);
	w->hash = READ_ONCE(*ct->hash);
	w->size = READ_ONCE(*ct->buckets);
	spin_unlock(lock);
	local_bh_enable();
	w->since = ct->since;
}

static bool ctk_walk_table_stays(struct ctk_walk *w,
				 const struct ctk_conntrack *ct)
{
	spinlock_t *lock = &ct->locks[0];
	bool stays;

	local_bh_disable();
	ct->lock(lock);
	__acquire(lock);
	stays = ct->since == w->since && ctk_walk_same_table(w, ct);
	spin_unlock(lock);
	local_bh_enable();
	return stays;
}

/* An entry is two nodes, one of each direction. */
static void ctk_walk_node(struct ctk_walk *w,
			  const struct nf_conntrack_tuple_hash *h)
{
	const struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);

	if (NF_CT_DIRECTION(h) == IP_CT_DIR_ORIGINAL &&
	    (!w->net || net_eq(nf_ct_net(ct), w->net)))
		ctk_tally_add(w->tally, ct);
}

/* Its length, or -EAGAIN when the table is another. */
static int ctk_walk_chain(struct ctk_walk *w, const struct ctk_conntrack *ct)
{
	spinlock_t *lock = &ct->locks[w->next % CONNTRACK_LOCKS];
	struct nf_conntrack_tuple_hash *h;
	struct hlist_nulls_node *n;
	int length = 0;

	local_bh_disable();
	ct->lock(lock);
	__acquire(lock);
	if (ctk_walk_same_table(w, ct)) {
		hlist_nulls_for_each_entry(h, n, &w->hash[w->next], hnnode) {
			ctk_walk_node(w, h);
			length++;
		}
	} else {
		length = -EAGAIN;
	}
	spin_unlock(lock);
	local_bh_enable();
	return length;
}

static int ctk_walk_chains(struct ctk_walk *w, const struct ctk_conntrack *ct)
{
	int budget = CTK_BATCH, length;

	if (!ctk_walk_table_stays(w, ct))
		return -EAGAIN;
	for (; w->next < w->size && budget > 0; w->next++) {
		length = 0;
		if (!hlist_nulls_empty(&w->hash[w->next]))
			length = ctk_walk_chain(w, ct);
		if (length < 0)
			return length;
		ctk_tally_add_chain(w->tally, length);
		budget -= 1 + length;
	}
	/* The end is one only if the table is still there. */
	return w->next < w->size || ctk_walk_table_stays(w, ct) ? 0 : -EAGAIN;
}

static int ctk_walk_begin(struct ctk_walk *w)
{
	const struct ctk_conntrack *ct;

	int err = -ENODEV;

	rcu_read_lock();
	ct = ctk_conntrack_rcu();
	if (ct)
		err = ct->hash && ct->locks && ct->lock ? 0 : -EOPNOTSUPP;
	if (!err)
		ctk_walk_take_table(w, ct);
	rcu_read_unlock();
	return err;
}

static int ctk_walk_batch(struct ctk_walk *w)
{
	const struct ctk_conntrack *ct;
	int err = -ENODEV;

	rcu_read_lock();
	ct = ctk_conntrack_rcu();
	if (ct) {
		w->limit = READ_ONCE(*ct->max);
		err = ctk_walk_chains(w, ct);
	}
	rcu_read_unlock();
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : err;
}

/* -EAGAIN when the table became another. */
static int ctk_walk_on(struct ctk_walk *w)
{
	int err = 0;

	while (!err && w->next < w->size)
		err = ctk_walk_batch(w);
	return err;
}

/*
 * Begins anew when the table becomes another; after some tries it goes on where
 * it was, in the new one, and what it counts is not consistent.
 */
static int ctk_walk(struct ctk_walk *w, bool *consistent)
{
	int tries = 0, err;

	do {
		if (tries++ < CTK_TRIES) {
			ctk_tally_clear(w->tally);
			w->next = 0;
		}
		err = ctk_walk_begin(w);
		if (!err)
			err = ctk_walk_on(w);
	} while (err == -EAGAIN && tries < CTK_RESIZES_MOST);
	*consistent = tries <= CTK_TRIES;
	return err;
}

static int ctk_census_of(struct net *net, struct ctk_tally *tally,
			 struct ctk_census *census)
{
	struct ctk_walk w = { .net = net, .tally = tally };
	u64 begin = ktime_get_boottime_ns();
	int err = ctk_walk(&w, &census->consistent);

	if (err)
		return err;
	ctk_tally_finish(tally);
	census->counts = tally->counts;
	census->time = ktime_get_boottime_ns();
	census->duration = census->time - begin;
	census->limit = w.limit;
	census->buckets = w.size;
	return 0;
}

static int ctk_census_locked(struct net *net, struct ctk_census *census)
{
	struct ctk_tally *tally;
	int err;

	if (mutex_lock_killable(&ctk_census_lock))
		return -EINTR;
	tally = ctk_tally_alloc();
	err = tally ? ctk_census_of(net, tally, census) : -ENOMEM;
	if (tally)
		ctk_tally_free(tally);
	mutex_unlock(&ctk_census_lock);
	return err;
}

/**
 * ctk_census_take() - count what fills the table now
 * @net: whose entries, referenced by the caller; NULL for all
 * @crowd: the caller is one of those of whom only a few may wait
 * @census: filled
 *
 * Context: process. Sleeps, also for as long as the walks of others take.
 *
 * Return: 0, -ENODEV without nf_conntrack, -EOPNOTSUPP for one whose table
 * cannot be found, -EBUSY where too many wait, -EAGAIN for one that is resized
 * over and over, -ENOMEM, or -EINTR when the task is being killed.
 */
int ctk_census_take(struct net *net, bool crowd, struct ctk_census *census)
{
	int err = -EBUSY;

	memset(census, 0, sizeof(*census));
	if (net) {
		census->netns_id = ctk_netns_id_of(net);
		census->netns_inum = net->ns.inum;
	}
	if (!crowd)
		return ctk_census_locked(net, census);
	if (atomic_inc_return(&ctk_census_crowd) <= CTK_CROWD)
		err = ctk_census_locked(net, census);
	atomic_dec(&ctk_census_crowd);
	return err;
}
