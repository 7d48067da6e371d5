/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The look at a packet that is being freed.
 */
#ifndef _CTK_LOST_H
#define _CTK_LOST_H

int ctk_lost_register(void);
void ctk_lost_unregister(void);

#endif /* _CTK_LOST_H */
