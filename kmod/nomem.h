/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets for which there was no memory for an entry.
 */
#ifndef _CTK_NOMEM_H
#define _CTK_NOMEM_H

#include "hook.h"

void ctk_nomem_attach(const char *module);
void ctk_nomem_detach(void);
bool ctk_nomem_read(struct ctk_hook_info *info);

#endif /* _CTK_NOMEM_H */
