// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that calls an extension, whether one is there or not: /sys/kernel/debug/caller/call.
 * What is written there is a leaf of CPUID, with the subleaf in the high half, that is executed
 * immediately before (0: none), with nothing in between that could take the CPU away; what is read
 * is "nobody" or the answer in RAX. /sys/kernel/debug/caller/number is what is in RAX for the call.
 *
 * And one for the extension of test/ext/beside.c: /sys/kernel/debug/caller/beside, to which
 * "OPERATION RDX" is written, and of which "nobody" or "RAX RDX RSI" is read. For MAKE, RDX is the
 * memory of a guest, whose counter is in /sys/kernel/debug/caller/counter. A run goes on, from
 * interrupt to interrupt, until something else ends it, or a signal comes.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <abi/linux_hypercall.h>

#include "beside.h"

#define CALL 0x4B534C46 /* no hypervisor's */

static u64 number = CALL;
static bool answered;
static u64 answer;

static int call(u64 leaf)
{
	struct bf_hypercall_regs regs = { .rax = number, .r8 = 8, .r9 = 9, .r10 = 10, .r11 = 11 };
	u32 a = (u32)leaf, b, c = leaf >> 32, d;
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

/* --- the extension beside --------------------------------------------------------------------- */

#define MEMORY_ORDER 3
#define PTE_ALL 7UL

static u64 *guest; /* its memory */

/* The last answer, of any process: the tests make one call at a time, or look at none. */
static struct bf_hypercall_regs last;
static bool was_answered;

/* What a guest is to do: beside.h. */
static const u8 count_once[] = { 0x48, 0xFF, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, /* incq 0x5000 */
				 0xF4, 0xEB, 0xF5 }; /* hlt; jmp */
static const u8 count_ever[] = { 0x48, 0xFF, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, /* incq 0x5000 */
				 0xEB, 0xF6 }; /* jmp */

static u64 *guest_page(unsigned int n)
{
	return guest + n * (PAGE_SIZE / sizeof(u64));
}

/* Four levels that map each page to itself. */
static void fill_memory(void)
{
	u8 *code = (u8 *)guest_page(BESIDE_PAGE_CODE);
	unsigned long i;

	for (i = 0; i < 3; i++)
		guest_page(i)[0] = ((i + 1) << PAGE_SHIFT) | PTE_ALL;
	for (i = 0; i < BESIDE_PAGES; i++)
		guest_page(3)[i] = (i << PAGE_SHIFT) | PTE_ALL;
	memcpy(code + (BESIDE_RIP_ONCE & ~PAGE_MASK), count_once, sizeof(count_once));
	memcpy(code + (BESIDE_RIP_EVER & ~PAGE_MASK), count_ever, sizeof(count_ever));
}

static bool call_beside(struct bf_hypercall_regs *regs, u64 operation, u64 rdx)
{
	unsigned long flags;
	bool yes;

	*regs = (struct bf_hypercall_regs){ .rax = BESIDE_CALL + operation, .rdx = rdx };
	local_irq_save(flags);
	yes = bf_hypercall(regs);
	local_irq_restore(flags);
	return yes;
}

static bool is_run(u64 operation)
{
	return operation == BESIDE_RUN || operation == BESIDE_FAULT_IN_EXIT ||
	       operation == BESIDE_LOOP_IN_EXIT;
}

static ssize_t beside_write(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	struct bf_hypercall_regs regs;
	u64 operation, rdx;
	char text[64];
	bool yes;

	if (size >= sizeof(text) || copy_from_user(text, from, size))
		return -EINVAL;
	text[size] = '\0';
	if (sscanf(text, "%llu %llx", &operation, &rdx) != 2)
		return -EINVAL;
	if (operation == BESIDE_MAKE)
		rdx = virt_to_phys(guest);
	yes = call_beside(&regs, operation, rdx);
	while (is_run(operation) && yes && regs.rax == BESIDE_CALL &&
	       regs.rdx == BESIDE_INTERRUPTED && !signal_pending(current)) {
		cond_resched();
		yes = call_beside(&regs, BESIDE_RUN, BESIDE_GO_ON);
	}
	was_answered = yes;
	last = regs;
	return size;
}

static int beside_show(struct seq_file *file, void *unused)
{
	if (was_answered)
		seq_printf(file, "%llx %llx %llx\n", last.rax, last.rdx, last.rsi);
	else
		seq_puts(file, "nobody\n");
	return 0;
}

static int beside_open(struct inode *inode, struct file *file)
{
	return single_open(file, beside_show, NULL);
}

static const struct file_operations beside_fops = {
	.owner = THIS_MODULE,
	.open = beside_open,
	.read = seq_read,
	.write = beside_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int counter_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "%llu\n", READ_ONCE(guest_page(BESIDE_PAGE_DATA)[0]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counter);

static struct dentry *directory;

static int __init caller_init(void)
{
	guest = (u64 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, MEMORY_ORDER);
	if (!guest)
		return -ENOMEM;
	fill_memory();
	directory = debugfs_create_dir("caller", NULL);
	debugfs_create_x64("number", 0600, directory, &number);
	debugfs_create_file("call", 0600, directory, NULL, &fops);
	debugfs_create_file("beside", 0600, directory, NULL, &beside_fops);
	debugfs_create_file("counter", 0400, directory, NULL, &counter_fops);
	return 0;
}

static void __exit caller_exit(void)
{
	debugfs_remove(directory);
	free_pages((unsigned long)guest, MEMORY_ORDER);
}

module_init(caller_init);
module_exit(caller_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("calls an extension that may not be there");
