// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does what a rootkit does as it is loaded, on CPU 0, for as long as a CPUID takes,
 * and puts it back: what=wp|smep|smap|umip|idt|gdt|lstar|nothing.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>

static char *what = "nothing";
module_param(what, charp, 0);

/* An exit, at which an extension looks. */
static void leave_guest(void)
{
	u32 a = 0, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static void without_wp(void)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~X86_CR0_WP) : "memory");
	leave_guest();
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void without_cr4(unsigned long bit)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~bit) : "memory");
	leave_guest();
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

/* One gate less. */
static void other_idt(void)
{
	struct desc_ptr idt, other;

	asm volatile("sidt %0" : "=m"(idt));
	other = idt;
	other.size -= 16;
	asm volatile("lidt %0" : : "m"(other));
	leave_guest();
	asm volatile("lidt %0" : : "m"(idt));
}

static void other_gdt(void)
{
	struct desc_ptr gdt, other;

	asm volatile("sgdt %0" : "=m"(gdt));
	other = gdt;
	other.size += 8;
	asm volatile("lgdt %0" : : "m"(other));
	leave_guest();
	asm volatile("lgdt %0" : : "m"(gdt));
}

/* By the instruction, for which each Linux has other functions: WRMSR exits. */
static void write_lstar(u64 value)
{
	asm volatile("wrmsr" : : "c"(MSR_LSTAR), "a"((u32)value), "d"((u32)(value >> 32)));
}

static void other_lstar(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_LSTAR));
	write_lstar(((u64)high << 32 | low) + 4);
	leave_guest();
	write_lstar((u64)high << 32 | low);
}

static void do_it(void *result)
{
	unsigned long flags;
	bool done = true;

	local_irq_save(flags);
	if (!strcmp(what, "wp"))
		without_wp();
	else if (!strcmp(what, "smep"))
		without_cr4(X86_CR4_SMEP);
	else if (!strcmp(what, "smap"))
		without_cr4(X86_CR4_SMAP);
	else if (!strcmp(what, "umip"))
		without_cr4(X86_CR4_UMIP);
	else if (!strcmp(what, "idt"))
		other_idt();
	else if (!strcmp(what, "gdt"))
		other_gdt();
	else if (!strcmp(what, "lstar"))
		other_lstar();
	else
		done = !strcmp(what, "nothing");
	local_irq_restore(flags);
	*(int *)result = done ? 0 : -EINVAL;
}

static int __init tamper_init(void)
{
	int result = -EIO;

	smp_call_function_single(0, do_it, &result, 1);
	return result;
}

static void __exit tamper_exit(void)
{
}

module_init(tamper_init);
module_exit(tamper_exit);
MODULE_DESCRIPTION("Does what rootkits do, for the tests of Bareflank in C");
MODULE_LICENSE("GPL");
