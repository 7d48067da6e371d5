// SPDX-License-Identifier: GPL-2.0
/*
 * Per-namespace state: its life with the namespace, how it is found, and what
 * it leaves behind.
 *
 * A namespace is found by ctk's id in ctk_netns_by_id from its init to its
 * pre_exit, and by the pernet slot until its exit. cleanup_net() lets an RCU
 * grace period pass between the two, and another passes after the exit, since
 * exits run in reverse order of registration: if ctk was loaded after
 * nf_conntrack, the table is still in use when ctk's exit has run. Then no
 * mark can be left for it any more, those that are there are cleared, and one
 * more grace period later nobody who found such a mark still has it.
 *
 * &ctk_netns.lock is a plain spinlock taken in process context only. The hook
 * takes no lock; see ctk_netns_count().
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/xarray.h>
#include "attribution.h"
#include "events.h"
#include "mark.h"
#include "moment.h"
#include "netns.h"
#include "offender.h"
#include "watch.h"

unsigned int ctk_netns_id;

/* Verdicts in a namespace whose exit has run; shown as missed. */
atomic64_t ctk_netns_uncounted;

static DEFINE_XARRAY(ctk_netns_by_id);
static atomic64_t ctk_netns_last_id;
static atomic_t ctk_netns_changes = ATOMIC_INIT(1);

/**
 * ctk_netns_mark_losing() - an episode of losses to a full table begins
 * @ns: a namespace; nothing happens when its mark is set already
 *
 * Once an episode, so it may cost a look at the clock, and wakes those who
 * wait for it.
 *
 * Context: any but NMI, in an RCU read-side section.
 */
void ctk_netns_mark_losing(struct ctk_netns *ns)
{
	if (!cmpxchg64(&ns->losing_since, 0, ktime_get_boottime_ns()))
		ctk_watch_kick();
}

/**
 * ctk_netns_read() - what there is to tell of one namespace
 * @net: the namespace, referenced by the caller
 * @reader: for whom; &ctk_netns_info.nsid is its number for @net
 * @info: filled
 *
 * A namespace that can be referred to has been through all inits and is not
 * being taken down.
 *
 * Context: process.
 */
void ctk_netns_read(struct net *net, struct net *reader,
		    struct ctk_netns_info *info)
{
	struct ctk_netns *ns;

	rcu_read_lock();
	ns = ctk_netns_of(net);
	WRITE_ONCE(ns->listed, true);
	ctk_netns_fill_info(ns, reader, info);
	rcu_read_unlock();
}

/**
 * ctk_netns_id_of() - ctk's number of a namespace
 * @net: the namespace, referenced by the caller
 *
 * Context: any.
 */
u64 ctk_netns_id_of(const struct net *net)
{
	u64 id;

	rcu_read_lock();
	id = ctk_netns_of(net)->id;
	rcu_read_unlock();
	return id;
}

/* The first namespace from @id on, which is set to its id; under RCU. */
static struct ctk_netns *ctk_netns_find(unsigned long *id)
{
	return xa_find(&ctk_netns_by_id, id, ULONG_MAX, XA_PRESENT);
}

/**
 * ctk_netns_for_each() - do something to each namespace
 * @fn: called with the namespace locked, in an RCU read-side section
 * @arg: handed on to it
 *
 * Holds nothing from one namespace to the next; those that come meanwhile may
 * be missed.
 *
 * Context: process. May sleep between two.
 */
void ctk_netns_for_each(void (*fn)(struct ctk_netns *ns, void *arg), void *arg)
{
	struct ctk_netns *ns;
	unsigned long id;

	for (id = 1; ; id++) {
		rcu_read_lock();
		ns = ctk_netns_find(&id);
		if (ns) {
			spin_lock(&ns->lock);
			fn(ns, arg);
			spin_unlock(&ns->lock);
		}
		rcu_read_unlock();
		if (!ns)
			break;
		cond_resched();
	}
}

/**
 * ctk_netns_read_next() - what there is to tell of the next namespace
 * @id: the lowest that is of interest
 * @reader: as in ctk_netns_read()
 * @info: filled; its id is the one found
 *
 * Walking all namespaces so takes no lock from one to the next, shows none
 * twice, and misses only those that come meanwhile. Call ctk_netns_refresh()
 * before.
 *
 * Context: process.
 *
 * Return: false after the last.
 */
bool ctk_netns_read_next(u64 id, struct net *reader,
			 struct ctk_netns_info *info)
{
	unsigned long index = id;
	struct ctk_netns *ns;

	rcu_read_lock();
	for (ns = ctk_netns_find(&index); ns && !READ_ONCE(ns->listed);
	     ns = ctk_netns_find(&index))
		index++;
	if (ns)
		ctk_netns_fill_info(ns, reader, info);
	rcu_read_unlock();
	return ns;
}

/**
 * ctk_netns_refresh() - take in the namespaces that the kernel lists by now
 *
 * A namespace is listed when all pernet inits have succeeded, and no callback
 * tells of that moment.
 *
 * Context: any.
 */
void ctk_netns_refresh(void)
{
	struct ctk_netns *ns;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		ns = ctk_netns_of(net);
		if (ns && !READ_ONCE(ns->listed))
			WRITE_ONCE(ns->listed, true);
	}
	rcu_read_unlock();
}

/**
 * ctk_netns_get() - a namespace by ctk's id
 * @id: as shown to readers
 *
 * Context: any.
 *
 * Return: a reference for put_net(), or NULL.
 */
struct net *ctk_netns_get(u64 id)
{
	struct net *net = NULL;
	struct ctk_netns *ns;

	rcu_read_lock();
	ns = xa_load(&ctk_netns_by_id, id);
	if (ns && READ_ONCE(ns->listed))
		net = maybe_get_net(ns->net);
	rcu_read_unlock();
	return net;
}

/**
 * ctk_netns_get_by_inum() - a namespace by its inode number
 * @inum: as in /proc/PID/ns/net
 *
 * Context: any.
 *
 * Return: a reference for put_net(), or NULL.
 */
struct net *ctk_netns_get_by_inum(u32 inum)
{
	struct net *net, *found = NULL;

	rcu_read_lock();
	for_each_net_rcu(net) {
		if (net->ns.inum == inum) {
			found = maybe_get_net(net);
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/**
 * ctk_netns_get_next() - the next namespace that is wanted
 * @id: the lowest that is of interest; set to that of the one found
 * @wanted: called in an RCU read-side section
 *
 * Context: any.
 *
 * Return: a reference for put_net(), or NULL.
 */
struct net *ctk_netns_get_next(u64 *id,
			       bool (*wanted)(const struct ctk_netns *ns))
{
	unsigned long index = *id;
	struct net *net = NULL;
	struct ctk_netns *ns;

	rcu_read_lock();
	for (ns = ctk_netns_find(&index); ns; ns = ctk_netns_find(&index)) {
		if (READ_ONCE(ns->listed) && wanted(ns))
			net = maybe_get_net(ns->net);
		if (net)
			break;
		index++;
	}
	rcu_read_unlock();
	*id = index;
	return net;
}

/**
 * ctk_netns_generation() - changes whenever a namespace comes or goes
 *
 * For dumps that want to know whether they were consistent. Never 0.
 */
unsigned int ctk_netns_generation(void)
{
	return (unsigned int)atomic_read(&ctk_netns_changes) ?: 1;
}

static struct ctk_netns *ctk_netns_alloc(struct net *net)
{
	struct ctk_netns *ns = kzalloc(sizeof(*ns), GFP_KERNEL_ACCOUNT);

	if (!ns)
		return NULL;
	ns->percpu = alloc_percpu_gfp(struct ctk_netns_percpu,
				      GFP_KERNEL_ACCOUNT);
	if (!ns->percpu) {
		kfree(ns);
		return NULL;
	}
	spin_lock_init(&ns->lock);
	ns->net = net;
	ns->id = atomic64_inc_return(&ctk_netns_last_id);
	/* One that there is no memory for comes with the first loss. */
	if (ctk_attribution_policy() == CTK_ATTRIBUTION_ON)
		ns->offenders = ctk_offenders_alloc();
	return ns;
}

static void ctk_netns_free(struct ctk_netns *ns)
{
	ctk_offenders_free(ns->offenders);
	free_percpu(ns->percpu);
	kfree(ns);
}

static void ctk_netns_free_rcu(struct rcu_head *rcu)
{
	ctk_netns_free(container_of(rcu, struct ctk_netns, rcu));
}

static void ctk_netns_unmark_rcu(struct rcu_head *rcu)
{
	struct ctk_netns *ns = container_of(rcu, struct ctk_netns, rcu);

	ctk_marks_forget(ns);
	call_rcu(&ns->rcu, ctk_netns_free_rcu);
}

static int __net_init ctk_netns_pernet_init(struct net *net)
{
	struct ctk_netns_ref *ref = net_generic(net, ctk_netns_id);
	struct ctk_netns *ns = ctk_netns_alloc(net);
	int err;

	if (!ns)
		return -ENOMEM;
	err = xa_insert(&ctk_netns_by_id, ns->id, ns, GFP_KERNEL);
	if (err) {
		ctk_netns_free(ns);
		return err;
	}
	WRITE_ONCE(ref->ns, ns);
	atomic_inc(&ctk_netns_changes);
	return 0;
}

/*
 * The last chance to look at the kernel's statistics. One that was listed too
 * briefly for anybody to note has them too: unlisting leaves the pointer to
 * the next, which those have never had whose init failed (net_namespace.c,
 * cleanup_net() and setup_net()).
 */
static void __net_exit ctk_netns_pernet_pre_exit(struct net *net)
{
	struct ctk_netns *ns = ctk_netns_of(net);
	struct ctk_losses l;

	if (net->list.next)
		WRITE_ONCE(ns->listed, true);
	xa_erase(&ctk_netns_by_id, ns->id);
	atomic_inc(&ctk_netns_changes);
	rcu_read_lock();
	spin_lock(&ns->lock);
	ctk_netns_gather(ns, &l);
	ns->leaving = true;
	spin_unlock(&ns->lock);
	rcu_read_unlock();
}

/* One that lost nothing goes without a word, lest many bury the ring. */
static void ctk_netns_tell_gone(struct ctk_netns *ns)
{
	struct ctk_event event = {
		.type = CTK_EVENT_NETNS_GONE,
		.has = CTK_EVENT_HAS(LOST) | CTK_EVENT_HAS(TABLE_FULL_DROPS) |
		       CTK_EVENT_HAS(OTHER_DROPS) |
		       CTK_EVENT_HAS(REFUSED_INSERTS) |
		       CTK_EVENT_HAS(ADMITTED_BY_EVICTION) |
		       CTK_EVENT_HAS(PEAK),
		.peak = ns->peak,
	};
	struct ctk_losses *l = &event.losses;

	if (ctk_kernel_stat_offset(CTK_A_KERNEL_STATS_CHAIN_TOOLONG) >= 0)
		event.has |= CTK_EVENT_HAS(CHAIN_TOO_LONG_DROPS);
	ctk_watch_end(ns, l);
	event.lost = ctk_losses_sum(l);
	l->other_drops += l->no_memory_drops;
	if (event.lost || l->refused_inserts || l->admitted_by_eviction)
		ctk_event_add(&event, ns);
}

static void __net_exit ctk_netns_pernet_exit(struct net *net)
{
	struct ctk_netns_ref *ref = net_generic(net, ctk_netns_id);
	struct ctk_netns *ns = ref->ns;

	WRITE_ONCE(ref->ns, NULL);
	rcu_read_lock();
	spin_lock(&ns->lock);
	ctk_netns_tell_gone(ns);
	spin_unlock(&ns->lock);
	rcu_read_unlock();
	ctk_moment_forget(ns);
	call_rcu(&ns->rcu, ctk_netns_unmark_rcu);
}

static struct pernet_operations ctk_netns_ops = {
	.init = ctk_netns_pernet_init,
	.pre_exit = ctk_netns_pernet_pre_exit,
	.exit = ctk_netns_pernet_exit,
	.id = &ctk_netns_id,
	.size = sizeof(struct ctk_netns_ref),
};

/**
 * ctk_netns_init() - begin to follow namespaces, those that exist included
 *
 * Context: module init.
 *
 * Return: 0 or a negative errno.
 */
int ctk_netns_init(void)
{
	return register_pernet_subsys(&ctk_netns_ops);
}

/**
 * ctk_netns_exit() - forget all namespaces
 *
 * Context: module exit, when neither a hook nor a reader is left. Waits
 * until the last one's memory is free.
 */
void ctk_netns_exit(void)
{
	unregister_pernet_subsys(&ctk_netns_ops);
	/* The text of ctk_netns_free_rcu() goes away next; it is called last. */
	rcu_barrier();
	rcu_barrier();
}
