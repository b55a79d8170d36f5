/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share of the active VS, of either vendor, and of a second one beside Linux's. */
#ifndef TEST_MK_GUEST_H
#define TEST_MK_GUEST_H

#include "machine.h"

#define EVENT(type, vector) (0x80000000 | (uint64_t)(type) << 8 | (vector))
#define ANY (~0ULL)

static inline bool intel(void)
{
	return m.vendor == BF_VENDOR_INTEL;
}

static inline struct vmcb *vmcb(void)
{
	return vmcb_of(host_pp->vs);
}

static inline uint64_t field(uint32_t encoding)
{
	return vmcs_get(host_pp->vs->block_spa, encoding);
}

static inline void put_field(uint32_t encoding, uint64_t value)
{
	vmcs_put(host_pp->vs->block_spa, encoding, value);
}

static inline uint64_t interrupt_reason(void)
{
	return intel() ? VMX_EXIT_EXTERNAL_INTERRUPT : SVM_EXIT_INTR;
}

static inline uint64_t cpuid_reason(void)
{
	return intel() ? VMX_EXIT_CPUID : SVM_EXIT_CPUID;
}

static inline uint64_t event_to_inject(void)
{
	return intel() ? field(VMCS_vmentry_interrupt_information_field) : vmcb()->eventinj;
}

static inline void put_event_to_inject(uint64_t event)
{
	if (intel())
		put_field(VMCS_vmentry_interrupt_information_field, event);
	else
		vmcb()->eventinj = event;
}

static inline bool nmi_window(void)
{
	return field(VMCS_primary_proc_based_vm_execution_ctls) & VMX_PRIMARY_NMI_WINDOW;
}

/* A PP whose extension is in its vmexit callback and has a second VS, number 1, that is active. */
static inline void with_guest(int i)
{
	machine_of(i);
	start_and_launch();
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	put_event_to_inject(0);
}

static inline void in_guest(int i)
{
	with_guest(i);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}

static inline void expect_told(uint64_t reason)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
	ck_assert_uint_eq(ended.arg1, reason);
	ck_assert_uint_eq(reg_read(1, intel() ? MK1_INTEL_exit_reason : MK1_AMD_exitcode), reason);
}

/* The CPU refuses the entry that has just been tried, and leaves things of its own in a VMCB. */
static inline void refuse(void)
{
	if (intel()) {
		guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
		return;
	}
	vmcb()->rip = 0xFFFFFFFF80001000;
	vmcb()->rax = 0x77;
	vmcb()->cr3 = 0x99000;
	vmcb()->cr2 = 0x88;
	vmcb()->eventinj = 0;
	guest_exit((uint32_t)SVM_EXIT_INVALID);
}

static inline uint64_t refused_reason(void)
{
	return intel() ? VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE : ~0ULL;
}

#endif
