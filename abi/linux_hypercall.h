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

/*
 * Of the variables of bf_hypercall. Where the compiler puts calls of its own between statements, as
 * for KASAN and KCOV, none may come between these: it would change r8 to r11.
 */
#define BF_HYPERCALL_ASM(insn) \
	do { \
		register u64 r8 asm("r8") = word8; \
		register u64 r9 asm("r9") = word9; \
		register u64 r10 asm("r10") = word10; \
		register u64 r11 asm("r11") = word11; \
\
		asm volatile("1:	" insn "\n" \
			     "	movb	$1, %[yes]\n" \
			     "2:\n" _ASM_EXTABLE(1b, 2b) \
			     : "+a"(rax), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "+r"(r8), \
			       "+r"(r9), "+r"(r10), "+r"(r11), [yes] "+m"(answered) \
			     : \
			     : "memory", "cc"); \
		word8 = r8; \
		word9 = r9; \
		word10 = r10; \
		word11 = r11; \
	} while (0)

/*
 * false: #UD, no hypervisor answers, and regs is what it was. true: one has answered, which need
 * not be ours: an outer one may.
 */
static __always_inline bool bf_hypercall(struct bf_hypercall_regs *regs)
{
	u64 rax = regs->rax, rcx = regs->rcx, rdx = regs->rdx, rsi = regs->rsi, rdi = regs->rdi;
	u64 word8 = regs->r8, word9 = regs->r9, word10 = regs->r10, word11 = regs->r11;
	bool answered = false;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		BF_HYPERCALL_ASM("vmmcall");
	else
		BF_HYPERCALL_ASM("vmcall");
	*regs = (struct bf_hypercall_regs){ rax, rcx, rdx, rsi, rdi, word8, word9, word10, word11 };
	return answered;
}

#endif /* __KERNEL__ */
#endif
