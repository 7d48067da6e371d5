// SPDX-License-Identifier: GPL-2.0
/*
 * Another user of early_drop() in nf_conntrack, of the kind that leaves no
 * room for a second one: a kprobe with a post_handler, which the kernel arms
 * by an ftrace_ops with IPMODIFY (kernel/kprobes.c, arm_kprobe_ftrace). It
 * stands in for a livepatch. It never changes what early_drop() does, and
 * holds nf_conntrack for as long as it is loaded, as any kprobe does.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static void occupied_post(struct kprobe *p, struct pt_regs *regs,
			  unsigned long flags)
{
}

static struct kprobe occupied = {
	.symbol_name = "nf_conntrack:early_drop",
	.post_handler = occupied_post,
};

static int __init ctk_ipmodify_init(void)
{
	return register_kprobe(&occupied);
}

static void __exit ctk_ipmodify_exit(void)
{
	unregister_kprobe(&occupied);
}

module_init(ctk_ipmodify_init);
module_exit(ctk_ipmodify_exit);

MODULE_DESCRIPTION("Occupies early_drop() for the tests of ctk");
MODULE_LICENSE("GPL");
