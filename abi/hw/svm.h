/* SPDX-License-Identifier: MIT */
/*
 * AMD-V: exit codes, intercepts and the VMCB (APM vol. 2, chapter 15, appendices B and C). As in
 * x86.h, names stand for masks, and Linux has some of them, too.
 */
#ifndef BF_ABI_HW_SVM_H
#define BF_ABI_HW_SVM_H

#include <abi/hw/x86.h>

/* --- MSRs: APM vol. 2 §15.30 -------------------------------------------------------------- */

#define MSR_VM_CR 0xC0010114
#define MSR_VM_HSAVE_PA 0xC0010117

#define VM_CR_LOCK 0x8
#define VM_CR_SVMDIS 0x10

/* --- the fields of the VMCB's control area: appendix B, table B-1 ------------------------- */

/* 00Ch */
#define SVM_INSTR1_INTR 0x1
#define SVM_INSTR1_NMI 0x2
#define SVM_INSTR1_VINTR 0x10
#define SVM_INSTR1_RDPMC 0x8000
#define SVM_INSTR1_PUSHF 0x10000
#define SVM_INSTR1_POPF 0x20000
#define SVM_INSTR1_CPUID 0x40000
#define SVM_INSTR1_IRET 0x100000
#define SVM_INSTR1_SWINT 0x200000 /* INT n */
#define SVM_INSTR1_INVD 0x400000
#define SVM_INSTR1_HLT 0x1000000
#define SVM_INSTR1_INVLPGA 0x4000000
#define SVM_INSTR1_IOIO 0x8000000
#define SVM_INSTR1_MSR 0x10000000
#define SVM_INSTR1_TASK_SWITCH 0x20000000
#define SVM_INSTR1_SHUTDOWN 0x80000000

/* 010h */
#define SVM_INSTR2_VMRUN 0x1
#define SVM_INSTR2_VMMCALL 0x2
#define SVM_INSTR2_VMLOAD 0x4
#define SVM_INSTR2_VMSAVE 0x8
#define SVM_INSTR2_STGI 0x10
#define SVM_INSTR2_CLGI 0x20
#define SVM_INSTR2_SKINIT 0x40
#define SVM_INSTR2_RDTSCP 0x80
#define SVM_INSTR2_ICEBP 0x100
#define SVM_INSTR2_WBINVD 0x200
#define SVM_INSTR2_MONITOR 0x400
#define SVM_INSTR2_MWAIT 0x800
#define SVM_INSTR2_MWAIT_ARMED 0x1000
#define SVM_INSTR2_XSETBV 0x2000
#define SVM_INSTR2_RDPRU 0x4000

#define SVM_INSTR3_INVPCID 0x4 /* 014h */

#define SVM_TLB_FLUSH_ALL 0x1 /* 05Ch */

/* 060h */
#define SVM_V_IRQ 0x100 /* a virtual interrupt is pending */
#define SVM_V_TPR 0xF /* a CR8 of the guest's own, with V_INTR_MASKING */
#define SVM_V_IGN_TPR 0x100000 /* it does not wait for the guest's CR8 */
#define SVM_V_INTR_MASKING 0x1000000 /* the guest's IF and CR8 are not for physical interrupts */
#define SVM_AVIC_ENABLE 0x80000000

#define SVM_INTERRUPT_SHADOW 0x1 /* 068h */

#define SVM_EXITINFO1_WRITE 0x1 /* 078h, of an MSR exit: WRMSR */
/* Of an I/O exit, §15.10.2 */
#define SVM_IOIO_IN 0x1
#define SVM_IOIO_STRING 0x4
#define SVM_IOIO_SIZE(info) ((info) >> 4 & 0x7) /* bytes */
#define SVM_IOIO_PORT(info) ((info) >> 16 & 0xFFFF)
/* Of a nested page fault, §15.25.6 */
#define SVM_NPF_WRITE 0x2
#define SVM_NPF_FETCH 0x10
#define SVM_NPF_WALK 0x200000000 /* in a walk through the guest's page tables */
/* Of an access to a control register, where the CPU tells it, §15.8.1 */
#define SVM_CR_DECODED 0x8000000000000000
#define SVM_CR_GPR(info) ((info) & 0xF)

/* 090h */
#define SVM_NP_ENABLE 0x1
#define SVM_NPT_WT 0x8 /* PWT of a nested leaf: index 1 of the PAT */
#define SVM_SEV_ENABLE 0x2
#define SVM_SEV_ES_ENABLE 0x4
#define SVM_GMET_ENABLE 0x8
#define SVM_SSS_CHECK_ENABLE 0x10
#define SVM_VTE_ENABLE 0x20
#define SVM_ROGPT_ENABLE 0x40
#define SVM_INVLPGB_ENABLE 0x80 /* INVLPGB and TLBSYNC are #UD in the guest without it */

/* 0B8h */
#define SVM_LBR_VIRT_ENABLE 0x1
#define SVM_VMSAVE_VIRT_ENABLE 0x2
#define SVM_IBS_VIRT_ENABLE 0x4

#define SVM_CLEAN_ALL 0x3FF /* 0C0h: all fields that the hypervisor ever writes */

/* EVENTINJ and EXITINTINFO: §15.20, §15.7.2 */
#define SVM_EVENT_VECTOR 0xFF
#define SVM_EVENT_TYPE 0x700
#define SVM_EVENT_TYPE_INTR 0x000
#define SVM_EVENT_TYPE_NMI 0x200
#define SVM_EVENT_TYPE_EXCEPTION 0x300
#define SVM_EVENT_TYPE_SOFTWARE 0x400
#define SVM_EVENT_ERROR_CODE 0x800
#define SVM_EVENT_VALID 0x80000000

#define SVM_IOPM_SIZE 0x3000 /* a bit a port: §15.10.1 */

/* Two bits an MSR in the permission map, a range of 0x2000 MSRs each 2 KiB: §15.11 */
#define SVM_MSRPM_SIZE 0x2000
#define SVM_MSRPM_READ 0x1
#define SVM_MSRPM_WRITE 0x2

/* --- exit codes: appendix C --------------------------------------------------------------- */

/* The code for the first register or vector, which the others follow. */
#define SVM_EXIT_CR_READ 0x00
#define SVM_EXIT_CR_WRITE 0x10
#define SVM_EXIT_DR_READ 0x20
#define SVM_EXIT_DR_WRITE 0x30
#define SVM_EXIT_EXCEPTION 0x40

#define SVM_EXIT_BUS_LOCK 0xA5
#define SVM_EXIT_IDLE_HLT 0xA6 /* HLT while no virtual interrupt is pending */
#define SVM_EXIT_INVALID 0xFFFFFFFFFFFFFFFF /* some CPUs report its lower half only */

/* All others: X(code, name) */
#define SVM_EXITS(X) \
	X(0x60, INTR) \
	X(0x61, NMI) \
	X(0x62, SMI) \
	X(0x63, INIT) \
	X(0x64, VINTR) \
	X(0x65, CR0_SEL_WRITE) \
	X(0x66, IDTR_READ) \
	X(0x67, GDTR_READ) \
	X(0x68, LDTR_READ) \
	X(0x69, TR_READ) \
	X(0x6A, IDTR_WRITE) \
	X(0x6B, GDTR_WRITE) \
	X(0x6C, LDTR_WRITE) \
	X(0x6D, TR_WRITE) \
	X(0x6E, RDTSC) \
	X(0x6F, RDPMC) \
	X(0x70, PUSHF) \
	X(0x71, POPF) \
	X(0x72, CPUID) \
	X(0x73, RSM) \
	X(0x74, IRET) \
	X(0x75, SWINT) \
	X(0x76, INVD) \
	X(0x77, PAUSE) \
	X(0x78, HLT) \
	X(0x79, INVLPG) \
	X(0x7A, INVLPGA) \
	X(0x7B, IOIO) \
	X(0x7C, MSR) \
	X(0x7D, TASK_SWITCH) \
	X(0x7E, FERR_FREEZE) \
	X(0x7F, SHUTDOWN) \
	X(0x80, VMRUN) \
	X(0x81, VMMCALL) \
	X(0x82, VMLOAD) \
	X(0x83, VMSAVE) \
	X(0x84, STGI) \
	X(0x85, CLGI) \
	X(0x86, SKINIT) \
	X(0x87, RDTSCP) \
	X(0x88, ICEBP) \
	X(0x89, WBINVD) \
	X(0x8A, MONITOR) \
	X(0x8B, MWAIT) \
	X(0x8C, MWAIT_ARMED) \
	X(0x8D, XSETBV) \
	X(0x8E, RDPRU) \
	X(0x8F, EFER_WRITE_TRAP) \
	X(0xA2, INVPCID) \
	X(0x400, NPF) \
	X(0x401, AVIC_INCOMPLETE_IPI) \
	X(0x402, AVIC_NOACCEL) \
	X(0x403, VMGEXIT)

#ifndef __ASSEMBLER__

#include <abi/hw/segment.h>
#include <abi/types.h>

#define SVM_EXIT_ENUM(code, name) SVM_EXIT_##name = (code),
enum svm_exit_code { SVM_EXITS(SVM_EXIT_ENUM) };

/* Appendix B, tables B-1 and B-2 */
struct vmcb {
	uint16_t cr_read, cr_write, dr_read, dr_write;
	uint32_t exceptions;
	uint32_t instruction1, instruction2, instruction3;
	uint8_t pad0[0x3C - 0x18];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm, msrpm, tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t virtual_interrupt, interrupt_shadow;
	uint64_t exitcode, exitinfo1, exitinfo2, exitintinfo;
	uint64_t np_control, avic_bar, ghcb, eventinj, n_cr3, virt_ext;
	uint32_t clean, pad1;
	uint64_t nrip;
	uint8_t nr_insn_bytes, insn_bytes[15]; /* with decode assists */
	uint8_t pad2[0x400 - 0xE0];
	struct bf_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t pad3[0x4CB - 0x4A0];
	uint8_t cpl;
	uint8_t pad4[4];
	uint64_t efer;
	uint8_t pad5[0x548 - 0x4D8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t pad6[0x5D8 - 0x580];
	uint64_t rsp;
	uint64_t s_cet, ssp, isst_addr;
	uint64_t rax, star, lstar, cstar, fmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t pad8[0x668 - 0x648];
	uint64_t pat, debugctl, br_from, br_to, excp_from, excp_to;
	uint8_t pad9[0x6E0 - 0x698];
	uint64_t spec_ctrl;
	uint8_t pad10[0x1000 - 0x6E8];
};

#define VMCB_SAVE_AREA 0x400 /* §15.5.1: the state save area */

BF_STATIC_ASSERT(sizeof(struct vmcb) == 0x1000, "VMCB");
BF_ASSERT_OFFSET(struct vmcb, pause_threshold, 0x3C);
BF_ASSERT_OFFSET(struct vmcb, asid, 0x58);
BF_ASSERT_OFFSET(struct vmcb, exitcode, 0x70);
BF_ASSERT_OFFSET(struct vmcb, np_control, 0x90);
BF_ASSERT_OFFSET(struct vmcb, clean, 0xC0);
BF_ASSERT_OFFSET(struct vmcb, nrip, 0xC8);
BF_ASSERT_OFFSET(struct vmcb, insn_bytes, 0xD1);
BF_ASSERT_OFFSET(struct vmcb, es, VMCB_SAVE_AREA);
BF_ASSERT_OFFSET(struct vmcb, tr, 0x490);
BF_ASSERT_OFFSET(struct vmcb, efer, 0x4D0);
BF_ASSERT_OFFSET(struct vmcb, cr4, 0x548);
BF_ASSERT_OFFSET(struct vmcb, rip, 0x578);
BF_ASSERT_OFFSET(struct vmcb, rsp, 0x5D8);
BF_ASSERT_OFFSET(struct vmcb, s_cet, 0x5E0);
BF_ASSERT_OFFSET(struct vmcb, rax, 0x5F8);
BF_ASSERT_OFFSET(struct vmcb, cr2, 0x640);
BF_ASSERT_OFFSET(struct vmcb, pat, 0x668);
BF_ASSERT_OFFSET(struct vmcb, spec_ctrl, 0x6E0);

#endif /* __ASSEMBLER__ */
#endif
