/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMCS: its fields (SDM vol. 3, Appendix B), the bits in them, and VMREAD and VMWRITE. */
#ifndef MK_VMX_VMCS_H
#define MK_VMX_VMCS_H

#include <abi/mk1_regs_intel.h>
#include <abi/types.h>
#include <bsl/compiler.h>

/* Every field that Mk#1 knows, as VMCS_<name of the register>. */
#define VMCS_ENUM_RW(name, encoding) VMCS_##name = (encoding),
#define VMCS_ENUM_RO(name, encoding) VMCS_##name = (encoding),
#define VMCS_ENUM_GPR(name, encoding)
#define VMCS_ENUM_LIVE(name, encoding)
#define VMCS_ENUM(number, name, encoding, bytes, access) VMCS_ENUM_##access(name, encoding)
enum vmcs_field {
	MK1_INTEL_REGS(VMCS_ENUM)
	/* host state, which is the microkernel's own business */
	VMCS_HOST_ES = 0x0C00,
	VMCS_HOST_CS = 0x0C02,
	VMCS_HOST_SS = 0x0C04,
	VMCS_HOST_DS = 0x0C06,
	VMCS_HOST_FS = 0x0C08,
	VMCS_HOST_GS = 0x0C0A,
	VMCS_HOST_TR = 0x0C0C,
	VMCS_HOST_PAT = 0x2C00,
	VMCS_HOST_EFER = 0x2C02,
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
	VMCS_HOST_RIP = 0x6C16
};

/* Execution controls, SDM vol. 3 §25.6.1 and §25.6.2 */
#define PIN_INTERRUPT_EXITING 0x1
#define PIN_NMI_EXITING 0x8
#define PIN_VIRTUAL_NMIS 0x20
#define PIN_PREEMPTION_TIMER 0x40
#define PIN_POSTED_INTERRUPTS 0x80
#define PRIMARY_TERTIARY 0x20000
#define PRIMARY_CR8_LOAD 0x80000
#define PRIMARY_CR8_STORE 0x100000
#define PRIMARY_TPR_SHADOW 0x200000
#define PRIMARY_NMI_WINDOW 0x400000
#define PRIMARY_MSR_BITMAPS 0x10000000
#define PRIMARY_SECONDARY 0x80000000
#define SECONDARY_APIC_ACCESS 0x1
#define SECONDARY_EPT 0x2
#define SECONDARY_RDTSCP 0x8
#define SECONDARY_X2APIC 0x10
#define SECONDARY_VPID 0x20
#define SECONDARY_UNRESTRICTED 0x80
#define SECONDARY_APIC_REGISTERS 0x100
#define SECONDARY_VIRTUAL_INTERRUPTS 0x200
#define SECONDARY_INVPCID 0x1000
#define SECONDARY_VMFUNC 0x2000
#define SECONDARY_SHADOW_VMCS 0x4000
#define SECONDARY_PML 0x20000
#define SECONDARY_EPT_VE 0x40000
#define SECONDARY_XSAVES 0x100000
#define SECONDARY_PASID 0x200000
#define SECONDARY_EXEC_BY_MODE 0x400000
#define SECONDARY_SUB_PAGE 0x800000
#define SECONDARY_USER_WAIT 0x4000000
#define SECONDARY_PCONFIG 0x8000000
#define SECONDARY_ENCLV 0x10000000
#define SECONDARY_TIMEOUT 0x80000000

/* Controls of exits and entries, §25.7.1 and §25.8.1 */
#define EXIT_SAVE_DEBUG 0x4
#define EXIT_HOST_64 0x200
#define EXIT_ACKNOWLEDGE 0x8000
#define EXIT_SAVE_PAT 0x40000
#define EXIT_LOAD_PAT 0x80000
#define EXIT_SAVE_EFER 0x100000
#define EXIT_LOAD_EFER 0x200000
#define EXIT_SAVE_TIMER 0x400000
#define EXIT_SECONDARY 0x80000000
#define ENTRY_LOAD_DEBUG 0x4
#define ENTRY_IA32E_GUEST 0x200
#define ENTRY_LOAD_PAT 0x4000
#define ENTRY_LOAD_EFER 0x8000

/* Interruption information, §25.8.3, §25.9.2, §25.9.3 */
#define EVENT_VECTOR 0xFF
#define EVENT_TYPE 0x700
#define EVENT_TYPE_NMI 0x200
#define EVENT_TYPE_EXCEPTION 0x300
#define EVENT_TYPE_SOFTWARE 0x400 /* this and the types above are instructions: INT, INT1, INT3 */
#define EVENT_ERROR_CODE 0x800
#define EVENT_DEFINED 0x80000FFF /* without bit 12: undefined in IDT-vectoring information */
#define EVENT_VALID 0x80000000
#define EXCEPTION_MC 0x40000 /* of the exception bitmap */

/* Interruptibility state, §25.4.2 */
#define BLOCKING_BY_STI 0x1
#define BLOCKING_BY_MOV_SS 0x2
#define BLOCKING_BY_NMI 0x8
#define PENDING_DEBUG_BS 0x4000

/* Access rights of a segment, §25.4.1: bits 7:0 as in its descriptor, 11:8 reserved */
#define AR_BUSY 0x2
#define AR_ACCESSED 0x1
#define AR_CODE_OR_DATA 0x10
#define AR_PRESENT 0x80
#define AR_L 0x2000
#define AR_DB 0x4000
#define AR_G 0x8000
#define AR_UNUSABLE 0x10000

/* Basic exit reasons, Appendix C */
#define EXIT_EXCEPTION_OR_NMI 0
#define EXIT_EXTERNAL_INTERRUPT 1
#define EXIT_TRIPLE_FAULT 2
#define EXIT_INIT 3
#define EXIT_NMI_WINDOW 8
#define EXIT_CPUID 10
#define EXIT_GETSEC 11
#define EXIT_INVD 13
#define EXIT_VMCALL 18
#define EXIT_VMCLEAR 19
#define EXIT_VMXON 27
#define EXIT_CR 28
#define EXIT_RDMSR 31
#define EXIT_WRMSR 32
#define EXIT_INVALID_STATE 33
#define EXIT_MSR_LOADING 34
#define EXIT_MACHINE_CHECK 41
#define EXIT_EPT_VIOLATION 48
#define EXIT_EPT_MISCONFIGURED 49
#define EXIT_INVEPT 50
#define EXIT_INVVPID 53
#define EXIT_XSETBV 55
#define EXIT_VMFUNC 59
#define EXIT_SEAMCALL 76
#define EXIT_TDCALL 77
#define EXIT_BASIC 0xFFFF
#define ERROR_CONTROL_FIELDS 7 /* VM-instruction error: §31.4 */
#define EXIT_ENTRY_FAILED 0x80000000 /* VM entry failed: §27.8 */

#define EPT_VIOLATION_IRET 0x1000 /* exit qualification: IRET had unblocked NMIs, table 28-7 */

/* Prints the field and gives the PP up. */
__noreturn void vmcs_failed(uint64_t field);

/* false: there is no current VMCS, or it has no such field (§31.2). */
static inline bool vmcs_try_read(uint64_t field, uint64_t *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"(field));
	return !failed;
}

static inline bool vmcs_try_write(uint64_t field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"(field), "r"(value) : "memory");
	return !failed;
}

/* The same for fields that every VMCS of ours has. */
static inline uint64_t vmcs_read(uint64_t field)
{
	uint64_t value;

	if (unlikely(!vmcs_try_read(field, &value)))
		vmcs_failed(field);
	return value;
}

static inline void vmcs_write(uint64_t field, uint64_t value)
{
	if (unlikely(!vmcs_try_write(field, value)))
		vmcs_failed(field);
}

#endif
