/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything in which the kernels from 6.1 on differ. */
#ifndef BF_LINUX_COMPAT_H
#define BF_LINUX_COMPAT_H

#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/tlbflush.h>
#include <linux/hrtimer.h>
#include <linux/version.h>

/* MSR accessors got the suffix q in 6.16, and the old names went later. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define bf_compat_rdmsr_safe(msr, value) rdmsrq_safe(msr, value)
#define bf_compat_wrmsr_safe(msr, value) wrmsrq_safe(msr, value)
#else
#define bf_compat_rdmsr_safe(msr, value) rdmsrl_safe(msr, value)
#define bf_compat_wrmsr_safe(msr, value) wrmsrl_safe(msr, value)
#endif

/*
 * A timer of this CPU alone, whose function runs with interrupts off. hrtimer_setup came in 6.13.
 */
#define BF_COMPAT_TIMER_MODE HRTIMER_MODE_REL_PINNED_HARD
static inline void bf_compat_timer_setup(struct hrtimer *timer,
					 enum hrtimer_restart (*function)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, BF_COMPAT_TIMER_MODE);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, BF_COMPAT_TIMER_MODE);
	timer->function = function;
#endif
}

/* Pages of a process are waited for up to any signal, as of 6.2; before, one that kills. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define BF_COMPAT_FOLL_INTERRUPTIBLE FOLL_INTERRUPTIBLE
#else
#define BF_COMPAT_FOLL_INTERRUPTIBLE 0
#endif

/*
 * Marks VMX as in use: CR4.VMXE of this CPU and in Linux's copy of CR4. From 6.18 on, only KVM may
 * change CR4. KVM (since 6.3) reads CPUID of each CPU before it uses VMX, and the extension hides
 * it there.
 */
static inline void bf_compat_mark_vmx(bool in_use)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	if (in_use)
		cr4_set_bits_irqsoff(X86_CR4_VMXE);
	else
		cr4_clear_bits_irqsoff(X86_CR4_VMXE);
#endif
}

/*
 * The kernel's mitigation of VMSCAPE, where the CPU needs it and nobody has switched it off: an
 * IBPB before this CPU returns to user space the next time. Stable kernels have it since 6.1.152,
 * 6.6.106 and 6.12.47, all since 6.17.
 */
static inline bool bf_compat_has_ibpb_to_user(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	return cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER);
#else
	return false;
#endif
}

static inline void bf_compat_ibpb_to_user(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/*
 * The member of struct kvm_run that user space may change at any time: since 6.11 the kernel has it
 * under a name that reminds of that.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define bf_compat_immediate_exit immediate_exit__unsafe
#else
#define bf_compat_immediate_exit immediate_exit
#endif

#endif
