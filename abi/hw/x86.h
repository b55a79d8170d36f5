/* SPDX-License-Identifier: MIT */
/*
 * x86-64: control registers, MSRs, vectors, CPUID and descriptors, for C, C++ and assembly. All
 * names stand for masks, never for bit numbers. A bit is called after its register (CR4_VMXE,
 * APIC_BASE_BSP for IA32_APIC_BASE), an MSR MSR_ and its name in the manual without IA32_, a bit of
 * CPUID after leaf, subleaf if any, and register: CPUID_7_1_EAX_LASS.
 *
 * Linux has some of these names, too: in the driver only what is compiled without Linux's own
 * headers (driver/core/x86) includes this.
 */
#ifndef BF_ABI_HW_X86_H
#define BF_ABI_HW_X86_H

/* --- control registers: SDM vol. 3 §2.5, APM vol. 2 §3.1 ---------------------------------- */

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_ET 0x10 /* always 1 */
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_AM 0x40000
#define CR0_NW 0x20000000
#define CR0_CD 0x40000000
#define CR0_PG 0x80000000

/* LAM of user addresses, SDM vol. 3 §4.1.3 */
#define CR3_LAM_U57 0x2000000000000000
#define CR3_LAM_U48 0x4000000000000000

#define CR4_VME 0x1
#define CR4_PVI 0x2
#define CR4_TSD 0x4
#define CR4_DE 0x8
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_MCE 0x40
#define CR4_PGE 0x80
#define CR4_PCE 0x100
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_LA57 0x1000 /* 5-level paging */
#define CR4_VMXE 0x2000
#define CR4_SMXE 0x4000
#define CR4_FSGSBASE 0x10000
#define CR4_PCIDE 0x20000
#define CR4_OSXSAVE 0x40000
#define CR4_KL 0x80000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000
#define CR4_PKE 0x400000
#define CR4_CET 0x800000
#define CR4_PKS 0x1000000
#define CR4_UINTR 0x2000000
#define CR4_LASS 0x8000000
#define CR4_LAM_SUP 0x10000000
#define CR4_FRED 0x100000000

#define XCR0_X87 0x1 /* always 1 */
#define XCR0_SSE 0x2
#define XCR0_AVX 0x4
#define XCR0_AVX512 0xE0 /* opmask, upper halves of ZMM0-15, ZMM16-31 */
#define XCR0_PKRU 0x200

/* --- RFLAGS: SDM vol. 1 §3.4.3, APM vol. 2 §3.1.6; debug registers: APM vol. 2 §13.1.1 ---- */

#define RFLAGS_CF 0x1
#define RFLAGS_FIXED 0x2 /* always 1 */
#define RFLAGS_PF 0x4
#define RFLAGS_AF 0x10
#define RFLAGS_ZF 0x40
#define RFLAGS_SF 0x80
#define RFLAGS_TF 0x100
#define RFLAGS_IF 0x200
#define RFLAGS_DF 0x400
#define RFLAGS_OF 0x800
#define RFLAGS_IOPL 0x3000
#define RFLAGS_NT 0x4000
#define RFLAGS_RF 0x10000
#define RFLAGS_VM 0x20000
#define RFLAGS_AC 0x40000
#define RFLAGS_ID 0x200000

#define DR6_NO_BUS_LOCK 0x800 /* 0 for a bus lock, alone of all bits */
#define DR6_CAUSES 0xF /* which breakpoints */
#define DR6_BD 0x2000
#define DR6_BS 0x4000
#define DR6_RESET 0xFFFF0FF0 /* the value after reset */
#define DR7_GD 0x2000
#define DR7_RESET 0x400 /* the value after reset: a bit that is always 1 */

/* --- vectors: SDM vol. 3, "Interrupt and Exception Handling"; APM vol. 2 §8.2 ------------- */

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_BR 5
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MF 16
#define VECTOR_AC 17
#define VECTOR_MC 18
#define VECTOR_XM 19
#define VECTOR_CP 21
#define VECTOR_VC 29
#define VECTOR_SX 30
#define VECTOR_LAST_EXCEPTION 31

/* The bit of a vector in the exception intercepts of a VMCB and the exception bitmap of a VMCS. */
#define EXCEPTION_BIT(vector) (0x1 << (vector))

/* The vectors whose frame carries an error code. */
#define VECTOR_HAS_ERROR_CODE(v) \
	((v) == VECTOR_DF || ((v) >= VECTOR_TS && (v) <= VECTOR_PF) || (v) == VECTOR_AC || \
	 (v) == VECTOR_CP || (v) == VECTOR_VC || (v) == VECTOR_SX)

/* The error code of a #PF: APM vol. 2 §8.4.2, SDM vol. 3, "Page-Fault Exceptions". */
#define PF_ERROR_P 0x1 /* a violation of rights; else nothing is mapped */
#define PF_ERROR_W 0x2 /* a write */
#define PF_ERROR_U 0x4 /* from CPL 3 */
#define PF_ERROR_RSV 0x8 /* a reserved bit is set in the page tables */
#define PF_ERROR_I 0x10 /* an instruction fetch */
#define PF_ERROR_PK 0x20 /* forbidden by a protection key */

/* An error code that names a selector or a gate: APM vol. 2 §8.4.1. */
#define ERROR_CODE_EXT 0x1 /* of an event's delivery, not of an instruction's own */
#define ERROR_CODE_IDT 0x2 /* the index is a vector */

/* --- MSRs: SDM vol. 4 chapter 2, APM vol. 2 appendix A ------------------------------------ */

#define MSR_TSC 0x10
#define MSR_PLATFORM_ID 0x17
#define MSR_APIC_BASE 0x1B
#define MSR_TEST_CTRL 0x33
#define MSR_FEATURE_CONTROL 0x3A
#define MSR_TSC_ADJUST 0x3B
#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD 0x49
#define MSR_BIOS_UPDT_TRIG 0x79 /* loads microcode */
#define MSR_UCODE_REV 0x8B /* IA32_BIOS_SIGN_ID, PATCH_LEVEL */
#define MSR_PLATFORM_INFO 0xCE
#define MSR_RAR_CTRL 0xED
#define MSR_MTRR_CAP 0xFE
#define MSR_ARCH_CAPABILITIES 0x10A
#define MSR_FLUSH_CMD 0x10B
#define MSR_MISC_FEATURES_ENABLES 0x140
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_STATUS 0x17A
#define MSR_MISC_ENABLE 0x1A0
#define MSR_DEBUGCTL 0x1D9
#define MSR_MTRR_PHYSBASE0 0x200 /* then its mask, and the next pair */
#define MSR_MTRR_PHYS_LAST 0x23F
#define MSR_MTRR_FIX64K 0x250
#define MSR_MTRR_FIX16K 0x258 /* 2 of them */
#define MSR_MTRR_FIX16K_LAST 0x259
#define MSR_MTRR_FIX4K 0x268 /* 8 */
#define MSR_MTRR_FIX4K_LAST 0x26F
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2FF
#define MSR_PERF_GLOBAL_CTRL 0x38F
#define MSR_PEBS_ENABLE 0x3F1
#define MSR_RTIT_CTL 0x570
#define MSR_DS_AREA 0x600
#define MSR_U_CET 0x6A0
#define MSR_S_CET 0x6A2
#define MSR_ISST_ADDR 0x6A8 /* IA32_INTERRUPT_SSP_TABLE_ADDR */
#define MSR_PKRS 0x6E1
#define MSR_X2APIC 0x800 /* then a register of the page every 16 bytes */
#define MSR_X2APIC_ID 0x802
#define MSR_X2APIC_ICR 0x830
#define MSR_PASID 0xD93
#define MSR_XSS 0xDA0
#define MSR_LBR_CTL 0x14CE
#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_CSTAR 0xC0000083
#define MSR_FMASK 0xC0000084
#define MSR_FS_BASE 0xC0000100
#define MSR_GS_BASE 0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_TSC_AUX 0xC0000103
#define MSR_TSC_RATIO 0xC0000104
#define MSR_SYSCFG 0xC0010010
#define MSR_HWCR 0xC0010015
#define MSR_PATCH_LOADER 0xC0010020 /* loads microcode */
#define MSR_SEV_STATUS 0xC0010131

#define APIC_BASE_BSP 0x100 /* the CPU that began, as the chipset chose it */
#define APIC_BASE_EXTD 0x400 /* x2APIC: registers are MSRs */
#define APIC_BASE_EN 0x800

#define FEATURE_CONTROL_LOCKED 0x1
#define FEATURE_CONTROL_VMXON_IN_SMX 0x2
#define FEATURE_CONTROL_VMXON 0x4 /* outside SMX */

#define SPEC_CTRL_IBRS 0x1
#define SPEC_CTRL_BHI_DIS_S 0x400
#define PRED_CMD_IBPB 0x1
#define FLUSH_CMD_L1D 0x1
/* ARCH_CAPABILITIES: what a CPU is not subject to, and what helps against the rest. */
#define ARCH_CAP_RDCL_NO 0x1
#define ARCH_CAP_IBRS_ALL 0x2
#define ARCH_CAP_SKIP_L1DFL_VMENTRY 0x8
#define ARCH_CAP_MDS_NO 0x20
#define ARCH_CAP_PSCHANGE_MC_NO 0x40
#define ARCH_CAP_TAA_NO 0x100
#define ARCH_CAP_SBDR_SSDP_NO 0x2000
#define ARCH_CAP_FBSDP_NO 0x4000
#define ARCH_CAP_PSDP_NO 0x8000
#define ARCH_CAP_FB_CLEAR 0x20000
#define ARCH_CAP_BHI_NO 0x100000
#define ARCH_CAP_PBRSB_NO 0x1000000
#define ARCH_CAP_RFDS_CLEAR 0x10000000
#define ARCH_CAP_ITS_NO 0x4000000000000000

#define MCG_STATUS_RIPV 0x1

#define DEBUGCTL_BTF 0x2 /* RFLAGS.TF is for branches only */

#define TSC_RATIO_1 0x100000000 /* the rate of the TSC as it is */

#define EFER_SCE 0x1
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFER_NXE 0x800
#define EFER_SVME 0x1000
#define EFER_LMSLE 0x2000
#define EFER_FFXSR 0x4000
#define EFER_TCE 0x8000
#define EFER_MCOMMIT 0x20000
#define EFER_INTWB 0x40000
#define EFER_UAIE 0x100000
#define EFER_AIBRSE 0x200000

/* Memory types, and the MTRRs and the PAT, which they come from: APM vol. 2 §7.7, §7.8. */
#define MTRR_UC 0
#define MTRR_WC 1
#define MTRR_WT 4
#define MTRR_WP 5
#define MTRR_WB 6
#define MTRR_CAP_VARIABLE 0xFF /* how many pairs there are */
#define MTRR_CAP_FIXED 0x100
#define MTRR_DEF_FIXED 0x400 /* IA32_MTRR_DEF_TYPE: fixed ranges enabled */
#define MTRR_DEF_ENABLED 0x800
#define MTRR_MASK_VALID 0x800 /* IA32_MTRR_PHYSMASKn */
#define PAT_RESET 0x0007040600070406 /* the value after reset: WB, WT, UC-, UC, twice */

/* --- local APIC: SDM vol. 3, "Advanced Programmable Interrupt Controller" ----------------- */

#define XAPIC_ID 0x20 /* offsets in its page */
#define XAPIC_VERSION 0x30
#define XAPIC_TPR 0x80
#define XAPIC_EOI 0xB0
#define XAPIC_LDR 0xD0
#define XAPIC_DFR 0xE0
#define XAPIC_SVR 0xF0
#define XAPIC_ISR 0x100 /* 8 of them */
#define XAPIC_IRR 0x200
#define XAPIC_ESR 0x280
#define XAPIC_LVT_CMCI 0x2F0
#define XAPIC_ICR_LOW 0x300
#define XAPIC_ICR_HIGH 0x310
#define XAPIC_LVT_TIMER 0x320 /* then those of thermal sensor, counters, LINT0, LINT1, errors */
#define XAPIC_TIMER_COUNT 0x380
#define XAPIC_TIMER_DIVIDE 0x3E0
#define APIC_MAX_LVT(version) ((version) >> 16 & 0xFF) /* entries, less one */
#define APIC_LVT_MASKED 0x10000
#define APIC_SVR_RESET 0xFF /* disabled by software */
#define APIC_SVR_ENABLED 0x100
#define ICR_MODE 0x700
#define ICR_MODE_INIT 0x500
#define ICR_MODE_STARTUP 0x600
#define ICR_LOGICAL 0x800
#define ICR_NMI 0x4400 /* delivery mode NMI, level assert, physical destination */
#define ICR_PENDING 0x1000
#define ICR_ASSERT 0x4000
#define ICR_LEVEL_TRIGGERED 0x8000

/* --- CPUID: SDM vol. 2A, CPUID; APM vol. 3 appendix E ------------------------------------- */

#define CPUID_0_EBX_AMD 0x68747541 /* "AuthenticAMD" */
#define CPUID_0_EDX_AMD 0x69746E65
#define CPUID_0_ECX_AMD 0x444D4163
#define CPUID_0_EBX_HYGON 0x6F677948 /* "HygonGenuine" */
#define CPUID_0_EDX_HYGON 0x6E65476E
#define CPUID_0_ECX_HYGON 0x656E6975
#define CPUID_0_EBX_INTEL 0x756E6547 /* "GenuineIntel" */
#define CPUID_1_EBX_APIC_ID 0xFF000000
#define CPUID_1_ECX_VMX 0x20
#define CPUID_1_ECX_SMX 0x40
#define CPUID_1_ECX_PCID 0x20000
#define CPUID_1_ECX_XSAVE 0x4000000
#define CPUID_1_ECX_OSXSAVE 0x8000000
#define CPUID_1_ECX_HYPERVISOR 0x80000000
#define CPUID_1_EDX_MTRR 0x1000
#define CPUID_1_EDX_PAT 0x10000
#define CPUID_1_EDX_DS 0x200000 /* debug store: PEBS, branch trace store */
#define CPUID_7_EBX_FSGSBASE 0x1
#define CPUID_7_EBX_TSC_ADJUST 0x2
#define CPUID_7_EBX_SMEP 0x80
#define CPUID_7_EBX_INVPCID 0x400
#define CPUID_7_EBX_SMAP 0x100000
#define CPUID_7_EBX_PT 0x2000000
#define CPUID_7_ECX_UMIP 0x4
#define CPUID_7_ECX_PKU 0x8
#define CPUID_7_ECX_OSPKE 0x10
#define CPUID_7_ECX_WAITPKG 0x20
#define CPUID_7_ECX_CET_SS 0x80
#define CPUID_7_ECX_LA57 0x10000
#define CPUID_7_ECX_RDPID 0x400000
#define CPUID_7_ECX_KL 0x800000
#define CPUID_7_ECX_ENQCMD 0x20000000
#define CPUID_7_ECX_PKS 0x80000000
#define CPUID_7_EDX_UINTR 0x20
#define CPUID_7_EDX_MD_CLEAR 0x400 /* VERW clears buffers */
#define CPUID_7_EDX_ARCH_LBR 0x80000
#define CPUID_7_EDX_CET_IBT 0x100000
#define CPUID_7_EDX_IBRS_IBPB 0x4000000 /* SPEC_CTRL and PRED_CMD */
#define CPUID_7_EDX_L1D_FLUSH 0x10000000
#define CPUID_7_EDX_ARCH_CAPABILITIES 0x20000000
#define CPUID_7_EDX_CORE_CAPABILITIES 0x40000000
#define CPUID_7_1_EAX_LASS 0x40
#define CPUID_7_1_EAX_FRED 0x20000
#define CPUID_7_1_EAX_LAM 0x4000000
#define CPUID_7_1_EAX_MSRLIST 0x8000000
#define CPUID_7_1_EBX_PBNDKB 0x2
#define CPUID_7_1_ECX_MSR_IMM 0x20
#define CPUID_7_1_EDX_USER_MSR 0x8000
#define CPUID_7_2_EDX_BHI_CTRL 0x10 /* SPEC_CTRL.BHI_DIS_S */
#define CPUID_A_EAX_VERSION_2 0xFE /* one of these: performance monitoring of version 2 or later */
#define CPUID_D_1_EAX_XSAVEC 0x2
#define CPUID_D_1_EAX_XSAVES 0x8
#define CPUID_D_N_ECX_XFD 0x4
#define CPUID_21_EBX_TDX 0x65746E49 /* "Inte", of "IntelTDX    " */
#define CPUID_21_EDX_TDX 0x5844546C /* "lTDX" */
#define CPUID_80000001_ECX_SVM 0x4
#define CPUID_80000001_ECX_SKINIT 0x1000
#define CPUID_80000001_ECX_TCE 0x20000
#define CPUID_80000001_EDX_NX 0x100000
#define CPUID_80000001_EDX_FFXSR 0x2000000
#define CPUID_80000001_EDX_PAGE_1G 0x4000000
#define CPUID_80000001_EDX_RDTSCP 0x8000000
#define CPUID_80000001_EDX_LM 0x20000000
#define CPUID_80000008_EAX_WIDTHS 0xFFFF /* of physical and linear addresses */
#define CPUID_80000008_EBX_INVLPGB 0x8
#define CPUID_80000008_EBX_MCOMMIT 0x100
#define CPUID_80000008_EBX_IBPB 0x1000
#define CPUID_80000008_EBX_INTWB 0x2000
#define CPUID_8000000A_EDX_NP 0x1
#define CPUID_8000000A_EDX_LBR_VIRT 0x2
#define CPUID_8000000A_EDX_NRIPS 0x8
#define CPUID_8000000A_EDX_TSC_RATE_MSR 0x10
#define CPUID_8000000A_EDX_DECODE_ASSISTS 0x80
#define CPUID_8000000A_EDX_AVIC 0x2000
#define CPUID_8000000A_EDX_VMSAVE_VIRT 0x8000
#define CPUID_8000000A_EDX_GMET 0x20000
#define CPUID_8000000A_EDX_SSS_CHECK 0x80000
#define CPUID_8000000A_EDX_SPEC_CTRL 0x100000
#define CPUID_8000000A_EDX_ROGPT 0x200000
#define CPUID_8000000A_EDX_TLBI_CTL 0x1000000
#define CPUID_8000000A_EDX_IBS_VIRT 0x4000000
#define CPUID_8000001F_EAX_SME 0x1
#define CPUID_8000001F_EAX_SEV 0x2
#define CPUID_8000001F_EAX_SEV_ES 0x8
#define CPUID_8000001F_EAX_VTE 0x10000
#define CPUID_8000001F_EBX_C_BIT 0x3F /* the number of the bit in page tables */
#define CPUID_80000021_EAX_VERW_CLEAR 0x20
#define CPUID_80000021_EAX_UAI 0x80
#define CPUID_80000021_EAX_AIBRS 0x100
#define CPUID_80000021_EAX_SRSO_NO 0x20000000
#define CPUID_80000021_ECX_TSA_SQ_NO 0x2
#define CPUID_80000021_ECX_TSA_L1_NO 0x4

/* --- segments: SDM vol. 3 §3.4.5; APM vol. 2 §4.7, §4.8 ----------------------------------- */

#define SELECTOR_TI 0x4 /* the descriptor is in the LDT */
#define SELECTOR_INDEX 0xFFF8

#define DESC_S 0x0000100000000000 /* code or data; system descriptors have 16 bytes */
#define DESC_P 0x0000800000000000
#define DESC_G 0x0080000000000000
/* Present, accessed, all of the address space: 64-bit code, and data, of ring 0 and ring 3. */
#define DESC_CODE0 0x00AF9B000000FFFF
#define DESC_DATA0 0x00CF93000000FFFF
#define DESC_DATA3 0x00CFF3000000FFFF
#define DESC_CODE3 0x00AFFB000000FFFF
#define DESC_TSS 0x0000890000000000 /* available, 64-bit; its base and limit are to be added */

#define GATE_INTERRUPT 0x8E00 /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL3 0x6000

#define LAR_P 0x8000 /* present, in what LAR returns */

/* Attributes as the VMCB and struct bf_segment pack them: APM vol. 2 §15.5.1. */
#define SEG_ATTRIB_RW 0x2 /* data can be written, code can be read */
#define SEG_ATTRIB_EXPAND_DOWN 0x4 /* data only */
#define SEG_ATTRIB_CODE 0x8
#define SEG_ATTRIB_DPL 0x60
#define SEG_ATTRIB_DPL_SHIFT 5
#define SEG_ATTRIB_P 0x80
#define SEG_ATTRIB_L 0x200 /* 64-bit code */
#define SEG_ATTRIB_DB 0x400 /* 32-bit code or stack */
#define SEG_ATTRIB_TSS_BUSY 0x8B /* present, a busy 64-bit TSS */

#endif
