/* SPDX-License-Identifier: MIT */
/*
 * Into C++ and out of it. What the C++ library and a compiler make of C++ uses the registers of SSE
 * and x87, which hold the guest's values: so these are saved before, and the guest has them back
 * afterwards. Instructions without a VEX prefix leave the upper halves of YMM and ZMM alone, so
 * that the 512 bytes of FXSAVE are all there is to save.
 *
 * These functions have no .eh_frame: an exception that nobody has caught by then is not handed on
 * through C, but found by the unwinder to have no handler, with the whole stack still there for the
 * report. Debuggers, and bfm, find the way by .debug_frame.
 */
	.cfi_sections .debug_frame
	.text

	.set MXCSR, 512 /* of the 528 bytes on the stack: the value that C++ begins with */
	.set OUTER, 520 /* and what ext_cxx_saved was */

/*
 * uint64_t ext_cxx_enter(function, a0, a1, a2, a3, a4): calls function(a0, a1, a2, a3, a4), with
 * the FPU as a process finds it, and returns what it returns. May be nested.
 */
	.globl ext_cxx_enter
	.hidden ext_cxx_enter
	.balign 16
	.type ext_cxx_enter, @function
ext_cxx_enter:
	.cfi_startproc
	pushq %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq %rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq $528, %rsp
	andq $-16, %rsp /* the C part of an extension need not have it aligned */
	fxsave64 (%rsp)
	movq %fs:ext_cxx_saved@tpoff, %rax
	movq %rax, OUTER(%rsp)
	testq %rax, %rax
	cmovzq %rsp, %rax
	movq %rax, %fs:ext_cxx_saved@tpoff
	fninit
	movl $0x1F80, MXCSR(%rsp) /* after a reset: SDM vol. 1 §10.2.3 */
	ldmxcsr MXCSR(%rsp)
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq %r8, %rcx
	movq %r9, %r8
	call *%rax
	movq OUTER(%rsp), %rdx
	movq %rdx, %fs:ext_cxx_saved@tpoff
	fxrstor64 (%rsp)
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size ext_cxx_enter, . - ext_cxx_enter

/*
 * void ext_cxx_fpu_restore(void): the guest has its registers back, for an extension that fails.
 * Nothing may use them after that.
 */
	.globl ext_cxx_fpu_restore
	.hidden ext_cxx_fpu_restore
	.balign 16
	.type ext_cxx_fpu_restore, @function
ext_cxx_fpu_restore:
	.cfi_startproc
	movq %fs:ext_cxx_saved@tpoff, %rax
	testq %rax, %rax
	jz 1f
	fxrstor64 (%rax)
1:	ret
	.cfi_endproc
	.size ext_cxx_fpu_restore, . - ext_cxx_fpu_restore

/* Where the outermost ext_cxx_enter on this PP has saved them; 0: none is under way. */
	.section .tbss, "awT", @nobits
	.balign 8
	.hidden ext_cxx_saved
	.globl ext_cxx_saved
	.type ext_cxx_saved, @object
	.size ext_cxx_saved, 8
ext_cxx_saved:
	.zero 8

	.section .note.GNU-stack, "", @progbits
