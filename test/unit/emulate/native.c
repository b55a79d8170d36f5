// SPDX-License-Identifier: GPL-2.0-only
/* Instructions on this CPU: see native.h. */
#include <asm/prctl.h>
#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

/* What the assembly below loads and stores. */
extern uint64_t native_gpr[16], native_flags, native_stack, native_entry;
extern uint8_t native_fpu[512];
uint64_t native_gpr[16], native_flags, native_stack, native_entry;
_Alignas(16) uint8_t native_fpu[512]; /* as FXSAVE stores it */

#define FPU_XMM 160 /* where XMM0 is there */

void native_run(void);
extern const char native_return[];

// clang-format off: assembly
__asm__(
	"	.macro native_move_gprs direction\n"
	"	.set native_offset, 0\n"
	"	.irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, "
			"r8, r9, r10, r11, r12, r13, r14, r15\n"
	"	.ifc \\direction, load\n"
	"	mov	native_gpr + native_offset(%rip), %\\reg\n"
	"	.else\n"
	"	mov	%\\reg, native_gpr + native_offset(%rip)\n"
	"	.endif\n"
	"	.set native_offset, native_offset + 8\n"
	"	.endr\n"
	"	.endm\n"
	"	.text\n"
	"	.globl native_run, native_return\n"
	"native_run:\n"
	"	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	push	%r14\n"
	"	push	%r15\n"
	"	mov	%rsp, native_stack(%rip)\n"
	"	fxrstor	native_fpu(%rip)\n"
	"	push	native_flags(%rip)\n"
	"	popf\n"
	"	native_move_gprs load\n"
	"	jmp	*native_entry(%rip)\n"
	"native_return:\n"
	"	native_move_gprs store\n"
	"	fxsave	native_fpu(%rip)\n"
	"	mov	native_stack(%rip), %rsp\n"
	"	pushf\n"
	"	pop	native_flags(%rip)\n"
	"	cld\n"
	"	pop	%r15\n"
	"	pop	%r14\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	ret\n");
// clang-format on

static void *map(uint64_t address, size_t size, int rights)
{
	void *at = mmap((void *)address, size, PROT_READ | PROT_WRITE | rights,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(at, (void *)address);
	return at;
}

void native_setup(void)
{
	map(NATIVE_CODE, 0x1000, PROT_EXEC);
	map(NATIVE_DATA, NATIVE_DATA_SIZE, 0);
	ck_assert_int_eq(syscall(SYS_arch_prctl, ARCH_SET_GS, NATIVE_GS_BASE), 0);
}

uint64_t native_gs_base(void)
{
	uint64_t base = 0;

	ck_assert_int_eq(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), 0);
	return base;
}

uint8_t *native_data(void)
{
	return (uint8_t *)NATIVE_DATA;
}

void native_execute(const uint8_t *bytes, size_t length, struct emulate_regs *regs,
		    uint8_t xmm[16][16])
{
	static const uint8_t jump[6] = { 0xFF, 0x25 }; /* to the address that follows */
	const char *back = native_return;
	uint8_t *code = (uint8_t *)NATIVE_CODE;

	memcpy(code, bytes, length);
	memcpy(code + length, jump, sizeof(jump));
	memcpy(code + length + sizeof(jump), &back, sizeof(back));
	memcpy(native_gpr, regs->gpr, sizeof(native_gpr));
	native_flags = regs->rflags;
	native_entry = NATIVE_CODE;
	__asm__ volatile("fxsave %0" : "=m"(native_fpu));
	memcpy(native_fpu + FPU_XMM, xmm, 16 * sizeof(xmm[0]));
	native_run();
	memcpy(xmm, native_fpu + FPU_XMM, 16 * sizeof(xmm[0]));
	memcpy(regs->gpr, native_gpr, sizeof(native_gpr));
	regs->rflags = native_flags;
}
