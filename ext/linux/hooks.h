/* SPDX-License-Identifier: MIT */
/* Where exits meet the hooks of ext/libext/frame.h. Each returns false if there is none. */
#ifndef EXT_LINUX_HOOKS_H
#define EXT_LINUX_HOOKS_H

#include <ext/libext/frame.h>

extern const struct ext_ops *hooks; /* never NULL */

bool hook_exit(struct ext_exit *e);
bool hook_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);
bool hook_rdmsr(struct ext_exit *e, uint32_t msr);
bool hook_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value);

/* Whether CPUID needs no answer but the CPU's own: fast.h. */
static inline bool hooks_leave_cpuid(void)
{
	return !hooks->exit && !hooks->cpuid;
}

#endif
