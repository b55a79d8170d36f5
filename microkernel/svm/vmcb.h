/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMCB: APM vol. 2, Appendix B. */
#ifndef MK_SVM_VMCB_H
#define MK_SVM_VMCB_H

#include <abi/cpu_state.h>
#include <abi/types.h>

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
	uint8_t pad2[0x400 - 0xD0];
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

BF_STATIC_ASSERT(sizeof(struct vmcb) == 0x1000, "VMCB");
BF_ASSERT_OFFSET(struct vmcb, pause_threshold, 0x3C);
BF_ASSERT_OFFSET(struct vmcb, asid, 0x58);
BF_ASSERT_OFFSET(struct vmcb, exitcode, 0x70);
BF_ASSERT_OFFSET(struct vmcb, np_control, 0x90);
BF_ASSERT_OFFSET(struct vmcb, clean, 0xC0);
BF_ASSERT_OFFSET(struct vmcb, nrip, 0xC8);
#define VMCB_SAVE_AREA 0x400 /* §15.5.1: the state save area */
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

#define SVM_INSTR2_VMRUN 0x1
#define SVM_INSTR2_VMMCALL 0x2

#define SVM_INSTR1_INTR 0x1
#define SVM_INSTR1_NMI 0x2
#define SVM_INSTR1_SHUTDOWN 0x80000000
#define SVM_EXCEPTION_GP 0x2000 /* bit 13 of the exception intercepts */
#define SVM_EXCEPTION_MC 0x40000

#define SVM_V_TPR 0xF /* a CR8 of the guest's own, with V_INTR_MASKING */
#define SVM_V_INTR_MASKING 0x1000000 /* the guest's IF and CR8 are not for physical interrupts */

#define SVM_EXIT_EXCEPTION_GP 0x4D
#define SVM_EXIT_EXCEPTION_MC 0x52
#define SVM_EXIT_INTR 0x60
#define SVM_EXIT_NMI 0x61
#define SVM_EXIT_CPUID 0x72
#define SVM_EXIT_IOIO 0x7B
#define SVM_EXIT_MSR 0x7C
#define SVM_EXIT_SHUTDOWN 0x7F
#define SVM_EXIT_VMRUN 0x80
#define SVM_EXIT_VMMCALL 0x81
#define SVM_EXIT_NPF 0x400
#define SVM_EXIT_INVALID 0xFFFFFFFF /* compared in 32 bits: some report 64, some 32 ones */
#define SVM_EXIT_REFUSED 0xFFFFFFFFFFFFFFFF /* what an extension sees of it */

#define SVM_AVIC_ENABLE 0x80000000
#define SVM_NP_ENABLE 0x1
#define SVM_INVLPGB_ENABLE 0x80 /* INVLPGB and TLBSYNC are #UD in the guest without it */
#define SVM_TLB_FLUSH_ALL 0x1
#define SVM_CLEAN_ALL 0x3FF /* all fields that the microkernel ever writes */

#define SVM_EVENT_VALID 0x80000000
#define SVM_EVENT_EV 0x800 /* with error code */
#define SVM_EVENT_INTR 0x000
#define SVM_EVENT_NMI 0x202 /* type 2, vector 2 */
#define SVM_EVENT_EXCEPTION 0x300
#define SVM_EVENT_TYPE 0x700

#define MSR_VM_CR 0xC0010114
#define MSR_VM_HSAVE_PA 0xC0010117
#define VM_CR_SVMDIS 0x10

#endif
