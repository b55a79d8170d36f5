/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL and VMMCALL with somebody else's registers: hypercall.h. */
#include <abi/cpu_state.h>

	.section .text, "ax"

	.macro hypercall name, instruction
	.globl \name
	.type \name, @function
\name:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	BF_GPR_RAX(%rdi), %rax
	mov	BF_GPR_RBX(%rdi), %rbx
	mov	BF_GPR_RCX(%rdi), %rcx
	mov	BF_GPR_RDX(%rdi), %rdx
	mov	BF_GPR_RBP(%rdi), %rbp
	mov	BF_GPR_RSI(%rdi), %rsi
	mov	BF_GPR_R8(%rdi), %r8
	mov	BF_GPR_R9(%rdi), %r9
	mov	BF_GPR_R10(%rdi), %r10
	mov	BF_GPR_R11(%rdi), %r11
	mov	BF_GPR_R12(%rdi), %r12
	mov	BF_GPR_R13(%rdi), %r13
	mov	BF_GPR_R14(%rdi), %r14
	mov	BF_GPR_R15(%rdi), %r15
	mov	BF_GPR_RDI(%rdi), %rdi
	test	%rsp, %rsp	/* CF and ZF are clear: whoever answers leaves them so */
1:	\instruction
	jbe	2f
	xchg	%rdi, (%rsp)
	mov	%rax, BF_GPR_RAX(%rdi)
	mov	%rbx, BF_GPR_RBX(%rdi)
	mov	%rcx, BF_GPR_RCX(%rdi)
	mov	%rdx, BF_GPR_RDX(%rdi)
	mov	%rbp, BF_GPR_RBP(%rdi)
	mov	%rsi, BF_GPR_RSI(%rdi)
	mov	%r8, BF_GPR_R8(%rdi)
	mov	%r9, BF_GPR_R9(%rdi)
	mov	%r10, BF_GPR_R10(%rdi)
	mov	%r11, BF_GPR_R11(%rdi)
	mov	%r12, BF_GPR_R12(%rdi)
	mov	%r13, BF_GPR_R13(%rdi)
	mov	%r14, BF_GPR_R14(%rdi)
	mov	%r15, BF_GPR_R15(%rdi)
	pop	BF_GPR_RDI(%rdi)
	mov	$1, %eax
	jmp	3f
2:	pop	%rdi
	xor	%eax, %eax
3:	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size \name, . - \name
	.pushsection .extable, "a"
	.balign	8
	.quad	1b, 2b
	.popsection
	.endm

	hypercall hypercall_vmcall, vmcall
	hypercall hypercall_vmmcall, vmmcall

	.section .note.GNU-stack, "", @progbits
