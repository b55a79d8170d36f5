/* SPDX-License-Identifier: MIT */
/* The path of nearly every exit: no call, no memory but the ABI page, one syscall. */
#ifndef EXT_LINUX_FAST_H
#define EXT_LINUX_FAST_H

#include <bsl/compiler.h>
#include <ext/linux/cpuid.h>
#include <ext/linux/hooks.h>
#include <ext/libext/libext.h>

/*
 * Tries to answer a CPUID exit as the CPU does and to run the guest after the instruction. The
 * caller goes on, with the guest as it was, for leaves that need more than that, and if the
 * microkernel refuses to run the guest.
 */
static inline void fast_cpuid(void)
{
	uint32_t leaf = (uint32_t)mk1_rax();
	uint64_t rax = leaf, rbx, rcx = mk1_rcx(), rdx;

	if (unlikely(hooks_see_all || cpuid_is_special(leaf)))
		return;
	/* In 64-bit mode it zeroes the upper halves. */
	__asm__ volatile("cpuid" : "+a"(rax), "=b"(rbx), "+c"(rcx), "=d"(rdx));
	mk1_set_rax(rax);
	mk1_set_rbx(rbx);
	mk1_set_rcx(rcx);
	mk1_set_rdx(rdx);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
}

#endif
