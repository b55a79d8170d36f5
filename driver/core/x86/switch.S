/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Switches a CPU from Linux to the microkernel and back. This is one page, which the microkernel's
 * page tables map at the same address (as a private copy), so nothing in it may refer to anything
 * outside of it. Every target of an indirect branch or an interrupt begins with endbr64.
 *
 * During the switch, the switch page's own GDT and IDT are in use. They handle one event, the NMI;
 * everything else that can arrive is masked (RFLAGS.IF) or fatal anyway (#MC).
 */
#include <abi/cpu_state.h>
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/gprs.h>

/* Linux's objtool cannot follow the stack of these functions. */
#ifdef __KERNEL__
#include <linux/objtool.h>
#define NO_STACK_FRAME(function) STACK_FRAME_NON_STANDARD function
#else
#define NO_STACK_FRAME(function)
#endif

/*
 * Linux puts no probes into that section. A breakpoint would meet the switch page's IDT, or root
 * mode's page table.
 */
#ifdef __ELF__
#ifdef __KERNEL__
#define SECTION .section .noinstr.text, "ax", @progbits
#else
#define SECTION .section .text.bf_switch, "ax", @progbits
#endif
#define TYPE(symbol, kind) .type symbol, @kind
#define SIZE(symbol, bytes) .size symbol, bytes
#define NO_EXECUTABLE_STACK .section .note.GNU-stack, "", @progbits
#else /* COFF */
#define SECTION .section .text$bf_switch, "xr"
#define TYPE(symbol, kind)
#define SIZE(symbol, bytes)
#define NO_EXECUTABLE_STACK
#endif

#define TABLE_LIMIT 6 /* of struct bf_table: where the operand of LGDT and LIDT begins */

	SECTION
	.balign BF_PAGE_SIZE

/* The value is 0 if the CPU does not have the MSR, or it was not in use. */
	.macro if_used action, msr, offset
	cmpq	$0, \offset(%rdi)
	je	1f
	\action \msr, \offset
1:
	.endm

	.macro stop_msr msr, offset
	mov	$\msr, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	.endm

	.globl bf_switch_code
	TYPE(bf_switch_code, object)
bf_switch_code:

/*
 * uint64_t bf_switch_enter(struct bf_switch_page *page, uint64_t cr3, uint64_t entry): what it
 * saves is the state of its caller after the return, so loading that state returns from here. Weak,
 * because objtool would conclude from a strong one that it never does.
 */
	.weak bf_switch_enter
	TYPE(bf_switch_enter, function)
bf_switch_enter:
	endbr64
	movq	$0, BF_GPR_RAX(%rdi)
	mov	%rbx, BF_GPR_RBX(%rdi)
	mov	%rbp, BF_GPR_RBP(%rdi)
	mov	%r12, BF_GPR_R12(%rdi)
	mov	%r13, BF_GPR_R13(%rdi)
	mov	%r14, BF_GPR_R14(%rdi)
	mov	%r15, BF_GPR_R15(%rdi)
	pushfq
	pop	BF_CS_RFLAGS(%rdi)
	pop	BF_CS_RIP(%rdi)
	mov	%rsp, BF_CS_RSP(%rdi)

	/* The stack first: an NMI needs one that is mapped on both sides. */
	lea	BF_SWITCH_STACK_TOP(%rdi), %rsp
	lidt	(BF_SWITCH_IDTR + TABLE_LIMIT)(%rdi)
	lgdt	(BF_SWITCH_GDTR + TABLE_LIMIT)(%rdi)
	mov	%rdx, %r8

	/*
	 * Stop counters and trace once more: the handler of an NMI that came after bf_cpu_quiesce
	 * may have restarted them. From here on no handler of Linux's runs.
	 */
	if_used	stop_msr, MSR_PERF_GLOBAL_CTRL, BF_CS_PERF_GLOBAL_CTRL
	if_used	stop_msr, MSR_RTIT_CTL, BF_CS_RTIT_CTL
	if_used	stop_msr, MSR_LBR_CTL, BF_CS_LBR_CTL
	if_used	stop_msr, MSR_DEBUGCTL, BF_CS_DEBUGCTL

	/*
	 * Root mode's own CR4, before anything of root mode is accessed: without CET there is no
	 * ENDBR where IRET goes, without LASS the window in the lower half can be reached, and
	 * without PGE Linux's global translations go, so that none of another page size meets ours.
	 * Clearing PCIDE is allowed with any CR3; what Linux's PCID means then (PWT and PCD) does
	 * not outlive the next but few instructions (SDM vol. 3 §2.5, §5.10.4.1).
	 */
	mov	BF_SWITCH_HOST_CR4(%rdi), %rax
	mov	%rax, %cr4
	/* Root mode's page tables use NX, which Linux may not have enabled. */
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_NXE, %eax
	wrmsr
	mov	%rsi, %cr3

	/*
	 * IRET: a jump that also loads SS, which Linux may have as null, and that needs no thunk.
	 */
	mov	%rsp, %rax
	push	$BF_SEL_KERNEL_SS
	push	%rax
	pushfq
	push	$BF_SEL_KERNEL_CS
	push	%r8
	iretq
	SIZE(bf_switch_enter, . - bf_switch_enter)
NO_STACK_FRAME(bf_switch_enter)

/*
 * Loads a data segment register from the selector at \offset of the switch page. A selector that
 * the tables no longer allow would fault where nothing can handle it: it becomes null.
 */
	.macro load_segment register, offset
	movzwl	\offset(%rdi), %eax
	test	$0xFFFC, %eax
	jz	1f
	verr	%ax
	jnz	2f
	lar	%eax, %ecx
	test	$LAR_P, %ecx
	jnz	1f
2:	xor	%eax, %eax
1:	mov	%eax, %\register
	.endm

	.macro write_msr msr, offset
	mov	$\msr, %ecx
	mov	\offset(%rdi), %eax
	mov	(\offset + 4)(%rdi), %edx
	wrmsr
	.endm

/* void bf_switch_leave(struct bf_switch_page *page): does not return */
	.globl bf_switch_leave
	TYPE(bf_switch_leave, function)
bf_switch_leave:
	endbr64
	lea	BF_SWITCH_STACK_TOP(%rdi), %rsp
	lidt	(BF_SWITCH_IDTR + TABLE_LIMIT)(%rdi)
	lgdt	(BF_SWITCH_GDTR + TABLE_LIMIT)(%rdi)

	/*
	 * CR4 first: CR3 may carry a PCID only once CR4.PCIDE is set, and that needs CR3[11:0] = 0;
	 * CR4.CET needs CR0.WP, which root mode has set. From here on nothing may be accessed that
	 * is not Linux's, and no indirect branch may lead to anything but ENDBR. NX is in root
	 * mode's tables until CR3 has changed.
	 */
	mov	BF_CS_CR4(%rdi), %rax
	mov	%rax, %cr4
	mov	BF_CS_CR3(%rdi), %rax
	mov	%rax, %cr3
	mov	BF_CS_CR0(%rdi), %rax
	mov	%rax, %cr0
	write_msr MSR_EFER, BF_CS_EFER

	lgdt	(BF_CS_GDTR + TABLE_LIMIT)(%rdi)
	lldt	BF_CS_LDTR(%rdi)
	load_segment es, BF_CS_ES
	load_segment ds, BF_CS_DS
	load_segment fs, BF_CS_FS
	load_segment gs, BF_CS_GS
	write_msr MSR_FS_BASE, BF_CS_FS + BF_SEG_BASE
	write_msr MSR_GS_BASE, BF_CS_GS + BF_SEG_BASE

	/*
	 * Linux's handlers of NMIs and machine checks need all of the above, so its IDT comes last.
	 */
	lidt	(BF_CS_IDTR + TABLE_LIMIT)(%rdi)

	/* Restart counters and trace: they may write to Linux's memory, and cause an NMI. */
	if_used	write_msr, MSR_DEBUGCTL, BF_CS_DEBUGCTL
	if_used	write_msr, MSR_LBR_CTL, BF_CS_LBR_CTL
	if_used	write_msr, MSR_RTIT_CTL, BF_CS_RTIT_CTL
	if_used	write_msr, MSR_PERF_GLOBAL_CTRL, BF_CS_PERF_GLOBAL_CTRL

	cmpl	$0, BF_SWITCH_MC(%rdi)
	je	1f
	movl	$0, BF_SWITCH_MC(%rdi)
	int	$VECTOR_MC
1:
	movzwl	BF_CS_SS(%rdi), %eax
	push	%rax
	push	BF_CS_RSP(%rdi)
	push	BF_CS_RFLAGS(%rdi)
	movzwl	BF_CS_CS(%rdi), %eax
	push	%rax
	push	BF_CS_RIP(%rdi)
	load_gprs rdi
	mov	BF_GPR_RDI(%rdi), %rdi
	iretq
	SIZE(bf_switch_leave, . - bf_switch_leave)
NO_STACK_FRAME(bf_switch_leave)

/*
 * The NMI handler of the switch page's IDT: records the NMI for the side that gets the CPU, be it
 * the microkernel or, when Linux runs again, the loader. The switch page is found by the IDT, which
 * lies in it; RSP may already be the microkernel's.
 */
	.globl bf_switch_nmi
	TYPE(bf_switch_nmi, function)
bf_switch_nmi:
	endbr64
	push	%rax
	sub	$16, %rsp
	sidt	TABLE_LIMIT(%rsp)
	mov	8(%rsp), %rax
	add	$16, %rsp
	and	$~BF_PAGE_MASK, %rax
	movl	$1, BF_SWITCH_NMI(%rax)
	pop	%rax
	iretq
	SIZE(bf_switch_nmi, . - bf_switch_nmi)
NO_STACK_FRAME(bf_switch_nmi)

	/* One page, exactly: the assembler stops here if it is not. */
	.org bf_switch_code + BF_PAGE_SIZE, 0xCC
	SIZE(bf_switch_code, BF_PAGE_SIZE)

	NO_EXECUTABLE_STACK
