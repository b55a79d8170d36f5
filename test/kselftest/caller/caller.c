// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that calls an extension, whether one is there or not: /sys/kernel/debug/caller/call.
 * What is written there is a leaf of CPUID that is executed immediately before (0: none), with
 * nothing in between that could take the CPU away; what is read is "nobody" or the answer in RAX.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/module.h>

#include <abi/linux_hypercall.h>

#define CALL 0x4B534C46 /* no hypervisor's */

static bool answered;
static u64 answer;

static int call(u64 leaf)
{
	struct bf_hypercall_regs regs = { .rax = CALL, .r8 = 8, .r9 = 9, .r10 = 10, .r11 = 11 };
	u32 a = (u32)leaf, b, c = 0, d;
	unsigned long flags;

	local_irq_save(flags);
	if (leaf)
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	answered = bf_hypercall(&regs);
	local_irq_restore(flags);
	answer = regs.rax;
	return regs.r8 == 8 && regs.r9 == 9 && regs.r10 == 10 && regs.r11 == 11 ? 0 : -EIO;
}

static ssize_t call_read(struct file *file, char __user *to, size_t size, loff_t *at)
{
	char text[32];
	int length = answered ? snprintf(text, sizeof(text), "0x%llx\n", answer) :
				snprintf(text, sizeof(text), "nobody\n");

	return simple_read_from_buffer(to, size, at, text, length);
}

static ssize_t call_write(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	u64 leaf;
	int error = kstrtou64_from_user(from, size, 0, &leaf);

	if (!error)
		error = call(leaf);
	return error ? error : (ssize_t)size;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.read = call_read,
	.write = call_write,
};

static struct dentry *directory;

static int __init caller_init(void)
{
	directory = debugfs_create_dir("caller", NULL);
	debugfs_create_file("call", 0600, directory, NULL, &fops);
	return 0;
}

static void __exit caller_exit(void)
{
	debugfs_remove(directory);
}

module_init(caller_init);
module_exit(caller_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("calls an extension that may not be there");
