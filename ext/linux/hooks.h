/* SPDX-License-Identifier: MIT */
/*
 * Where exits meet the hooks of ext/libext/frame.h: those of this extension, then those of others
 * (follow.h). Each returns false if nobody says that it is his.
 */
#ifndef EXT_LINUX_HOOKS_H
#define EXT_LINUX_HOOKS_H

#include <ext/libext/frame.h>

extern const struct ext_ops *hooks; /* of this extension; never NULL */

bool hook_exit(struct ext_exit *e);
bool hook_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);
bool hook_rdmsr(struct ext_exit *e, uint32_t msr);
bool hook_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value);

/* Whether somebody is to be asked about CPUID, and all exits take the longer way. */
extern bool hooks_see_cpuid;

#endif
