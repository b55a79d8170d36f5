// SPDX-License-Identifier: GPL-2.0-only
/* The CPUs: MSRs, CPUID, registers, and the way into root mode. */
#include "fake_platform.h"

#include <check.h>

#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/layout.h>
#include <abi/mk1.h>

const uint8_t bf_switch_code[BF_PAGE_SIZE] __attribute__((aligned(BF_PAGE_SIZE))) = { 0xF3, 0x0F };

void fake_set_msr(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
	struct fake_msr *entry = cpu->msrs;

	while (entry->number && entry->number != msr)
		entry++;
	ck_assert_int_lt(entry - cpu->msrs, sizeof(cpu->msrs) / sizeof(cpu->msrs[0]));
	*entry = (struct fake_msr){ msr, value };
}

void fake_set_cpuid(struct fake_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t reg,
		    uint32_t bits)
{
	struct fake_cpuid *entry = cpu->cpuid;

	while (entry->bits)
		entry++;
	ck_assert_int_lt(entry - cpu->cpuid, sizeof(cpu->cpuid) / sizeof(cpu->cpuid[0]));
	*entry = (struct fake_cpuid){ leaf, subleaf, reg, bits };
}

static bool is_set(uint32_t msr, uint64_t *value)
{
	const struct fake_msr *entry = fake.here->msrs;

	for (; entry < fake.here->msrs + 8 && entry->number; entry++) {
		if (entry->number == msr) {
			*value = entry->value;
			return true;
		}
	}
	return false;
}

/* Of what abi/features.h reads, nothing is switched on. */
static bool is_feature(uint32_t msr)
{
#define IS_FEATURE(number, name, text, register_msr) || msr == (register_msr)
	return false BF_FEATURE_REGISTERS(IS_FEATURE);
}

bool bf_os_rdmsr(uint32_t msr, uint64_t *value)
{
	*value = 0;
	if (is_set(msr, value))
		return true;
	if (msr == MSR_FEATURE_CONTROL)
		*value = fake.here->feature_control;
	else if ((msr >= MSR_VMX_PINBASED_CTLS && msr <= MSR_VMX_ENTRY_CTLS) ||
		 (msr >= MSR_VMX_TRUE_PINBASED_CTLS && msr <= MSR_VMX_TRUE_ENTRY_CTLS))
		*value = 0xFFFFFFFFULL << 32;
	else if (msr == MSR_VMX_CR0_FIXED1 || msr == MSR_VMX_CR4_FIXED1)
		*value = ~0ULL;
	else if (msr == MSR_VMX_PROCBASED_CTLS2)
		*value = fake.here->vmx_procbased2;
	else if (msr == MSR_EFER)
		*value = fake.here->efer;
	else if (msr == MSR_VM_CR)
		*value = fake.here->vm_cr;
	else if (msr == MSR_DEBUGCTL)
		return false;
	else if (!is_feature(msr))
		*value = msr;
	return true;
}

bool bf_os_wrmsr(uint32_t msr, uint64_t value)
{
	if (!value) {
		ck_assert_uint_lt(fake.here->nr_stopped, 4);
		fake.here->stopped[fake.here->nr_stopped++] = msr;
		return true;
	}
	ck_assert_uint_eq(msr, MSR_FEATURE_CONTROL);
	if (fake_call_fails())
		return false;
	fake.here->feature_control = value;
	return true;
}

void fake_come_out(struct fake_cpu *cpu)
{
	cpu->guest = false;
	fake_stand_on(cpu);
	cpu->page->nmi_pending = 1;
}

/* A microkernel that is there before us gives a CPU back, where it has been told to. */
static void come_out_bound(struct fake_cpu *cpu)
{
	ck_assert(cpu->bound && cpu->status->leaving);
	cpu->vendor = cpu->hides;
	cpu->hides = BF_VENDOR_NONE;
	cpu->status->exits++;
	if (cpu->status->state == BF_PP_FAILED)
		cpu->status->fallback = 0;
	else
		cpu->status->state = BF_PP_BARE;
	cpu->page->nmi_pending = 1;
}

static uint64_t answer_of_other(struct fake_cpu *cpu, uint64_t rax)
{
	switch (rax) {
	case BF_HYPERCALL_TRACE:
		return BF_HYPERCALL_TRACED;
	case BF_HYPERCALL_TABLE:
		return fake.table;
	case BF_HYPERCALL_BIND:
		if (fake.bind_answer)
			return fake.bind_answer;
		ck_assert_uint_eq(cpu->status->bind_code, (uint64_t)bf_switch_code);
		cpu->page = (struct bf_switch_page *)cpu->status->bind_page;
		cpu->bound = true;
		return BF_HYPERCALL_BOUND;
	default:
		ck_assert_uint_eq(rax, BF_HYPERCALL_STOP);
		if (cpu->behaviour == FAKE_STUCK)
			return rax;
		come_out_bound(cpu);
		return BF_HYPERCALL_STOPPED;
	}
}

bool bf_os_hypercall(enum bf_vendor vendor, uint64_t *rax)
{
	if (fake.here->vendor == BF_VENDOR_NONE) {
		bool answers = fake.here->hides == vendor;

		if (answers)
			*rax = answer_of_other(fake.here, *rax);
		return answers;
	}
	ck_assert_int_eq(vendor, fake.here->vendor);
	ck_assert(*rax == BF_HYPERCALL_STOP || *rax == BF_HYPERCALL_TRACE);
	if (!fake.here->guest) {
		*rax = (uint64_t)-1000; /* as KVM answers what it does not know */
		return fake.outer_answers;
	}
	if (fake.here->behaviour == FAKE_STUCK)
		return true;
	if (*rax == BF_HYPERCALL_TRACE) {
		*rax = BF_HYPERCALL_TRACED;
		fake.here->traced = fake.here->status->tracing;
		return true;
	}
	*rax = BF_HYPERCALL_STOPPED;
	fake.here->status->exits++;
	fake_come_out(fake.here);
	if (fake.here->status->state == BF_PP_FAILED)
		fake.here->status->fallback = 0;
	else
		fake.here->status->state = BF_PP_BARE;
	return true;
}

/*
 * An extension that loops: five NMIs end it. false: the watchdog is off, and in a real machine it
 * would loop for ever.
 */
static bool loops_until_fetched(struct fake_cpu *cpu)
{
	cpu->nmis = 0;
	for (unsigned int i = 0; i < 3000; i++) {
		bf_hw_pause();
		if (cpu->nmis >= 5)
			return true;
	}
	return false;
}

void bf_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct fake_cpu *cpu = fake.here;
	const struct fake_cpuid *entry;

	memset(regs, 0, 4 * sizeof(*regs));
	if (cpu->hides && cpu->behaviour == FAKE_WORKS && leaf == MK1_CPUID_LEAF &&
	    subleaf == MK1_CPUID_STOP && cpu->status->state == BF_PP_GUEST)
		come_out_bound(cpu);
	if (cpu->guest && cpu->behaviour != FAKE_NO_EXIT && cpu->behaviour != FAKE_SILENT) {
		cpu->status->exits++;
		if (leaf == MK1_CPUID_LEAF && subleaf == MK1_CPUID_STOP &&
		    cpu->behaviour == FAKE_WORKS && cpu->status->state == BF_PP_GUEST) {
			fake_come_out(cpu);
			cpu->status->state = BF_PP_BARE;
		}
		if (leaf == MK1_CPUID_LEAF && cpu->behaviour == FAKE_FAILS_STOP)
			fake_fail(cpu, BF_ERR_EXT_FAULT, 6);
		if (leaf == MK1_CPUID_LEAF && cpu->behaviour == FAKE_LOOPS_STOP &&
		    loops_until_fetched(cpu))
			fake_fail(cpu, BF_ERR_EXT_OVERDUE, BF_CALLBACK_VMEXIT);
	}
	if (leaf == 0)
		regs[0] = cpu->max_leaf;
	else if (leaf == 0x80000000)
		regs[0] = 0x80000000 + 0x1F;
	else if (leaf == 1)
		regs[2] = (cpu->vendor == BF_VENDOR_INTEL ? CPUID_1_ECX_VMX : 0) | cpu->leaf1_ecx |
			  (fake.outer[0][0] ? CPUID_1_ECX_HYPERVISOR : 0);
	else if (leaf >= 0x40000000 && leaf < 0x40000200 && fake.outer[leaf >> 8 & 1][0]) {
		if (leaf & 0xFF)
			regs[0] = fake.outer_features;
		else
			memcpy(&regs[1], fake.outer[leaf >> 8 & 1], 12);
	} else if (leaf == 7 && !subleaf) {
		regs[1] = cpu->leaf7_ebx;
		regs[2] = cpu->leaf7_ecx;
		regs[3] = cpu->leaf7_edx;
	} else if (leaf == 0xA) {
		regs[0] = cpu->leaf_a_eax;
	} else if (leaf == 0x80000001)
		regs[2] = cpu->vendor == BF_VENDOR_AMD ? 4 : 0;
	else if (leaf == 0x80000008)
		regs[1] = cpu->ext_ebx;
	else if (leaf == 0x8000000A)
		regs[3] = 1;
	else if (leaf == 0x8000001F) {
		regs[0] = 1;
		regs[1] = 47;
	}
	for (entry = cpu->cpuid; entry < cpu->cpuid + 10 && entry->bits; entry++)
		if (entry->leaf == leaf && entry->subleaf == subleaf)
			regs[entry->reg] |= entry->bits;
}

uint64_t bf_hw_cr0(void)
{
	return fake.here->cr0;
}

uint64_t bf_hw_cr3(void)
{
	return fake.here->cr3;
}

uint64_t bf_hw_cr4(void)
{
	return fake.here->cr4;
}

uint64_t bf_hw_xcr0(void)
{
	ck_assert(fake.here->cr4 & CR4_OSXSAVE);
	return fake.here->xcr0;
}

/* Null, ring-0 code, data, a 64-bit TSS (16 bytes, busy) with all address bits, an LDT, nothing. */
static const uint64_t gdt[] = { 0,
				0,
				0x00AF9B000000FFFF,
				0x00CF93000000FFFF,
				0x89008B345678206F,
				0x00000000FFFFFE12,
				0x0000820000000007,
				0,
				0x0000720000000FFF };
static uint64_t gdt_with_ldt[sizeof(gdt) / sizeof(gdt[0])];
static const uint64_t ldt[] = { 0x0040F31234567ABC };

void bf_hw_registers(struct bf_cpu_state *state)
{
	uint64_t base = (uint64_t)(uintptr_t)ldt;

	memcpy(gdt_with_ldt, gdt, sizeof(gdt));
	gdt_with_ldt[6] |= (base & 0xFFFFFF) << 16 | (base & 0xFF000000) << 32;
	gdt_with_ldt[7] = base >> 32;
	state->cr0 = bf_hw_cr0();
	state->cr3 = bf_hw_cr3();
	state->cr4 = bf_hw_cr4();
	state->gdtr.limit = sizeof(gdt) - 1;
	state->gdtr.base = (uint64_t)(uintptr_t)gdt_with_ldt;
	state->cs.selector = 0x10;
	state->ss.selector = 0x18;
	state->tr.selector = fake.null_tr ? 0 : 0x20;
	state->ldtr.selector = 0x30;
	state->ds.selector = 0x7; /* the LDT's first */
	state->es.selector = 0xF; /* beyond the LDT */
	state->fs.selector = 0x40; /* not present */
	state->gs.selector = 0x48; /* beyond the GDT */
}

uint64_t bf_switch_enter(struct bf_switch_page *page, uint64_t cr3, uint64_t entry)
{
	struct fake_cpu *cpu = fake.here;

	fake_verify_aspace(page, cr3, entry);
	ck_assert(cpu->marked);
	ck_assert(fake.watched); /* it may loop as soon as it is in */
	cpu->entries++;
	cpu->page = page;
	if (cpu->behaviour == FAKE_FAILS_LAUNCH) {
		fake_come_out(cpu);
		cpu->status->state = BF_PP_FAILED;
		cpu->status->error = BF_ERR_EXT_FAULT;
		cpu->status->detail = 14;
		return BF_ERR_EXT_FAULT;
	}
	if (cpu->behaviour == FAKE_LOOPS_LAUNCH && loops_until_fetched(cpu)) {
		fake_come_out(cpu);
		cpu->status->state = BF_PP_FAILED;
		cpu->status->error = BF_ERR_EXT_OVERDUE;
		cpu->status->detail = BF_CALLBACK_BOOTSTRAP;
		return BF_ERR_EXT_OVERDUE;
	}
	cpu->guest = cpu->behaviour != FAKE_PROMOTES;
	if (cpu->guest && cpu->behaviour != FAKE_SILENT)
		cpu->status->state = BF_PP_GUEST;
	fake_stand_on(cpu);
	if (!cpu->guest)
		fake_come_out(cpu);
	return 0;
}

void bf_switch_leave(struct bf_switch_page *page)
{
	ck_abort_msg("left the page at %p", (void *)page);
}

void bf_switch_nmi(void)
{
	ck_abort_msg("NMI");
}

void fake_fail(struct fake_cpu *cpu, enum bf_error error, uint64_t detail)
{
	cpu->status->error = error;
	cpu->status->detail = detail;
	cpu->status->fallback = 1;
	cpu->status->state = BF_PP_FAILED;
}

void fake_end(uint32_t image, enum bf_error error, uint64_t detail)
{
	struct bf_ended *ended = &fake.ended[image - 1];

	ended->detail = detail;
	ended->report.cpu = fake.here->number;
	ended->report.image = (uint16_t)image;
	ended->report.error = error;
}
