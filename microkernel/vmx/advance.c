// SPDX-License-Identifier: GPL-2.0-only
/* Past the instruction that exited. */
#include "arch/intrinsics.h"
#include "vmx/advance.h"
#include "vmx/run.h"
#include "vmx/vmx.h"

#define INSN_MAX_LENGTH 15

/*
 * Skipping an instruction ends the blocking by STI and MOV SS, clears RF, and with TF set is
 * followed by a single-step trap, unless that is for branches only (§29.3.1.5).
 */
static __always_inline bool advance_ip(struct vs *vs)
{
	uint64_t length, rip, next, state, rflags;

	if (unlikely(this_pp()->vmx.vmcs != vs))
		vmx_current(vs);
	length = vmcs_read(VMCS_vmexit_instruction_length);
	if (!length || length > INSN_MAX_LENGTH)
		return false;
	rip = vmcs_read(VMCS_rip);
	next = rip + length;
	/* Outside of 64-bit mode the instruction pointer wraps. */
	if (unlikely((rip ^ next) >> 32 != 0) && !(vmcs_read(VMCS_cs_attrib) & VMX_AR_L))
		next = (uint32_t)next;
	vmcs_write(VMCS_rip, next);
	state = vmcs_read(VMCS_interruptibility_state);
	if (unlikely(state & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS)))
		vmcs_write(VMCS_interruptibility_state,
			   state & ~(uint64_t)(VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS));
	rflags = vmcs_read(VMCS_rflags);
	if (unlikely(rflags & (RFLAGS_TF | RFLAGS_RF))) {
		vmcs_write(VMCS_rflags, rflags & ~(uint64_t)RFLAGS_RF);
		if (rflags & RFLAGS_TF && !(vmcs_read(VMCS_debugctl) & DEBUGCTL_BTF))
			vmcs_write(VMCS_pending_debug_exceptions,
				   vmcs_read(VMCS_pending_debug_exceptions) | VMX_PENDING_DEBUG_BS);
	}
	return true;
}

enum advance vmx_vs_advance_ip(struct vs *vs)
{
	return advance_ip(vs) ? ADVANCE_DONE : ADVANCE_FAILED;
}

void vmx_vs_advance_ip_and_run(struct vs *vs)
{
	if (advance_ip(vs))
		vmx_run(this_pp(), vs);
}
