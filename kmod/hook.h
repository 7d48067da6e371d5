/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hook on nf_conntrack's early_drop().
 */
#ifndef _CTK_HOOK_H
#define _CTK_HOOK_H

#include <linux/types.h>
#include <linux/ctk.h>

/**
 * struct ctk_hook_info - what a reader is told of a hook
 * @symbol: the function that is observed
 * @form: in use, or tried last
 * @state: whether its counts can be believed
 * @missed: calls that it is known to have missed since ctk was loaded
 * @wrapper_error: why there is no wrapper, 0 or a negative errno
 * @error: why there is no hook, 0 or a negative errno
 */
struct ctk_hook_info {
	const char *symbol;
	enum ctk_hook_form form;
	enum ctk_hook_state state;
	u64 missed;
	int wrapper_error;
	int error;
};

int ctk_hook_set_policy(const char *name);
void ctk_hook_attach(const char *module);
void ctk_hook_detach(void);
void ctk_hook_sees(void);
void ctk_hook_is_blind(u64 missed);
void ctk_hook_read(struct ctk_hook_info *info);
enum ctk_hook ctk_hook_summary(const struct ctk_hook_info *info);

#endif /* _CTK_HOOK_H */
