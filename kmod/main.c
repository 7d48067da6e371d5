// SPDX-License-Identifier: GPL-2.0
/*
 * The order of init and exit, and the module's parameters; nothing else.
 *
 * Writers before readers: the ring of events, since all can happen from then
 * on, namespaces, then the hook that counts in them, then the windows that
 * show the counts. Exit is the same story told backwards: no reader, no hook,
 * no namespace, no event.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include "actor.h"
#include "attach.h"
#include "attribution.h"
#include "debugfs.h"
#include "events.h"
#include "hook.h"
#include "moment.h"
#include "netlink.h"
#include "netns.h"
#include "version.h"

/* A few hundred bytes each, and twice as many of them. */
#define CTK_EVENTS_MOST 65536

static char *hook = "auto";
module_param(hook, charp, 0444);
MODULE_PARM_DESC(hook, "form of the hook on early_drop: auto (default), wrapper or kretprobe");

static int ctk_attribution_store(const char *name,
				 const struct kernel_param *param)
{
	int err = ctk_attribution_set(name);

	if (err)
		pr_err("attribution=%.*s is none of auto, on, off\n",
		       (int)strcspn(name, "\n"), name);
	else
		ctk_attach_nomem();
	return err;
}

static int ctk_attribution_show(char *buffer, const struct kernel_param *param)
{
	return sprintf(buffer, "%s\n",
		       ctk_attribution_name(ctk_attribution_policy()));
}

static const struct kernel_param_ops ctk_attribution_ops = {
	.set = ctk_attribution_store,
	.get = ctk_attribution_show,
};

module_param_cb(attribution, &ctk_attribution_ops, NULL, 0644);
MODULE_PARM_DESC(attribution, "look at lost packets one by one: auto (default; from the first loss until a minute without), on (and tell want of memory apart, which costs every new flow) or off");

static bool log = true;
module_param(log, bool, 0444);
MODULE_PARM_DESC(log, "tell the begin and the end of losses in the kernel log (default 1)");

static unsigned int events = 1024;
module_param(events, uint, 0444);
MODULE_PARM_DESC(events, "how many events are kept, of all namespaces together and of single ones (default 1024)");

static int __init ctk_init(void)
{
	int err;

	err = ctk_hook_set_policy(hook);
	if (err) {
		pr_err("hook=%s is none of auto, wrapper, kretprobe\n", hook);
		return err;
	}
	if (!events || events > CTK_EVENTS_MOST) {
		pr_err("events=%u is not 1 to %u\n", events, CTK_EVENTS_MOST);
		return -EINVAL;
	}
	err = ctk_events_init(events);
	if (err)
		return err;
	err = ctk_netns_init();
	if (err)
		goto err_events;
	ctk_actor_init();
	err = ctk_attach_init();
	if (err)
		goto err_actor;
	ctk_attribution_init();
	err = ctk_netlink_init();
	if (err)
		goto err_attribution;
	ctk_events_open(log);
	ctk_debugfs_init();
	return 0;

err_attribution:
	ctk_attach_exit();
	ctk_attribution_exit();
	ctk_moment_exit();
err_actor:
	ctk_actor_exit();
	ctk_netns_exit();
err_events:
	ctk_events_exit();
	return err;
}

static void __exit ctk_exit(void)
{
	ctk_debugfs_exit();
	ctk_events_close();
	ctk_netlink_exit();
	ctk_attach_exit();
	ctk_attribution_exit();
	ctk_moment_exit();
	ctk_actor_exit();
	ctk_netns_exit();
	ctk_events_exit();
}

module_init(ctk_init);
module_exit(ctk_exit);

MODULE_DESCRIPTION("Who filled the connection tracking table, and what it cost");
MODULE_LICENSE("GPL");
MODULE_VERSION(CTK_VERSION);
