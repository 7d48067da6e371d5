/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family; see uapi/ctk.yaml for what it says.
 */
#ifndef _CTK_NETLINK_H
#define _CTK_NETLINK_H

int ctk_netlink_init(void);
void ctk_netlink_exit(void);

#endif /* _CTK_NETLINK_H */
