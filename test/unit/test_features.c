// SPDX-License-Identifier: GPL-2.0-only
/* The table of abi/features.h, row by row and bit by bit, on CPUs that have nothing else. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/features.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "driver/core/check.h"
#include "fake_platform.h"

enum { EAX, EBX, ECX, EDX };

static const struct {
	uint32_t reg, first, last;
	enum bf_verdict verdict;
	const char *name, *by;
} rows[] = {
#define ROW(reg, first, last, name, verdict, by) \
	{ BF_REGISTER_##reg, first, last, BF_##verdict, name, by },
	BF_FEATURES(ROW)
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	const char *name;
	uint32_t msr;
} registers[] = {
#define REGISTER(number, name, text, msr) [number] = { text, msr },
	BF_FEATURE_REGISTERS(REGISTER)
};

static struct fake_cpu *cpu;
static struct bf_cpu_features features;

static void setup(void)
{
	fake_reset();
	cpu = fake.here;
}

/* The CPU is of this make and has every register of the table. */
static void make(uint32_t vendor)
{
	cpu->vendor = vendor == CPUID_0_EBX_AMD ? BF_VENDOR_AMD : BF_VENDOR_INTEL;
	memset(cpu->cpuid, 0, sizeof(cpu->cpuid));
	fake_set_cpuid(cpu, 0, 0, EBX, vendor);
	fake_set_cpuid(cpu, 0xD, 1, EAX, 1U << 3);
	fake_set_cpuid(cpu, 7, 0, EBX, 1U << 25);
	fake_set_cpuid(cpu, 7, 0, ECX, 1U << 7 | 1U << 29);
	fake_set_cpuid(cpu, 7, 0, EDX, 1U << 19 | 1U << 20 | 1U << 30);
	fake_set_cpuid(cpu, 0xA, 0, EAX, 2);
	fake_set_cpuid(cpu, 0x8000001F, 0, EAX, 1U << 1);
	if (vendor == CPUID_0_EBX_AMD) {
		fake_set_cpuid(cpu, 0x8000000A, 0, EDX, 1U << 4);
		fake_set_msr(cpu, MSR_TSC_RATIO, 1ULL << 32);
	}
	/* The instructions that CPUID shows are offered to guests. */
	cpu->vmx_procbased2 = ~0ULL << 32;
	cpu->cr4 |= CR4_OSXSAVE;
	cpu->xcr0 = 1;
}

static bool is_amd(uint32_t reg)
{
	return reg == BF_REGISTER_DEBUGCTL_AMD || reg == BF_REGISTER_HWCR ||
	       reg == BF_REGISTER_SYSCFG || reg == BF_REGISTER_SEV_STATUS ||
	       reg == BF_REGISTER_TSC_RATIO;
}

/*
 * Linux has set this value in this register, and no other in it; the rest of the CPU is as usual.
 */
static void put(uint32_t reg, uint64_t value)
{
	setup();
	make(is_amd(reg) ? CPUID_0_EBX_AMD : CPUID_0_EBX_INTEL);
	if (reg == BF_REGISTER_CR0)
		cpu->cr0 = value;
	else if (reg == BF_REGISTER_CR4)
		cpu->cr4 = value;
	else if (reg == BF_REGISTER_EFER)
		cpu->efer = value;
	else if (reg == BF_REGISTER_XCR0)
		cpu->xcr0 = value;
	else if (reg == BF_REGISTER_ENCRYPTION && value == 1)
		cpu->cr3 |= 1ULL << 47;
	else if (reg == BF_REGISTER_ENCRYPTION && value == 2) {
		fake_set_cpuid(cpu, 0x21, 0, EBX, CPUID_21_EBX_TDX);
		fake_set_cpuid(cpu, 0x21, 0, EDX, CPUID_21_EDX_TDX);
	} else if (reg == BF_REGISTER_CPUID_7_1_ECX)
		fake_set_cpuid(cpu, 7, 1, ECX, (uint32_t)value);
	else
		fake_set_msr(cpu, registers[reg].msr, value);
	bf_features_read(&features);
	ck_assert_uint_eq(features.registers[reg], value);
}

static int row_of(uint32_t reg, uint32_t bit)
{
	int found = -1;

	for (size_t i = 0; i < NR_ROWS; i++) {
		if (rows[i].reg != reg || bit < rows[i].first || bit > rows[i].last)
			continue;
		ck_assert_msg(found < 0, "%s bit %u has two rows", registers[reg].name, bit);
		found = (int)i;
	}
	return found;
}

START_TEST(every_row_makes_sense)
{
	for (size_t i = 0; i < NR_ROWS; i++) {
		ck_assert_uint_le(rows[i].first, rows[i].last);
		ck_assert_uint_le(rows[i].last, 63);
		ck_assert(*rows[i].name && *rows[i].by);
		ck_assert_msg(!strpbrk(rows[i].name, "|\n") && !strpbrk(rows[i].by, "|\n"),
			      "%s cannot be in a table", rows[i].name);
	}
	ck_assert_uint_eq(BF_FEATURE_BITS(0, 63), ~0ULL);
	ck_assert_uint_eq(BF_FEATURE_BITS(63, 63), 1ULL << 63);
	ck_assert_uint_eq(BF_FEATURE_BITS(4, 7), 0xF0);
}
END_TEST

/* The two that are no registers of the CPU's have no bits without rows. */
static bool has_bit(uint32_t reg, uint32_t bit)
{
	return (reg != BF_REGISTER_ENCRYPTION && reg != BF_REGISTER_CPUID_7_1_ECX) ||
	       row_of(reg, bit) >= 0;
}

/* One test a register: each of its 64 bits alone, by its row or as one that is in none. */
START_TEST(every_bit_has_a_verdict)
{
	uint32_t reg = (uint32_t)_i;

	for (uint32_t bit = 0; bit < 64; bit++) {
		int row = row_of(reg, bit);
		bool refused = row < 0 || rows[row].verdict == BF_REFUSED ||
			       rows[row].verdict == BF_OFFERED;
		uint64_t detail = 0;
		enum bf_error error;

		if (!has_bit(reg, bit))
			continue;
		put(reg, 1ULL << bit);
		ck_assert_msg(bf_features_carried(&features, &detail) == !refused, "%s bit %u",
			      registers[reg].name, bit);
		error = bf_features_check(&features, BF_CHECK_FEATURES, &detail);
		ck_assert_int_eq(error, refused ? BF_ERR_CPU_FEATURE : BF_ERR_OK);
		ck_assert_uint_eq(detail, refused ? BF_FEATURE_DETAIL(reg, bit) : 0);
		ck_assert_uint_eq(BF_FEATURE_REGISTER(detail), refused ? reg : 0);
		ck_assert_uint_eq(BF_FEATURE_BIT(detail), refused ? bit : 0);
	}
}
END_TEST

START_TEST(items_have_errors_of_their_own)
{
	uint64_t known = BF_CR4_KNOWN, detail;

	ck_assert_uint_eq(known, 0x1BF73FFF);
	put(BF_REGISTER_CR4, CR4_VMXE);
	ck_assert_int_eq(bf_features_usable(&features, &detail), BF_ERR_VIRT_BUSY);
	put(BF_REGISTER_EFER, EFER_SVME);
	ck_assert_int_eq(bf_features_usable(&features, &detail), BF_ERR_VIRT_BUSY);
}
END_TEST

START_TEST(the_lowest_bit_is_named)
{
	uint64_t detail;

	put(BF_REGISTER_CR4, 1ULL << 32 | 1U << 29 | 1U << 4);
	ck_assert(!bf_features_carried(&features, &detail));
	ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 29));
}
END_TEST

/* What CPUID does not announce is not read; what is #GP counts as 0. */
START_TEST(absent_registers_are_not_read)
{
	for (uint32_t reg = 0; reg < BF_NR_FEATURE_REGISTERS; reg++) {
		bool always = reg <= BF_REGISTER_EFER || reg == BF_REGISTER_DEBUGCTL ||
			      reg == BF_REGISTER_DEBUGCTL_AMD || reg == BF_REGISTER_HWCR ||
			      reg == BF_REGISTER_MISC_FEATURES || reg == BF_REGISTER_SYSCFG ||
			      reg == BF_REGISTER_TEST_CTRL;

		if (always || !registers[reg].msr)
			continue;
		setup();
		fake_set_cpuid(cpu, 0, 0, EBX, is_amd(reg) ? CPUID_0_EBX_AMD : CPUID_0_EBX_INTEL);
		fake_set_msr(cpu, registers[reg].msr, ~0ULL);
		bf_features_read(&features);
		ck_assert_msg(!features.registers[reg], "%s", registers[reg].name);
	}
	put(BF_REGISTER_HWCR, 1);
	cpu->cpuid[0].bits = CPUID_0_EBX_INTEL;
	bf_features_read(&features);
	ck_assert_uint_eq(features.registers[BF_REGISTER_HWCR], 0);
	setup();
	fake.here->xcr0 = 1;
	bf_features_read(&features); /* without CR4.OSXSAVE the fake lets nobody read it */
	ck_assert_uint_eq(features.registers[BF_REGISTER_XCR0], 0);
	ck_assert_uint_eq(features.registers[BF_REGISTER_DEBUGCTL], 0);
}
END_TEST

/* Hygon's CPUs are AMD's. */
START_TEST(hygon_is_read_like_amd)
{
	fake_set_cpuid(cpu, 0, 0, EBX, CPUID_0_EBX_HYGON);
	fake_set_msr(cpu, MSR_HWCR, 1ULL << 40);
	bf_features_read(&features);
	ck_assert_uint_eq(features.registers[BF_REGISTER_HWCR], 1ULL << 40);
}
END_TEST

START_TEST(trace_takes_controls)
{
	static const struct {
		uint32_t msr;
		uint64_t without;
	} needs[] = { { MSR_VMX_MISC, 0 },
		      { MSR_VMX_EXIT_CTLS, ~(1ULL << 57) },
		      { MSR_VMX_ENTRY_CTLS, ~(1ULL << 50) } };
	uint64_t detail;

	put(BF_REGISTER_RTIT_CTL, 0x2001);
	fake_set_msr(cpu, MSR_VMX_MISC, VMX_MISC_PT);
	bf_features_read(&features);
	ck_assert(bf_features_carried(&features, &detail));
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		put(BF_REGISTER_RTIT_CTL, 0x2001);
		fake_set_msr(cpu, MSR_VMX_MISC, VMX_MISC_PT);
		fake_set_msr(cpu, needs[i].msr, needs[i].without);
		bf_features_read(&features);
		ck_assert(!bf_features_carried(&features, &detail));
		ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_RTIT_CTL, 0));
	}
}
END_TEST

/* At any rate but 1.0 the TSC would change its rate at the launch. */
START_TEST(tsc_ratio)
{
	uint64_t detail = 0;

	put(BF_REGISTER_TSC_RATIO, 1ULL << 32);
	ck_assert(bf_features_carried(&features, &detail));
	put(BF_REGISTER_TSC_RATIO, 3ULL << 31);
	ck_assert(!bf_features_carried(&features, &detail));
	ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_TSC_RATIO, 31));
	put(BF_REGISTER_TSC_RATIO, 0);
	ck_assert(!bf_features_carried(&features, &detail));
	ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_TSC_RATIO, 32));
	/* without the feature there is no such MSR */
	setup();
	fake_set_cpuid(cpu, 0, 0, EBX, CPUID_0_EBX_AMD);
	fake_set_msr(cpu, MSR_TSC_RATIO, 0);
	bf_features_read(&features);
	ck_assert(bf_features_carried(&features, &detail));
}
END_TEST

/* A nested VMX may know less of CR0 and CR4 than the CPU. */
START_TEST(vmx_must_allow_the_bits)
{
	uint64_t detail;

	put(BF_REGISTER_CR4, 1U << 27 | 1U << 5);
	fake_set_msr(cpu, MSR_VMX_CR4_FIXED1, 0x7FFFFF);
	bf_features_read(&features);
	ck_assert(!bf_features_carried(&features, &detail));
	ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 27) | BF_FEATURE_NOT_IN_VMX);
	put(BF_REGISTER_CR0, 0x80000031);
	fake_set_msr(cpu, MSR_VMX_CR0_FIXED1, 0x7FFFFFFF);
	bf_features_read(&features);
	ck_assert(!bf_features_carried(&features, &detail));
	ck_assert_uint_eq(detail, BF_FEATURE_DETAIL(BF_REGISTER_CR0, 31) | BF_FEATURE_NOT_IN_VMX);
}
END_TEST

/* --- controls of VMX -------------------------------------------------------------------------- */

static void assert_lacks(uint32_t msr, uint32_t bit)
{
	uint64_t detail = 0;

	bf_features_read(&features);
	ck_assert_int_eq(bf_features_check(&features, BF_CHECK_CONTROLS, &detail),
			 BF_ERR_VMX_CONTROLS);
	ck_assert_uint_eq(BF_CONTROL_MSR(detail), msr);
	ck_assert_uint_eq(BF_CONTROL_BIT(detail), bit);
}

START_TEST(every_control_is_needed)
{
	static const struct {
		uint32_t kind, bit;
	} needed[] = {
#define CONTROL(msr, mask, name) { BF_VMX_##msr, BF_BIT_NUMBER(mask) },
		BF_VMX_CONTROLS(CONTROL)
	};
	static const uint32_t msrs[] = {
#define CONTROL_MSR(name, msr, true_msr) msr,
		BF_VMX_CONTROL_MSRS(CONTROL_MSR)
	};
	static const uint32_t true_msrs[] = {
#define TRUE_MSR(name, msr, true_msr) true_msr,
		BF_VMX_CONTROL_MSRS(TRUE_MSR)
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		uint64_t without = ~(1ULL << (32 + needed[i].bit));

		setup();
		make(CPUID_0_EBX_INTEL);
		fake_set_msr(cpu, msrs[needed[i].kind], without);
		assert_lacks(msrs[needed[i].kind], needed[i].bit);
		/* Where there are TRUE ones, those count. */
		fake_set_msr(cpu, MSR_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS);
		for (uint32_t msr = MSR_VMX_TRUE_PINBASED_CTLS; msr <= MSR_VMX_TRUE_ENTRY_CTLS;
		     msr++) {
			memset(cpu->msrs + 2, 0, sizeof(cpu->msrs) - 2 * sizeof(cpu->msrs[0]));
			fake_set_msr(cpu, msr, 0);
			bf_features_read(&features);
			ck_assert_int_eq(
				bf_features_check(&features, BF_CHECK_CONTROLS, &(uint64_t){ 0 }),
				BF_ERR_VMX_CONTROLS);
		}
		memset(cpu->msrs + 1, 0, sizeof(cpu->msrs) - sizeof(cpu->msrs[0]));
		cpu->msrs[0] = (struct fake_msr){ true_msrs[needed[i].kind], without };
		fake_set_msr(cpu, MSR_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS);
		bf_features_read(&features);
		for (uint32_t n = 0; n < 4; n++) {
			if (true_msrs[n] != true_msrs[needed[i].kind])
				features.vmx[true_msrs[n] - MSR_VMX_BASIC] = ~0ULL << 32;
		}
		ck_assert(!bf_features_controls(&features, &(uint64_t){ 0 }));
		features.vmx[true_msrs[needed[i].kind] - MSR_VMX_BASIC] = ~0ULL << 32;
		ck_assert(bf_features_controls(&features, &(uint64_t){ 0 }));
	}
}
END_TEST

START_TEST(every_instruction_is_needed)
{
	static const struct {
		uint32_t leaf, subleaf, reg, bit, control;
	} instructions[] = {
#define INSTRUCTION(leaf, subleaf, reg, mask, name, control, text) \
	{ leaf, subleaf, reg, BF_BIT_NUMBER(mask), BF_BIT_NUMBER(control) },
		BF_VMX_INSTRUCTIONS(INSTRUCTION)
	};

	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		setup();
		cpu->vendor = BF_VENDOR_INTEL;
		cpu->vmx_procbased2 = ~(1ULL << (32 + instructions[i].control));
		bf_features_read(&features);
		ck_assert(bf_features_controls(&features, &(uint64_t){ 0 }));
		fake_set_cpuid(cpu, instructions[i].leaf, instructions[i].subleaf,
			       instructions[i].reg, 1U << instructions[i].bit);
		assert_lacks(MSR_VMX_PROCBASED_CTLS2, instructions[i].control);
		/* Without secondary controls there is none of them. */
		cpu->vmx_procbased2 = ~0ULL;
		bf_features_read(&features);
		ck_assert(bf_features_controls(&features, &(uint64_t){ 0 }));
		fake_set_msr(cpu, MSR_VMX_PROCBASED_CTLS, ~(1ULL << 63));
		assert_lacks(MSR_VMX_PROCBASED_CTLS2, instructions[i].control);
	}
}
END_TEST

START_TEST(nested_paging)
{
	bf_features_read(&features);
	ck_assert(bf_features_nested(&features));
	ck_assert(bf_features_controls(&features, &(uint64_t){ 0 }));
	features.words[18] = 0; /* CPUID 8000000Ah EDX */
	ck_assert(!bf_features_nested(&features));
	cpu->vendor = BF_VENDOR_INTEL;
	bf_features_read(&features);
	ck_assert(bf_features_nested(&features));
	cpu->vmx_procbased2 = 0;
	bf_features_read(&features);
	ck_assert(!bf_features_nested(&features));
}
END_TEST

/* --- hybrid CPUs ------------------------------------------------------------------------------ */

static uint32_t differ(uint32_t leaf, uint32_t subleaf, uint32_t reg, uint32_t bits)
{
	struct bf_cpu_features other;

	setup();
	bf_features_read(&features);
	fake_set_cpuid(cpu, leaf, subleaf, reg, bits);
	bf_features_read(&other);
	ck_assert_uint_eq(bf_features_differ(&other, &features),
			  bf_features_differ(&features, &other));
	return bf_features_differ(&features, &other);
}

static uint32_t differ_msr(uint32_t msr, uint64_t value)
{
	struct bf_cpu_features other;

	setup();
	cpu->vendor = BF_VENDOR_INTEL;
	bf_features_read(&features);
	fake_set_msr(cpu, msr, value);
	bf_features_read(&other);
	return bf_features_differ(&features, &other);
}

START_TEST(cores_may_differ)
{
	/*
	 * hybrid, the kind of core, trace, counters, caches, AVX-512, TSX, the number of the APIC
	 */
	ck_assert_uint_eq(differ(0x7, 0, EDX, 1U << 15), 0);
	ck_assert_uint_eq(differ(0x1A, 0, EAX, 0x20000001), 0);
	ck_assert_uint_eq(differ(0x14, 0, ECX, 7), 0);
	ck_assert_uint_eq(differ(0xA, 0, EAX, 0x08300805), 0);
	ck_assert_uint_eq(differ(0x4, 0, EAX, 0x1C004121), 0);
	ck_assert_uint_eq(differ(0x7, 0, EBX, 1U << 16 | 1U << 11), 0);
	ck_assert_uint_eq(differ(0x7, 1, ECX, ~(1U << 5)), 0);
	ck_assert_uint_eq(differ(0x7, 0, ECX, 1U << 23), 0); /* CR4.KL is refused */
	ck_assert_uint_eq(differ(0x1, 0, EBX, 0x01000000), 0);
	ck_assert_uint_eq(differ(0x1, 0, ECX, 1U << 27), 0); /* OSXSAVE: CR4's */
	ck_assert_uint_eq(differ(0x80000007, 0, EDX, 1U << 8), 0);
	ck_assert_uint_eq(differ_msr(MSR_VMX_MISC, 0x4000), 0);
	ck_assert_uint_eq(differ_msr(MSR_VMX_VMCS_ENUM, 0x30), 0);
	ck_assert_uint_eq(differ_msr(MSR_VMX_VMFUNC, 1), 0);
	ck_assert_uint_eq(differ_msr(MSR_FEATURE_CONTROL, 1), 0);
}
END_TEST

START_TEST(cores_must_be_alike)
{
	uint32_t place = differ(0x7, 0, EBX, 1U << 20);

	ck_assert(BF_DIFFER_IS_CPUID(place));
	ck_assert_uint_eq(BF_DIFFER_LEAF(place), 0x7);
	ck_assert_uint_eq(BF_DIFFER_SUBLEAF(place), 0);
	ck_assert_uint_eq(BF_DIFFER_REG(place), EBX);
	place = differ(0xD, 1, EAX, 1U << 3);
	ck_assert_uint_eq(place, BF_DIFFER_CPUID(0xD, 1, EAX));
	ck_assert_uint_eq(BF_DIFFER_SUBLEAF(place), 1);
	place = differ(0x8000000A, 0, EDX, 1U << 3);
	ck_assert_uint_eq(BF_DIFFER_LEAF(place), 0x8000000A);
	ck_assert_uint_eq(BF_DIFFER_REG(place), EDX);
	ck_assert_uint_eq(differ(0x1, 0, ECX, 1U << 5), BF_DIFFER_CPUID(0x1, 0, ECX));
	ck_assert_uint_eq(differ(0x7, 1, EAX, 1U << 6), BF_DIFFER_CPUID(0x7, 1, EAX));
	ck_assert_uint_eq(differ(0xD, 0, EAX, 1U << 9), BF_DIFFER_CPUID(0xD, 0, EAX));
	for (uint32_t msr = MSR_VMX_CR0_FIXED0; msr <= MSR_VMX_CR4_FIXED1; msr++)
		ck_assert_uint_eq(differ_msr(msr, 0x123456789ULL), msr);
	for (uint32_t bit = 0; bit < 64; bit++) {
		bool alike = bit <= 30 || (bit >= 50 && bit <= 53) || bit == 55;

		ck_assert_uint_eq(differ_msr(MSR_VMX_BASIC, MSR_VMX_BASIC ^ 1ULL << bit),
				  alike ? MSR_VMX_BASIC : 0);
	}
	ck_assert(!BF_DIFFER_IS_CPUID(differ_msr(MSR_VMX_CR0_FIXED0, 1)));
	ck_assert_uint_eq(BF_DIFFER_PLACE(BF_DIFFER_DETAIL(place, 7)), place);
	ck_assert_uint_eq(BF_DIFFER_CPU(BF_DIFFER_DETAIL(place, 7)), 7);
}
END_TEST

/* What may be 1 on all of them, and must be 1 on any; and a CPU that comes later. */
START_TEST(cores_are_joined)
{
	static const uint32_t controls[] = {
		MSR_VMX_PINBASED_CTLS,       MSR_VMX_PROCBASED_CTLS,  MSR_VMX_EXIT_CTLS,
		MSR_VMX_ENTRY_CTLS,          MSR_VMX_PROCBASED_CTLS2, MSR_VMX_TRUE_PINBASED_CTLS,
		MSR_VMX_TRUE_PROCBASED_CTLS, MSR_VMX_TRUE_EXIT_CTLS,  MSR_VMX_TRUE_ENTRY_CTLS
	};
	struct bf_cpu_features all, other;

	setup();
	cpu->vendor = BF_VENDOR_INTEL;
	bf_features_read(&features);
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		uint32_t msr = controls[i], n = msr - MSR_VMX_BASIC;

		all = other = features;
		all.vmx[n] = 0xFF00000001ULL;
		features.vmx[n] = all.vmx[n];
		other.vmx[n] = 0xF3F00000011ULL;
		ck_assert_uint_eq(bf_features_differ(&other, &all), msr);
		ck_assert_uint_eq(bf_features_join(&all, &other), 0);
		ck_assert_uint_eq(all.vmx[n], 0x3F00000011ULL);
		ck_assert_uint_eq(bf_features_differ(&other, &all), 0);
		ck_assert_uint_eq(bf_features_differ(&features, &all), 0);
		other.vmx[n] = 0x1F00000011ULL; /* may less */
		ck_assert_uint_eq(bf_features_differ(&other, &all), msr);
		other.vmx[n] = 0x3F00000013ULL; /* must more */
		ck_assert_uint_eq(bf_features_differ(&other, &all), msr);
		other.vmx[n] = 0xFF00000040ULL; /* must what all others must not */
		ck_assert_uint_eq(bf_features_join(&all, &other), msr);
		features.vmx[n] = 0;
	}
	all = other = features;
	all.vmx[0xC] = 0xF0106334141;
	other.vmx[0xC] = 0xF0106114141;
	ck_assert_uint_eq(bf_features_differ(&all, &other), 0);
	ck_assert_uint_eq(bf_features_differ(&other, &all), MSR_VMX_EPT_VPID_CAP);
	ck_assert_uint_eq(bf_features_join(&all, &other), 0);
	ck_assert_uint_eq(all.vmx[0xC], 0xF0106114141);
	other.words[0]++;
	ck_assert_uint_eq(bf_features_join(&all, &other), BF_DIFFER_CPUID(0, 0, EBX));
}
END_TEST

/* --- a report --------------------------------------------------------------------------------- */

START_TEST(values_are_listed)
{
	struct bf_register_value values[64];
	uint32_t count;
	bool found = false;

	put(BF_REGISTER_S_CET, 0x4);
	count = bf_features_list(&features, values, 64);
	ck_assert_uint_le(count, 64);
	ck_assert_uint_eq(values[1].msr, 0);
	ck_assert_uint_eq(values[1].reg, BF_REGISTER_CR4);
	ck_assert_uint_eq(values[1].value, cpu->cr4);
	for (uint32_t i = 0; i < count; i++)
		found |= values[i].msr == MSR_S_CET && values[i].value == 0x4;
	ck_assert(found);
	ck_assert_uint_eq(values[count - 1].msr, MSR_VMX_VMFUNC);
	memset(values, 0, sizeof(values));
	ck_assert_uint_eq(bf_features_list(&features, values, 2), count);
	ck_assert_uint_eq(values[2].value, 0);
	put(BF_REGISTER_HWCR, 0x10);
	count = bf_features_list(&features, values, 64);
	ck_assert_uint_eq(values[count - 1].msr, 0xC0010114);
	/* There may be more of them one day than callers have room for. */
	ck_assert_uint_lt(BF_NR_FEATURE_REGISTERS + BF_NR_VMX_MSRS + 2, 64);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("features");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, every_row_makes_sense);
	tcase_add_loop_test(tests, every_bit_has_a_verdict, 0, BF_NR_FEATURE_REGISTERS);
	tcase_add_test(tests, items_have_errors_of_their_own);
	tcase_add_test(tests, the_lowest_bit_is_named);
	tcase_add_test(tests, absent_registers_are_not_read);
	tcase_add_test(tests, hygon_is_read_like_amd);
	tcase_add_test(tests, trace_takes_controls);
	tcase_add_test(tests, tsc_ratio);
	tcase_add_test(tests, vmx_must_allow_the_bits);
	tcase_add_test(tests, every_control_is_needed);
	tcase_add_test(tests, every_instruction_is_needed);
	tcase_add_test(tests, nested_paging);
	tcase_add_test(tests, cores_may_differ);
	tcase_add_test(tests, cores_must_be_alike);
	tcase_add_test(tests, cores_are_joined);
	tcase_add_test(tests, values_are_listed);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
