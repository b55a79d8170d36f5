// SPDX-License-Identifier: GPL-2.0-only
#include "arch/restore.h"

#include <bsl/bits.h>

#include "arch/desc.h"
#include "arch/intrinsics.h"

/* An available 64-bit TSS descriptor (SDM vol. 3 §10.2.3). */
static void tss_descriptor(uint64_t desc[2], const struct bf_segment *tr)
{
	bool pages = tr->limit > 0xFFFFF;
	uint64_t limit = pages ? tr->limit >> 12 : tr->limit;

	desc[0] = bsl_field_get(limit, 0, 16) | bsl_field_get(tr->base, 0, 24) << 16 | DESC_TSS |
		  bsl_field_get(limit, 16, 4) << 48 | (uint64_t)pages << 55 |
		  bsl_field_get(tr->base, 24, 8) << 56;
	desc[1] = tr->base >> 32;
}

/*
 * LTR wants the descriptor not busy and marks it busy, but Linux's own is busy already and its GDT
 * is mapped read-only. So the register is loaded from a table of our own.
 */
static void load_tr(uint64_t *gdt, const struct bf_segment *tr)
{
	struct bf_table gdtr = { .limit = MK_LINUX_GDT_ENTRIES * sizeof(uint64_t) - 1,
				 .base = (uint64_t)gdt };
	struct bf_table switch_gdtr;
	unsigned int index = tr->selector >> 3;

	if (!index || index + 1 >= MK_LINUX_GDT_ENTRIES)
		return;
	/* An NMI may come in between, to a handler in the switch page, and returns from it. */
	gdt[BF_SEL_KERNEL_CS >> 3] = DESC_CODE0;
	gdt[BF_SEL_KERNEL_SS >> 3] = DESC_DATA0;
	tss_descriptor(&gdt[index], tr);
	sgdt(&switch_gdtr);
	lgdt(&gdtr);
	__asm__ volatile("ltr %0" : : "r"(tr->selector));
	lgdt(&switch_gdtr);
}

/* Hypervisors below complain of each write of an MSR that they have only as it is after reset. */
void restore_msr(uint32_t msr, uint64_t value)
{
	uint64_t now;

	if (rdmsr_safe(msr, &now) && now != value)
		(void)wrmsr_safe(msr, value);
}

void restore_cpu(uint64_t *gdt, const struct bf_cpu_state *state)
{
	load_tr(gdt, &state->tr);
	wrmsr(MSR_STAR, state->star);
	wrmsr(MSR_LSTAR, state->lstar);
	wrmsr(MSR_CSTAR, state->cstar);
	wrmsr(MSR_FMASK, state->fmask);
	wrmsr(MSR_KERNEL_GS_BASE, state->kernel_gs_base);
	wrmsr(MSR_SYSENTER_CS, state->sysenter_cs);
	wrmsr(MSR_SYSENTER_ESP, state->sysenter_esp);
	wrmsr(MSR_SYSENTER_EIP, state->sysenter_eip);
	wrmsr(MSR_PAT, state->pat);
	write_cr2(state->cr2);
	write_dr6(state->dr6);
	write_dr7(state->dr7);
}
