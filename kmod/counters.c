// SPDX-License-Identifier: GPL-2.0
/*
 * How counters become numbers: the hook's, and the kernel's own statistics of
 * a namespace, which are u32 per CPU and die with nf_conntrack, gathered into
 * totals that only grow; and what a reader is told of them.
 *
 * The totals are under &ctk_netns.lock, which is taken in process context
 * only. The hook's counters are read as they are; the order in which they and
 * the kernel's are read is what keeps a packet from being counted twice.
 * Never changes what is counted.
 */
#include <linux/rcupdate.h>
#include <linux/ktime.h>
#include <net/netfilter/nf_conntrack.h>
#include "attach.h"
#include "attribution.h"
#include "moment.h"
#include "netns.h"
#include "offender.h"
#include "watch.h"

/* Offsets plus one, so that what is not there reads as -1. */
#define CTK_STAT(attr, member) \
	[CTK_A_KERNEL_STATS_##attr] = \
		offsetof(struct ip_conntrack_stat, member) + 1

static const u8 ctk_kernel_stat_offsets[CTK_A_KERNEL_STATS_MAX + 1] = {
	CTK_STAT(FOUND, found),
	CTK_STAT(INVALID, invalid),
	CTK_STAT(INSERT, insert),
	CTK_STAT(INSERT_FAILED, insert_failed),
	CTK_STAT(DROP, drop),
	CTK_STAT(EARLY_DROP, early_drop),
	CTK_STAT(ERROR, error),
	CTK_STAT(SEARCH_RESTART, search_restart),
	CTK_STAT(CLASH_RESOLVE, clash_resolve),
#ifdef CTK_HAVE_CHAIN_TOOLONG
	CTK_STAT(CHAIN_TOOLONG, chaintoolong),
#endif
	CTK_STAT(EXPECT_NEW, expect_new),
	CTK_STAT(EXPECT_CREATE, expect_create),
	CTK_STAT(EXPECT_DELETE, expect_delete),
};

int ctk_kernel_stat_offset(int attr)
{
	return ctk_kernel_stat_offsets[attr] - 1;
}

static u32 *ctk_kernel_stat(struct ip_conntrack_stat *stat, int attr)
{
	int offset = ctk_kernel_stat_offset(attr);

	return offset < 0 ? NULL : (u32 *)((char *)stat + offset);
}

/*
 * The kernel's statistics of a namespace that is locked, or NULL. One that the
 * kernel does not list yet has none that are safe to look at.
 */
static struct ip_conntrack_stat __percpu *
ctk_netns_kernel_stats(const struct ctk_netns *ns)
{
	lockdep_assert_held(&ns->lock);
	if (ns->leaving || !READ_ONCE(ns->listed) || !ctk_conntrack_rcu())
		return NULL;
	/* Not before: it dangles from one nf_conntrack's exit to the next. */
	smp_rmb();	/* pairs with rcu_assign_pointer() of the live one */
	return READ_ONCE(ns->net->ct.stat);
}

/*
 * The kernel counts in u32 per CPU, which wraps and which dies with
 * nf_conntrack; its growth is added up here.
 */
static void ctk_netns_add_kernel_stats(struct ctk_netns *ns)
{
	struct ip_conntrack_stat __percpu *stats = ctk_netns_kernel_stats(ns);
	int cpu, attr;

	if (!stats)
		return;
	for_each_possible_cpu(cpu) {
		struct ip_conntrack_stat *now = per_cpu_ptr(stats, cpu);
		struct ip_conntrack_stat *seen =
			&per_cpu_ptr(ns->percpu, cpu)->seen;

		for (attr = 1; attr <= CTK_A_KERNEL_STATS_MAX; attr++) {
			u32 *old = ctk_kernel_stat(seen, attr);
			u32 new;

			if (!old)
				continue;
			new = READ_ONCE(*ctk_kernel_stat(now, attr));
			ns->kernel[attr] += (u32)(new - *old);
			*old = new;
		}
	}
}

/**
 * ctk_netns_chains_seen() - what was lost to long chains is not looked for
 * @ns: the namespace, locked
 * @unused: for ctk_netns_for_each()
 *
 * Who looks at a loss meanwhile may do so once more or not at all.
 *
 * Context: process, in an RCU read-side section.
 */
void ctk_netns_chains_seen(struct ctk_netns *ns, void *unused)
{
#ifdef CTK_HAVE_CHAIN_TOOLONG
	struct ip_conntrack_stat __percpu *stats = ctk_netns_kernel_stats(ns);
	int cpu;

	if (!stats)
		return;
	for_each_possible_cpu(cpu) {
		const struct ip_conntrack_stat *now = per_cpu_ptr(stats, cpu);
		struct ctk_netns_percpu *p = per_cpu_ptr(ns->percpu, cpu);

		p->chains_seen = READ_ONCE(now->chaintoolong);
		p->failed_seen = READ_ONCE(now->insert_failed);
	}
#endif
}

/**
 * ctk_netns_hook_loss() - when the hook last reported a loss
 * @ns: a namespace
 *
 * Return: jiffies_64, or 0 for never.
 */
u64 ctk_netns_hook_loss(const struct ctk_netns *ns)
{
	u64 last = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		last = max(last,
			   READ_ONCE(per_cpu_ptr(ns->percpu, cpu)->last_loss));
	return last;
}

/* Sums over the CPUs what the hook counted. */
static void ctk_netns_add_hook_counts(const struct ctk_netns *ns,
				      struct ctk_losses *l)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct ctk_netns_percpu *p = per_cpu_ptr(ns->percpu, cpu);

		l->table_full_drops += READ_ONCE(p->table_full_drops);
		l->refused_inserts += READ_ONCE(p->refused_inserts);
		l->admitted_by_eviction += READ_ONCE(p->admitted_by_eviction);
		l->no_memory_drops += READ_ONCE(p->no_memory_drops);
	}
}

/*
 * A packet whose chain was too long moves both of the kernel's counters, an
 * insertion by ctnetlink or BPF only the first (nf_conntrack_confirm() and
 * nf_conntrack_hash_check_insert() in nf_conntrack_core.c). Clashes move the
 * second too, so this is exact unless both happen, and never too low.
 */
static u64 ctk_netns_chain_losses(const struct ctk_netns *ns)
{
	return min(ns->kernel[CTK_A_KERNEL_STATS_CHAIN_TOOLONG] -
		   ns->chain_base,
		   ns->kernel[CTK_A_KERNEL_STATS_INSERT_FAILED] -
		   ns->insert_failed_base);
}

/* The time of what no hook reports is that of whoever finds it. */
static void ctk_netns_date_losses(struct ctk_netns *ns,
				  const struct ctk_losses *l)
{
	u64 slow = l->other_drops + l->chain_too_long_drops +
		   l->no_memory_drops;
	u64 hook_loss = ctk_netns_hook_loss(ns);
	u64 now = ktime_get_boottime_ns();

	if (hook_loss != ns->hook_loss) {
		ns->hook_loss = hook_loss;
		ns->full_loss = now - jiffies64_to_nsecs(get_jiffies_64() -
							 hook_loss);
		ns->last_loss = max(ns->last_loss, ns->full_loss);
	}
	if (slow != ns->slow) {
		ns->slow = slow;
		ns->last_loss = now;
	}
}

/* Of what the kernel counts as dropped, that which a hook has seen. */
static u64 ctk_counted(const struct ctk_losses *l)
{
	return l->table_full_drops + l->no_memory_drops;
}

/**
 * ctk_netns_gather() - bring a namespace's totals up to date
 * @ns: the namespace, locked
 * @l: filled with totals since ctk saw it first, whatever was reset
 *
 * A packet is counted by the hook before the kernel counts it as dropped, so
 * the kernel's counter is read first: what it has over ours was dropped for
 * another reason, or missed.
 *
 * Context: process, in an RCU read-side section.
 */
void ctk_netns_gather(struct ctk_netns *ns, struct ctk_losses *l)
{
	u64 dropped, counted;

	lockdep_assert_held(&ns->lock);
	*l = (struct ctk_losses){ };
	ctk_netns_add_kernel_stats(ns);
	smp_rmb();	/* pairs with smp_wmb() in ctk_netns_count() */
	ctk_netns_add_hook_counts(ns, l);

	dropped = ns->kernel[CTK_A_KERNEL_STATS_DROP] - ns->epoch_drop;
	counted = ctk_counted(l) - ns->epoch_counted;
	if ((s64)(dropped - counted) > 0)
		ns->other = max(ns->other, ns->epoch_other + dropped - counted);
	l->other_drops = ns->other;
	l->chain_too_long_drops = ctk_netns_chain_losses(ns);
	ctk_netns_date_losses(ns, l);
}

/**
 * ctk_netns_note_peak() - remember the most entries there were
 * @ns: the namespace, locked
 * @entries: as of now
 */
void ctk_netns_note_peak(struct ctk_netns *ns, u32 entries)
{
	lockdep_assert_held(&ns->lock);
	if (entries > ns->peak) {
		ns->peak = entries;
		ns->peak_time = ktime_get_boottime_ns();
	}
}

/**
 * ctk_boottime_to_real() - a moment of the past on today's wall clock
 * @ns: CLOCK_BOOTTIME nanoseconds, or 0
 *
 * Only offsets between clocks are added, so a moment reads the same each time
 * until the clock is set.
 *
 * Return: CLOCK_REALTIME nanoseconds, true to the clock as it is set now; 0
 * for 0.
 */
u64 ctk_boottime_to_real(u64 ns)
{
	ktime_t boot = ktime_mono_to_any(0, TK_OFFS_BOOT);

	return ns ? ktime_to_ns(ktime_mono_to_real(ns - boot)) : 0;
}

static u32 ctk_seconds_to_full(u32 entries, u32 limit, s32 growth_rate)
{
	const u32 year = 365 * 24 * 3600;
	u32 seconds;

	if (!limit)
		return CTK_NEVER;
	if (entries >= limit)
		return 0;
	if (growth_rate <= 0)
		return CTK_NEVER;
	seconds = (limit - entries) / growth_rate;
	return seconds > year ? CTK_NEVER : seconds;
}

static void ctk_netns_read_table(struct ctk_netns *ns,
				 struct ctk_netns_info *info)
{
	const struct ctk_conntrack *ct = ctk_conntrack_rcu();

	info->attached = ct && READ_ONCE(ns->listed);
	info->seconds_to_full = CTK_NEVER;
	if (info->attached) {
		info->entries = ctk_conntrack_entries(ct, ns->net);
		info->limit = READ_ONCE(*ct->max);
		ctk_netns_note_peak(ns, info->entries);
		info->growth_rate = ns->watch.growth_rate;
		info->loss_rate = ns->watch.loss_rate;
		info->seconds_to_full =
			ctk_seconds_to_full(info->entries, info->limit,
					    info->growth_rate);
	}
	if (info->attached)
		info->fill = ctk_fill(info->entries, info->limit);
	info->peak = ns->peak;
	info->peak_time = ctk_boottime_to_real(ns->peak_time);
}

/*
 * A loss is counted before it is attributed, so the latter are read first. One
 * that falls between the two while the losses are reset is attributed only.
 */
static void ctk_netns_read_losses(struct ctk_netns *ns,
				  struct ctk_netns_info *info)
{
	u64 attributed = ctk_offenders_attributed(ns);
	struct ctk_losses now, *l = &info->losses;
	u64 lost;

	smp_rmb();	/* attributed before it was counted, by another CPU */
	ctk_netns_gather(ns, &now);
	lost = ctk_losses_sum(&now);
	l->table_full_drops = now.table_full_drops - ns->zero.table_full_drops;
	l->chain_too_long_drops =
		now.chain_too_long_drops - ns->zero.chain_too_long_drops;
	l->no_memory_drops = now.no_memory_drops - ns->zero.no_memory_drops;
	l->other_drops = now.other_drops - ns->zero.other_drops;
	info->no_memory = ctk_attribution_policy() == CTK_ATTRIBUTION_ON;
	if (!info->no_memory) {
		l->other_drops += l->no_memory_drops;
		l->no_memory_drops = 0;
	}
	l->refused_inserts = now.refused_inserts - ns->zero.refused_inserts;
	l->admitted_by_eviction =
		now.admitted_by_eviction - ns->zero.admitted_by_eviction;
	info->lost = ctk_losses_sum(l);
	info->attributed = min(attributed, info->lost);
	if (info->lost) {
		info->last_loss_time = ctk_boottime_to_real(ns->last_loss);
		info->full_since =
			ctk_boottime_to_real(READ_ONCE(ns->losing_since));
	}
	if (info->full_since)
		info->episode_lost = lost - ns->quiet_lost;
	memcpy(info->kernel, ns->kernel, sizeof(info->kernel));
}

/**
 * ctk_netns_fill_info() - what there is to tell of a namespace now
 * @ns: the namespace
 * @reader: for whom; &ctk_netns_info.nsid is its number for it
 * @info: filled
 *
 * Context: process, in an RCU read-side section that @ns was found in.
 */
void ctk_netns_fill_info(struct ctk_netns *ns, struct net *reader,
			 struct ctk_netns_info *info)
{
	*info = (struct ctk_netns_info){
		.id = ns->id,
		.cookie = ctk_net_cookie(ns->net),
		.inum = ns->net->ns.inum,
		.nsid = peernet2id(reader, ns->net),
	};
	spin_lock(&ns->lock);
	ctk_netns_read_table(ns, info);
	ctk_netns_read_losses(ns, info);
	spin_unlock(&ns->lock);
}

/**
 * ctk_netns_reset() - count a namespace's losses from zero again
 * @net: the namespace, referenced by the caller
 *
 * The counters themselves keep running, so no loss falls between. The records
 * are forgotten after the losses, or one of a loss before would outlive it; the
 * censuses that were kept of it are forgotten as well.
 *
 * Context: process. Sleeps.
 */
void ctk_netns_reset(struct net *net)
{
	struct ctk_netns *ns;

	rcu_read_lock();
	ns = ctk_netns_of(net);
	spin_lock(&ns->lock);
	ctk_watch_end(ns, &ns->zero);
	ctk_offenders_forget(ns);
	spin_unlock(&ns->lock);
	rcu_read_unlock();
	/* Which stays, as the caller's reference does. */
	ctk_moment_forget(ns);
}

/*
 * The hook counts already. Its count is read first: what is lost between the
 * two readings is in table_full_drops, and no phantom in other_drops.
 */
static void ctk_netns_epoch_begin(struct ctk_netns *ns, void *unused)
{
	struct ctk_losses l = { };

	ctk_netns_add_hook_counts(ns, &l);
	ctk_netns_add_kernel_stats(ns);
	ns->epoch_counted = ctk_counted(&l);
	ns->epoch_drop = ns->kernel[CTK_A_KERNEL_STATS_DROP];
	ns->chain_base = ns->kernel[CTK_A_KERNEL_STATS_CHAIN_TOOLONG];
	ns->insert_failed_base = ns->kernel[CTK_A_KERNEL_STATS_INSERT_FAILED];
}

/*
 * nf_conntrack's statistics are freed already, so what it counted since they
 * were last looked at is not known; the hook's counts are.
 */
static void ctk_netns_epoch_end(struct ctk_netns *ns, void *unused)
{
	struct ctk_losses l;
	int cpu;

	ctk_watch_end(ns, &l);
	ns->epoch_drop = ns->kernel[CTK_A_KERNEL_STATS_DROP];
	ns->epoch_counted = ctk_counted(&l);
	ns->epoch_other = ns->other;
	for_each_possible_cpu(cpu) {
		struct ctk_netns_percpu *p = per_cpu_ptr(ns->percpu, cpu);

		memset(&p->seen, 0, sizeof(p->seen));
		p->chains_seen = 0;
		p->failed_seen = 0;
	}
	ctk_watch_restart(&ns->watch, &l);
}

/**
 * ctk_netns_epoch_begins() - nf_conntrack was there before ctk
 *
 * What it counted until now is history: shown among the kernel's statistics,
 * but no loss that ctk explains. Where nf_conntrack comes later it begins at
 * zero and this is not called.
 *
 * Context: process, with the hook on, before the first look.
 */
void ctk_netns_epoch_begins(void)
{
	ctk_netns_refresh();
	ctk_netns_for_each(ctk_netns_epoch_begin, NULL);
}

/**
 * ctk_netns_epoch_ends() - nf_conntrack is gone, and its statistics with it
 *
 * Totals stay; the kernel will count from zero when it comes back. No table
 * is full now, so each episode is over.
 *
 * Context: process, when nothing looks at nf_conntrack any more.
 */
void ctk_netns_epoch_ends(void)
{
	ctk_netns_for_each(ctk_netns_epoch_end, NULL);
}
