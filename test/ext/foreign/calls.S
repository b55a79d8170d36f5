/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mk#1's calls as C functions, and the entry point, for the extension in C++. Written from the
 * document alone, with none of the project's headers: what it has in common with them is the ABI.
 * Pointers for results wait in R8 and R10, which a syscall must not touch.
 */
	.intel_syntax noprefix
	.section .text, "ax"

	.macro function name
	.globl \name
	.type \name, @function
\name:
	.endm

	.macro enter op, index
	mov	rax, 0x6642 << 48 | \op << 16 | \index
	syscall
	.endm

	/* Arguments in registers, no result; the fourth argument is in RCX in C. */
	.macro plain name, op, index
	function \name
	mov	r10, rcx
	enter	\op, \index
	ret
	.size \name, . - \name
	.endm

	/* One result, by the pointer in register out. */
	.macro result name, op, index, out
	function \name
	mov	r10, \out
	enter	\op, \index
	mov	[r10], rdi
	ret
	.size \name, . - \name
	.endm

	/* Two of them. */
	.macro results name, op, index, out0, out1
	function \name
	mov	r10, \out0
	mov	r8, \out1
	enter	\op, \index
	mov	[r10], rdi
	mov	[r8], rsi
	ret
	.size \name, . - \name
	.endm

	plain	bf_exit, 0, 0
	plain	bf_wait, 0, 1
	plain	bf_again, 0, 2
	result	bf_open_handle, 1, 0, rsi
	plain	bf_close_handle, 1, 1
	plain	bf_debug_out, 2, 0
	plain	bf_dump_vm, 2, 1
	plain	bf_dump_vp, 2, 2
	plain	bf_dump_vs, 2, 3
	plain	bf_dump_vmexit_log, 2, 4
	plain	bf_write_c, 2, 5
	plain	bf_write_str, 2, 6
	plain	bf_dump_ext, 2, 7
	plain	bf_dump_page_pool, 2, 8
	plain	bf_dump_huge_pool, 2, 9
	plain	bf_register_bootstrap, 3, 0
	plain	bf_register_vmexit, 3, 1
	plain	bf_register_fail, 3, 2
	result	bf_create_vm, 4, 0, rsi
	plain	bf_destroy_vm, 4, 1
	result	bf_map_direct, 4, 2, rcx
	plain	bf_unmap_direct, 4, 3
	plain	bf_unmap_direct_broadcast, 4, 4
	plain	bf_vm_tlb_flush, 4, 5
	result	bf_create_vp, 5, 0, rdx
	plain	bf_destroy_vp, 5, 1
	result	bf_create_vs, 6, 0, rcx
	plain	bf_destroy_vs, 6, 1
	plain	bf_init_as_root, 6, 2
	result	bf_read, 6, 3, rcx
	plain	bf_write, 6, 4
	plain	bf_run, 6, 5
	plain	bf_run_current, 6, 6
	plain	bf_advance_ip_and_run, 6, 7
	plain	bf_advance_ip_and_run_current, 6, 8
	plain	bf_promote, 6, 9
	plain	bf_clear, 6, 10
	plain	bf_migrate, 6, 11
	plain	bf_set_active, 6, 12
	plain	bf_advance_ip_and_set_active, 6, 13
	plain	bf_vs_tlb_flush, 6, 14
	result	bf_rdmsr, 7, 0, rdx
	plain	bf_wrmsr, 7, 1
	results	bf_alloc_page, 8, 0, rsi, rdx
	plain	bf_free_page, 8, 1
	results	bf_alloc_huge, 8, 2, rdx, rcx
	plain	bf_free_huge, 8, 3

/*
 * void bf_raw(uint64_t regs[16]): a call with all registers, in the order of their numbers (RAX,
 * RCX, RDX, RBX, RSP, ...), as regs has them, but for RSP; regs is what they are afterwards.
 */
function bf_raw
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	push	rdi
	mov	fs:per_pp@tpoff, rdi
	mov	rax, [rdi]
	mov	rcx, [rdi + 8]
	mov	rdx, [rdi + 16]
	mov	rbx, [rdi + 24]
	mov	rbp, [rdi + 40]
	mov	rsi, [rdi + 48]
	mov	r8, [rdi + 64]
	mov	r9, [rdi + 72]
	mov	r10, [rdi + 80]
	mov	r11, [rdi + 88]
	mov	r12, [rdi + 96]
	mov	r13, [rdi + 104]
	mov	r14, [rdi + 112]
	mov	r15, [rdi + 120]
	mov	rdi, [rdi + 56]
	syscall
	mov	rcx, fs:per_pp@tpoff
	mov	[rcx], rax
	mov	[rcx + 16], rdx
	mov	[rcx + 24], rbx
	mov	[rcx + 40], rbp
	mov	[rcx + 48], rsi
	mov	[rcx + 56], rdi
	mov	[rcx + 64], r8
	mov	[rcx + 72], r9
	mov	[rcx + 80], r10
	mov	[rcx + 96], r12
	mov	[rcx + 104], r13
	mov	[rcx + 112], r14
	mov	[rcx + 120], r15
	pop	rdi
	sub	rdi, rcx
	mov	[rcx + 32], rdi		/* 0 if the stack is where it was */
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret
	.size bf_raw, . - bf_raw

	/* What every register is on the way in goes to per_pp.entry; then on in C++. */
	.macro entry name, target
	function \name
	mov	fs:per_pp@tpoff + 8, rax
	mov	fs:per_pp@tpoff + 16, rcx
	mov	fs:per_pp@tpoff + 24, rdx
	mov	fs:per_pp@tpoff + 32, rbx
	mov	fs:per_pp@tpoff + 40, rsp
	mov	fs:per_pp@tpoff + 48, rbp
	mov	fs:per_pp@tpoff + 56, rsi
	mov	fs:per_pp@tpoff + 64, rdi
	mov	fs:per_pp@tpoff + 72, r8
	mov	fs:per_pp@tpoff + 80, r9
	mov	fs:per_pp@tpoff + 88, r10
	mov	fs:per_pp@tpoff + 96, r11
	mov	fs:per_pp@tpoff + 104, r12
	mov	fs:per_pp@tpoff + 112, r13
	mov	fs:per_pp@tpoff + 120, r14
	mov	fs:per_pp@tpoff + 128, r15
	mov	ax, cs
	mov	fs:per_pp@tpoff + 136, ax
	mov	ax, ss
	mov	fs:per_pp@tpoff + 138, ax
	lea	rax, [rip + \name]
	mov	fs:per_pp@tpoff + 144, rax
	pushfq
	pop	qword ptr fs:per_pp@tpoff + 152
	call	\target
	ud2
	.size \name, . - \name
	.endm

	entry	_start, on_start
	entry	bootstrap_entry, on_bootstrap
	entry	vmexit_entry, on_vmexit
	entry	fail_entry, on_fail

	.section .note.GNU-stack, "", @progbits
