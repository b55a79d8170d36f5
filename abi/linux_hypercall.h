/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of a Linux module to an extension that may not be there: docs/abi/lifecycle.md. For
 * the kernel only, whose exception table turns the #UD of a bare CPU into an answer.
 */
#ifndef BF_LINUX_HYPERCALL_H
#define BF_LINUX_HYPERCALL_H

#ifdef __KERNEL__
#include <asm/asm.h>
#include <asm/processor.h>
#include <linux/types.h>

/* The arguments and results of a call; the extension defines what they mean. */
struct bf_hypercall_regs {
	u64 rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
};

#define BF_HYPERCALL_ASM(insn, regs, answered) \
	asm volatile("1:	" insn "\n" \
		     "	movb	$1, %[yes]\n" \
		     "2:\n" _ASM_EXTABLE(1b, 2b) \
		     : "+a"((regs)->rax), "+c"((regs)->rcx), "+d"((regs)->rdx), "+S"((regs)->rsi), \
		       "+D"((regs)->rdi), "+r"(r8), "+r"(r9), "+r"(r10), \
		       "+r"(r11), [yes] "+m"(answered) \
		     : \
		     : "memory", "cc")

/*
 * false: #UD, no hypervisor answers, and regs is what it was. true: one has answered, which need
 * not be ours: an outer one may.
 */
static inline bool bf_hypercall(struct bf_hypercall_regs *regs)
{
	register u64 r8 asm("r8") = regs->r8;
	register u64 r9 asm("r9") = regs->r9;
	register u64 r10 asm("r10") = regs->r10;
	register u64 r11 asm("r11") = regs->r11;
	bool answered = false;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		BF_HYPERCALL_ASM("vmmcall", regs, answered);
	else
		BF_HYPERCALL_ASM("vmcall", regs, answered);
	regs->r8 = r8;
	regs->r9 = r9;
	regs->r10 = r10;
	regs->r11 = r11;
	return answered;
}

#endif /* __KERNEL__ */
#endif
