// SPDX-License-Identifier: GPL-2.0
/*
 * Makes nf_conntrack's coming last: a module notifier that sleeps through the
 * COMING event, ahead of all others and of the module's kobject. What loads
 * meanwhile meets nf_conntrack half-way. It never holds nf_conntrack.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

static unsigned int msecs = 800;
module_param(msecs, uint, 0444);
MODULE_PARM_DESC(msecs, "how long nf_conntrack is coming");

static int slow_event(struct notifier_block *nb, unsigned long event,
		      void *data)
{
	const struct module *module = data;

	if (event == MODULE_STATE_COMING &&
	    !strcmp(module->name, "nf_conntrack"))
		msleep(msecs);
	return NOTIFY_DONE;
}

static struct notifier_block slow_notifier = {
	.notifier_call = slow_event,
	.priority = INT_MAX,
};

static int __init ctk_slow_coming_init(void)
{
	return register_module_notifier(&slow_notifier);
}

static void __exit ctk_slow_coming_exit(void)
{
	unregister_module_notifier(&slow_notifier);
}

module_init(ctk_slow_coming_init);
module_exit(ctk_slow_coming_exit);

MODULE_DESCRIPTION("Stretches nf_conntrack's load for the tests of ctk");
MODULE_LICENSE("GPL");
