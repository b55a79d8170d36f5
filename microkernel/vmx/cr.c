// SPDX-License-Identifier: GPL-2.0-only
/* CR0 and CR4 of a guest: VMX insists on bits in them, which the guest need not see. */
#include "arch/intrinsics.h"
#include "vmx/cr.h"
#include "vmx/vmx.h"

uint64_t vmx_cr0_forced(void)
{
	uint64_t forced = vmx.cr0_fixed0;

	if (vmx.primary.may & VMX_PRIMARY_SECONDARY &&
	    vmcs_read(VMCS_primary_proc_based_vm_execution_ctls) & VMX_PRIMARY_SECONDARY &&
	    vmcs_read(VMCS_secondary_proc_based_vm_execution_ctls) & VMX_SECONDARY_UNRESTRICTED)
		forced &= ~(uint64_t)(CR0_PE | CR0_PG);
	return forced;
}

void vmx_complete_crs(struct vs *vs)
{
	vmcs_write(VMCS_cr0, vmcs_read(VMCS_cr0) | vmx_cr0_forced());
	vmcs_write(VMCS_cr4, vmcs_read(VMCS_cr4) | vmx.cr4_fixed0);
	vs->vmx.raw_crs = false;
}

static uint64_t as_read(uint64_t real, uint64_t shadow, uint64_t mask)
{
	return (real & ~mask) | (shadow & mask);
}

uint64_t vmx_guest_cr0(void)
{
	return as_read(vmcs_read(VMCS_cr0), vmcs_read(VMCS_cr0_read_shadow),
		       vmcs_read(VMCS_cr0_guest_host_mask));
}

uint64_t vmx_guest_cr4(void)
{
	return as_read(vmcs_read(VMCS_cr4), vmcs_read(VMCS_cr4_read_shadow),
		       vmcs_read(VMCS_cr4_guest_host_mask));
}

void vmx_set_guest_cr0(uint64_t value)
{
	uint64_t forced = vmx_cr0_forced();

	vmcs_write(VMCS_cr0_guest_host_mask, forced);
	vmcs_write(VMCS_cr0_read_shadow, value);
	vmcs_write(VMCS_cr0, value | forced);
}

void vmx_set_guest_cr4(uint64_t value)
{
	vmcs_write(VMCS_cr4_guest_host_mask, vmx.cr4_fixed0);
	vmcs_write(VMCS_cr4_read_shadow, value);
	vmcs_write(VMCS_cr4, value | vmx.cr4_fixed0);
}
