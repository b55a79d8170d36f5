/* SPDX-License-Identifier: MIT */
/*
 * The MSRs of guests: which ones there are, where each is kept, and what may be written there. It
 * is the same for RDMSR and WRMSR in a guest and for the module. Nothing here looks at the CPU.
 */
#ifndef EXT_GUESTS_MSR_RULES_H
#define EXT_GUESTS_MSR_RULES_H

#include <abi/types.h>

enum msr_place {
	MSR_IN_VS, /* a register of the VS, as it is */
	MSR_IN_VCPU, /* a number that has no effect here */
	MSR_BY_CODE /* it has a meaning of its own: msr.c */
};

/* Of which form values have to be. Others are refused, unless something else is said. */
enum msr_form {
	MSR_ANY,
	MSR_CANONICAL,
	MSR_SYSENTER, /* canonical; on AMD, whose CPUs look at 32 bits, it is made so */
	MSR_LOW, /* 32 bits, the others are ignored */
	MSR_TYPES, /* eight memory types */
	MSR_MICROCODE, /* a guest can write, and changes nothing */
	MSR_AMD_HWCR /* AMD's alone; see msr_rules.c */
};

/* Those that are MSR_IN_VCPU. */
enum msr_kept { MSR_KEPT_MISC_ENABLE, MSR_KEPT_UCODE_REV, MSR_KEPT_HWCR, MSR_NR_KEPT };

struct msr_rule {
	uint32_t msr;
	uint8_t place; /* enum msr_place */
	uint8_t form; /* enum msr_form */
	uint8_t amd, intel; /* MSR_IN_VS: register numbers */
	uint8_t kept; /* MSR_IN_VCPU: enum msr_kept */
	bool listed; /* whoever saves a vCPU has to save it; else it is part of something else */
};

/* NULL: guests have no such MSR on this vendor's CPUs. */
const struct msr_rule *msr_find(uint32_t msr);

/* The n-th of those that are listed; NULL: there are not so many. */
const struct msr_rule *msr_listed(unsigned int n);

/* Whether *value can be written; if so, it becomes what is written. */
bool msr_check(const struct msr_rule *rule, uint64_t *value);

/* What MSR_IN_VCPU has after reset. */
uint64_t msr_reset_value(enum msr_kept kept);

#endif
