/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SVM world switch (APM vol. 2 §15.5). VMRUN and #VMEXIT switch RAX, RSP, RIP, RFLAGS, the control
 * registers, EFER and CS, SS, DS, ES, GDTR, IDTR; VMLOAD and VMSAVE the rest of the segments and
 * the MSRs behind SYSCALL and SYSENTER. The guest's other general registers go straight between the
 * CPU and the ABI page, where the extension finds them.
 */
#include <abi/cpu_state.h>
#include <abi/layout.h>
#include <bsl/gprs.h>

#include "pp.h"

	.section .text, "ax"

	.globl svm_enter
	.type svm_enter, @function
svm_enter:
#ifdef BF_FAULTS
	mov	%rdi, %r12
	call	svm_fault_entry
	mov	%r12, %rdi
#endif
	/*
	 * For a guest with V_INTR_MASKING this is the flag that holds physical interrupts back. GIF
	 * is clear on both sides of VMRUN, so none arrives here; nor does the shadow of STI reach
	 * VMRUN.
	 */
	sti
	mov	%rdi, %rax
	movabs	$(BF_PP_ABI + MK1_TLS_GPRS), %r15
	load_gprs r15, rax
	mov	BF_GPR_R15(%r15), %r15
	vmload	%rax
	vmrun	%rax
	/*
	 * In Bochs a single-step trap of the guest's arrives here. Its stack is named by the TSS,
	 * which is still the guest's, so that it becomes a page fault; and then it is gone.
	 */
1:	vmsave	%rax
	.pushsection .extable, "a"
	.balign	8
	.quad	1b, 3f
	.popsection
2:
	cli
	movabs	$BF_PP_STACK_TOP, %rsp
	movabs	$(BF_PP_ABI + MK1_TLS_GPRS), %rax
	save_gprs rax
	save_gprs rax, at=PP_EXIT_GPRS_REL
	movabs	(BF_PP_DATA + PP_HOST_VMCB), %rax
	vmload	%rax
	stgi			/* NMIs find everything that their handler needs */
	call	svm_exit
	ud2
3:	vmsave	%rax
	jmp	2b
	.size svm_enter, . - svm_enter

	.section .note.GNU-stack, "", @progbits
