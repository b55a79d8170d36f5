// SPDX-License-Identifier: GPL-2.0-only
/* The module: loading, unloading, and its device. */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/platform_device.h>
#include <linux/printk.h>

#include <abi/ioctl.h>

#include "bareflank.h"

static int open_device(struct inode *inode, struct file *file)
{
	struct bf_open *open;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	open = kzalloc(sizeof(*open), GFP_KERNEL);
	if (!open)
		return -ENOMEM;
	file->private_data = open;
	bf_channel_open(open);
	return 0;
}

static int close_device(struct inode *inode, struct file *file)
{
	struct bf_open *open = file->private_data;

	bf_trace_close(open);
	bf_channel_close(open);
	kfree(open);
	return 0;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open_device,
	.release = close_device,
	.unlocked_ioctl = bf_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = BF_DEVICE,
	.fops = &operations,
	.mode = 0600,
};

/*
 * For no device: its name is there once only, so a copy of this module under another name notices
 * before it touches anything that the two would share.
 */
static struct platform_driver claim = { .driver = { .name = BF_DEVICE } };

/* Once nothing looks at it any more. What was adopted is not ours, and runs on. */
static void free_loader(void)
{
	if (bf_loader.adopted)
		bf_loader_abandon(&bf_loader);
	bf_loader_fini(&bf_loader);
}

static int __init bf_init(void)
{
	int result;

	if (driver_find(BF_DEVICE, &platform_bus_type)) {
		pr_err("another copy of this module is loaded: unload that one first\n");
		return -EBUSY;
	}
	result = platform_driver_register(&claim);
	if (result)
		return result;
	result = -bf_errno(bf_loader_init(&bf_loader));
	if (result)
		goto no_loader;
	bf_platform_init();
	result = bf_run_init();
	if (result)
		goto no_run;
	result = bf_watchdog_init();
	if (result)
		goto no_watchdog;
	result = bf_lifecycle_init();
	if (result)
		goto no_lifecycle;
	result = -bf_errno(bf_adopt_and_log());
	if (result)
		goto no_device;
	result = misc_register(&device);
	if (result)
		goto no_device;
	pr_info("loaded, /dev/" BF_DEVICE " is there\n");
	return 0;

no_device:
	bf_lifecycle_fini();
no_lifecycle:
	bf_watchdog_fini();
no_watchdog:
	bf_run_fini();
no_run:
	free_loader();
no_loader:
	platform_driver_unregister(&claim);
	return result;
}

static void __exit bf_exit(void)
{
	bool bare;

	misc_deregister(&device);
	bf_lock();
	/*
	 * Nobody would stop it later, unless it was adopted. Linux waits for every CPU in what
	 * follows, too.
	 */
	while (!bf_loader.adopted && bf_stop_and_log() == BF_ERR_CPU_STUCK)
		;
	bare = bf_loader.adopted || (bf_loader.state != BF_STATE_RUNNING && !bf_loader.halted);
	bf_unlock();
	bf_lifecycle_fini();
	bf_watchdog_fini();
	bf_run_fini(); /* only now: a tick of the watchdog may queue the poll */
	bf_platform_fini();
	/* A CPU that did not come back still runs in this memory: better lost than reused. */
	if (bare)
		free_loader();
	platform_driver_unregister(&claim);
	pr_info("unloaded\n");
}

module_init(bf_init);
module_exit(bf_exit);
MODULE_DESCRIPTION("Late-launch hypervisor: Bareflank in C");
MODULE_LICENSE("GPL");
