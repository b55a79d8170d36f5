// SPDX-License-Identifier: GPL-2.0-only
/* The tables of abi/features.h against a CPU. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "../arch.h"
#include "hw.h"

enum { EAX, EBX, ECX, EDX };

enum bf_feature_word {
	WORD_VENDOR,
	WORD_1_ECX,
	WORD_1_EDX,
	WORD_7_EBX,
	WORD_7_ECX,
	WORD_7_EDX,
	WORD_7_1_EAX,
	WORD_7_1_ECX,
	WORD_A_EAX,
	WORD_D_EAX,
	WORD_D_1_EAX,
	WORD_21_EBX,
	WORD_21_EDX,
	WORD_AMD_1_ECX,
	WORD_AMD_1_EDX,
	WORD_AMD_8_EAX,
	WORD_AMD_8_EBX,
	WORD_SVM_EBX,
	WORD_SVM_EDX,
	WORD_SME_EAX,
	WORD_SME_EBX,
	NR_WORDS
};

BF_STATIC_ASSERT(NR_WORDS == BF_NR_FEATURE_WORDS, "feature words");
BF_STATIC_ASSERT(MSR_VMX_VMFUNC - MSR_VMX_BASIC + 1 == BF_NR_VMX_MSRS, "VMX capability MSRs");

/*
 * alike: the bits that the microkernel or an extension reads on one CPU and relies on on all of
 * them: what becomes a bit of the host's CR4 or of a VMCB, what a guest's CR4 may have, XSAVE,
 * nested paging. The rest may differ: cores of a hybrid CPU differ in caches, counters and trace,
 * and firmware may number or limit them as it likes.
 */
static const struct {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg;
	uint32_t alike;
} words[NR_WORDS] = {
	[WORD_VENDOR] = { 0x0, 0, EBX, 0xFFFFFFFF },
	[WORD_1_ECX] = { 0x1, 0, ECX, CPUID_1_ECX_VMX | CPUID_1_ECX_PCID | CPUID_1_ECX_XSAVE },
	[WORD_1_EDX] = { 0x1, 0, EDX, CPUID_1_EDX_MTRR | CPUID_1_EDX_PAT },
	[WORD_7_EBX] = { 0x7, 0, EBX,
			 CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_SMEP | CPUID_7_EBX_INVPCID |
				 CPUID_7_EBX_SMAP },
	[WORD_7_ECX] = { 0x7, 0, ECX,
			 CPUID_7_ECX_UMIP | CPUID_7_ECX_PKU | CPUID_7_ECX_WAITPKG |
				 CPUID_7_ECX_CET_SS | CPUID_7_ECX_LA57 | CPUID_7_ECX_RDPID |
				 CPUID_7_ECX_PKS },
	[WORD_7_EDX] = { 0x7, 0, EDX, CPUID_7_EDX_UINTR | CPUID_7_EDX_CET_IBT },
	[WORD_7_1_EAX] = { 0x7, 1, EAX,
			   CPUID_7_1_EAX_LASS | CPUID_7_1_EAX_FRED | CPUID_7_1_EAX_LAM },
	[WORD_7_1_ECX] = { 0x7, 1, ECX, 0 },
	[WORD_A_EAX] = { 0xA, 0, EAX, 0 },
	[WORD_D_EAX] = { 0xD, 0, EAX, 0xFFFFFFFF },
	[WORD_D_1_EAX] = { 0xD, 1, EAX, CPUID_D_1_EAX_XSAVES },
	[WORD_21_EBX] = { 0x21, 0, EBX, 0 },
	[WORD_21_EDX] = { 0x21, 0, EDX, 0 },
	[WORD_AMD_1_ECX] = { 0x80000001, 0, ECX, CPUID_80000001_ECX_SVM },
	[WORD_AMD_1_EDX] = { 0x80000001, 0, EDX,
			     CPUID_80000001_EDX_NX | CPUID_80000001_EDX_PAGE_1G |
				     CPUID_80000001_EDX_RDTSCP | CPUID_80000001_EDX_LM },
	[WORD_AMD_8_EAX] = { 0x80000008, 0, EAX, CPUID_80000008_EAX_WIDTHS },
	[WORD_AMD_8_EBX] = { 0x80000008, 0, EBX, CPUID_80000008_EBX_INVLPGB },
	[WORD_SVM_EBX] = { 0x8000000A, 0, EBX, 0xFFFFFFFF },
	[WORD_SVM_EDX] = { 0x8000000A, 0, EDX, 0xFFFFFFFF },
	[WORD_SME_EAX] = { 0x8000001F, 0, EAX, CPUID_8000001F_EAX_SME },
	[WORD_SME_EBX] = { 0x8000001F, 0, EBX, CPUID_8000001F_EBX_C_BIT }
};

/* Which MSRs of abi/features.h there are: any of these bits of a word, on these makes of CPU. */
enum { INTEL = 1, AMD = 2 };

static const struct {
	uint8_t reg; /* enum bf_feature_register */
	uint8_t make;
	uint8_t word;
	uint32_t bits; /* 0: always */
} msrs[] = { { BF_REGISTER_EFER, INTEL | AMD, 0, 0 },
	     { BF_REGISTER_XSS, INTEL | AMD, WORD_D_1_EAX, CPUID_D_1_EAX_XSAVES },
	     { BF_REGISTER_DEBUGCTL, INTEL, 0, 0 },
	     { BF_REGISTER_DEBUGCTL_AMD, AMD, 0, 0 },
	     { BF_REGISTER_TEST_CTRL, INTEL, 0, 0 },
	     { BF_REGISTER_MISC_FEATURES, INTEL, 0, 0 },
	     { BF_REGISTER_HWCR, AMD, 0, 0 },
	     { BF_REGISTER_SYSCFG, AMD, 0, 0 },
	     { BF_REGISTER_S_CET, INTEL | AMD, WORD_7_ECX, CPUID_7_ECX_CET_SS },
	     { BF_REGISTER_S_CET, INTEL, WORD_7_EDX, CPUID_7_EDX_CET_IBT },
	     { BF_REGISTER_U_CET, INTEL | AMD, WORD_7_ECX, CPUID_7_ECX_CET_SS },
	     { BF_REGISTER_U_CET, INTEL, WORD_7_EDX, CPUID_7_EDX_CET_IBT },
	     { BF_REGISTER_RTIT_CTL, INTEL, WORD_7_EBX, CPUID_7_EBX_PT },
	     { BF_REGISTER_LBR_CTL, INTEL, WORD_7_EDX, CPUID_7_EDX_ARCH_LBR },
	     { BF_REGISTER_PASID, INTEL, WORD_7_ECX, CPUID_7_ECX_ENQCMD },
	     /* Enumerated by IA32_CORE_CAPABILITIES, where that exists. */
	     { BF_REGISTER_RAR_CTRL, INTEL, WORD_7_EDX, CPUID_7_EDX_CORE_CAPABILITIES },
	     { BF_REGISTER_PERF_GLOBAL_CTRL, INTEL, WORD_A_EAX, CPUID_A_EAX_VERSION_2 },
	     { BF_REGISTER_PEBS_ENABLE, INTEL, WORD_A_EAX, CPUID_A_EAX_VERSION_2 },
	     { BF_REGISTER_TSC_RATIO, AMD, WORD_SVM_EDX, CPUID_8000000A_EDX_TSC_RATE_MSR },
	     { BF_REGISTER_SEV_STATUS, AMD, WORD_SME_EAX, CPUID_8000001F_EAX_SEV } };

#define REGISTER_MSR(number, name, text, msr) [number] = (msr),
static const uint32_t msr_numbers[] = { BF_FEATURE_REGISTERS(REGISTER_MSR) };

#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	return bf_os_rdmsr(msr, &value) ? value : 0;
}

static void read_words(struct bf_cpu_features *features)
{
	uint32_t regs[4];
	uint32_t max[2];
	unsigned int i;

	bf_hw_cpuid(0, 0, regs);
	max[0] = regs[EAX];
	bf_hw_cpuid(0x80000000, 0, regs);
	max[1] = regs[EAX];
	for (i = 0; i < NR_WORDS; i++) {
		if (words[i].leaf > max[words[i].leaf >> 31])
			continue;
		bf_hw_cpuid(words[i].leaf, words[i].subleaf, regs);
		features->words[i] = regs[words[i].reg];
	}
}

/* How memory is encrypted, which root mode would not decrypt as Linux does (APM vol. 2 §7.10). */
static uint64_t read_encryption(const struct bf_cpu_features *features)
{
	uint64_t c_bit = BSL_BIT(features->words[WORD_SME_EBX] & CPUID_8000001F_EBX_C_BIT);
	bool sme = (features->words[WORD_SME_EAX] & CPUID_8000001F_EAX_SME) &&
		   (bf_hw_cr3() & c_bit);
	bool tdx = features->words[WORD_21_EBX] == CPUID_21_EBX_TDX &&
		   features->words[WORD_21_EDX] == CPUID_21_EDX_TDX;

	return (uint64_t)sme | (uint64_t)tdx << 1;
}

static void read_registers(struct bf_cpu_features *features)
{
	uint32_t vendor = features->words[WORD_VENDOR];
	unsigned int make = vendor == CPUID_0_EBX_AMD || vendor == CPUID_0_EBX_HYGON ? AMD : INTEL;
	uint64_t *registers = features->registers;
	unsigned int i;

	registers[BF_REGISTER_CR0] = bf_hw_cr0();
	registers[BF_REGISTER_CR4] = bf_hw_cr4();
	if (registers[BF_REGISTER_CR4] & CR4_OSXSAVE)
		registers[BF_REGISTER_XCR0] = bf_hw_xcr0();
	registers[BF_REGISTER_ENCRYPTION] = read_encryption(features);
	registers[BF_REGISTER_CPUID_7_1_ECX] = features->words[WORD_7_1_ECX] &
					       CPUID_7_1_ECX_MSR_IMM;
	for (i = 0; i < NR_OF(msrs); i++) {
		if ((msrs[i].make & make) &&
		    (!msrs[i].bits || (features->words[msrs[i].word] & msrs[i].bits)))
			registers[msrs[i].reg] = rdmsr(msr_numbers[msrs[i].reg]);
	}
}

/*
 * Whether our microkernel answers to a hypercall: of those that it knows, one that changes nothing
 * when it is repeated. On a bare CPU it is #UD.
 */
static bool answers(enum bf_vendor vendor)
{
	uint64_t rax = BF_HYPERCALL_TRACE;

	return bf_os_hypercall(vendor, &rax) && rax == BF_HYPERCALL_TRACED;
}

/* Our microkernel shows the root VM neither VMX nor SVM. */
static bool is_guest(const struct bf_cpu_features *features)
{
	return !(features->words[WORD_1_ECX] & CPUID_1_ECX_VMX) &&
	       !(features->words[WORD_AMD_1_ECX] & CPUID_80000001_ECX_SVM) &&
	       (answers(BF_VENDOR_AMD) || answers(BF_VENDOR_INTEL));
}

bool bf_features_guest(void)
{
	struct bf_cpu_features features = { 0 };

	read_words(&features);
	return is_guest(&features);
}

void bf_features_read(struct bf_cpu_features *features)
{
	uint32_t i;

	bsl_memset(features, 0, sizeof(*features));
	read_words(features);
	read_registers(features);
	if (features->words[WORD_1_ECX] & CPUID_1_ECX_VMX)
		features->vendor = BF_VENDOR_INTEL;
	else if (features->words[WORD_AMD_1_ECX] & CPUID_80000001_ECX_SVM)
		features->vendor = BF_VENDOR_AMD;
	features->is_guest = is_guest(features);
	if (features->vendor == BF_VENDOR_AMD)
		features->vm_cr = rdmsr(MSR_VM_CR);
	if (features->vendor != BF_VENDOR_INTEL)
		return;
	features->feature_control = rdmsr(MSR_FEATURE_CONTROL);
	for (i = 0; i < BF_NR_VMX_MSRS; i++)
		features->vmx[i] = rdmsr(MSR_VMX_BASIC + i);
}

/* --- capabilities of VMX ---------------------------------------------------------------------- */

static uint64_t vmx_msr(const struct bf_cpu_features *features, uint32_t msr)
{
	return features->vmx[msr - MSR_VMX_BASIC];
}

static const struct {
	uint32_t msr;
	uint32_t true_msr;
} control_msrs[] = {
#define CONTROL_MSR(name, msr, true_msr) [BF_VMX_##name] = { msr, true_msr },
	BF_VMX_CONTROL_MSRS(CONTROL_MSR)
};

static uint32_t control_msr(const struct bf_cpu_features *features, enum bf_vmx_control_msr kind)
{
	if (control_msrs[kind].true_msr &&
	    (vmx_msr(features, MSR_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS))
		return control_msrs[kind].true_msr;
	return control_msrs[kind].msr;
}

/* SDM vol. 3 A.3: the high half of a capability MSR tells which controls may be 1. */
static bool offers(const struct bf_cpu_features *features, enum bf_vmx_control_msr kind,
		   uint32_t control)
{
	if (kind == BF_VMX_SECONDARY && !offers(features, BF_VMX_PRIMARY, VMX_PRIMARY_SECONDARY))
		return false;
	return vmx_msr(features, control_msr(features, kind)) >> 32 & control;
}

bool bf_features_broadcast(const struct bf_cpu_features *features)
{
	return features->words[WORD_AMD_8_EBX] & CPUID_80000008_EBX_INVLPGB;
}

bool bf_features_nested(const struct bf_cpu_features *features)
{
	if (features->vendor == BF_VENDOR_AMD)
		return features->words[WORD_SVM_EDX] & CPUID_8000000A_EDX_NP;
	return offers(features, BF_VMX_SECONDARY, VMX_SECONDARY_EPT);
}

static uint32_t word_of(const struct bf_cpu_features *features, uint32_t leaf, uint32_t subleaf,
			uint32_t reg)
{
	unsigned int i;

	for (i = 0; i < NR_WORDS; i++)
		if (words[i].leaf == leaf && words[i].subleaf == subleaf && words[i].reg == reg)
			return features->words[i];
	return 0;
}

bool bf_features_controls(const struct bf_cpu_features *features, uint64_t *detail)
{
	static const struct {
		uint8_t kind;
		uint32_t control;
	} needed[] = {
#define NEEDED(msr, mask, name) { BF_VMX_##msr, mask },
		BF_VMX_CONTROLS(NEEDED)
	};
	static const struct {
		uint32_t leaf;
		uint8_t subleaf, reg;
		uint32_t mask, control;
	} instructions[] = {
#define INSTRUCTION(leaf, subleaf, reg, mask, name, control, text) \
	{ leaf, subleaf, reg, mask, control },
		BF_VMX_INSTRUCTIONS(INSTRUCTION)
	};
	enum bf_vmx_control_msr kind = BF_VMX_SECONDARY;
	uint32_t control = 0;
	bool missing = false;
	unsigned int i;

	if (features->vendor != BF_VENDOR_INTEL)
		return true;
	for (i = 0; i < NR_OF(needed) && !missing; i++) {
		kind = (enum bf_vmx_control_msr)needed[i].kind;
		control = needed[i].control;
		missing = !offers(features, kind, control);
	}
	for (i = 0; i < NR_OF(instructions) && !missing; i++) {
		kind = BF_VMX_SECONDARY;
		control = instructions[i].control;
		missing = (word_of(features, instructions[i].leaf, instructions[i].subleaf,
				   instructions[i].reg) &
			   instructions[i].mask) &&
			  !offers(features, kind, control);
	}
	if (missing)
		*detail = BF_CONTROL_DETAIL(control_msr(features, kind), BF_BIT_NUMBER(control));
	return !missing;
}

/* --- what Linux has switched on --------------------------------------------------------------- */

static const struct {
	uint8_t reg, first, last, verdict;
} rows[] = {
#define ROW(reg, first, last, name, verdict, by) { BF_REGISTER_##reg, first, last, BF_##verdict },
	BF_FEATURES(ROW)
};

/* Intel PT is the one thing that is OFFERED (SDM vol. 3 §35.5.1, A.6). */
static bool controls_trace(const struct bf_cpu_features *features)
{
	return (vmx_msr(features, MSR_VMX_MISC) & VMX_MISC_PT) &&
	       offers(features, BF_VMX_EXIT, VMX_EXIT_CTL_CLEAR_RTIT) &&
	       offers(features, BF_VMX_ENTRY, VMX_ENTRY_CTL_LOAD_RTIT);
}

/* The bits of a register with which a start is possible. */
static uint64_t accepted(const struct bf_cpu_features *features, unsigned int reg)
{
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < NR_OF(rows); i++) {
		if (rows[i].reg != reg || rows[i].verdict == BF_REFUSED ||
		    (rows[i].verdict == BF_OFFERED && !controls_trace(features)))
			continue;
		bits |= BF_FEATURE_BITS(rows[i].first, rows[i].last);
	}
	return bits;
}

static bool find_bit(uint64_t bits, uint64_t reg, uint64_t *detail)
{
	unsigned int bit = 0;

	if (!bits)
		return false;
	while (!(bits & BSL_BIT(bit)))
		bit++;
	*detail = BF_FEATURE_DETAIL(reg, bit);
	return true;
}

bool bf_features_carried(const struct bf_cpu_features *features, uint64_t *detail)
{
	uint64_t cr0 = features->registers[BF_REGISTER_CR0];
	uint64_t cr4 = features->registers[BF_REGISTER_CR4];
	unsigned int reg;

	for (reg = 0; reg < BF_NR_FEATURE_REGISTERS; reg++)
		if (find_bit(features->registers[reg] & ~accepted(features, reg), reg, detail))
			return false;
	if (features->words[WORD_SVM_EDX] & CPUID_8000000A_EDX_TSC_RATE_MSR &&
	    !features->registers[BF_REGISTER_TSC_RATIO]) {
		*detail = BF_FEATURE_DETAIL(BF_REGISTER_TSC_RATIO, BF_BIT_NUMBER(TSC_RATIO_1));
		return false;
	}
	if (features->vendor != BF_VENDOR_INTEL)
		return true;
	/* SDM vol. 3 A.7, A.8: a guest's CR0 and CR4 have no other bits. */
	if (!find_bit(cr0 & ~vmx_msr(features, MSR_VMX_CR0_FIXED1), BF_REGISTER_CR0, detail) &&
	    !find_bit(cr4 & ~vmx_msr(features, MSR_VMX_CR4_FIXED1), BF_REGISTER_CR4, detail))
		return true;
	*detail |= BF_FEATURE_NOT_IN_VMX;
	return false;
}

/* --- alike ------------------------------------------------------------------------------------ */

enum how { MAY_DIFFER, ALIKE, CONTROLS, CAPABILITIES };

/*
 * What CPUs of one machine may differ in. CONTROLS: the low half has what must be 1, the high half
 * what may be (SDM vol. 3 A.2 to A.5); CAPABILITIES: a bit for each. Of both, what all CPUs offer
 * is used. The rest is decided on each CPU by itself, or not used: IA32_VMX_MISC, in which the
 * cores of a hybrid CPU differ, the number of the VMCS's fields, and VM functions.
 */
static enum how how_alike(uint32_t msr)
{
	unsigned int i;

	for (i = 0; i < NR_OF(control_msrs); i++)
		if (msr == control_msrs[i].msr || msr == control_msrs[i].true_msr)
			return CONTROLS;
	if (msr == MSR_VMX_MISC || msr == MSR_VMX_VMCS_ENUM || msr == MSR_VMX_VMFUNC)
		return MAY_DIFFER;
	return msr == MSR_VMX_EPT_VPID_CAP ? CAPABILITIES : ALIKE;
}

/* IA32_VMX_BASIC: what VMCSs are like, and whether there are TRUE controls (A.1). */
#define BASIC_ALIKE (0x3C00007FFFFFFFULL | VMX_BASIC_TRUE_CONTROLS)

static uint32_t differ_where_alike(const struct bf_cpu_features *a, const struct bf_cpu_features *b)
{
	unsigned int i;

	for (i = 0; i < NR_WORDS; i++)
		if ((a->words[i] ^ b->words[i]) & words[i].alike)
			return BF_DIFFER_CPUID(words[i].leaf, words[i].subleaf, words[i].reg);
	for (i = 0; i < BF_NR_VMX_MSRS; i++) {
		uint32_t msr = MSR_VMX_BASIC + i;
		uint64_t alike = msr == MSR_VMX_BASIC ? BASIC_ALIKE : ~0ULL;

		if (how_alike(msr) == ALIKE && (a->vmx[i] ^ b->vmx[i]) & alike)
			return msr;
	}
	return 0;
}

uint32_t bf_features_join(struct bf_cpu_features *all, const struct bf_cpu_features *features)
{
	uint32_t place = differ_where_alike(all, features);
	unsigned int i;

	for (i = 0; i < BF_NR_VMX_MSRS; i++) {
		uint32_t msr = MSR_VMX_BASIC + i;
		uint64_t either = all->vmx[i] | features->vmx[i];
		uint64_t both = all->vmx[i] & features->vmx[i];

		if (how_alike(msr) == CAPABILITIES)
			all->vmx[i] = both;
		if (how_alike(msr) != CONTROLS)
			continue;
		all->vmx[i] = (both >> 32) << 32 | (uint32_t)either;
		/* What must be 1 on one of them, and may not on another. */
		if (!place && (uint32_t)either & ~(uint32_t)(both >> 32))
			place = msr;
	}
	return place;
}

uint32_t bf_features_differ(const struct bf_cpu_features *features,
			    const struct bf_cpu_features *all)
{
	uint32_t place = differ_where_alike(features, all);
	unsigned int i;

	for (i = 0; i < BF_NR_VMX_MSRS && !place; i++) {
		uint32_t msr = MSR_VMX_BASIC + i;
		uint64_t lacks = all->vmx[i] & ~features->vmx[i];
		uint64_t demands = features->vmx[i] & ~all->vmx[i];

		if ((how_alike(msr) == CAPABILITIES && lacks) ||
		    (how_alike(msr) == CONTROLS && (lacks >> 32 || (uint32_t)demands)))
			place = msr;
	}
	return place;
}

/* --- for the microkernel ---------------------------------------------------------------------- */

void bf_features_hand_off(const struct bf_cpu_features *all, struct bf_handoff *handoff)
{
	handoff->vendor = (uint32_t)all->vendor;
	bsl_memcpy(handoff->vmx, all->vmx, sizeof(handoff->vmx));
}

/* --- for a report ----------------------------------------------------------------------------- */

struct list {
	struct bf_register_value *values;
	uint32_t max;
	uint32_t count;
};

static void add(struct list *list, uint32_t msr, uint32_t reg, uint64_t value)
{
	if (list->count < list->max)
		list->values[list->count] = (struct bf_register_value){ msr, reg, value };
	list->count++;
}

uint32_t bf_features_list(const struct bf_cpu_features *features, struct bf_register_value *values,
			  uint32_t max)
{
	struct list list = { values, max, 0 };
	uint32_t i;

	add(&list, 0, BF_REGISTER_CR0, features->registers[BF_REGISTER_CR0]);
	add(&list, 0, BF_REGISTER_CR4, features->registers[BF_REGISTER_CR4]);
	add(&list, 0, BF_REGISTER_XCR0, features->registers[BF_REGISTER_XCR0]);
	for (i = 0; i < BF_NR_FEATURE_REGISTERS; i++)
		if (msr_numbers[i] && features->registers[i])
			add(&list, msr_numbers[i], 0, features->registers[i]);
	if (features->vendor == BF_VENDOR_AMD)
		add(&list, MSR_VM_CR, 0, features->vm_cr);
	if (features->vendor != BF_VENDOR_INTEL)
		return list.count;
	add(&list, MSR_FEATURE_CONTROL, 0, features->feature_control);
	for (i = 0; i < BF_NR_VMX_MSRS; i++)
		add(&list, MSR_VMX_BASIC + i, 0, features->vmx[i]);
	return list.count;
}
