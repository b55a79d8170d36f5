/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least that lets Linux run: an extension in assembly, for both vendors, from the document of
 * Mk#1 alone. One text segment and thread_local data; no stack, no data, no fail callback. CPUID
 * leaf 0x4000F00D answers as ext.cc does: EAX how many things were looked at, EBX how many were
 * wrong, EDX how many exits this PP has had.
 */
	.intel_syntax noprefix

	.macro call op, index
	mov	rax, 0x6642 << 48 | \op << 16 | \index
	syscall
	.endm

	/* A call that must succeed. */
	.macro must op, index
	call	\op, \index
	test	rax, rax
	jnz	give_up
	.endm

	/* Register \number of VS R12 becomes \value. */
	.macro set number, value:vararg
	xor	edi, edi
	mov	esi, r12d
	mov	edx, \number
	mov	r10, \value
	must	6, 4
	.endm

	/* ... what is wanted of a control, as capability MSR \msr allows and demands. */
	.macro control number, msr, wanted:vararg
	xor	edi, edi
	mov	esi, \msr
	must	7, 0
	mov	ecx, \wanted
	mov	r10, rdi
	or	r10, rcx
	shr	rdi, 32
	and	r10, rdi
	set	\number, r10
	.endm

	.section .text, "ax"
	.globl _start
_start:
	test	edi, 2
	jz	give_up
	mov	edi, 0x31236642
	must	1, 0
	lea	rsi, [rip + bootstrap]
	must	3, 0
	lea	rsi, [rip + vmexit]
	must	3, 1
	call	0, 1

give_up:
	call	0, 0

bootstrap:
	mov	r13, rdi
	xor	edi, edi
	xor	esi, esi
	must	5, 0
	mov	r14, rdi
	xor	edi, edi
	mov	esi, r14d
	mov	edx, r13d
	must	6, 0
	mov	r12, rdi
	xor	edi, edi
	mov	esi, r12d
	must	6, 2
	xor	eax, eax
	cpuid
	cmp	ebx, 0x756E6547 /* Genu */
	je	intel

	set	28, 1 /* ASID */
	set	20, 1 << 18 /* CPUID */
	set	21, 1 /* VMRUN */
	jmp	run

intel:
	lea	r8, [r12 + 1]
	set	23, r8 /* VPID */
	control	74, 0x48D, 0
	control	75, 0x48E, 1 << 31 | 1 << 28 /* secondary controls, MSR bitmap */
	control	89, 0x48B, 1 << 20 | 1 << 12 | 1 << 5 | 1 << 3 /* XSAVES, INVPCID, VPID, RDTSCP */
	control	80, 0x48F, 0xF << 18 | 1 << 9 | 1 << 2
	control	83, 0x490, 3 << 14 | 1 << 9 | 1 << 2
	xor	edi, edi
	must	8, 0 /* a page of zeroes, for the bitmap */
	mov	r8, rsi
	set	38, r8

run:
	xor	edi, edi
	xor	esi, esi
	mov	edx, r14d
	mov	r10d, r12d
	call	6, 5
	jmp	give_up

vmexit:
	inc	qword ptr fs:exits@tpoff
	cmp	esi, 0x72
	je	on_cpuid
	cmp	esi, 10
	jne	give_up

on_cpuid:
	mov	eax, fs:[0x800]
	mov	ecx, fs:[0x810]
	cmp	eax, 0x400000FF
	je	command
	cmp	eax, 0x4000F00D
	je	verdict
	cpuid
	cmp	dword ptr fs:[0x800], 1
	jne	1f
	btr	ecx, 5 /* VMX */
1:	cmp	dword ptr fs:[0x800], 0x80000001
	jne	answer
	btr	ecx, 2 /* SVM */
answer:
	mov	fs:[0x800], rax
	mov	fs:[0x808], rbx
	mov	fs:[0x810], rcx
	mov	fs:[0x818], rdx
	xor	edi, edi
	call	6, 8
	jmp	give_up

verdict:
	xor	ebx, ebx
	mov	rax, 0x1122334455667788
	cmp	fs:mark@tpoff, rax
	setne	bl
	mov	eax, 1
	xor	ecx, ecx
	mov	rdx, fs:exits@tpoff
	jmp	answer

command:
	mov	qword ptr fs:[0x800], 0
	cmp	ecx, 0xBF000000
	jne	advance
	xor	edi, edi
	movzx	esi, word ptr fs:[0xFF2]
	movzx	edx, word ptr fs:[0xFF4]
	movzx	r10d, word ptr fs:[0xFF6]
	must	6, 13
	movzx	esi, word ptr fs:[0xFF6]
	call	6, 9
	jmp	give_up
advance:
	xor	edi, edi
	call	6, 8
	jmp	give_up

	.section .tdata, "awT", @progbits
mark:
	.quad	0x1122334455667788

	.section .tbss, "awT", @nobits
exits:
	.skip	8

	.section .note.GNU-stack, "", @progbits
