// SPDX-License-Identifier: MIT
/* The MSRs of guests: see msr_rules.h. */
#include <abi/hw/x86.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <bsl/paging.h>
#include <ext/guests/msr_rules.h>
#include <ext/guests/rules.h>

#define LINEAR_BITS 48
#define LINEAR_LEVELS 4

#define NR(rules) (sizeof(rules) / sizeof((rules)[0]))

#define IN_VS(number, how, name, is_listed) \
	{ .msr = (number), \
	  .place = MSR_IN_VS, \
	  .form = (how), \
	  .amd = MK1_AMD_##name, \
	  .intel = MK1_INTEL_##name, \
	  .listed = (is_listed) }
#define IN_VCPU(number, how, what) \
	{ .msr = (number), .place = MSR_IN_VCPU, .form = (how), .kept = (what), .listed = true }
#define BY_CODE(number, is_listed) \
	{ .msr = (number), .place = MSR_BY_CODE, .form = MSR_ANY, .listed = (is_listed) }

static const struct msr_rule rules[] = {
	IN_VS(MSR_SYSENTER_CS, MSR_LOW, sysenter_cs, true),
	IN_VS(MSR_SYSENTER_ESP, MSR_SYSENTER, sysenter_esp, true),
	IN_VS(MSR_SYSENTER_EIP, MSR_SYSENTER, sysenter_eip, true),
	IN_VS(MSR_STAR, MSR_ANY, star, true),
	IN_VS(MSR_LSTAR, MSR_CANONICAL, lstar, true),
	IN_VS(MSR_CSTAR, MSR_CANONICAL, cstar, true),
	IN_VS(MSR_FMASK, MSR_LOW, fmask, true),
	IN_VS(MSR_KERNEL_GS_BASE, MSR_CANONICAL, kernel_gs_base, true),
	IN_VS(MSR_PAT, MSR_TYPES, pat, true),
	BY_CODE(MSR_TSC, true),
	BY_CODE(MSR_TSC_ADJUST, true),
	BY_CODE(MSR_TSC_AUX, true),
	IN_VCPU(MSR_MISC_ENABLE, MSR_ANY, MSR_KEPT_MISC_ENABLE),
	IN_VCPU(MSR_UCODE_REV, MSR_MICROCODE, MSR_KEPT_UCODE_REV),
	IN_VCPU(MSR_HWCR, MSR_AMD_HWCR, MSR_KEPT_HWCR),
	/* of struct guests_sregs */
	IN_VS(MSR_FS_BASE, MSR_CANONICAL, fs_base, false),
	IN_VS(MSR_GS_BASE, MSR_CANONICAL, gs_base, false),
	BY_CODE(MSR_EFER, false),
};

static bool is_there(const struct msr_rule *rule)
{
	return is_svm || rule->form != MSR_AMD_HWCR;
}

const struct msr_rule *msr_find(uint32_t msr)
{
	for (size_t i = 0; i < NR(rules); i++) {
		if (rules[i].msr == msr && is_there(&rules[i]))
			return &rules[i];
	}
	return NULL;
}

const struct msr_rule *msr_listed(unsigned int n)
{
	for (size_t i = 0; i < NR(rules); i++) {
		if (rules[i].listed && is_there(&rules[i]) && !n--)
			return &rules[i];
	}
	return NULL;
}

/*
 * HWCR (APM vol. 2 appendix A, PPR): McStatusWrEn and TscFreqSel can be written; TlbCacheDis, FFDIS
 * and MonMwaitUserEn, which systems set, are ignored, as KVM has it.
 */
#define HWCR_KEPT 0x1040000ull
#define HWCR_IGNORED 0x148ull

bool msr_check(const struct msr_rule *rule, uint64_t *value)
{
	const unsigned int unused = 64 - LINEAR_BITS;

	switch (rule->form) {
	case MSR_SYSENTER:
		if (is_svm)
			*value = (uint64_t)((int64_t)(*value << unused) >> unused);
		return bsl_is_canonical(*value, LINEAR_LEVELS);
	case MSR_CANONICAL:
		return bsl_is_canonical(*value, LINEAR_LEVELS);
	case MSR_LOW:
		*value = (uint32_t)*value;
		return true;
	case MSR_TYPES:
		return rules_pat(*value);
	case MSR_AMD_HWCR:
		*value &= ~HWCR_IGNORED;
		return !(*value & ~HWCR_KEPT);
	default:
		return true;
	}
}

#define MISC_ENABLE_NO_BTS_NO_PEBS 0x1800
#define UCODE_REV_AMD 0x01000065 /* new enough for Linux to know no old bug of */
#define UCODE_REV_INTEL 0x100000000

uint64_t msr_reset_value(enum msr_kept kept)
{
	switch (kept) {
	case MSR_KEPT_MISC_ENABLE:
		return MISC_ENABLE_NO_BTS_NO_PEBS;
	case MSR_KEPT_UCODE_REV:
		return is_svm ? UCODE_REV_AMD : UCODE_REV_INTEL;
	default:
		return 0;
	}
}
