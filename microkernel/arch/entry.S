/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways into ring 0 (from the loader, by SYSCALL, by exception) and the way into ring 3. The
 * ways out of and into the guest are in svm/entry.S and vmx/entry.S.
 */
#include <abi/cpu_state.h>
#include <abi/handoff.h>
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/gprs.h>

#include "arch/trap.h"

#define SYSCALL_LENGTH 2

/* struct bf_mk_head */
	.section .head, "ax"
	.quad	BF_HANDOFF_MAGIC
	.quad	BF_HANDOFF_VERSION

	.section .text, "ax"

/* Backtraces end where ring 0 was entered. */
	.cfi_sections .debug_frame
	.macro entry_begins
	.cfi_startproc
	.cfi_undefined rip
	.endm

/*
 * From bf_switch_enter: its stack, its descriptor tables, the PP's page table. Interrupts are off.
 */
	.globl mk_enter
	.type mk_enter, @function
mk_enter:
	entry_begins
	endbr64
	movabs	$BF_PP_STACK_TOP, %rsp
	xor	%ebp, %ebp
	call	mk_main
	ud2
	.cfi_endproc
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
	entry_begins
	push_syscall_frame
	mov	%rsp, %rdi
	mov	%rax, %rsi
	call	syscall_dispatch
	pop_syscall_frame
	sysretq
	.cfi_endproc
	.size mk_syscall, . - mk_syscall

/*
 * The same while the watchdog waits for this PP. If it need not any more, SYSCALL is executed
 * again, which ring 3 does not notice: it changes RCX and R11 in any case.
 */
	.globl mk_syscall_overdue
	.type mk_syscall_overdue, @function
mk_syscall_overdue:
	entry_begins
	push_syscall_frame
	movabs	%rax, BF_PP_STACK_TOP - 8
	mov	%rsp, %rdi
	call	watchdog_syscall
	movabs	BF_PP_STACK_TOP - 8, %rax
	pop_syscall_frame
	sub	$SYSCALL_LENGTH, %rcx
	sysretq
	.cfi_endproc
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
	load_gprs rdi
	mov	BF_GPR_RDI(%rdi), %rdi
	iretq
	.size resume_ring3, . - resume_ring3

/*
 * uint64_t call_ring3(struct kept_stack *kept, const uint64_t *gpr, rip, rsp): what is on the stack
 * is kept, with the registers of the caller that a function preserves.
 */
	.globl call_ring3
	.type call_ring3, @function
call_ring3:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rcx, %r8
	mov	%rsi, %r9
	mov	%rsp, (%rdi)
	movabs	$BF_PP_STACK_TOP, %rcx
	sub	%rsp, %rcx
	cmp	$KEPT_STACK, %rcx
	ja	1f
	add	$KEPT_AT, %rdi
	mov	%rsp, %rsi
	rep movsb
	mov	%r9, %rdi
	mov	%rdx, %rsi
	mov	$MK1_ENTRY_RFLAGS, %edx
	mov	%r8, %rcx
	jmp	resume_ring3
1:	ud2
	.size call_ring3, . - call_ring3

/* void return_to_kept(struct kept_stack *kept, uint64_t status): from call_ring3. */
	.globl return_to_kept
	.type return_to_kept, @function
return_to_kept:
	mov	%rsi, %rax
	mov	(%rdi), %rsp
	movabs	$BF_PP_STACK_TOP, %rcx
	sub	%rsp, %rcx
	lea	KEPT_AT(%rdi), %rsi
	mov	%rsp, %rdi
	rep movsb
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size return_to_kept, . - return_to_kept

	.globl save_registers
	.type save_registers, @function
save_registers:
	save_gprs rdi
	mov	%rdi, BF_GPR_RDI(%rdi)
	mov	(%rsp), %rax
	mov	%rax, TRAP_RIP(%rdi)
	lea	8(%rsp), %rax
	mov	%rax, TRAP_RSP(%rdi)
	pushfq
	pop	TRAP_RFLAGS(%rdi)
	ret
	.size save_registers, . - save_registers

	.globl halt
	.type halt, @function
halt:
	hlt
	jmp	halt
	.size halt, . - halt

	.globl wait_for_nmi
	.type wait_for_nmi, @function
	.globl wait_for_nmi_end
wait_for_nmi:
	cmp	%esi, (%rdi)
	jne	wait_for_nmi_end
	hlt
wait_for_nmi_end:
	ret
	.size wait_for_nmi, . - wait_for_nmi

	.globl take_interrupt
	.type take_interrupt, @function
	.globl take_interrupt_end
take_interrupt:
	sti
	nop
	cli
take_interrupt_end:
	ret
	.size take_interrupt, . - take_interrupt

/* --- exceptions and interrupts: 256 stubs of 16 bytes ----------------------------------------- */

	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	endbr64
	.if !(VECTOR_HAS_ERROR_CODE(vector))
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

	.type trap_common, @function
trap_common:
	entry_begins
	sub	$BF_GPR_BYTES, %rsp
	save_gprs rsp
	cld
	mov	%rsp, %rdi
	call	trap_dispatch
	load_gprs rsp
	add	$(BF_GPR_BYTES + 16), %rsp	/* the vector and the error code, too */
	iretq
	.cfi_endproc
	.size trap_common, . - trap_common

	.section .note.GNU-stack, "", @progbits
