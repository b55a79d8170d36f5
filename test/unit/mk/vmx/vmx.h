/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of VT-x share. */
#ifndef TEST_MK_VMX_H
#define TEST_MK_VMX_H

#include "../guest.h"

static inline void running(void)
{
	machine_of(1);
	start_and_launch();
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	put_field(VMCS_interruptibility_state, 0);
	put_field(VMCS_idt_vectoring_information_field, 0);
	put_field(VMCS_vmexit_instruction_length, 3);
}

static inline void in_vmexit(void)
{
	running();
	guest_exit(VMX_EXIT_CPUID);
}

static inline uint64_t injected(void)
{
	uint64_t event = field(VMCS_vmentry_interrupt_information_field);

	put_field(VMCS_vmentry_interrupt_information_field, 0);
	return event;
}

#endif
