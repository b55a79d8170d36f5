/* SPDX-License-Identifier: MIT */
/*
 * Where the microkernel enters an extension: RDI = mask of specifications, RSP = top of the stack,
 * which is 16-byte aligned, so that CALL makes it what the sysv ABI asks for. RBP = 0 ends
 * backtraces.
 */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	call libext_start
	ud2
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
