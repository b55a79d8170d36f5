/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX world switch. VM entry and exit switch RSP, RIP, RFLAGS, the control and segment registers
 * and what the MSR lists name; the other general registers go straight between the CPU and the ABI
 * page, where the extension finds them.
 */
#include <abi/cpu_state.h>
#include <abi/layout.h>
#include <bsl/gprs.h>

#include "pp.h"

	.section .text, "ax"

	.macro load_guest_gprs
	movabs	$(BF_PP_ABI + MK1_TLS_GPRS), %rax
	load_gprs rax
	mov	BF_GPR_RAX(%rax), %rax
	.endm

/* void vmx_enter(bool launched): goes on in vmx_exit_entry or vmx_entry_failed. */
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
#ifdef BF_FAULTS
	mov	%edi, %r12d
	call	vmx_fault_entry
	mov	%r12d, %edi
#endif
	test	%dil, %dil
	jnz	vmx_resume
	load_guest_gprs
	vmlaunch
	jmp	1f
	.size vmx_enter, . - vmx_enter

/* The same for a VMCS that has been launched. */
	.globl vmx_resume
	.type vmx_resume, @function
vmx_resume:
#ifdef BF_FAULTS
	call	vmx_fault_entry
#endif
	load_guest_gprs
	vmresume
1:	pushfq			/* still here: CF or ZF tells why (SDM vol. 3 §33.2) */
	pop	%rdi
	movabs	$BF_PP_STACK_TOP, %rsp
	call	vmx_entry_failed
	ud2
	.size vmx_resume, . - vmx_resume

/* Where a VM exit arrives, with RSP at the top of the PP's stack. */
	.globl vmx_exit_entry
	.type vmx_exit_entry, @function
vmx_exit_entry:
	movabs	%rax, (BF_PP_ABI + MK1_TLS_GPRS + BF_GPR_RAX)
	movabs	%rax, (BF_PP_DATA + PP_EXIT_GPRS + BF_GPR_RAX)
	movabs	$(BF_PP_ABI + MK1_TLS_GPRS), %rax
	save_gprs rax
	save_gprs rax, at=PP_EXIT_GPRS_REL
	call	vmx_exit
	ud2
	.size vmx_exit_entry, . - vmx_exit_entry

	.section .note.GNU-stack, "", @progbits
