/* SPDX-License-Identifier: GPL-2.0-only */
/* Can this CPU, can this machine? */
#include <bsl/bits.h>
#include <bsl/string.h>

#include "check.h"
#include "msr.h"
#include "outer.h"
#include "platform.h"

enum { EAX, EBX, ECX, EDX };

#define CPUID_1_ECX_VMX 0x20
#define CPUID_1_ECX_OSXSAVE 0x08000000
#define CPUID_7_ECX_OSPKE 0x10
#define CPUID_80000001_ECX_SVM 0x4
#define CPUID_8000000A_EDX_NPT 0x1
#define CPUID_8000001F_EAX_SME 0x1

#define CR4_LA57 12
#define CR4_VMXE 13
#define CR4_FRED 32
#define EFER_SVME 12
#define FEATURE_CONTROL_LOCKED 0x1
#define FEATURE_CONTROL_VMXON 0x4 /* outside SMX */
#define VM_CR_SVMDIS 0x10
#define PROCBASED_SECONDARY 31
#define PROCBASED2_EPT 1

/* Indices in words of what is looked at again. */
enum { WORD_AMD_ECX = 5, WORD_SVM_EDX = 10, WORD_SME_EAX, WORD_SME_EBX };

/*
 * The leaves whose bits tell what the CPU can do. Some bits of them follow the state of the CPU or
 * number it and are masked out.
 */
static const struct {
	uint32_t leaf;
	uint32_t reg;
	uint32_t ignored;
} leaves[] = {
	{ 0x0, EBX, 0 },
	{ 0x1, ECX, CPUID_1_ECX_OSXSAVE },
	{ 0x1, EDX, 0 },
	{ 0x7, EBX, 0 },
	{ 0x7, ECX, CPUID_7_ECX_OSPKE },
	[WORD_AMD_ECX] = { 0x80000001, ECX, 0 },
	{ 0x80000001, EDX, 0 },
	{ 0x80000007, EDX, 0 },
	{ 0x80000008, EAX, 0 },
	{ 0x80000008, EBX, 0 },
	[WORD_SVM_EDX] = { 0x8000000A, EDX, 0 },
	[WORD_SME_EAX] = { 0x8000001F, EAX, 0 },
	[WORD_SME_EBX] = { 0x8000001F, EBX, 0 },
};

#define NR_LEAVES (sizeof(leaves) / sizeof(leaves[0]))
BF_STATIC_ASSERT(NR_LEAVES <= BF_NR_FEATURE_WORDS, "feature words");
BF_STATIC_ASSERT(MSR_VMX_LAST - MSR_VMX_BASIC + 1 == BF_NR_VMX_MSRS, "VMX capability MSRs");

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	return bf_os_rdmsr(msr, &value) ? value : 0;
}

void bf_features_read(struct bf_cpu_features *features)
{
	uint32_t regs[4];
	uint32_t max[2];
	uint32_t i;

	bsl_memset(features, 0, sizeof(*features));
	bf_hw_cpuid(0, 0, regs);
	max[0] = regs[EAX];
	bf_hw_cpuid(0x80000000, 0, regs);
	max[1] = regs[EAX];
	for (i = 0; i < NR_LEAVES; i++) {
		if (leaves[i].leaf > max[leaves[i].leaf >> 31])
			continue;
		bf_hw_cpuid(leaves[i].leaf, 0, regs);
		features->words[i] = regs[leaves[i].reg] & ~leaves[i].ignored;
	}
	bf_hw_cpuid(1, 0, regs);
	if (regs[ECX] & CPUID_1_ECX_VMX)
		features->vendor = BF_VENDOR_INTEL;
	else if (features->words[WORD_AMD_ECX] & CPUID_80000001_ECX_SVM)
		features->vendor = BF_VENDOR_AMD;
	features->cr3 = bf_hw_cr3();
	features->cr4 = bf_hw_cr4();
	features->efer = rdmsr(MSR_EFER);
	if (features->vendor == BF_VENDOR_AMD)
		features->vm_cr = rdmsr(MSR_VM_CR);
	if (features->vendor != BF_VENDOR_INTEL)
		return;
	features->feature_control = rdmsr(MSR_FEATURE_CONTROL);
	for (i = 0; i < BF_NR_VMX_MSRS; i++) {
		uint32_t msr = MSR_VMX_BASIC + i;

		/*
		 * These two do not allow or forbid anything, and the cores of a hybrid CPU differ.
		 */
		if (msr != MSR_VMX_MISC && msr != MSR_VMX_VMCS_ENUM)
			features->vmx[i] = rdmsr(msr);
	}
}

static bool disabled_by_firmware(const struct bf_cpu_features *features)
{
	if (features->vendor == BF_VENDOR_INTEL)
		return (features->feature_control & FEATURE_CONTROL_LOCKED) &&
		       !(features->feature_control & FEATURE_CONTROL_VMXON);
	return features->vendor == BF_VENDOR_AMD && (features->vm_cr & VM_CR_SVMDIS);
}

static bool taken(const struct bf_cpu_features *features)
{
	return (features->cr4 & BSL_BIT(CR4_VMXE)) || (features->efer & BSL_BIT(EFER_SVME));
}

/* SDM vol. 3 appendix A.3: the high half of a capability MSR tells which controls may be 1. */
static bool has_nested_paging(const struct bf_cpu_features *features)
{
	const uint64_t *vmx = features->vmx;

	if (features->vendor == BF_VENDOR_AMD)
		return features->words[WORD_SVM_EDX] & CPUID_8000000A_EDX_NPT;
	return ((vmx[MSR_VMX_PROCBASED - MSR_VMX_BASIC] >> 32) & BSL_BIT(PROCBASED_SECONDARY)) &&
	       ((vmx[MSR_VMX_PROCBASED2 - MSR_VMX_BASIC] >> 32) & BSL_BIT(PROCBASED2_EPT));
}

/*
 * A bit of CR3 or CR4 that the microkernel's world cannot have: FRED replaces the IDT; with the
 * C-bit of Secure Memory Encryption (APM vol. 2 §7.10) in CR3, memory does not read the same
 * without it.
 */
static bool cannot_carry(const struct bf_cpu_features *features, uint64_t *bit)
{
	uint64_t c_bit = features->words[WORD_SME_EBX] & 0x3F;

	if (features->cr4 & BSL_BIT(CR4_FRED)) {
		*bit = CR4_FRED;
		return true;
	}
	if ((features->words[WORD_SME_EAX] & CPUID_8000001F_EAX_SME) &&
	    (features->cr3 & BSL_BIT(c_bit))) {
		*bit = c_bit;
		return true;
	}
	return false;
}

enum bf_error bf_features_check(const struct bf_cpu_features *features, enum bf_check_item item,
				uint64_t *detail)
{
	*detail = 0;
	switch (item) {
	case BF_CHECK_VENDOR:
		return features->vendor == BF_VENDOR_NONE ? BF_ERR_NO_VIRT : BF_ERR_OK;
	case BF_CHECK_FIRMWARE:
		return disabled_by_firmware(features) ? BF_ERR_FW_DISABLED : BF_ERR_OK;
	case BF_CHECK_FREE:
		return taken(features) ? BF_ERR_VIRT_BUSY : BF_ERR_OK;
	case BF_CHECK_NESTED:
		return has_nested_paging(features) ? BF_ERR_OK : BF_ERR_NO_NESTED_PAGING;
	case BF_CHECK_PAGING:
		return features->cr4 & BSL_BIT(CR4_LA57) ? BF_ERR_LA57 : BF_ERR_OK;
	case BF_CHECK_FEATURES:
		return cannot_carry(features, detail) ? BF_ERR_CPU_FEATURE : BF_ERR_OK;
	default:
		return BF_ERR_OK;
	}
}

bool bf_check_is_fatal(enum bf_check_item item)
{
	return item != BF_CHECK_NESTED;
}

enum bf_error bf_features_usable(const struct bf_cpu_features *features, uint64_t *detail)
{
	unsigned int item;

	for (item = 0; item < BF_NR_CHECKS; item++) {
		enum bf_error error = bf_features_check(features, (enum bf_check_item)item, detail);

		if (error != BF_ERR_OK && bf_check_is_fatal((enum bf_check_item)item))
			return error;
	}
	*detail = 0;
	return BF_ERR_OK;
}

bool bf_features_alike(const struct bf_cpu_features *a, const struct bf_cpu_features *b)
{
	return a->vendor == b->vendor && bsl_memcmp(a->words, b->words, sizeof(a->words)) == 0 &&
	       bsl_memcmp(a->vmx, b->vmx, sizeof(a->vmx)) == 0;
}

bool bf_features_unlock(const struct bf_cpu_features *features)
{
	uint64_t value = features->feature_control;

	if (features->vendor != BF_VENDOR_INTEL || (value & FEATURE_CONTROL_LOCKED))
		return true;
	return bf_os_wrmsr(MSR_FEATURE_CONTROL,
			   value | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMXON);
}

static void read_features(void *features)
{
	bf_features_read(features);
}

/* What the check of a machine gathers; the features are too large for a kernel stack. */
struct survey {
	uint32_t cpus[BF_MAX_PPS];
	struct bf_check_result results[BF_NR_CHECKS];
	uint32_t failed_on[BF_NR_CHECKS];
	struct bf_cpu_features one;
};

/* Notes the first failure of an item. */
static void note(struct survey *survey, unsigned int item, enum bf_error error, uint64_t detail,
		 uint32_t cpu)
{
	struct bf_check_result *result = &survey->results[item];

	if (error == BF_ERR_OK || result->error != BF_ERR_OK)
		return;
	result->error = error;
	result->fatal = bf_check_is_fatal((enum bf_check_item)item);
	result->detail = detail;
	survey->failed_on[item] = cpu;
}

static void survey_cpus(struct survey *survey, struct bf_cpu_features *first)
{
	uint32_t online = 0;
	uint32_t count = bf_os_cpus(survey->cpus, BF_MAX_PPS, &online);
	uint32_t i;

	if (count > BF_MAX_PPS) {
		note(survey, BF_CHECK_CPUS, BF_ERR_TOO_MANY_CPUS, count, 0);
		if (online > BF_MAX_PPS)
			online = BF_MAX_PPS;
	}
	for (i = 0; i < online; i++) {
		struct bf_cpu_features *features = i ? &survey->one : first;
		uint32_t cpu = survey->cpus[i];
		enum bf_error error = bf_os_on_cpu(cpu, read_features, features);
		unsigned int item;
		uint64_t detail;

		if (error != BF_ERR_OK) {
			note(survey, BF_CHECK_CPUS, error, cpu, cpu);
			continue;
		}
		for (item = 0; item < BF_NR_CHECKS; item++) {
			error = bf_features_check(features, (enum bf_check_item)item, &detail);
			note(survey, item, error, detail, cpu);
		}
		if (i && !bf_features_alike(features, first))
			note(survey, BF_CHECK_CPUS, BF_ERR_CPUS_DIFFER, cpu, cpu);
	}
}

enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu)
{
	struct survey *survey = bf_os_alloc(sizeof(*survey));
	enum bf_error error = BF_ERR_OK;
	unsigned int item;
	uint32_t flags;

	*detail = 0;
	*cpu = 0;
	bsl_memset(features, 0, sizeof(*features));
	if (!survey)
		return BF_ERR_NO_MEMORY;
	survey_cpus(survey, features);
	note(survey, BF_CHECK_OUTER, bf_outer_check(bf_outer_detect(&flags)), 0, 0);
	if (bf_os_locked_down())
		note(survey, BF_CHECK_LOCKDOWN, BF_ERR_LOCKDOWN, 0, 0);
	if (bf_os_free_memory() < memory)
		note(survey, BF_CHECK_MEMORY, BF_ERR_NO_MEMORY, memory, 0);
	for (item = 0; item < BF_NR_CHECKS && error == BF_ERR_OK; item++) {
		if (!survey->results[item].fatal)
			continue;
		error = (enum bf_error)survey->results[item].error;
		*detail = survey->results[item].detail;
		*cpu = survey->failed_on[item];
	}
	if (results)
		bsl_memcpy(results, survey->results, sizeof(survey->results));
	bf_os_free(survey);
	return error;
}
