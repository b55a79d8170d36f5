// SPDX-License-Identifier: GPL-2.0-only
/* The IDTs of fault.h, and what x86/hw.h takes from the system. */
#include "fault.h"

#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/string.h>

#include "../core/x86/hw.h"

#define IDT_ENTRIES 256

/* All of the firmware's gates, but in both that of the NMI, and in probing those of #UD and #GP. */
static uint64_t quiet[2 * IDT_ENTRIES];
static uint64_t probing[2 * IDT_ENTRIES];

static void sidt(struct bf_table *table)
{
	/* Ten bytes, from the limit on. */
	__asm__ volatile("sidt %0" : "=m"(table->limit), "=m"(table->base));
}

static void lidt(const struct bf_table *table)
{
	__asm__ volatile("lidt %0" : : "m"(table->limit), "m"(table->base) : "memory");
}

static void sgdt(struct bf_table *table)
{
	__asm__ volatile("sgdt %0" : "=m"(table->limit), "=m"(table->base));
}

static void lgdt(const struct bf_table *table)
{
	__asm__ volatile("lgdt %0" : : "m"(table->limit), "m"(table->base) : "memory");
}

static void load(const uint64_t *idt)
{
	const struct bf_table table = { .limit = sizeof(quiet) - 1,
					.base = (uint64_t)(uintptr_t)idt };

	lidt(&table);
}

/* An interrupt gate of the code segment in use (SDM vol. 3 §7.14.1). */
static void set_gate(uint64_t *idt, unsigned int vector, void (*handler)(void))
{
	uint64_t at = (uint64_t)(uintptr_t)handler;
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	idt[2 * vector] = (at & 0xFFFF) | (uint64_t)cs << 16 | (uint64_t)GATE_INTERRUPT << 32 |
			  (at & 0xFFFF0000) << 32;
	idt[2 * vector + 1] = at >> 32;
}

void efi_fault_init(void)
{
	struct bf_table firmware;
	size_t size;

	sidt(&firmware);
	size = (size_t)firmware.limit + 1;
	bsl_memcpy(quiet, (const void *)(uintptr_t)firmware.base,
		   size < sizeof(quiet) ? size : sizeof(quiet));
	set_gate(quiet, VECTOR_NMI, efi_on_nmi);
	bsl_memcpy(probing, quiet, sizeof(quiet));
	set_gate(probing, VECTOR_UD, efi_on_ud);
	set_gate(probing, VECTOR_GP, efi_on_gp);
}

uint64_t efi_interrupts_off(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\t"
			 "pop %0\n\t"
			 "cli"
			 : "=r"(flags)
			 :
			 : "memory");
	return flags;
}

void efi_interrupts_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

/* The GDT has both. 64-bit mode has no far jump with the target in it; a far return needs none. */
static void load_segments(uint64_t cs, uint32_t ss)
{
	uint64_t target;

	__asm__ volatile("lea 1f(%%rip), %0\n\t"
			 "push %1\n\t"
			 "push %0\n\t"
			 "lretq\n"
			 "1:\tmov %2, %%ss"
			 : "=&r"(target)
			 : "r"(cs), "r"(ss)
			 : "memory");
}

/* A shadow stack would not let a far return pass. */
static bool has_shadow_stack(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return cr4 & CR4_CET;
}

static void move_segments(struct efi_quiet *q)
{
	struct bf_table own = { .limit = sizeof(q->own_gdt) - 1,
				.base = (uint64_t)(uintptr_t)q->own_gdt };
	size_t size;

	sgdt(&q->gdt);
	size = (size_t)q->gdt.limit + 1;
	if (size > sizeof(q->own_gdt))
		size = sizeof(q->own_gdt);
	bsl_memset(q->own_gdt, 0, sizeof(q->own_gdt));
	bsl_memcpy(q->own_gdt, (const void *)(uintptr_t)q->gdt.base, size);
	q->own_gdt[BF_SEL_KERNEL_CS / 8] = DESC_CODE0;
	q->own_gdt[BF_SEL_KERNEL_SS / 8] = DESC_DATA0;
	lgdt(&own);
	load_segments(BF_SEL_KERNEL_CS, BF_SEL_KERNEL_SS);
}

void efi_quiet_begin(struct efi_quiet *q)
{
	sidt(&q->idt);
	load(quiet);
	__asm__("mov %%cs, %0" : "=r"(q->cs));
	__asm__("mov %%ss, %0" : "=r"(q->ss));
	q->moved = q->cs / 8 < EFI_GDT_ENTRIES && q->ss / 8 < EFI_GDT_ENTRIES &&
		   !has_shadow_stack();
	if (q->moved)
		move_segments(q);
}

void efi_quiet_end(const struct efi_quiet *q)
{
	if (q->moved) {
		load_segments(q->cs, q->ss);
		lgdt(&q->gdt);
	}
	lidt(&q->idt);
}

/* --- x86/hw.h --------------------------------------------------------------------------------- */

/* No interrupt may come in between: its handler might fault, or go on elsewhere. */
static uint64_t begin(struct bf_table *saved)
{
	uint64_t flags = efi_interrupts_off();

	sidt(saved);
	load(probing);
	return flags;
}

static void end(const struct bf_table *saved, uint64_t flags)
{
	lidt(saved);
	efi_interrupts_restore(flags);
}

bool bf_os_rdmsr(uint32_t msr, uint64_t *value)
{
	struct bf_table saved;
	uint64_t flags = begin(&saved);
	bool done;

	*value = 0;
	done = efi_try_rdmsr(msr, value);
	end(&saved, flags);
	return done;
}

bool bf_os_wrmsr(uint32_t msr, uint64_t value)
{
	struct bf_table saved;
	uint64_t flags = begin(&saved);
	bool done = efi_try_wrmsr(msr, value);

	end(&saved, flags);
	return done;
}

bool bf_os_hypercall(enum bf_vendor vendor, uint64_t *rax)
{
	struct bf_table saved;
	uint64_t flags = begin(&saved);
	bool done = vendor == BF_VENDOR_INTEL ? efi_try_vmcall(rax) : efi_try_vmmcall(rax);

	end(&saved, flags);
	return done;
}
