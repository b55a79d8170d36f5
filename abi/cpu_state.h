/* SPDX-License-Identifier: MIT */
/*
 * The state of one CPU, as the loader captures it before the launch and as the microkernel restores
 * it on promote. Shared by C and assembly: every offset used by a .S file is asserted below.
 */
#ifndef BF_ABI_CPU_STATE_H
#define BF_ABI_CPU_STATE_H

#include <abi/hw/segment.h>
#include <abi/mk1_layout.h>
#include <abi/types.h>

#define BF_CS_RSP 0x78
#define BF_CS_RIP 0x80
#define BF_CS_RFLAGS 0x88
#define BF_CS_CR0 0x90
#define BF_CS_CR3 0xA0
#define BF_CS_CR4 0xA8
#define BF_CS_GDTR 0xF0
#define BF_CS_IDTR 0x100
#define BF_CS_ES 0x110
#define BF_CS_CS 0x120
#define BF_CS_SS 0x130
#define BF_CS_DS 0x140
#define BF_CS_FS 0x150
#define BF_CS_GS 0x160
#define BF_CS_LDTR 0x170
#define BF_CS_TR 0x180
#define BF_CS_EFER 0x190
#define BF_CS_DEBUGCTL 0x1E0
#define BF_CS_PERF_GLOBAL_CTRL 0x1E8
#define BF_CS_RTIT_CTL 0x1F0
#define BF_CS_LBR_CTL 0x1F8
#define BF_SEG_BASE 0x8

#define BF_SWITCH_NMI 0x300
#define BF_SWITCH_MC 0x304
#define BF_SWITCH_GDTR 0x308
#define BF_SWITCH_IDTR 0x318
#define BF_SWITCH_HOST_CR4 0x378
#define BF_SWITCH_STACK_TOP 0x1000 /* the switch stack ends with the page */

#ifndef __ASSEMBLER__

/* Operand of LGDT and LIDT at offset 6 of the structure, so that base is aligned. */
struct bf_table {
	uint16_t pad[3];
	uint16_t limit;
	uint64_t base;
};

struct bf_cpu_state {
	uint64_t gpr[BF_NR_GPRS];
	uint64_t rsp;
	uint64_t rip;
	uint64_t rflags;
	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t cr8;
	uint64_t xcr0; /* from the loader 0 where Linux has CR4.OSXSAVE clear */
	uint64_t dr[4];
	uint64_t dr6;
	uint64_t dr7;
	struct bf_table gdtr;
	struct bf_table idtr;
	struct bf_segment es, cs, ss, ds, fs, gs, ldtr, tr;
	uint64_t efer;
	uint64_t star;
	uint64_t lstar;
	uint64_t cstar;
	uint64_t fmask;
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs;
	uint64_t sysenter_esp;
	uint64_t sysenter_eip;
	uint64_t pat;
	/* 0 where the CPU has no such MSR: BF_OPTIONAL_MSRS */
	uint64_t debugctl; /* 0 on AMD: no world switch touches it there */
	uint64_t perf_global_ctrl;
	uint64_t rtit_ctl;
	uint64_t lbr_ctl;
	uint64_t ds_area;
	uint64_t pkrs;
	uint64_t s_cet;
	uint64_t isst_addr;
	uint64_t ssp; /* no MSR: 0 in a kernel without shadow stacks */
	uint64_t spec_ctrl; /* AMD: 0 in the loader's capture, svm/cpu.c completes it */
};

/*
 * MSRs that not every CPU has (SDM vol. 4 §2.1): X(member of bf_cpu_state, number, CPUID leaf, and
 * the bits of EAX, EBX, ECX, EDX of which one enumerates it); their names are those of
 * abi/hw/x86.h, which users of the list include.
 *
 * The first ones make the CPU count or trace. PEBS and the branch trace store even write to memory,
 * at linear addresses of Linux's: they are 0 from before the loader's switch until the end of the
 * way back. An NMI handler of Linux's may restart them right before that switch, so switch.S stops
 * them once more.
 */
#define BF_RUNNING_MSRS(X) \
	X(debugctl, MSR_DEBUGCTL, 1, 0, 0, CPUID_1_ECX_VMX, 0) /* with VMX */ \
	X(perf_global_ctrl, MSR_PERF_GLOBAL_CTRL, 0xA, CPUID_A_EAX_VERSION_2, 0, 0, 0) \
	X(rtit_ctl, MSR_RTIT_CTL, 7, 0, CPUID_7_EBX_PT, 0, 0) \
	X(lbr_ctl, MSR_LBR_CTL, 7, 0, 0, 0, CPUID_7_EDX_ARCH_LBR)
#define BF_OPTIONAL_MSRS(X) \
	BF_RUNNING_MSRS(X) \
	X(ds_area, MSR_DS_AREA, 1, 0, 0, 0, CPUID_1_EDX_DS) \
	X(pkrs, MSR_PKRS, 7, 0, 0, CPUID_7_ECX_PKS, 0) \
	X(s_cet, MSR_S_CET, 7, 0, 0, CPUID_7_ECX_CET_SS, CPUID_7_EDX_CET_IBT) \
	X(isst_addr, MSR_ISST_ADDR, 7, 0, 0, CPUID_7_ECX_CET_SS, 0)

#define BF_SWITCH_GDT_ENTRIES 4 /* null, unused, ring-0 code and data where Linux has them */
#define BF_SWITCH_IDT_ENTRIES 3 /* up to the NMI, the one event that cannot be masked here */

/*
 * One page a CPU, mapped at the same address in Linux and in the microkernel: it carries the CPU
 * across the change of CR3. Its descriptor tables and its stack serve the few instructions in which
 * neither side's own are reachable; an NMI that arrives there is recorded for the side that gets
 * the CPU.
 */
struct bf_switch_page {
	struct bf_cpu_state cpu;
	uint8_t pad0[BF_SWITCH_NMI - sizeof(struct bf_cpu_state)];
	uint32_t nmi_pending;
	uint32_t mc_pending; /* only on the way back to Linux */
	struct bf_table gdtr;
	struct bf_table idtr;
	uint64_t gdt[BF_SWITCH_GDT_ENTRIES];
	uint64_t idt[BF_SWITCH_IDT_ENTRIES * 2];
	uint64_t host_cr4; /* CR4 of root mode, in force whenever its CR3 is */
	uint8_t stack[BF_SWITCH_STACK_TOP - 0x380];
};

BF_STATIC_ASSERT(offsetof(struct bf_switch_page, stack) == 0x380, "switch stack");
BF_STATIC_ASSERT(sizeof(struct bf_switch_page) == BF_SWITCH_STACK_TOP, "switch page");
BF_ASSERT_OFFSET(struct bf_cpu_state, rsp, BF_CS_RSP);
BF_ASSERT_OFFSET(struct bf_cpu_state, rip, BF_CS_RIP);
BF_ASSERT_OFFSET(struct bf_cpu_state, rflags, BF_CS_RFLAGS);
BF_ASSERT_OFFSET(struct bf_cpu_state, cr0, BF_CS_CR0);
BF_ASSERT_OFFSET(struct bf_cpu_state, cr3, BF_CS_CR3);
BF_ASSERT_OFFSET(struct bf_cpu_state, cr4, BF_CS_CR4);
BF_ASSERT_OFFSET(struct bf_cpu_state, gdtr, BF_CS_GDTR);
BF_ASSERT_OFFSET(struct bf_cpu_state, idtr, BF_CS_IDTR);
BF_ASSERT_OFFSET(struct bf_cpu_state, es, BF_CS_ES);
BF_ASSERT_OFFSET(struct bf_cpu_state, cs, BF_CS_CS);
BF_ASSERT_OFFSET(struct bf_cpu_state, ss, BF_CS_SS);
BF_ASSERT_OFFSET(struct bf_cpu_state, ds, BF_CS_DS);
BF_ASSERT_OFFSET(struct bf_cpu_state, fs, BF_CS_FS);
BF_ASSERT_OFFSET(struct bf_cpu_state, gs, BF_CS_GS);
BF_ASSERT_OFFSET(struct bf_cpu_state, ldtr, BF_CS_LDTR);
BF_ASSERT_OFFSET(struct bf_cpu_state, tr, BF_CS_TR);
BF_ASSERT_OFFSET(struct bf_cpu_state, efer, BF_CS_EFER);
BF_ASSERT_OFFSET(struct bf_cpu_state, debugctl, BF_CS_DEBUGCTL);
BF_ASSERT_OFFSET(struct bf_cpu_state, perf_global_ctrl, BF_CS_PERF_GLOBAL_CTRL);
BF_ASSERT_OFFSET(struct bf_cpu_state, rtit_ctl, BF_CS_RTIT_CTL);
BF_ASSERT_OFFSET(struct bf_cpu_state, lbr_ctl, BF_CS_LBR_CTL);
BF_ASSERT_OFFSET(struct bf_segment, base, BF_SEG_BASE);
BF_ASSERT_OFFSET(struct bf_switch_page, nmi_pending, BF_SWITCH_NMI);
BF_ASSERT_OFFSET(struct bf_switch_page, mc_pending, BF_SWITCH_MC);
BF_ASSERT_OFFSET(struct bf_switch_page, gdtr, BF_SWITCH_GDTR);
BF_ASSERT_OFFSET(struct bf_switch_page, idtr, BF_SWITCH_IDTR);
BF_ASSERT_OFFSET(struct bf_switch_page, host_cr4, BF_SWITCH_HOST_CR4);

#endif /* __ASSEMBLER__ */
#endif
