/* SPDX-License-Identifier: MIT */
/* The way nearly every exit takes: no call, no memory but the ABI page, one syscall. */
#ifndef EXT_DEFAULT_FAST_H
#define EXT_DEFAULT_FAST_H

#include <ext/default/cpuid.h>
#include <ext/libext/libext.h>

/*
 * Answers a CPUID exit as the CPU does and goes on behind the instruction. Returns when the leaf
 * takes more than that, with nothing changed, or when the microkernel refuses to go on.
 */
static inline void fast_cpuid(void)
{
	uint32_t leaf = (uint32_t)mk1_rax();
	struct cpuid_regs regs;

	if (__builtin_expect(cpuid_is_special(leaf), 0))
		return;
	regs = cpuid(leaf, (uint32_t)mk1_rcx());
	mk1_set_rax(regs.eax);
	mk1_set_rbx(regs.ebx);
	mk1_set_rcx(regs.ecx);
	mk1_set_rdx(regs.edx);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
}

#endif
