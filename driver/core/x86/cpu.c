// SPDX-License-Identifier: GPL-2.0-only
/* Captures a CPU, and takes it into the microkernel and out of it. */
#include "cpu.h"

#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <abi/mk1.h>
#include <bsl/fault.h>
#include <bsl/string.h>

#include "../arch.h"
#include "hw.h"

/* Copies the descriptor's 8 or 16 bytes; false where the table ends before it. */
static bool read_table(uint64_t base, uint64_t limit, uint16_t selector, uint64_t *desc,
		       size_t size)
{
	uint64_t offset = selector & SELECTOR_INDEX;

	if (offset + size - 1 > limit)
		return false;
	bsl_memcpy(desc, (const void *)(uintptr_t)(base + offset), size);
	return true;
}

static uint64_t desc_base(uint64_t desc)
{
	return ((desc >> 16) & 0xFFFFFF) | ((desc >> 32) & 0xFF000000);
}

static uint32_t desc_limit(uint64_t desc)
{
	uint32_t limit = (uint32_t)(desc & 0xFFFF) | (uint32_t)((desc >> 32) & 0xF0000);

	return desc & DESC_G ? limit << 12 | 0xFFF : limit;
}

/*
 * The hidden part of a segment register, from the descriptor it was loaded from (SDM vol. 3
 * §3.4.5). An absent one (null selector, or no such descriptor) has neither attributes nor limit.
 */
static void fill_hidden(const struct bf_cpu_state *state, struct bf_segment *segment)
{
	bool in_ldt = segment->selector & SELECTOR_TI;
	uint64_t base = in_ldt ? state->ldtr.base : state->gdtr.base;
	uint64_t limit = in_ldt ? state->ldtr.limit : state->gdtr.limit;
	uint64_t desc[2] = { 0 };

	segment->attrib = 0;
	segment->limit = 0;
	segment->base = 0;
	if (!in_ldt && !(segment->selector & SELECTOR_INDEX))
		return;
	if (in_ldt && !state->ldtr.attrib)
		return;
	if (!read_table(base, limit, segment->selector, desc, 8) || !(desc[0] & DESC_P))
		return;
	if (!(desc[0] & DESC_S) && !read_table(base, limit, segment->selector, desc, 16))
		return;
	segment->attrib = (uint16_t)(((desc[0] >> 40) & 0xFF) | ((desc[0] >> 44) & 0xF00));
	segment->limit = desc_limit(desc[0]);
	segment->base = desc_base(desc[0]);
	if (!(desc[0] & DESC_S))
		segment->base |= desc[1] << 32;
}

/*
 * No software can load TR with null, but the CPU comes out of reset with it, and firmware may leave
 * it so: with the base 0, as a busy TSS, and that is what VMX wants it to be (SDM vol. 3 §11.1.1,
 * §29.3.1.2).
 */
static void fill_reset_tr(struct bf_segment *tr)
{
	if (tr->selector & SELECTOR_INDEX)
		return;
	tr->attrib = SEG_ATTRIB_TSS_BUSY;
	tr->limit = 0xFFFF;
}

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	return bf_os_rdmsr(msr, &value) ? value : 0;
}

/*
 * CR4 of root mode, by what the CPU has, not by what Linux has switched on (SDM vol. 2A, CPUID),
 * but for LA57, which cannot change in long mode (SDM vol. 3 §5.1.1). A CPU with long mode has SSE.
 */
static uint64_t host_cr4(uint64_t linux_cr4)
{
	uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (linux_cr4 & CR4_LA57);
	uint32_t regs[4];

	bf_hw_cpuid(1, 0, regs);
	if (regs[2] & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	bf_hw_cpuid(0, 0, regs);
	if (regs[0] < 7)
		return cr4;
	bf_hw_cpuid(7, 0, regs);
	if (regs[1] & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (regs[1] & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (regs[2] & CPUID_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	return cr4;
}

void bf_cpu_capture(struct bf_switch_page *page)
{
	struct bf_cpu_state *state = &page->cpu;

	bsl_memset(state, 0, sizeof(*state));
	bf_hw_registers(state);
	fill_hidden(state, &state->ldtr);
	fill_hidden(state, &state->tr);
	fill_reset_tr(&state->tr);
	fill_hidden(state, &state->es);
	fill_hidden(state, &state->cs);
	fill_hidden(state, &state->ss);
	fill_hidden(state, &state->ds);
	fill_hidden(state, &state->fs);
	fill_hidden(state, &state->gs);
	state->fs.base = rdmsr(MSR_FS_BASE);
	state->gs.base = rdmsr(MSR_GS_BASE);
	state->efer = rdmsr(MSR_EFER);
	state->star = rdmsr(MSR_STAR);
	state->lstar = rdmsr(MSR_LSTAR);
	state->cstar = rdmsr(MSR_CSTAR);
	state->fmask = rdmsr(MSR_FMASK);
	state->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
	state->sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	state->sysenter_esp = rdmsr(MSR_SYSENTER_ESP);
	state->sysenter_eip = rdmsr(MSR_SYSENTER_EIP);
	state->pat = rdmsr(MSR_PAT);
	page->host_cr4 = host_cr4(state->cr4);
}

/* Whether CPUID shows one of these bits. A leaf that the CPU lacks may show those of another. */
static bool cpu_has(uint32_t leaf, const uint32_t bits[4])
{
	uint32_t regs[4];
	uint32_t found = 0;
	unsigned int i;

	bf_hw_cpuid(0, 0, regs);
	if (leaf > regs[0])
		return false;
	bf_hw_cpuid(leaf, 0, regs);
	for (i = 0; i < 4; i++)
		found |= regs[i] & bits[i];
	return found;
}

#define OPTIONAL_MSR(member, number, leaf, eax, ebx, ecx, edx) \
	{ number, offsetof(struct bf_cpu_state, member), leaf, { eax, ebx, ecx, edx } },
static const struct {
	uint32_t msr;
	uint32_t offset;
	uint32_t leaf;
	uint32_t bits[4];
} optional_msrs[] = { BF_OPTIONAL_MSRS(OPTIONAL_MSR) };

#define COUNT_MSR(member, number, leaf, eax, ebx, ecx, edx) +1
#define NR_RUNNING_MSRS (0 BF_RUNNING_MSRS(COUNT_MSR)) /* the first ones */

void bf_cpu_quiesce(struct bf_cpu_state *state)
{
	unsigned int i;

	for (i = 0; i < sizeof(optional_msrs) / sizeof(optional_msrs[0]); i++) {
		uint64_t *value = (uint64_t *)((uint8_t *)state + optional_msrs[i].offset);

		if (!cpu_has(optional_msrs[i].leaf, optional_msrs[i].bits))
			continue;
		*value = rdmsr(optional_msrs[i].msr);
		if (i < NR_RUNNING_MSRS && *value)
			(void)bf_os_wrmsr(optional_msrs[i].msr, 0);
	}
}

void bf_cpu_init_switch_page(struct bf_switch_page *page)
{
	uint64_t handler = (uint64_t)(uintptr_t)bf_switch_nmi;

	page->gdt[BF_SEL_KERNEL_CS / 8] = DESC_CODE0;
	page->gdt[BF_SEL_KERNEL_SS / 8] = DESC_DATA0;
	page->idt[2 * VECTOR_NMI] = (handler & 0xFFFF) | (uint64_t)BF_SEL_KERNEL_CS << 16 |
				    (uint64_t)GATE_INTERRUPT << 32 | (handler & 0xFFFF0000) << 32;
	page->idt[2 * VECTOR_NMI + 1] = handler >> 32;
	page->gdtr.limit = sizeof(page->gdt) - 1;
	page->gdtr.base = (uint64_t)(uintptr_t)page->gdt;
	page->idtr.limit = sizeof(page->idt) - 1;
	page->idtr.base = (uint64_t)(uintptr_t)page->idt;
}

uint64_t bf_cpu_enter(struct bf_switch_page *page, uint64_t root, uint64_t entry)
{
	if (FAULT_POINT(launch))
		return BF_ERR_MK_FAULT;
	bf_cpu_capture(page);
	bf_cpu_quiesce(&page->cpu);
	return bf_switch_enter(page, root, entry);
}

void bf_cpu_provoke_exit(void)
{
	uint32_t regs[4];

	bf_hw_cpuid(0, 0, regs);
}

void bf_cpu_request_stop(void)
{
	uint32_t regs[4];

	bf_hw_cpuid(MK1_CPUID_LEAF, MK1_CPUID_STOP, regs);
}

void bf_cpu_switch_trace(enum bf_vendor vendor)
{
	uint64_t rax = BF_HYPERCALL_TRACE;

	(void)bf_os_hypercall(vendor, &rax);
}

/* Which vendor's instruction it is, CPUID does not show where the hypervisor is below. */
uint64_t bf_cpu_find_table(void)
{
	uint64_t rax = BF_HYPERCALL_TABLE;

	if (!bf_os_hypercall(BF_VENDOR_AMD, &rax)) {
		rax = BF_HYPERCALL_TABLE;
		if (!bf_os_hypercall(BF_VENDOR_INTEL, &rax))
			return 0;
	}
	/* Another hypervisor may have answered. */
	return rax % BF_PAGE_SIZE || rax >= MK1_SPA_LIMIT ? 0 : rax;
}

enum bf_error bf_cpu_bind(enum bf_vendor vendor)
{
	uint64_t rax = BF_HYPERCALL_BIND;

	if (!bf_os_hypercall(vendor, &rax) || rax == BF_HYPERCALL_BOUND)
		return BF_ERR_OK;
	return rax == BF_ERR_MK_LEVELS || rax == BF_ERR_MK_VERSION || rax == BF_ERR_MK_POOL ?
		       (enum bf_error)rax :
		       BF_ERR_BAD_REQUEST;
}

uint64_t bf_cpu_switch_code(void)
{
	return (uint64_t)(uintptr_t)bf_switch_code;
}

bool bf_cpu_force_stop(enum bf_vendor vendor)
{
	uint64_t rax = BF_HYPERCALL_STOP;

	return bf_os_hypercall(vendor, &rax) &&
	       (rax == BF_HYPERCALL_STOPPED || rax == BF_HYPERCALL_STOP);
}
