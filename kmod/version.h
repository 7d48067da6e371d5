/* SPDX-License-Identifier: GPL-2.0 */
/* The one place that says which release this is; packaging reads it too. */
#ifndef _CTK_VERSION_H
#define _CTK_VERSION_H

#define CTK_VERSION "0.1.0"

#endif /* _CTK_VERSION_H */
