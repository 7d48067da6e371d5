/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only file that names a kernel version. It makes 5.10 to 7.x look alike
 * to the rest of the module; where a feature can be probed by the presence of
 * a macro or a config symbol, it is, since stable kernels change things
 * midway. It holds no state and no logic of ctk's own.
 */
#ifndef _CTK_COMPAT_H
#define _CTK_COMPAT_H

#include <linux/version.h>
#include <linux/ftrace.h>
#include <linux/static_call.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "ctk needs Linux 5.10 or newer"
#endif

#if BITS_PER_LONG != 64
#error "ctk counts in u64 without u64_stats_sync and needs a 64-bit kernel"
#endif

/*
 * The wrapper on early_drop() redirects the instruction pointer at the
 * function's fentry call and enters the original behind it; that both are
 * five bytes of a call is known of x86-64 only.
 */
#if defined(CONFIG_X86_64) && defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && \
	defined(CONFIG_HAVE_STATIC_CALL)
#define CTK_HAVE_WRAPPER 1

/*
 * Since 5.11 a callback gets struct ftrace_regs, which holds enough to set
 * the instruction pointer without saving all registers, and is called without
 * recursion protection unless it asks for it; 5.10 has these the other way.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
#define ctk_ftrace_regs			ftrace_regs
#define CTK_FTRACE_OPS_FLAGS		FTRACE_OPS_FL_IPMODIFY
#ifdef ftrace_regs_set_instruction_pointer
#define ctk_ftrace_set_ip		ftrace_regs_set_instruction_pointer
#else
#define ctk_ftrace_set_ip		ftrace_instruction_pointer_set
#endif
#else
#define ctk_ftrace_regs			pt_regs
#define CTK_FTRACE_OPS_FLAGS		(FTRACE_OPS_FL_IPMODIFY | \
					 FTRACE_OPS_FL_SAVE_REGS | \
					 FTRACE_OPS_FL_RECURSION_SAFE)
#define ctk_ftrace_set_ip		instruction_pointer_set
#endif
#endif /* x86-64 */

/* For a variable whose each byte is written, where the stack is cleared. */
#if __has_attribute(__uninitialized__)
#define ctk_uninitialized		__attribute__((__uninitialized__))
#else
#define ctk_uninitialized
#endif

/*
 * What a callback of the kfree_skb tracepoint is called with: a reason since
 * 5.17, the receiving socket since 6.11, which has become const later; for
 * users of <trace/events/skb.h>.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define CTK_RX_SK							\
	typeof(__builtin_choose_expr(					\
		__same_type(trace_kfree_skb,				\
			    void (struct sk_buff *, void *,		\
				  enum skb_drop_reason,			\
				  const struct sock *)),		\
		(const struct sock *)NULL, (struct sock *)NULL))
#define CTK_KFREE_SKB_ARGS						\
	void *data, struct sk_buff *skb, void *location,		\
	enum skb_drop_reason reason, CTK_RX_SK rx_sk
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
#define CTK_KFREE_SKB_ARGS						\
	void *data, struct sk_buff *skb, void *location,		\
	enum skb_drop_reason reason
#else
#define CTK_KFREE_SKB_ARGS						\
	void *data, struct sk_buff *skb, void *location
#endif

/* nf_conntrack refuses and counts too long chains since 5.15. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 0)
#define CTK_HAVE_CHAIN_TOOLONG 1
#endif

/*
 * MIN_CHAINLEN and how many limits there are from it on (nf_conntrack_core.c).
 * It was 8, of 24, up to 6.2, which stable kernels took over ("netfilter:
 * conntrack: adopt safer max chain length").
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 7) || \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 20) && \
	 LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)) || \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 103) && \
	 LINUX_VERSION_CODE < KERNEL_VERSION(5, 16, 0))
#define CTK_CHAIN_LIMIT_LOWEST	50
#define CTK_CHAIN_LIMITS	30
#else
#define CTK_CHAIN_LIMIT_LOWEST	8
#define CTK_CHAIN_LIMITS	24
#endif

/*
 * Entries of a namespace: an exported function of nf_conntrack since 5.13,
 * a member of struct net before, which has no symbol to look up.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 13, 0)
#define CTK_COUNT_SYMBOL "nf_conntrack_count"
#else
static inline u32 ctk_count_in_net(const struct net *net)
{
	return atomic_read(&net->ct.count);
}
#endif

/* Renamed with 6.17; the old name has since come to warn. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define ctk_unbound_wq			system_dfl_wq
#else
#define ctk_unbound_wq			system_unbound_wq
#endif

/* net->net_cookie is given at creation since 5.12, on demand before. */
static inline u64 ctk_net_cookie(const struct net *net)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
	return net->net_cookie;
#else
	return atomic64_read(&net->net_cookie);
#endif
}

/*
 * Joining a multicast group needs CAP_NET_ADMIN over the socket's namespace
 * where the group says so; the flag for that was renamed, also in stable
 * releases, and the other's value means nothing there.
 */
#ifdef GENL_MCAST_CAP_NET_ADMIN
#define CTK_MCGRP_FLAGS			GENL_MCAST_CAP_NET_ADMIN
#else
#define CTK_MCGRP_FLAGS			GENL_UNS_ADMIN_PERM
#endif

/* Attributes of a dump request moved into struct genl_info with 6.6. */
static inline struct nlattr **ctk_genl_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return genl_dumpit_info(cb)->info.attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif /* _CTK_COMPAT_H */
