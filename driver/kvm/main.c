// SPDX-License-Identifier: GPL-2.0-only
/* The module: its device, and the ioctls of the system as a whole. */
#define pr_fmt(fmt) "bareflank_kvm: " fmt

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "kvm.h"

#define NAME "bareflank-kvm" /* where KVM has its own name */
#define MMAP_SIZE (2 * PAGE_SIZE)

static const char *why_not(int result)
{
	switch (result) {
	case -ENOENT:
		return "no extension runs them: bfm start guests";
	case -EPROTO:
		return "the extension speaks another version";
	case -EOWNERDEAD:
		return "their extension has ended: bfm status";
	default:
		return "the hypervisor does not run, or this CPU lacks what they need: bfm dump";
	}
}

static int open_device(struct inode *inode, struct file *file)
{
	u64 instance;
	int result = bk_info(&instance);

	if (result)
		pr_info_ratelimited("no guests: %s\n", why_not(result));
	return result ? -ENODEV : 0;
}

static long get_supported_cpuid(void __user *user)
{
	u64 instance;
	int result = bk_info(&instance);

	return result ? -ENODEV : bk_get_supported_cpuid(instance, user);
}

static long get_msr_index_list(void __user *user)
{
	u64 instance;
	int result = bk_info(&instance);

	return result ? -ENODEV : bk_get_msr_index_list(instance, user);
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case KVM_GET_API_VERSION:
		return argument ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return argument ? -EINVAL : bk_vm_create();
	case KVM_CHECK_EXTENSION:
		return bk_check_extension(argument);
	case KVM_GET_VCPU_MMAP_SIZE:
		return argument ? -EINVAL : MMAP_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return get_supported_cpuid((void __user *)argument);
	case KVM_GET_MSR_INDEX_LIST:
		return get_msr_index_list((void __user *)argument);
	default:
		return -EINVAL; /* as KVM's device answers, other than its VMs and vCPUs */
	}
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open_device,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* The mode is that of KVM's device where udev has a rule for its name, else root's alone. */
static struct miscdevice device = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &operations,
};

static int __init bk_init(void)
{
	int result = bk_vcpus_init();

	if (result)
		return result;
	result = misc_register(&device);
	if (result == -EBUSY) {
		device.minor = MISC_DYNAMIC_MINOR;
		device.name = NAME;
		result = misc_register(&device);
	}
	if (result)
		bk_vcpus_exit();
	else
		pr_info("loaded, /dev/%s is there\n", device.name);
	return result;
}

static void __exit bk_exit(void)
{
	misc_deregister(&device);
	bk_vcpus_exit();
	pr_info("unloaded\n");
}

module_init(bk_init);
module_exit(bk_exit);
MODULE_DESCRIPTION("KVM's interface for guests of a Bareflank extension");
MODULE_LICENSE("GPL");
