/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that an extension should not execute, and the exception that is their outcome, or
 * NONE where the instruction does no harm. misbehave.c executes them, kselftest/src/insn-cases.c
 * lists them.
 */
#ifndef TEST_EXT_INSN_CASES_H
#define TEST_EXT_INSN_CASES_H

#include <stdbool.h>
#include <stdint.h>

#define NONE 0xFF
/* Where it depends on more than the vendor. */
#define EITHER(a, b) (0x100 | (a) << 4 | (b))
#define UD_OR_GP EITHER(UD, GP) /* Bochs has #GP on AMD, too */
#define GP_OR_PF EITHER(GP, PF) /* a VM exit leaves the GDT's limit at 64 KiB: nothing is there */
#define DE 0
#define DB 1
#define BP 3
#define OF 4
#define UD 6
#define GP 13
#define PF 14

/* The supervisor's half, an address that is not canonical, and what has no page. */
#define KERNEL "$0xFFFF800000000000"
#define KERNEL_STACK "$0xFFFF808000018000"
#define NO_ADDRESS "$0x0000800000001000"

#define FLAG_TF "0x100"
#define FLAG_IOPL "0x3000"
#define FLAG_NT "0x4000"
#define FLAG_AC "0x40000"
#define FLAGS_ON(flags) "pushfq\n\torq $" flags ", (%rsp)\n\tpopfq\n\t"
#define FLAGS_OFF(flags) "pushfq\n\tandq $~" flags ", (%rsp)\n\tpopfq\n\t"
/*
 * With the guest's registers of the FPU put back. XSAVE leaves reserved bytes of its header alone,
 * which XRSTOR wants to be zero; components up to AVX-512 have room.
 */
#define FPU_AREA "lea -0x1000(%rsp), %rsi\n\tand $-64, %rsi\n\t"
#define KEEP_FX(code) FPU_AREA "fxsave64 (%rsi)\n\t" code "\n\tfxrstor64 (%rsi)"
// clang-format off: pieces of assembly
#define KEEP_X(code) FPU_AREA "lea 512(%rsi), %rdi\n\txor %eax, %eax\n\tmov $8, %ecx\n\t" \
		     "rep stosq\n\tmov $0xE7, %eax\n\txor %edx, %edx\n\txsave64 (%rsi)\n\t" \
		     code "\n\txrstor64 (%rsi)"
/* A syscall that does not exist, and writes nothing. */
#define SYSCALL "mov $-1, %rax\n\tsyscall\n\t"

#define LOAD(selector, segment) "mov $" #selector ", %eax\n\tmov %eax, %" #segment "\n\t"
/* LRET and IRET to 1: in the segment; a far pointer to memory below RSP for JMP and CALL. */
#define LRET(selector) "push $" #selector "\n\tlea 1f(%rip), %rax\n\tpush %rax\n\tlretq\n1:\n\t"
#define IRET(cs) "mov %ss, %eax\n\tmov %rsp, %rcx\n\tpush %rax\n\tpush %rcx\n\tpushfq\n\t" \
		 "push $" #cs "\n\tlea 1f(%rip), %rax\n\tpush %rax\n\tiretq\n1:\n\t"
#define FAR(insn, selector) "movl $0x1000, -16(%rsp)\n\tmovw $" #selector ", -12(%rsp)\n\t" \
			    insn " *-16(%rsp)\n\t"

/*
 * X(name, code, vector on AMD, vector on Intel). The code may change all registers but RBX, RBP and
 * R12 to R15; where it does no harm it leaves the stack and the flags as they were.
 *
 * Missing, because no outcome is defined: MWAITX, UMWAIT and TPAUSE may stand still with interrupts
 * held, which is a loop without end; a null selector in FS leaves FS base alone on some CPUs;
 * SYSCALL before a RIP that is not canonical cannot be mapped. And because QEMU has them wrong:
 * WBINVD and INVD, which it executes in ring 3, INTO, which it has in 64-bit mode, and MOV to CS
 * and PUSH to an address that is not canonical, which it answers with #GP in place of #UD and #SS.
 */
#define INSN_CASES(X) \
	/* memory */ \
	X(read_null, "mov 0, %eax", PF, PF) \
	X(write_null, "movl $1, 0", PF, PF) \
	X(read_kernel, "movabs " KERNEL ", %rax\n\tmov (%rax), %eax", PF, PF) \
	X(read_window, "movabs $0x0000080000000000, %rax\n\tmov (%rax), %eax", PF, PF) \
	X(read_no_address, "movabs " NO_ADDRESS ", %rax\n\tmov (%rax), %eax", GP, GP) \
	X(write_text, "movb $0, ext_start(%rip)", PF, PF) \
	X(write_rodata, "movb $0, misbehave_constant(%rip)", PF, PF) \
	X(execute_rodata, "lea misbehave_constant(%rip), %rax\n\tjmp *%rax", PF, PF) \
	X(execute_data, "lea misbehave_plan(%rip), %rax\n\tjmp *%rax", PF, PF) \
	X(execute_stack, "jmp *%rsp", PF, PF) \
	X(execute_null, "xor %eax, %eax\n\tjmp *%rax", PF, PF) \
	X(execute_kernel, "movabs " KERNEL ", %rax\n\tjmp *%rax", PF, PF) \
	X(jump_no_address, "movabs " NO_ADDRESS ", %rax\n\tjmp *%rax", GP, GP) \
	X(return_no_address, "movabs " NO_ADDRESS ", %rax\n\tpush %rax\n\tret", GP, GP) \
	/* the stack */ \
	X(frame_in_guard, "sub $0x8000, %rsp\n\tpush %rax", PF, PF) \
	X(recursion, "1: call 1b", PF, PF) \
	X(push_kernel, "movabs " KERNEL_STACK ", %rsp\n\tpush %rax", PF, PF) \
	X(ud2_rsp_kernel, "movabs " KERNEL_STACK ", %rsp\n\tud2", UD, UD) \
	X(ud2_rsp_no_address, "movabs " NO_ADDRESS ", %rsp\n\tud2", UD, UD) \
	X(syscall_rsp_kernel, "mov %rsp, %rdx\n\tmovabs " KERNEL_STACK ", %rsp\n\t" SYSCALL \
	  "mov %rdx, %rsp", NONE, NONE) \
	X(syscall_rsp_no_address, "mov %rsp, %rdx\n\tmovabs " NO_ADDRESS ", %rsp\n\t" SYSCALL \
	  "mov %rdx, %rsp", NONE, NONE) \
	/* exceptions and interrupts: of INT n, only 3 and 4 have a gate for ring 3 */ \
	X(divide, "xor %ecx, %ecx\n\tdiv %ecx", DE, DE) \
	X(ud2, "ud2", UD, UD) \
	X(lock_nop, ".byte 0xF0, 0x90", UD, UD) \
	X(too_long, ".fill 15, 1, 0x66\n\tnop", GP, GP) \
	X(int1, ".byte 0xF1", DB, DB) \
	X(int3, "int3", BP, BP) \
	X(int_2, "int $2", GP, GP) \
	X(int_3, "int $3\n\tud2", BP, BP) \
	X(int_4, "int $4\n\tud2", OF, OF) \
	X(int_8, "int $8", GP, GP) \
	X(int_14, "int $14", GP, GP) \
	X(int_0x80, "int $0x80", GP, GP) \
	X(int_0xff, "int $0xFF", GP, GP) \
	/* flags: a syscall clears TF, NT and AC */ \
	X(tf, FLAGS_ON(FLAG_TF) "nop\n\tnop", DB, DB) \
	X(tf_ud2, FLAGS_ON(FLAG_TF) "ud2", UD, UD) \
	X(tf_syscall, "mov $-1, %rax\n\t" FLAGS_ON(FLAG_TF) "syscall\n\tnop", NONE, NONE) \
	X(tf_mov_ss_syscall, "mov $-1, %rax\n\tmov %ss, %edx\n\t" FLAGS_ON(FLAG_TF) \
	  "mov %edx, %ss\n\tsyscall\n\tnop", NONE, NONE) \
	X(nt_ud2, FLAGS_ON(FLAG_NT) "ud2", UD, UD) \
	X(nt_iret, FLAGS_ON(FLAG_NT) IRET(0x2B), GP, GP) \
	X(nt_syscall, FLAGS_ON(FLAG_NT) SYSCALL FLAGS_OFF(FLAG_NT), NONE, NONE) \
	X(ac_ud2, FLAGS_ON(FLAG_AC) "ud2", UD, UD) \
	X(ac_syscall, FLAGS_ON(FLAG_AC) SYSCALL "mov 1(%rsp), %eax\n\t" FLAGS_OFF(FLAG_AC), \
	  NONE, NONE) \
	X(df_ud2, "std\n\tud2", UD, UD) \
	X(df_syscall, "std\n\t" SYSCALL "cld", NONE, NONE) \
	X(iopl_cli, FLAGS_ON(FLAG_IOPL) "cli", GP, GP) \
	/* segments: each descriptor of the GDT, and none */ \
	X(ds_null, LOAD(0, ds), NONE, NONE) \
	X(ds_kernel_cs, LOAD(0x10, ds), GP, GP) \
	X(ds_kernel_ss, LOAD(0x18, ds), GP, GP) \
	X(ds_user_ss, LOAD(0x23, ds), NONE, NONE) \
	X(ds_user_cs, LOAD(0x2B, ds), NONE, NONE) \
	X(ds_tss, LOAD(0x30, ds), GP, GP) \
	X(ds_upper_half, LOAD(0x38, ds), GP, GP) \
	X(ds_beyond, LOAD(0x40, ds), GP, GP_OR_PF) \
	X(ds_ldt, LOAD(0x7, ds), GP, GP) \
	X(es_kernel_ss, LOAD(0x1B, es), GP, GP) \
	X(es_user_ss, LOAD(0x23, es), NONE, NONE) \
	X(gs_kernel_ss, LOAD(0x1B, gs), GP, GP) \
	X(gs_user_ss, LOAD(0x23, gs), NONE, NONE) \
	X(fs_kernel_ss, LOAD(0x1B, fs), GP, GP) \
	X(fs_user_ss, LOAD(0x23, fs) "mov %fs:0, %rax", PF, PF) \
	X(ss_null, LOAD(0, ss), GP, GP) \
	X(ss_kernel_ss, LOAD(0x18, ss), GP, GP) \
	X(ss_user_ss, LOAD(0x23, ss) "nop", NONE, NONE) \
	X(ss_user_cs, LOAD(0x2B, ss), GP, GP) \
	X(lret_null, LRET(0), GP, GP) \
	X(lret_kernel, LRET(0x10), GP, GP) \
	X(lret_user, LRET(0x2B), NONE, NONE) \
	X(lret_data, LRET(0x23), GP, GP) \
	X(lret_tss, LRET(0x33), GP, GP) \
	X(iret_kernel, IRET(0x10), GP, GP) \
	X(ljmp_kernel, FAR("ljmpl", 0x10), GP, GP) \
	X(ljmp_tss, FAR("ljmpl", 0x30), GP, GP) \
	X(lcall_kernel, FAR("lcalll", 0x10), GP, GP) \
	X(lcall_tss, FAR("lcalll", 0x30), GP, GP) \
	/* other ways into ring 0; on AMD SYSENTER and SYSEXIT do not exist in long mode */ \
	X(sysenter, "sysenter", UD_OR_GP, GP) \
	X(sysexit, ".byte 0x0F, 0x35", UD_OR_GP, GP) \
	X(sysret, "sysretq", GP, GP) \
	X(rsm, "rsm", UD, UD) \
	/* privileged */ \
	X(hlt, "hlt", GP, GP) \
	X(cli, "cli", GP, GP) \
	X(sti, "sti", GP, GP) \
	X(in, "in $0x80, %al", GP, GP) \
	X(out, "out %al, $0x80", GP, GP) \
	X(outs, "mov $0x80, %edx\n\tmov %rsp, %rsi\n\toutsb", GP, GP) \
	X(swapgs, "swapgs", GP, GP) \
	X(rdmsr, "mov $0xC0000080, %ecx\n\trdmsr", GP, GP) \
	X(wrmsr, "mov $0xC0000080, %ecx\n\twrmsr", GP, GP) \
	X(rdpmc, "xor %ecx, %ecx\n\trdpmc", GP, GP) \
	X(clts, "clts", GP, GP) \
	X(lmsw, "lmsw %ax", GP, GP) \
	X(read_cr0, "mov %cr0, %rax", GP, GP) \
	X(write_cr3, "mov %rax, %cr3", GP, GP) \
	X(write_cr8, "mov %rax, %cr8", GP, GP) \
	X(write_dr7, "mov %rax, %db7", GP, GP) \
	X(lgdt, "lgdt -16(%rsp)", GP, GP) \
	X(lidt, "lidt -16(%rsp)", GP, GP) \
	X(lldt, "lldt %ax", GP, GP) \
	X(ltr, "ltr %ax", GP, GP) \
	X(invlpg, "invlpg (%rsp)", GP, GP) \
	X(xsetbv, "xor %ecx, %ecx\n\txgetbv\n\txsetbv", insn_osxsave() ? GP : UD, \
	  insn_osxsave() ? GP : UD) \
	X(monitor, "mov %rsp, %rax\n\txor %ecx, %ecx\n\txor %edx, %edx\n\tmonitor", UD, UD) \
	X(mwait, "xor %eax, %eax\n\txor %ecx, %ecx\n\tmwait", UD, UD) \
	/* FPU; FSGSBASE is off */ \
	X(x87, KEEP_FX("fninit\n\tfld1"), NONE, NONE) \
	X(fwait, "fwait", NONE, NONE) \
	X(mmx, KEEP_FX("pxor %mm0, %mm0"), NONE, NONE) \
	X(sse, KEEP_FX("pxor %xmm0, %xmm0"), NONE, NONE) \
	X(avx, KEEP_X("vpxor %xmm0, %xmm0, %xmm0"), insn_avx() ? NONE : UD, \
	  insn_avx() ? NONE : UD) \
	X(wrfsbase, "wrfsbase %rax", UD, UD) \
	X(wrgsbase, "wrgsbase %rax", UD, UD) \
	/* virtualisation */ \
	X(vmrun, "xor %eax, %eax\n\tvmrun", GP, UD) \
	X(vmload, "xor %eax, %eax\n\tvmload", GP, UD) \
	X(stgi, "stgi", GP, UD) \
	X(clgi, "clgi", GP, UD) \
	X(vmmcall, "vmmcall", insn_kvm() ? NONE : UD, insn_kvm() ? UD_OR_GP : UD) \
	X(vmcall, "vmcall", insn_kvm() ? UD_OR_GP : UD, insn_kvm() ? NONE : GP) \
	X(vmlaunch, "vmlaunch", UD, GP) \
	X(vmread, "vmread %rax, %rcx", UD, GP) \
	X(vmxoff, "vmxoff", UD, GP) \
	X(vmfunc, "xor %eax, %eax\n\tvmfunc", UD, UD) \
	/* questions */ \
	X(cpuid, "mov %rbx, %rsi\n\txor %eax, %eax\n\tcpuid\n\tmov %rsi, %rbx", NONE, NONE) \
	X(rdtsc, "rdtsc", NONE, NONE) \
	X(xgetbv, "xor %ecx, %ecx\n\txgetbv", insn_osxsave() ? NONE : UD, \
	  insn_osxsave() ? NONE : UD) \
	X(lar, "mov $0x10, %eax\n\tlar %eax, %ecx", NONE, NONE) \
	X(lsl, "mov $0x30, %eax\n\tlsl %eax, %ecx", NONE, NONE) \
	X(verr, "mov $0x18, %eax\n\tverr %ax\n\tverw %ax", NONE, NONE) \
	X(sgdt, "sgdt -16(%rsp)", insn_umip() ? GP : NONE, insn_umip() ? GP : NONE) \
	X(sidt, "sidt -16(%rsp)", insn_umip() ? GP : NONE, insn_umip() ? GP : NONE) \
	X(str, "str %eax", insn_umip() ? GP : NONE, insn_umip() ? GP : NONE)
// clang-format on

static inline bool insn_expected(uint64_t wanted, uint64_t vector)
{
	if (wanted & 0x100)
		return vector == (wanted >> 4 & 0xF) || vector == (wanted & 0xF);
	return vector == wanted;
}

static inline void insn_cpuid(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c)
{
	uint32_t d;

	*a = leaf;
	*c = 0;
	__asm__ volatile("cpuid" : "+a"(*a), "=b"(*b), "+c"(*c), "=d"(d));
}

static inline bool insn_intel(void)
{
	uint32_t a, b, c;

	insn_cpuid(0, &a, &b, &c);
	return b == 0x756E6547; /* "Genu" */
}

/*
 * A KVM below answers hypercalls from ring 3, too: with an error. The other vendor's instruction it
 * tries to replace.
 */
static inline bool insn_kvm(void)
{
	uint32_t a, b, c;

	insn_cpuid(1, &a, &b, &c);
	if (!(c >> 31))
		return false;
	for (uint32_t leaf = 0x40000000; leaf < 0x40010000; leaf += 0x100) {
		insn_cpuid(leaf, &a, &b, &c);
		if (b == 0x4B4D564B) /* "KVMK" */
			return true;
	}
	return false;
}

static inline bool insn_osxsave(void)
{
	uint32_t a, b, c;

	insn_cpuid(1, &a, &b, &c);
	return c >> 27 & 1;
}

/* Extensions run with the guest's XCR0. */
static inline bool insn_avx(void)
{
	uint32_t a, b, c, d;

	insn_cpuid(1, &a, &b, &c);
	if (!(c >> 28 & 1) || !insn_osxsave())
		return false;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

static inline bool insn_umip(void)
{
	uint32_t a, b, c;

	insn_cpuid(0, &a, &b, &c);
	if (a < 7)
		return false;
	insn_cpuid(7, &a, &b, &c);
	return c >> 2 & 1;
}

#endif
