/* SPDX-License-Identifier: MIT */
/*
 * VT-x: exit reasons, controls, events and the fields of the VMCS (SDM vol. 3, chapters 27 to 33,
 * appendices A to C). As in x86.h, names stand for masks, and Linux has some of them, too.
 */
#ifndef BF_ABI_HW_VMX_H
#define BF_ABI_HW_VMX_H

#include <abi/hw/x86.h>

/* --- capability MSRs: appendix A -------------------------------------------------------------- */

#define MSR_VMX_BASIC 0x480
#define MSR_VMX_PINBASED_CTLS 0x481
#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_EXIT_CTLS 0x483
#define MSR_VMX_ENTRY_CTLS 0x484
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_VMCS_ENUM 0x48A
#define MSR_VMX_PROCBASED_CTLS2 0x48B
#define MSR_VMX_EPT_VPID_CAP 0x48C
#define MSR_VMX_TRUE_PINBASED_CTLS 0x48D /* then those in the order from 482h on */
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x48E
#define MSR_VMX_TRUE_EXIT_CTLS 0x48F
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490
#define MSR_VMX_VMFUNC 0x491
#define MSR_VMX_PROCBASED_CTLS3 0x492
#define MSR_VMX_EXIT_CTLS2 0x493

#define VMX_BASIC_REVISION 0x7FFFFFFF /* what VMCSs begin with: A.1 */
#define VMX_BASIC_TRUE_CONTROLS 0x80000000000000
#define VMX_MISC_WAIT_FOR_SIPI 0x100 /* an activity state that a guest can be in: A.6 */
#define VMX_MISC_PT 0x4000 /* Intel PT can be used in VMX operation: A.6 */

/* A.10 */
#define VMX_CAP_EPT_X_ONLY 0x1 /* pages that can be executed, and not read */
#define VMX_CAP_EPT_4_LEVELS 0x40
#define VMX_CAP_EPT_WB 0x4000
#define VMX_CAP_EPT_2M 0x10000
#define VMX_CAP_EPT_1G 0x20000
#define VMX_CAP_INVEPT 0x100000
#define VMX_CAP_EPT_AD 0x200000 /* accessed and dirty flags */
#define VMX_CAP_INVEPT_SINGLE 0x2000000
#define VMX_CAP_INVEPT_ALL 0x4000000
#define VMX_CAP_INVVPID 0x100000000
#define VMX_CAP_INVVPID_GLA 0x10000000000
#define VMX_CAP_INVVPID_SINGLE 0x20000000000
#define VMX_CAP_INVVPID_ALL 0x40000000000

/* --- controls --------------------------------------------------------------------------------- */

/* Pin-based execution controls: §27.6.1 */
#define VMX_PIN_INTERRUPT_EXITING 0x1
#define VMX_PIN_NMI_EXITING 0x8
#define VMX_PIN_VIRTUAL_NMIS 0x20
#define VMX_PIN_PREEMPTION_TIMER 0x40
#define VMX_PIN_POSTED_INTERRUPTS 0x80

/* Processor-based execution controls, primary and secondary: §27.6.2 */
#define VMX_PRIMARY_INTERRUPT_WINDOW 0x4
#define VMX_PRIMARY_TSC_OFFSET 0x8
#define VMX_PRIMARY_HLT 0x80
#define VMX_PRIMARY_MWAIT 0x400
#define VMX_PRIMARY_RDPMC 0x800
#define VMX_PRIMARY_CR3_LOAD 0x8000
#define VMX_PRIMARY_CR3_STORE 0x10000
#define VMX_PRIMARY_TERTIARY 0x20000
#define VMX_PRIMARY_CR8_LOAD 0x80000
#define VMX_PRIMARY_CR8_STORE 0x100000
#define VMX_PRIMARY_TPR_SHADOW 0x200000
#define VMX_PRIMARY_NMI_WINDOW 0x400000
#define VMX_PRIMARY_MOV_DR 0x800000
#define VMX_PRIMARY_IO 0x1000000 /* all ports exit */
#define VMX_PRIMARY_IO_BITMAPS 0x2000000
#define VMX_PRIMARY_MONITOR_TRAP 0x8000000 /* an exit behind each instruction */
#define VMX_PRIMARY_MSR_BITMAPS 0x10000000 /* without it all MSRs exit */
#define VMX_PRIMARY_MONITOR 0x20000000
#define VMX_PRIMARY_SECONDARY 0x80000000

#define VMX_SECONDARY_APIC_ACCESS 0x1
#define VMX_SECONDARY_EPT 0x2
#define VMX_SECONDARY_RDTSCP 0x8
#define VMX_SECONDARY_X2APIC 0x10
#define VMX_SECONDARY_VPID 0x20
#define VMX_SECONDARY_WBINVD 0x40
#define VMX_SECONDARY_UNRESTRICTED 0x80
#define VMX_SECONDARY_APIC_REGISTERS 0x100
#define VMX_SECONDARY_VIRTUAL_INTERRUPTS 0x200
#define VMX_SECONDARY_INVPCID 0x1000
#define VMX_SECONDARY_VMFUNC 0x2000
#define VMX_SECONDARY_SHADOW_VMCS 0x4000
#define VMX_SECONDARY_ENCLS 0x8000
#define VMX_SECONDARY_PML 0x20000
#define VMX_SECONDARY_EPT_VE 0x40000
#define VMX_SECONDARY_XSAVES 0x100000
#define VMX_SECONDARY_PASID 0x200000
#define VMX_SECONDARY_EXEC_BY_MODE 0x400000
#define VMX_SECONDARY_SUB_PAGE 0x800000
#define VMX_SECONDARY_USER_WAIT 0x4000000
#define VMX_SECONDARY_PCONFIG 0x8000000
#define VMX_SECONDARY_ENCLV 0x10000000
#define VMX_SECONDARY_TIMEOUT 0x80000000

/* VM-exit controls: §27.7.1 */
#define VMX_EXIT_CTL_SAVE_DEBUG 0x4
#define VMX_EXIT_CTL_HOST_64 0x200
#define VMX_EXIT_CTL_LOAD_PERF 0x1000
#define VMX_EXIT_CTL_ACKNOWLEDGE 0x8000
#define VMX_EXIT_CTL_SAVE_PAT 0x40000
#define VMX_EXIT_CTL_LOAD_PAT 0x80000
#define VMX_EXIT_CTL_SAVE_EFER 0x100000
#define VMX_EXIT_CTL_LOAD_EFER 0x200000
#define VMX_EXIT_CTL_SAVE_TIMER 0x400000
#define VMX_EXIT_CTL_CLEAR_RTIT 0x2000000
#define VMX_EXIT_CTL_CLEAR_LBR 0x4000000
#define VMX_EXIT_CTL_LOAD_CET 0x10000000
#define VMX_EXIT_CTL_LOAD_PKRS 0x20000000
#define VMX_EXIT_CTL_SAVE_PERF 0x40000000
#define VMX_EXIT_CTL_SECONDARY 0x80000000

/* VM-entry controls: §27.8.1 */
#define VMX_ENTRY_CTL_LOAD_DEBUG 0x4
#define VMX_ENTRY_CTL_IA32E_GUEST 0x200
#define VMX_ENTRY_CTL_LOAD_PERF 0x2000
#define VMX_ENTRY_CTL_LOAD_PAT 0x4000
#define VMX_ENTRY_CTL_LOAD_EFER 0x8000
#define VMX_ENTRY_CTL_LOAD_RTIT 0x40000
#define VMX_ENTRY_CTL_LOAD_CET 0x100000
#define VMX_ENTRY_CTL_LOAD_LBR 0x200000
#define VMX_ENTRY_CTL_LOAD_PKRS 0x400000

/* --- events, segments, EPT -------------------------------------------------------------------- */

/* Interruption information: §27.8.3, §27.9.2, §27.9.3 */
#define VMX_EVENT_VECTOR 0xFF
#define VMX_EVENT_TYPE 0x700
#define VMX_EVENT_TYPE_INTR 0x000
#define VMX_EVENT_TYPE_NMI 0x200
#define VMX_EVENT_TYPE_EXCEPTION 0x300
#define VMX_EVENT_TYPE_SOFTWARE 0x400 /* this and those above are instructions: INT, INT1, INT3 */
#define VMX_EVENT_TYPE_INT3 0x600 /* and INTO */
#define VMX_EVENT_ERROR_CODE 0x800
#define VMX_EVENT_IRET 0x1000 /* of an exit: IRET had unblocked NMIs */
#define VMX_EVENT_DEFINED 0x80000FFF /* without bit 12: undefined in IDT-vectoring information */
#define VMX_EVENT_VALID 0x80000000

/* Interruptibility state, pending debug exceptions and activity state: §27.4.2 */
#define VMX_BLOCKING_BY_STI 0x1
#define VMX_BLOCKING_BY_MOV_SS 0x2
#define VMX_BLOCKING_BY_NMI 0x8
#define VMX_PENDING_DEBUG_BS 0x4000
#define VMX_ACTIVITY_ACTIVE 0
#define VMX_ACTIVITY_WAIT_FOR_SIPI 3

/* Access rights of a segment, §27.4.1: bits 7:0 as in its descriptor, 11:8 reserved */
#define VMX_AR_ACCESSED 0x1
#define VMX_AR_BUSY 0x2
#define VMX_AR_CODE_OR_DATA 0x10
#define VMX_AR_PRESENT 0x80
#define VMX_AR_L 0x2000
#define VMX_AR_DB 0x4000
#define VMX_AR_G 0x8000
#define VMX_AR_UNUSABLE 0x10000

#define VMX_NO_LINKED_VMCS 0xFFFFFFFFFFFFFFFF /* VMCS link pointer: §27.4.2 */

/* The EPT pointer (§27.6.11) and EPT entries (§31.3.2) */
#define VMX_EPTP_WB 0x6
#define VMX_EPTP_4_LEVELS 0x18
#define VMX_EPTP_AD 0x40
#define VMX_EPT_RWX 0x7
#define VMX_EPT_R 0x1
#define VMX_EPT_W 0x2
#define VMX_EPT_X 0x4
#define VMX_EPT_A 0x100
#define VMX_EPT_D 0x200
#define VMX_EPT_TYPE_SHIFT 3 /* of the memory type: MTRR_WB */
#define VMX_EPT_WB 0x30

/* The MSR bitmaps, a quarter of a page each, for MSRs from 0 on: §27.6.9 */
#define VMX_MSR_BITMAP_READ_LOW 0x000
#define VMX_MSR_BITMAP_READ_HIGH 0x400
#define VMX_MSR_BITMAP_WRITE_LOW 0x800
#define VMX_MSR_BITMAP_WRITE_HIGH 0xC00

/* --- exits ------------------------------------------------------------------------------------ */

/* Exit reason, §27.9.1: what is more than the number; exit qualification, tables 30-3 and 30-7 */
#define VMX_EXIT_BASIC 0xFFFF
#define VMX_EXIT_ENTRY_FAILED 0x80000000
#define VMX_QUAL_CR 0xF
#define VMX_QUAL_CR_ACCESS 0x30
#define VMX_QUAL_CR_TO 0x00
#define VMX_QUAL_CR_FROM 0x10
#define VMX_QUAL_CR_CLTS 0x20
#define VMX_QUAL_CR_LMSW 0x30
#define VMX_QUAL_CR_NUMBER(qualification) ((qualification) & 0xF)
#define VMX_QUAL_CR_SOURCE(qualification) ((qualification) >> 16 & 0xFFFF) /* of LMSW */
#define VMX_QUAL_CR_GPR(qualification) ((qualification) >> 8 & 0xF) /* as instructions have it */
/* MOV DR, table 30-4; its general register as that of MOV CR */
#define VMX_QUAL_DR_NUMBER(qualification) ((qualification) & 0x7)
#define VMX_QUAL_DR_FROM 0x10
#define VMX_QUAL_EPT_READ 0x1
#define VMX_QUAL_EPT_WRITE 0x2
#define VMX_QUAL_EPT_FETCH 0x4
#define VMX_QUAL_EPT_LINEAR 0x80 /* the linear address is there */
#define VMX_QUAL_EPT_FINAL 0x100 /* it is where that leads, not a page table on the way */
#define VMX_QUAL_EPT_IRET 0x1000 /* IRET had unblocked NMIs */
/* Of an I/O exit, table 30-5 */
#define VMX_QUAL_IO_SIZE(qualification) (((qualification) & 0x7) + 1) /* bytes */
#define VMX_QUAL_IO_IN 0x8
#define VMX_QUAL_IO_STRING 0x10
#define VMX_QUAL_IO_PORT(qualification) ((qualification) >> 16 & 0xFFFF)

/* Basic exit reasons, appendix C: X(number, name) */
#define VMX_EXITS(X) \
	X(0, EXCEPTION_NMI) \
	X(1, EXTERNAL_INTERRUPT) \
	X(2, TRIPLE_FAULT) \
	X(3, INIT) \
	X(4, SIPI) \
	X(5, IO_SMI) \
	X(6, OTHER_SMI) \
	X(7, INTERRUPT_WINDOW) \
	X(8, NMI_WINDOW) \
	X(9, TASK_SWITCH) \
	X(10, CPUID) \
	X(11, GETSEC) \
	X(12, HLT) \
	X(13, INVD) \
	X(14, INVLPG) \
	X(15, RDPMC) \
	X(16, RDTSC) \
	X(17, RSM) \
	X(18, VMCALL) \
	X(19, VMCLEAR) \
	X(20, VMLAUNCH) \
	X(21, VMPTRLD) \
	X(22, VMPTRST) \
	X(23, VMREAD) \
	X(24, VMRESUME) \
	X(25, VMWRITE) \
	X(26, VMXOFF) \
	X(27, VMXON) \
	X(28, CR_ACCESS) \
	X(29, DR_ACCESS) \
	X(30, IO) \
	X(31, RDMSR) \
	X(32, WRMSR) \
	X(33, ENTRY_GUEST_STATE) \
	X(34, ENTRY_MSR_LOADING) \
	X(36, MWAIT) \
	X(37, MONITOR_TRAP_FLAG) \
	X(39, MONITOR) \
	X(40, PAUSE) \
	X(41, ENTRY_MACHINE_CHECK) \
	X(43, TPR_BELOW_THRESHOLD) \
	X(44, APIC_ACCESS) \
	X(45, VIRTUALIZED_EOI) \
	X(46, GDTR_IDTR) \
	X(47, LDTR_TR) \
	X(48, EPT_VIOLATION) \
	X(49, EPT_MISCONFIGURATION) \
	X(50, INVEPT) \
	X(51, RDTSCP) \
	X(52, PREEMPTION_TIMER) \
	X(53, INVVPID) \
	X(54, WBINVD) \
	X(55, XSETBV) \
	X(56, APIC_WRITE) \
	X(57, RDRAND) \
	X(58, INVPCID) \
	X(59, VMFUNC) \
	X(60, ENCLS) \
	X(61, RDSEED) \
	X(62, PML_FULL) \
	X(63, XSAVES) \
	X(64, XRSTORS) \
	X(65, PCONFIG) \
	X(66, SPP) \
	X(67, UMWAIT) \
	X(68, TPAUSE) \
	X(69, LOADIWKEY) \
	X(70, ENCLV) \
	X(72, ENQCMD_PASID) \
	X(73, ENQCMDS_PASID) \
	X(74, BUS_LOCK) \
	X(75, NOTIFY) \
	X(76, SEAMCALL) \
	X(77, TDCALL) \
	X(78, RDMSRLIST) \
	X(79, WRMSRLIST)

/* VM-instruction errors, §33.4: X(number, name, text) */
#define VMX_ERRORS(X) \
	X(1, VMCALL_IN_ROOT, "VMCALL in root mode") \
	X(2, VMCLEAR_ADDRESS, "VMCLEAR with an invalid address") \
	X(3, VMCLEAR_VMXON_REGION, "VMCLEAR of the VMXON region") \
	X(4, VMLAUNCH_NOT_CLEAR, "VMLAUNCH of a VMCS that is not clear") \
	X(5, VMRESUME_NOT_LAUNCHED, "VMRESUME of a VMCS that was not launched") \
	X(6, VMRESUME_AFTER_VMXOFF, "VMRESUME after VMXOFF") \
	X(7, CONTROL_FIELDS, "invalid control fields") \
	X(8, HOST_FIELDS, "invalid host-state fields") \
	X(9, VMPTRLD_ADDRESS, "VMPTRLD with an invalid address") \
	X(10, VMPTRLD_VMXON_REGION, "VMPTRLD of the VMXON region") \
	X(11, VMPTRLD_REVISION, "VMPTRLD of a VMCS of another revision") \
	X(12, NO_FIELD, "a VMCS field that this CPU does not have") \
	X(13, READ_ONLY_FIELD, "VMWRITE to a read-only field") \
	X(15, VMXON_IN_ROOT, "VMXON in root mode") \
	X(16, EXECUTIVE_POINTER, "invalid executive-VMCS pointer") \
	X(17, EXECUTIVE_NOT_LAUNCHED, "executive VMCS that was not launched") \
	X(18, EXECUTIVE_NOT_VMXON, "executive-VMCS pointer that is not the VMXON pointer") \
	X(19, VMCALL_NOT_CLEAR, "VMCALL with a VMCS that is not clear") \
	X(20, VMCALL_EXIT_CONTROLS, "VMCALL with invalid exit controls") \
	X(22, VMCALL_MSEG, "VMCALL with an unknown MSEG revision") \
	X(23, VMXOFF_DUAL_MONITOR, "VMXOFF under dual-monitor treatment") \
	X(24, VMCALL_SMM, "VMCALL with invalid SMM features") \
	X(25, EXECUTIVE_CONTROLS, "invalid execution controls in the executive VMCS") \
	X(26, BLOCKED_BY_MOV_SS, "events blocked by MOV SS") \
	X(28, INVEPT_INVVPID_OPERAND, "invalid operand of INVEPT or INVVPID")

#ifndef __ASSEMBLER__

#include <abi/mk1_regs_intel.h>

#define VMX_EXIT_ENUM(number, name) VMX_EXIT_##name = (number),
enum vmx_exit_reason { VMX_EXITS(VMX_EXIT_ENUM) };

#define VMX_ERROR_ENUM(number, name, text) VMX_ERROR_##name = (number),
enum vmx_instruction_error { VMX_ERRORS(VMX_ERROR_ENUM) };

/* --- encodings of the VMCS's fields: appendix B ----------------------------------------------- */

/* Those that Mk#1 knows are called VMCS_<name of the register>. */
#define VMCS_ENUM_RW(name, encoding) VMCS_##name = (encoding),
#define VMCS_ENUM_RO(name, encoding) VMCS_##name = (encoding),
#define VMCS_ENUM_GPR(name, encoding)
#define VMCS_ENUM_LIVE(name, encoding)
#define VMCS_ENUM(number, name, encoding, bytes, access) VMCS_ENUM_##access(name, encoding)
enum vmcs_field {
	MK1_INTEL_REGS(VMCS_ENUM) VMCS_GUEST_UINV = 0x0814,
	VMCS_PCONFIG_EXITING_BITMAP = 0x203E,
	VMCS_GUEST_LBR_CTL = 0x2816,
	VMCS_GUEST_PKRS = 0x2818,
	VMCS_GUEST_S_CET = 0x6828,
	VMCS_GUEST_SSP = 0x682A,
	VMCS_GUEST_ISST_ADDR = 0x682C,
	VMCS_HOST_ES = 0x0C00,
	VMCS_HOST_CS = 0x0C02,
	VMCS_HOST_SS = 0x0C04,
	VMCS_HOST_DS = 0x0C06,
	VMCS_HOST_FS = 0x0C08,
	VMCS_HOST_GS = 0x0C0A,
	VMCS_HOST_TR = 0x0C0C,
	VMCS_HOST_PAT = 0x2C00,
	VMCS_HOST_EFER = 0x2C02,
	VMCS_HOST_PERF_GLOBAL_CTRL = 0x2C04,
	VMCS_HOST_PKRS = 0x2C06,
	VMCS_HOST_SYSENTER_CS = 0x4C00,
	VMCS_HOST_CR0 = 0x6C00,
	VMCS_HOST_CR3 = 0x6C02,
	VMCS_HOST_CR4 = 0x6C04,
	VMCS_HOST_FS_BASE = 0x6C06,
	VMCS_HOST_GS_BASE = 0x6C08,
	VMCS_HOST_TR_BASE = 0x6C0A,
	VMCS_HOST_GDTR_BASE = 0x6C0C,
	VMCS_HOST_IDTR_BASE = 0x6C0E,
	VMCS_HOST_SYSENTER_ESP = 0x6C10,
	VMCS_HOST_SYSENTER_EIP = 0x6C12,
	VMCS_HOST_RSP = 0x6C14,
	VMCS_HOST_RIP = 0x6C16,
	VMCS_HOST_S_CET = 0x6C18,
	VMCS_HOST_SSP = 0x6C1A,
	VMCS_HOST_ISST_ADDR = 0x6C1C
};

#endif /* __ASSEMBLER__ */
#endif
