/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways into ring 0 (from the loader, by SYSCALL, by exception) and the way into ring 3. The
 * ways out of and into the guest are in svm/entry.S and vmx/entry.S.
 */
#include <abi/cpu_state.h>
#include <abi/handoff.h>
#include <abi/layout.h>

#define SYSCALL_LENGTH 2

/* struct bf_mk_head */
	.section .head, "ax"
	.quad	BF_HANDOFF_MAGIC
	.quad	BF_HANDOFF_VERSION

	.section .text, "ax"

/*
 * From bf_switch_enter: its stack, its descriptor tables, the PP's page table. Interrupts are off.
 */
	.globl mk_enter
	.type mk_enter, @function
mk_enter:
	endbr64
	movabs	$BF_PP_STACK_TOP, %rsp
	xor	%ebp, %ebp
	call	mk_main
	ud2
	.size mk_enter, . - mk_enter

/*
 * SYSCALL from ring 3. RCX holds the return address; R11 (RFLAGS) is free for use at once, because
 * FMASK leaves the arithmetic flags, DF and ID as ring 3 had them: pushfq still finds them.
 */
	.macro push_syscall_frame
	mov	%rsp, %r11
	movabs	$BF_PP_STACK_TOP, %rsp
	push	%r11		/* twice: it keeps the stack aligned, and has room for one more */
	push	%r11
	pushfq
	push	%rcx
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	cld
	.endm

	.macro pop_syscall_frame
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%rcx
	pop	%r11
	pop	%rsp
	.endm

	.globl mk_syscall
	.type mk_syscall, @function
mk_syscall:
	push_syscall_frame
	mov	%rsp, %rdi
	mov	%rax, %rsi
	call	syscall_dispatch
	pop_syscall_frame
	sysretq
	.size mk_syscall, . - mk_syscall

/*
 * The same while the watchdog waits for this PP. If it need not any more, SYSCALL is executed
 * again, which ring 3 does not notice: it changes RCX and R11 in any case.
 */
	.globl mk_syscall_overdue
	.type mk_syscall_overdue, @function
mk_syscall_overdue:
	push_syscall_frame
	movabs	%rax, BF_PP_STACK_TOP - 8
	mov	%rcx, %rdi
	call	watchdog_syscall
	movabs	BF_PP_STACK_TOP - 8, %rax
	pop_syscall_frame
	sub	$SYSCALL_LENGTH, %rcx
	sysretq
	.size mk_syscall_overdue, . - mk_syscall_overdue

/* void enter_ring3(arg0, arg1, rsp, rip): every register that is not one of these is 0. */
	.globl enter_ring3
	.type enter_ring3, @function
enter_ring3:
	mov	%rdx, %rsp
	mov	$MK1_ENTRY_RFLAGS, %r11d
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	sysretq
	.size enter_ring3, . - enter_ring3

/*
 * void resume_ring3(const uint64_t *gpr, rip, rflags, rsp): all registers as in gpr, which is in
 * the order of enum bf_gpr.
 */
	.globl resume_ring3
	.type resume_ring3, @function
resume_ring3:
	push	$BF_SEL_USER_SS
	push	%rcx
	push	%rdx
	push	$BF_SEL_USER_CS
	push	%rsi
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
	iretq
	.size resume_ring3, . - resume_ring3

/* --- exceptions and interrupts: 256 stubs of 16 bytes ----------------------------------------- */

/* The vectors whose frame carries an error code: SDM vol. 3 §6.13. */
#define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || \
			   (v) == 29 || (v) == 30)

	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	endbr64
	.if !(HAS_ERROR_CODE(vector))
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

	.type trap_common, @function
trap_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rdx
	push	%rcx
	push	%rbx
	push	%rax
	cld
	mov	%rsp, %rdi
	call	trap_dispatch
	pop	%rax
	pop	%rbx
	pop	%rcx
	pop	%rdx
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq
	.size trap_common, . - trap_common

	.section .note.GNU-stack, "", @progbits
