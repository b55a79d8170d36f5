/* SPDX-License-Identifier: MIT */
/*
 * What Linux may have enabled, and how the hypervisor handles it: one row for each bit of the
 * registers that change how a CPU works. The driver does not start on a CPU with a bit set that a
 * row refuses or that has no row; bfm names it. docs/hardware.md is generated from this list.
 *
 * CARRIED   Linux keeps it: the bit moves with the guest, or it stays in the CPU, and root mode is
 *           built such that it has no effect there.
 * HARMLESS  root mode runs with it just as Linux does.
 * OFFERED   carried where the CPU offers the VMX controls for it, refused elsewhere.
 * ITEM      checked by an item of its own: enum bf_check_item.
 * REFUSED   cannot be carried; the last column says why, and what to do.
 *
 * MSRs, controls and bits of CPUID are named as in abi/hw. Who expands a column of them includes
 * that; this header does not, because Linux's own have some of the names, too.
 */
#ifndef BF_ABI_FEATURES_H
#define BF_ABI_FEATURES_H

#include <abi/types.h>

enum bf_verdict { BF_CARRIED, BF_HARMLESS, BF_OFFERED, BF_ITEM, BF_REFUSED };

/* X(number, name, as it is printed, MSR or 0); the numbers travel in error details: append only */
#define BF_FEATURE_REGISTERS(X) \
	X(0, CR0, "CR0", 0) \
	X(1, CR4, "CR4", 0) \
	X(2, EFER, "EFER", MSR_EFER) \
	X(3, XCR0, "XCR0", 0) \
	X(4, XSS, "IA32_XSS", MSR_XSS) \
	X(5, DEBUGCTL, "IA32_DEBUGCTL", MSR_DEBUGCTL) \
	X(6, DEBUGCTL_AMD, "DebugCtl", MSR_DEBUGCTL) \
	X(7, MISC_FEATURES, "MISC_FEATURES_ENABLES", MSR_MISC_FEATURES_ENABLES) \
	X(8, HWCR, "HWCR", MSR_HWCR) \
	X(9, SYSCFG, "SYSCFG", MSR_SYSCFG) \
	X(10, S_CET, "IA32_S_CET", MSR_S_CET) \
	X(11, U_CET, "IA32_U_CET", MSR_U_CET) \
	X(12, RTIT_CTL, "IA32_RTIT_CTL", MSR_RTIT_CTL) \
	X(13, LBR_CTL, "IA32_LBR_CTL", MSR_LBR_CTL) \
	X(14, PASID, "IA32_PASID", MSR_PASID) \
	X(15, SEV_STATUS, "SEV_STATUS", MSR_SEV_STATUS) \
	X(16, ENCRYPTION, "memory encryption", 0) /* bits of ours: by CR3 and CPUID */ \
	X(17, PERF_GLOBAL_CTRL, "IA32_PERF_GLOBAL_CTRL", MSR_PERF_GLOBAL_CTRL) \
	X(18, PEBS_ENABLE, "IA32_PEBS_ENABLE", MSR_PEBS_ENABLE) \
	X(19, TEST_CTRL, "MSR_TEST_CTRL", MSR_TEST_CTRL) \
	X(20, CPUID_7_1_ECX, "CPUID.7.1:ECX", 0) /* only the bits that have rows */ \
	X(21, TSC_RATIO, "TSC_RATIO", MSR_TSC_RATIO) \
	X(22, RAR_CTRL, "IA32_RAR_CTRL", MSR_RAR_CTRL)

#define BF_FEATURE_REGISTER_ENUM(number, name, text, msr) BF_REGISTER_##name = (number),
enum bf_feature_register { BF_FEATURE_REGISTERS(BF_FEATURE_REGISTER_ENUM) BF_NR_FEATURE_REGISTERS };

/* X(register, first bit, last bit, name, verdict, how or why) */
#define BF_FEATURES(X) \
	/* SDM vol. 3 §2.5, APM vol. 2 §3.1.1 */ \
	X(CR0, 0, 5, "PE, MP, EM, TS, ET, NE", CARRIED, "VMCB, VMCS") \
	X(CR0, 16, 16, "WP", CARRIED, "VMCB, VMCS") \
	X(CR0, 18, 18, "AM", CARRIED, "VMCB, VMCS") \
	X(CR0, 29, 30, "NW, CD", REFUSED, "a world switch cannot keep the caches off") \
	X(CR0, 31, 31, "PG", CARRIED, "VMCB, VMCS") \
	/* SDM vol. 3 §2.5, APM vol. 2 §3.1.3; root mode has a CR4 of its own */ \
	X(CR4, 0, 11, "VME to UMIP", CARRIED, "VMCB, VMCS") \
	X(CR4, 12, 12, "LA57", CARRIED, "VMCB, VMCS; the same in root mode") \
	X(CR4, 13, 13, "VMXE", ITEM, "another hypervisor has VT-x") \
	X(CR4, 14, 14, "SMXE", REFUSED, "a measured launch owns the machine: boot without tboot") \
	X(CR4, 16, 16, "FSGSBASE", CARRIED, "VMCB, VMCS") \
	X(CR4, 17, 17, "PCIDE", CARRIED, "VMCB, VMCS; off in root mode") \
	X(CR4, 18, 18, "OSXSAVE", CARRIED, "VMCB, VMCS") \
	X(CR4, 19, 19, "KL", REFUSED, "a guest would find it clear, although CPUID 19h shows it") \
	X(CR4, 20, 21, "SMEP, SMAP", CARRIED, "VMCB, VMCS") \
	X(CR4, 22, 22, "PKE", CARRIED, "VMCB, VMCS; PKRU stays in the CPU; off in root mode") \
	X(CR4, 23, 23, "CET", CARRIED, "VMCB, VMCS; off in root mode") \
	X(CR4, 24, 24, "PKS", CARRIED, "VMCS; IA32_PKRS stays in the CPU; off in root mode") \
	X(CR4, 25, 25, "UINTR", CARRIED, "VMCS; its MSRs stay in the CPU; off in root mode") \
	X(CR4, 27, 27, "LASS", CARRIED, "VMCS; off in root mode") \
	X(CR4, 28, 28, "LAM_SUP", CARRIED, "VMCS; off in root mode") \
	X(CR4, 32, 32, "FRED", REFUSED, "it replaces the IDT: boot with fred=off") \
	/* APM vol. 2 §3.1.7 */ \
	X(EFER, 0, 0, "SCE", CARRIED, "VMCB, VMCS") \
	X(EFER, 8, 8, "LME", CARRIED, "VMCB, VMCS") \
	X(EFER, 10, 11, "LMA, NXE", CARRIED, "VMCB, VMCS") \
	X(EFER, 12, 12, "SVME", ITEM, "another hypervisor has SVM") \
	X(EFER, 13, 13, "LMSLE", REFUSED, "it limits the segments of root mode, too") \
	X(EFER, 14, 15, "FFXSR, TCE", CARRIED, "VMCB; root mode has them as well") \
	X(EFER, 17, 18, "MCOMMIT, INTWB", CARRIED, "VMCB; root mode has them as well") \
	X(EFER, 20, 21, "UAIE, AIBRSE", CARRIED, "VMCB; root mode has them as well") \
	/* SDM vol. 1 §13.3, APM vol. 2 §11.5.2; root mode uses no extended state */ \
	X(XCR0, 0, 2, "x87, SSE, AVX", CARRIED, "stays in the CPU") \
	X(XCR0, 3, 4, "MPX", CARRIED, "stays in the CPU") \
	X(XCR0, 5, 7, "AVX-512", CARRIED, "stays in the CPU") \
	X(XCR0, 9, 9, "PKRU", CARRIED, "stays in the CPU") \
	X(XCR0, 17, 18, "AMX", CARRIED, "stays in the CPU") \
	X(XCR0, 19, 19, "APX", CARRIED, "stays in the CPU; extensions must not use R16 to R31") \
	X(XCR0, 62, 62, "LWP", REFUSED, "the CPU writes its records to Linux's linear addresses") \
	X(XSS, 8, 8, "PT", CARRIED, "stays in the CPU: see IA32_RTIT_CTL") \
	X(XSS, 10, 10, "PASID", CARRIED, "stays in the CPU: see IA32_PASID") \
	X(XSS, 11, 12, "CET_U, CET_S", CARRIED, "stays in the CPU: see IA32_S_CET") \
	X(XSS, 13, 13, "HDC", HARMLESS, "power management") \
	X(XSS, 14, 14, "UINTR", CARRIED, "stays in the CPU: see CR4") \
	X(XSS, 15, 15, "LBR", CARRIED, "stays in the CPU: see IA32_LBR_CTL") \
	X(XSS, 16, 16, "HWP", HARMLESS, "power management") \
	/* SDM vol. 4, table 2-2; vol. 3 §30.3.1: exits save and clear it, entries load it */ \
	X(DEBUGCTL, 0, 2, "LBR, BTF, BLD", CARRIED, "VMCS; a VM exit clears it") \
	X(DEBUGCTL, 6, 10, "TR, BTS", CARRIED, "VMCS; a VM exit clears it") \
	X(DEBUGCTL, 11, 12, "freeze on PMI", CARRIED, "VMCS; a VM exit clears it") \
	X(DEBUGCTL, 13, 15, "uncore PMI, SMM, RTM", CARRIED, "VMCS; a VM exit clears it") \
	/* APM vol. 2 §13.1.1.6; without LBR virtualisation it stays in the CPU */ \
	X(DEBUGCTL_AMD, 0, 1, "LBR, BTF", HARMLESS, "root mode does not set RFLAGS.TF") \
	X(DEBUGCTL_AMD, 2, 2, "BLCKDB", CARRIED, \
	  "#DB for a bus lock of ring 3 ends in the microkernel") \
	X(DEBUGCTL_AMD, 3, 5, "performance pins", HARMLESS, "affects external pins only") \
	X(DEBUGCTL_AMD, 11, 12, "freeze on PMI", HARMLESS, "affects Linux's counters only") \
	/* SDM vol. 4, table 2-2: an #AC of ring 3 is its own fault, and ring 0 makes none */ \
	X(TEST_CTRL, 0, 28, "test modes, UC locks", HARMLESS, \
	  "root mode locks cached memory only") \
	X(TEST_CTRL, 29, 29, "#AC for split locks", HARMLESS, "in ring 3, a fault like any other") \
	X(TEST_CTRL, 30, 63, "LOCK#, reserved", HARMLESS, "root mode splits no lock") \
	/* SDM vol. 4; the guest's ring 3 faults before it exits */ \
	X(MISC_FEATURES, 0, 0, "CPUID faulting", CARRIED, \
	  "the microkernel executes CPUID for the extension") \
	X(MISC_FEATURES, 1, 1, "MWAIT in ring 3", HARMLESS, "extensions do not use it") \
	/* PPR of each family, MSRC001_0015: the firmware sets what differs between families */ \
	X(HWCR, 0, 34, "caches, SMM, clocks", HARMLESS, "the same in both modes") \
	X(HWCR, 35, 35, "CpuidUserDis", CARRIED, \
	  "the microkernel executes CPUID for the extension") \
	/* APM vol. 2 §7.9.1, §7.10, §15.36.2 */ \
	X(SYSCFG, 0, 22, "MTRRs, buses", HARMLESS, "the same in both modes") \
	X(SYSCFG, 23, 23, "MemEncryptionModEn", HARMLESS, "only the C-bit in CR3 matters") \
	X(SYSCFG, 24, 25, "SNP", REFUSED, \
	  "Linux hosts SEV-SNP: boot with sev=nosnp (Linux 6.13 and later) or iommu=pt") \
	X(SYSCFG, 26, 26, "HMKEE", REFUSED, "host memory is encrypted with several keys") \
	/* APM vol. 2 §15.30.5; the driver names bit 32, too, if the value is 0 */ \
	X(TSC_RATIO, 0, 31, "fraction", REFUSED, "the rate of Linux's TSC would change") \
	X(TSC_RATIO, 32, 32, "1.0", HARMLESS, "the rate of the TSC stays") \
	X(TSC_RATIO, 33, 39, "integer", REFUSED, "the rate of Linux's TSC would change") \
	/* SDM vol. 1 §18.2; on AMD IA32_S_CET and SSP move with the VMCB */ \
	X(S_CET, 0, 5, "shadow stack, IBT", CARRIED, \
	  "CPU, VMCB or VMCS; CR4.CET is off in root mode") \
	X(S_CET, 10, 63, "IBT tracker, bitmap", CARRIED, "CPU, VMCB or VMCS") \
	X(U_CET, 0, 5, "shadow stack, IBT", CARRIED, "stays in the CPU") \
	X(U_CET, 10, 63, "IBT tracker, bitmap", CARRIED, "stays in the CPU") \
	/* SDM vol. 3 §35.2.8.2, §35.5: allowed in VMX operation; a VM exit stops it */ \
	X(RTIT_CTL, 0, 0, "TraceEn", OFFERED, \
	  "a VM exit stops it where VMX supports that; elsewhere, end the trace first") \
	X(RTIT_CTL, 1, 63, "settings of Intel PT", HARMLESS, "no effect without TraceEn") \
	/* SDM vol. 3 §21.1 */ \
	X(LBR_CTL, 0, 3, "LBREn, OS, USR, CALL_STACK", CARRIED, \
	  "a VM exit clears it where the CPU supports that; " \
	  "elsewhere, branches of root mode are recorded") \
	X(LBR_CTL, 16, 22, "branch types", HARMLESS, "no effect without LBREn") \
	/* SDM vol. 3 §22.2.2, §22.9.4: what does not count makes no record, either */ \
	X(PERF_GLOBAL_CTRL, 0, 48, "counters", CARRIED, "VMCS or MSR lists; 0 in root mode") \
	X(PEBS_ENABLE, 0, 63, "PEBS", CARRIED, "stays in the CPU; nothing counts in root mode") \
	/* SDM vol. 3 §28.5: ENQCMD in the guest uses it untranslated */ \
	X(PASID, 0, 19, "PASID", CARRIED, "stays in the CPU") \
	X(PASID, 31, 31, "valid", CARRIED, "stays in the CPU") \
	/* Intel, "Remote Action Request": a CPU carries it out as it is, in root mode, too */ \
	X(RAR_CTRL, 0, 30, "settings", HARMLESS, "no effect without the enable bit") \
	X(RAR_CTRL, 31, 31, "enable", REFUSED, \
	  "Linux flushes TLBs by remote action, which also acts on root mode") \
	X(RAR_CTRL, 32, 63, "reserved", HARMLESS, "no effect without the enable bit") \
	/* APM vol. 2 §15.34.10 */ \
	X(SEV_STATUS, 0, 0, "SEV", REFUSED, "Linux runs as an encrypted guest") \
	X(SEV_STATUS, 1, 1, "SEV-ES", REFUSED, "Linux runs as an encrypted guest") \
	X(SEV_STATUS, 2, 2, "SEV-SNP", REFUSED, "Linux runs as an encrypted guest") \
	X(ENCRYPTION, 0, 0, "SME", REFUSED, \
	  "without the C-bit of Linux's page tables, its memory reads differently: " \
	  "boot with mem_encrypt=off") \
	X(ENCRYPTION, 1, 1, "TDX", REFUSED, "Linux runs as an encrypted guest") \
	/* SDM vol. 3 appendix C: exit reasons 84 and 85. Linux patches them in at boot. */ \
	X(CPUID_7_1_ECX, 5, 5, "MSR_IMM", REFUSED, \
	  "RDMSR and WRMSRNS with an immediate have exit reasons that Mk#1 does not know")

/* Bits first to last of a row. */
#define BF_FEATURE_BITS(first, last) ((~0ULL >> (63 - (last) + (first))) << (first))

/* The bits of CR4 that Linux may have or set while it is a guest. */
#define BF_FEATURE_CR4(reg, first, last, name, verdict, by) \
	| (BF_REGISTER_##reg == BF_REGISTER_CR4 && BF_##verdict != BF_REFUSED ? \
		   BF_FEATURE_BITS(first, last) : \
		   0)
#define BF_CR4_KNOWN (0 BF_FEATURES(BF_FEATURE_CR4))

/*
 * The detail of BF_ERR_CPU_FEATURE: which bit it is. NOT_IN_VMX: a row carries it, but the CPU's
 * IA32_VMX_CR0_FIXED1 or IA32_VMX_CR4_FIXED1 does not allow it to a guest.
 */
#define BF_FEATURE_DETAIL(reg, bit) ((uint64_t)(reg) << 8 | (bit))
#define BF_FEATURE_NOT_IN_VMX 0x10000
#define BF_FEATURE_REGISTER(detail) ((uint32_t)(detail) >> 8 & 0xFF)
#define BF_FEATURE_BIT(detail) ((uint32_t)(detail) & 0xFF)

/* The number of the only bit of a mask. */
#define BF_BIT_NUMBER(mask) __builtin_ctzll(mask)

/* --- capabilities ----------------------------------------------------------------------------- */

/*
 * The capability MSRs of VMX (SDM vol. 3 appendix A): X(name, MSR, MSR of the TRUE controls or 0)
 */
#define BF_VMX_CONTROL_MSRS(X) \
	X(PIN, MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS) \
	X(PRIMARY, MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS) \
	X(EXIT, MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS) \
	X(ENTRY, MSR_VMX_ENTRY_CTLS, MSR_VMX_TRUE_ENTRY_CTLS) \
	X(SECONDARY, MSR_VMX_PROCBASED_CTLS2, 0)

#define BF_VMX_CONTROL_ENUM(name, msr, true_msr) BF_VMX_##name,
enum bf_vmx_control_msr { BF_VMX_CONTROL_MSRS(BF_VMX_CONTROL_ENUM) BF_NR_VMX_CONTROL_MSRS };

/* Controls that the microkernel needs. X(MSR, mask, name) */
#define BF_VMX_CONTROLS(X) \
	X(PIN, VMX_PIN_INTERRUPT_EXITING, "external-interrupt exiting") \
	X(PIN, VMX_PIN_NMI_EXITING, "NMI exiting") \
	X(PIN, VMX_PIN_VIRTUAL_NMIS, "virtual NMIs") \
	X(PRIMARY, VMX_PRIMARY_CR8_LOAD, "CR8-load exiting") \
	X(PRIMARY, VMX_PRIMARY_CR8_STORE, "CR8-store exiting") \
	X(PRIMARY, VMX_PRIMARY_NMI_WINDOW, "NMI-window exiting") \
	X(EXIT, VMX_EXIT_CTL_SAVE_DEBUG, "save debug controls") \
	X(EXIT, VMX_EXIT_CTL_HOST_64, "host address-space size") \
	X(EXIT, VMX_EXIT_CTL_SAVE_PAT, "save IA32_PAT") \
	X(EXIT, VMX_EXIT_CTL_LOAD_PAT, "load IA32_PAT") \
	X(EXIT, VMX_EXIT_CTL_SAVE_EFER, "save IA32_EFER") \
	X(EXIT, VMX_EXIT_CTL_LOAD_EFER, "load IA32_EFER") \
	X(ENTRY, VMX_ENTRY_CTL_LOAD_DEBUG, "load debug controls") \
	X(ENTRY, VMX_ENTRY_CTL_IA32E_GUEST, "IA-32e mode guest") \
	X(ENTRY, VMX_ENTRY_CTL_LOAD_PAT, "load IA32_PAT") \
	X(ENTRY, VMX_ENTRY_CTL_LOAD_EFER, "load IA32_EFER")

/* All of them as masks, for the microkernel. */
#define BF_VMX_CONTROL_BIT(msr, mask, kind) | (BF_VMX_##msr == (kind) ? (mask) : 0)
#define BF_VMX_PIN_BIT(msr, mask, name) BF_VMX_CONTROL_BIT(msr, mask, BF_VMX_PIN)
#define BF_VMX_PRIMARY_BIT(msr, mask, name) BF_VMX_CONTROL_BIT(msr, mask, BF_VMX_PRIMARY)
#define BF_VMX_EXIT_BIT(msr, mask, name) BF_VMX_CONTROL_BIT(msr, mask, BF_VMX_EXIT)
#define BF_VMX_ENTRY_BIT(msr, mask, name) BF_VMX_CONTROL_BIT(msr, mask, BF_VMX_ENTRY)
#define BF_VMX_PIN_CONTROLS (0 BF_VMX_CONTROLS(BF_VMX_PIN_BIT))
#define BF_VMX_PRIMARY_CONTROLS (0 BF_VMX_CONTROLS(BF_VMX_PRIMARY_BIT))
#define BF_VMX_EXIT_CONTROLS (0 BF_VMX_CONTROLS(BF_VMX_EXIT_BIT))
#define BF_VMX_ENTRY_CONTROLS (0 BF_VMX_CONTROLS(BF_VMX_ENTRY_BIT))

/*
 * Instructions that Linux and its programs use where CPUID shows them, and that raise #UD in a
 * guest without a secondary control (SDM vol. 3 §27.6.2). X(leaf, subleaf, register, mask, name,
 * control, name of the control); registers are numbered EAX, EBX, ECX, EDX
 */
#define BF_VMX_INSTRUCTIONS(X) \
	X(0x80000001, 0, 3, CPUID_80000001_EDX_RDTSCP, "RDTSCP", VMX_SECONDARY_RDTSCP, \
	  "enable RDTSCP") \
	X(0x7, 0, 2, CPUID_7_ECX_RDPID, "RDPID", VMX_SECONDARY_RDTSCP, "enable RDTSCP") \
	X(0x7, 0, 1, CPUID_7_EBX_INVPCID, "INVPCID", VMX_SECONDARY_INVPCID, "enable INVPCID") \
	X(0xD, 1, 0, CPUID_D_1_EAX_XSAVES, "XSAVES", VMX_SECONDARY_XSAVES, \
	  "enable XSAVES/XRSTORS") \
	X(0x7, 0, 2, CPUID_7_ECX_WAITPKG, "TPAUSE, UMWAIT", VMX_SECONDARY_USER_WAIT, \
	  "enable user wait and pause")

/*
 * What the CPU offers and the microkernel then sets up for Linux. X(leaf, register, mask, name, by)
 */
#define BF_SVM_FEATURES(X) \
	X(0x80000008, 1, CPUID_80000008_EBX_INVLPGB, "INVLPGB, TLBSYNC", "VMCB 090h bit 7") \
	X(0x8000000A, 3, CPUID_8000000A_EDX_NP, "nested paging", "VMCB 090h bit 0") \
	X(0x8000000A, 3, CPUID_8000000A_EDX_SPEC_CTRL, "SPEC_CTRL of the guest", \
	  "VMCB state save area 2E0h")

/*
 * The detail of BF_ERR_VMX_CONTROLS: the MSR and, in bits 39:32, the control that it does not allow
 * to be 1.
 */
#define BF_CONTROL_DETAIL(msr, bit) ((uint64_t)(bit) << 32 | (msr))
#define BF_CONTROL_MSR(detail) ((uint32_t)(detail))
#define BF_CONTROL_BIT(detail) ((uint32_t)((detail) >> 32) & 0xFF)

/*
 * The detail of BF_ERR_CPUS_DIFFER: the CPU and, in the high half, the place where it differs: bit
 * 31 set for a register of CPUID, clear for an MSR; 0: not said.
 */
#define BF_DIFFER_CPUID(leaf, subleaf, reg) \
	(0x80000000U | ((leaf) & 0x80000000U) >> 1 | (uint32_t)(reg) << 28 | \
	 (uint32_t)(subleaf) << 16 | ((leaf) & 0xFFFFU))
#define BF_DIFFER_IS_CPUID(place) ((place) >> 31)
#define BF_DIFFER_LEAF(place) (((place) & 0x40000000U) << 1 | ((place) & 0xFFFFU))
#define BF_DIFFER_SUBLEAF(place) ((place) >> 16 & 0xFFF)
#define BF_DIFFER_REG(place) ((place) >> 28 & 3)
#define BF_DIFFER_DETAIL(place, cpu) ((uint64_t)(place) << 32 | (cpu))
#define BF_DIFFER_PLACE(detail) ((uint32_t)((detail) >> 32))
#define BF_DIFFER_CPU(detail) ((uint32_t)(detail))

#endif
