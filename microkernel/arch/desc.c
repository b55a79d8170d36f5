// SPDX-License-Identifier: GPL-2.0-only
#include "arch/desc.h"

#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"

/* IST stack of a vector, or 0: those that can come at any instruction, even without a stack. */
static uint16_t ist_of(unsigned int vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return 1;
	case VECTOR_DF:
		return 2;
	case VECTOR_MC:
		return 3;
	case VECTOR_DB: /* some CPUs single-step a SYSCALL: then RSP is still ring 3's */
		return 4;
	default:
		return 0;
	}
}

/* INT3 and INTO, and INT with these numbers, are for ring 3; INT with any other is #GP there. */
static uint16_t dpl_of(unsigned int vector)
{
	return vector == VECTOR_BP || vector == VECTOR_OF ? GATE_DPL3 : 0;
}

static void set_split(uint32_t field[2], uint64_t value)
{
	field[0] = (uint32_t)value;
	field[1] = (uint32_t)(value >> 32);
}

void desc_init(uint64_t *gdt, struct tss *tss, struct idt_gate *idt)
{
	uint64_t base = (uint64_t)tss;

	for (unsigned int v = 0; v < MK_IDT_ENTRIES; v++) {
		uint64_t stub = (uint64_t)trap_stubs + v * 16ULL;

		idt[v].offset_low = (uint16_t)stub;
		idt[v].selector = BF_SEL_KERNEL_CS;
		idt[v].ist_type = (uint16_t)(GATE_INTERRUPT | dpl_of(v) | ist_of(v));
		idt[v].offset_mid = (uint16_t)(stub >> 16);
		idt[v].offset_high = (uint32_t)(stub >> 32);
		idt[v].reserved = 0;
	}

	*tss = (struct tss){ .iopb = sizeof(struct tss) };
	set_split(tss->rsp[0], BF_PP_STACK_TOP);
	for (unsigned int i = 0; i < BF_PP_IST_COUNT; i++)
		set_split(tss->ist[i],
			  BF_PP_IST_BASE + i * (uint64_t)BF_PP_IST_STRIDE + BF_PAGE_SIZE);

	gdt[0] = 0;
	gdt[1] = 0;
	gdt[BF_SEL_KERNEL_CS >> 3] = DESC_CODE0;
	gdt[BF_SEL_KERNEL_SS >> 3] = DESC_DATA0;
	gdt[BF_SEL_USER_SS >> 3] = DESC_DATA3;
	gdt[BF_SEL_USER_CS >> 3] = DESC_CODE3;
	gdt[BF_SEL_TSS >> 3] = DESC_TSS | (sizeof(struct tss) - 1) |
			       bsl_field_get(base, 0, 24) << 16 | bsl_field_get(base, 24, 8) << 56;
	gdt[(BF_SEL_TSS >> 3) + 1] = base >> 32;
}

void desc_load(const uint64_t *gdt, const struct idt_gate *idt)
{
	struct bf_table gdtr = { .limit = MK_GDT_ENTRIES * sizeof(uint64_t) - 1,
				 .base = (uint64_t)gdt };
	struct bf_table idtr = { .limit = MK_IDT_ENTRIES * sizeof(struct idt_gate) - 1,
				 .base = (uint64_t)idt };

	/* The IDT last: its gates need the code selector and its IST stacks the TSS. */
	lgdt(&gdtr);
	__asm__ volatile("mov %0, %%ss\n\t"
			 "mov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %1, %%fs\n\t"
			 "mov %1, %%gs\n\t"
			 "lldt %w1\n\t"
			 "ltr %w2"
			 :
			 : "r"(BF_SEL_KERNEL_SS), "r"(0), "r"(BF_SEL_TSS));
	lidt(&idtr);
}
