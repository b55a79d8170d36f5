/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that may fault: see fault.h. Each of them has in R8 where it goes on then, and no
 * other instruction faults while the IDT with these handlers is loaded.
 */

	.text

	.macro function name
	.balign	16
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	endbr64
	.endm

	function efi_try_rdmsr
	lea	failed(%rip), %r8
	mov	%edi, %ecx
	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%rsi)
	jmp	done

	function efi_try_wrmsr
	lea	failed(%rip), %r8
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	wrmsr
	jmp	done

	/* Another hypervisor finds nothing in RCX and RDX that could be an argument. */
	function efi_try_vmcall
	lea	failed(%rip), %r8
	mov	(%rdi), %rax
	xor	%ecx, %ecx
	xor	%edx, %edx
	vmcall
	mov	%rax, (%rdi)
	jmp	done

	function efi_try_vmmcall
	lea	failed(%rip), %r8
	mov	(%rdi), %rax
	xor	%ecx, %ecx
	xor	%edx, %edx
	vmmcall
	mov	%rax, (%rdi)
	jmp	done

done:
	mov	$1, %eax
	ret
failed:
	xor	%eax, %eax
	ret

	/* With an error code (SDM vol. 3 §7.15). */
	function efi_on_gp
	add	$8, %rsp
	mov	%r8, (%rsp)
	iretq

	function efi_on_ud
	mov	%r8, (%rsp)
	iretq

	function efi_on_nmi
	iretq

	.section .note.GNU-stack, "", @progbits
