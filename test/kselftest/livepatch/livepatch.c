// SPDX-License-Identifier: GPL-2.0-only
/*
 * A live patch, which makes /proc/uptime say "patched". It can be removed once 0 was written to
 * /sys/kernel/livepatch/livepatch/enabled.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int patched_show(struct seq_file *out, void *unused)
{
	seq_puts(out, "patched\n");
	return 0;
}

static struct klp_func functions[] = {
	{ .old_name = "uptime_proc_show", .new_func = patched_show },
	{},
};

static struct klp_object objects[] = { { .funcs = functions }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init livepatch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit livepatch_exit(void)
{
}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("A live patch, for the tests of Bareflank in C");
MODULE_LICENSE("GPL");
