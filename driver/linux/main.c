/* SPDX-License-Identifier: GPL-2.0-only */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/printk.h>

#include <abi/ioctl.h>

#include "bareflank.h"

struct bf_loader bf_loader;
static DEFINE_MUTEX(lock);

void bf_lock(void)
{
	mutex_lock(&lock);
	cpus_read_lock();
}

void bf_unlock(void)
{
	cpus_read_unlock();
	mutex_unlock(&lock);
}

static const struct {
	enum bf_error error;
	int number;
	const char *sentence;
} errors[] = {
#define BF_ERROR_ROW(number, name, err, text, hint) { BF_ERR_##name, err, text },
	BF_ERRORS(BF_ERROR_ROW)
};

int bf_errno(enum bf_error error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == error)
			return errors[i].number;
	return EIO;
}

const char *bf_strerror(enum bf_error error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == error)
			return errors[i].sentence;
	return "unknown error";
}

void bf_log_failure(const char *what)
{
	const struct bf_failure *failure = &bf_loader.failure;
	bool image = BF_ERROR_IS_IMAGE(failure->error);

	pr_err("%s: %s %u: %s (error %u, image %u, detail 0x%llx)\n", what, image ? "image" : "CPU",
	       image ? failure->image : failure->cpu, bf_strerror(failure->error), failure->error,
	       failure->image, failure->detail);
}

enum bf_error bf_start_and_log(const struct bf_start *start)
{
	enum bf_error error = bf_loader_start(&bf_loader, start);

	if (error == BF_ERR_RUNNING)
		return error;
	if (error != BF_ERR_OK) {
		bf_log_failure("not started");
		return error;
	}
	pr_info("started on %u CPUs in %llu ms (%llu us without interrupts), %llu MiB\n",
		bf_loader.nr_online, div_u64(bf_loader.start_ns, NSEC_PER_MSEC),
		div_u64(bf_loader.start_paused_ns, NSEC_PER_USEC), bf_loader.memory.bytes >> 20);
	bf_watchdog_begin();
	bf_watch();
	return error;
}

/* A stop that did not succeed leaves CPUs inside, over which it watches on. */
void bf_ended(void)
{
	if (bf_loader.state != BF_STATE_RUNNING)
		bf_watchdog_end();
}

enum bf_error bf_stop_and_log(void)
{
	enum bf_error error = bf_loader_stop(&bf_loader);

	if (error == BF_ERR_NOT_RUNNING)
		return error;
	bf_ended();
	if (error != BF_ERR_OK)
		bf_log_failure(bf_loader.state == BF_STATE_RUNNING ? "cannot stop" : "stopped");
	else
		pr_info("stopped in %llu ms (%llu us without interrupts)\n",
			div_u64(bf_loader.stop_ns, NSEC_PER_MSEC),
			div_u64(bf_loader.stop_paused_ns, NSEC_PER_USEC));
	return error;
}

static int bf_open(struct inode *inode, struct file *file)
{
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = bf_open,
	.unlocked_ioctl = bf_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = BF_DEVICE,
	.fops = &operations,
	.mode = 0600,
};

static int __init bf_init(void)
{
	int result = -bf_errno(bf_loader_init(&bf_loader));

	if (result)
		return result;
	result = bf_watchdog_init();
	if (result)
		goto no_watchdog;
	result = bf_lifecycle_init();
	if (result)
		goto no_lifecycle;
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
	bf_loader_fini(&bf_loader);
	return result;
}

static void __exit bf_exit(void)
{
	bool bare;

	misc_deregister(&device);
	bf_lock();
	if (bf_loader.state == BF_STATE_RUNNING)
		bf_stop_and_log();
	bare = bf_loader.state != BF_STATE_RUNNING;
	bf_unlock();
	bf_lifecycle_fini();
	bf_watchdog_fini();
	/* A CPU that did not come back still runs in this memory: better lost than reused. */
	if (bare)
		bf_loader_fini(&bf_loader);
	pr_info("unloaded\n");
}

module_init(bf_init);
module_exit(bf_exit);
MODULE_DESCRIPTION("Late-launch hypervisor: Bareflank in C");
MODULE_LICENSE("GPL");
