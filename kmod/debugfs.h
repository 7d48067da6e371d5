/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The debugfs window: netns and status under /sys/kernel/debug/ctk.
 */
#ifndef _CTK_DEBUGFS_H
#define _CTK_DEBUGFS_H

void ctk_debugfs_init(void);
void ctk_debugfs_exit(void);

#endif /* _CTK_DEBUGFS_H */
