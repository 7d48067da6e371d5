// SPDX-License-Identifier: GPL-2.0
/*
 * One deliberate bug at each load, by the name in the parameter "bug": bait
 * for a kernel that watches itself, to show that it would notice such a bug in
 * ctk. The bugs are those that a module of ctk's kind can have: in a hook's
 * handler, in locks shared with softirqs, in RCU, in references and memory. It
 * never touches what is not its own, save where the bug is to lose a reference
 * to the loader's network namespace.
 */
#include <linux/completion.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <net/net_namespace.h>

static char *bug = "none";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which one");

static void bait_none(void)
{
}

/* --- KASAN ------------------------------------------------------------ */

/* What the compiler knows of an object it would warn of, or optimise away. */
static u8 *bait_object(void)
{
	u8 *object = kzalloc(120, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	return object;
}

static void bait_use_after_free(void)
{
	u8 *object = bait_object();
	u8 *stale = object;

	OPTIMIZER_HIDE_VAR(stale);
	kfree(object);
	if (stale)
		WRITE_ONCE(stale[8], 1);
}

static void bait_out_of_bounds(void)
{
	u8 *object = bait_object();

	if (object)
		WRITE_ONCE(object[120], 1);
	kfree(object);
}

static void bait_double_free(void)
{
	u8 *object = bait_object();
	u8 *stale = object;

	OPTIMIZER_HIDE_VAR(stale);
	kfree(object);
	kfree(stale);
}

/* --- Sleeping --------------------------------------------------------- */

static void bait_sleep(void)
{
	kfree(kzalloc(120, GFP_KERNEL));
}

static noinline void bait_hooked(void)
{
	barrier();
}

static int bait_handler(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	bait_sleep();
	return 0;
}

static struct kretprobe bait_probe = {
	.handler = bait_handler,
	.kp.addr = (kprobe_opcode_t *)bait_hooked,
};

static void bait_sleep_in_kretprobe(void)
{
	bait_hooked();
}

/* As the wrapper's callee is called, and as all readers look at conntrack. */
static void bait_sleep_under_rcu(void)
{
	rcu_read_lock();
	bait_sleep();
	rcu_read_unlock();
}

/* --- lockdep ---------------------------------------------------------- */

static DEFINE_SPINLOCK(bait_lock_a);
static DEFINE_SPINLOCK(bait_lock_b);

static void bait_lock_inversion(void)
{
	spin_lock(&bait_lock_a);
	spin_lock(&bait_lock_b);
	spin_unlock(&bait_lock_b);
	spin_unlock(&bait_lock_a);

	spin_lock(&bait_lock_b);
	spin_lock(&bait_lock_a);
	spin_unlock(&bait_lock_a);
	spin_unlock(&bait_lock_b);
}

static DEFINE_SPINLOCK(bait_lock_shared);
static DECLARE_COMPLETION(bait_softirq_done);

static void bait_softirq(struct timer_list *timer)
{
	spin_lock(&bait_lock_shared);
	spin_unlock(&bait_lock_shared);
	complete(&bait_softirq_done);
}

static DEFINE_TIMER(bait_timer, bait_softirq);

/* Process context should have kept softirqs out. */
static void bait_lock_shared_with_softirq(void)
{
	spin_lock(&bait_lock_shared);
	spin_unlock(&bait_lock_shared);
	mod_timer(&bait_timer, jiffies);
	wait_for_completion(&bait_softirq_done);
}

/* --- RCU, lists ------------------------------------------------------- */

static int bait_value;
static int __rcu *bait_pointer = (int __rcu __force *)&bait_value;

static void bait_rcu_without_lock(void)
{
	WRITE_ONCE(*rcu_dereference(bait_pointer), 1);
}

static void bait_list_corruption(void)
{
	LIST_HEAD(head);
	struct list_head entry;

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
}

/* --- References and memory -------------------------------------------- */

/* The namespace never goes, and no one else notices. */
static void bait_netns_held_for_ever(void)
{
	get_net(current->nsproxy->net_ns);
}

/* The count is right, but who held it never said that it ceased to. */
static void bait_netns_put_by_another(void)
{
	struct net *net = current->nsproxy->net_ns;
	netns_tracker tracker;

	get_net_track(net, &tracker, GFP_KERNEL);
	put_net(net);
}

/* A few, since an old value on some stack may still point to one. */
static noinline void bait_memory_leak(void)
{
	int i;

	for (i = 0; i < 8; i++)
		bait_object();
}

static const struct {
	const char *name;
	void (*commit)(void);
} bait_bugs[] = {
	{ "none", bait_none },
	{ "use-after-free", bait_use_after_free },
	{ "out-of-bounds", bait_out_of_bounds },
	{ "double-free", bait_double_free },
	{ "sleep-in-kretprobe", bait_sleep_in_kretprobe },
	{ "sleep-under-rcu", bait_sleep_under_rcu },
	{ "lock-inversion", bait_lock_inversion },
	{ "lock-shared-with-softirq", bait_lock_shared_with_softirq },
	{ "rcu-without-lock", bait_rcu_without_lock },
	{ "list-corruption", bait_list_corruption },
	{ "netns-held-for-ever", bait_netns_held_for_ever },
	{ "netns-put-by-another", bait_netns_put_by_another },
	{ "memory-leak", bait_memory_leak },
};

static int __init ctk_bait_init(void)
{
	size_t i;
	int err;

	err = register_kretprobe(&bait_probe);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(bait_bugs); i++) {
		if (strcmp(bait_bugs[i].name, bug))
			continue;
		bait_bugs[i].commit();
		return 0;
	}
	unregister_kretprobe(&bait_probe);
	return -EINVAL;
}

static void __exit ctk_bait_exit(void)
{
	unregister_kretprobe(&bait_probe);
}

module_init(ctk_bait_init);
module_exit(ctk_bait_exit);

MODULE_DESCRIPTION("Deliberate bugs for the tests of ctk");
MODULE_LICENSE("GPL");
