// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR8 of a guest that is not Linux. What is in the CPU holds Linux's interrupts back, so the guest
 * has a CR8 that is only memory, and what it does to it exits.
 */
#include "vmx/advance.h"
#include "vmx/cr8.h"
#include "vmx/event.h"
#include "vmx/vmx.h"

/* The encoding of instructions; RSP is in the VMCS. */
static uint64_t *gpr_operand(uint64_t qualification)
{
	static const uint8_t order[] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, BF_NR_GPRS, BF_RBP,
					 BF_RSI, BF_RDI, BF_R8,  BF_R9,  BF_R10,     BF_R11,
					 BF_R12, BF_R13, BF_R14, BF_R15 };
	uint8_t number = order[VMX_QUAL_CR_GPR(qualification)];

	return number == BF_NR_GPRS ? NULL : &abi_gprs()[number];
}

uint64_t vmx_cr_operand(uint64_t qualification)
{
	const uint64_t *gpr = gpr_operand(qualification);

	return gpr ? *gpr : vmcs_read(VMCS_rsp);
}

static void set_operand(uint64_t qualification, uint64_t value)
{
	uint64_t *gpr = gpr_operand(qualification);

	if (gpr)
		*gpr = value;
	else
		vmcs_write(VMCS_rsp, value);
}

bool vmx_handle_cr8(struct vs *vs)
{
	uint64_t qualification = vmcs_read(VMCS_exit_qualification);
	uint64_t access = qualification & VMX_QUAL_CR_ACCESS;
	uint32_t asked = vs->vmx.cr8_exiting;

	if (vs->root || (qualification & VMX_QUAL_CR) != 8 ||
	    asked & (access == VMX_QUAL_CR_TO ? VMX_PRIMARY_CR8_LOAD : VMX_PRIMARY_CR8_STORE))
		return false;
	if (access == VMX_QUAL_CR_FROM) {
		set_operand(qualification, vs->unswitched[UNSWITCHED_CR8]);
	} else {
		uint64_t value = vmx_cr_operand(qualification);

		if (value >> 4) {
			vmx_inject_gp();
			return true;
		}
		vs->unswitched[UNSWITCHED_CR8] = value;
	}
	(void)vmx_vs_advance_ip(vs);
	return true;
}
