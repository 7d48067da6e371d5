/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looks at lost packets one by one, while there are any.
 */
#ifndef _CTK_ATTRIBUTION_H
#define _CTK_ATTRIBUTION_H

#include <linux/types.h>
#include <linux/ctk.h>

/**
 * struct ctk_attribution_info - what a reader is told of it
 * @policy: as the module was told
 * @armed: lost packets are looked at
 * @marks_lost: since ctk was loaded; see mark.c
 */
struct ctk_attribution_info {
	enum ctk_attribution policy;
	bool armed;
	u64 marks_lost;
};

int ctk_attribution_set(const char *name);
enum ctk_attribution ctk_attribution_policy(void);
const char *ctk_attribution_name(enum ctk_attribution policy);
void ctk_attribution_read(struct ctk_attribution_info *info);
void ctk_attribution_losing(void);

void ctk_attribution_init(void);
void ctk_attribution_exit(void);

#endif /* _CTK_ATTRIBUTION_H */
