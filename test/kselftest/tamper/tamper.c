// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does what a rootkit does as it is loaded, on CPU 0, for as long as a CPUID takes,
 * and puts it back: what=wp|smep|smap|umip|task-switched|reserved|idt|gdt|lstar|nothing. For two
 * there is no CPUID in between: fast-wp, and gate, which changes a gate of the IDT meanwhile.
 * EPERM: something has kept what was to be cleared; EFAULT: #GP, which is what a reserved bit
 * gives.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/asm.h>
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

static int without_wp(void)
{
	unsigned long cr0, now;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~X86_CR0_WP) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(now) : : "memory");
	leave_guest();
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	return now & X86_CR0_WP ? -EPERM : 0;
}

/* Between these two, nothing looks. */
static int without_wp_for(void (*then)(void))
{
	unsigned long cr0, now;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~X86_CR0_WP) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(now) : : "memory");
	if (!(now & X86_CR0_WP))
		then();
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	return now & X86_CR0_WP ? -EPERM : 0;
}

static void do_nothing(void)
{
}

/* Bits that no CPU looks at, of the last gate. */
static void change_gate(void)
{
	struct desc_ptr idt;
	volatile u32 *reserved;

	asm volatile("sidt %0" : "=m"(idt));
	reserved = (volatile u32 *)(idt.address + 255 * 16 + 12);
	*reserved = ~*reserved;
	*reserved = ~*reserved;
}

static int without_cr4(unsigned long bit)
{
	unsigned long cr4, now;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~bit) : "memory");
	asm volatile("mov %%cr4, %0" : "=r"(now) : : "memory");
	leave_guest();
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
	return now & bit ? -EPERM : 0;
}

/* CR0.TS by LMSW of a register and of memory, and by CLTS. */
static int switch_tasks(void)
{
	unsigned long cr0, set, cleared, again, last;
	u16 word;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("lmsw %w0" : : "r"(cr0 | X86_CR0_TS) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(set) : : "memory");
	word = (u16)cr0;
	asm volatile("lmsw %0" : : "m"(word) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(cleared) : : "memory");
	word = (u16)(cr0 | X86_CR0_TS);
	asm volatile("lmsw %0" : : "m"(word) : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(again) : : "memory");
	asm volatile("clts" : : : "memory");
	asm volatile("mov %%cr0, %0" : "=r"(last) : : "memory");
	return set == (cr0 | X86_CR0_TS) && cleared == cr0 && again == set && last == cr0 ? 0 :
											    -EIO;
}

static int set_reserved(void)
{
	unsigned long cr4;
	int result = -EFAULT;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("1:	mov %1, %%cr4\n"
		     "	movl $0, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+m"(result)
		     : "r"(cr4 | 1ul << 62)
		     : "memory");
	return result;
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

static int do_what(void)
{
	if (!strcmp(what, "wp"))
		return without_wp();
	if (!strcmp(what, "fast-wp"))
		return without_wp_for(do_nothing);
	if (!strcmp(what, "gate"))
		return without_wp_for(change_gate);
	if (!strcmp(what, "smep"))
		return without_cr4(X86_CR4_SMEP);
	if (!strcmp(what, "smap"))
		return without_cr4(X86_CR4_SMAP);
	if (!strcmp(what, "umip"))
		return without_cr4(X86_CR4_UMIP);
	if (!strcmp(what, "task-switched"))
		return switch_tasks();
	if (!strcmp(what, "reserved"))
		return set_reserved();
	if (!strcmp(what, "idt"))
		other_idt();
	else if (!strcmp(what, "gdt"))
		other_gdt();
	else if (!strcmp(what, "lstar"))
		other_lstar();
	else if (strcmp(what, "nothing"))
		return -EINVAL;
	return 0;
}

static void do_it(void *result)
{
	unsigned long flags;

	local_irq_save(flags);
	*(int *)result = do_what();
	local_irq_restore(flags);
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
