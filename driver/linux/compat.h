/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything in which the kernels from 6.1 on differ. */
#ifndef BF_LINUX_COMPAT_H
#define BF_LINUX_COMPAT_H

#include <asm/msr.h>
#include <linux/version.h>

/* MSR accessors got the suffix q in 6.16, and the old names went later. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define bf_compat_rdmsr_safe(msr, value) rdmsrq_safe(msr, value)
#define bf_compat_wrmsr_safe(msr, value) wrmsrq_safe(msr, value)
#else
#define bf_compat_rdmsr_safe(msr, value) rdmsrl_safe(msr, value)
#define bf_compat_wrmsr_safe(msr, value) wrmsrl_safe(msr, value)
#endif

#endif
