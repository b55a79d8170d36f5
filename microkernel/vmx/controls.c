// SPDX-License-Identifier: GPL-2.0-only
/*
 * The five control fields (SDM vol. 3 §27.6 to §27.8): what an extension writes, what the
 * hypervisor needs beside it, and what the CPU insists on.
 */
#include <abi/features.h>

#include "arch/intrinsics.h"
#include "mk.h"
#include "obj/outer.h"
#include "vmx/controls.h"
#include "vmx/vmx.h"

#define PIN_NEEDED (VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS)
/* In a VS that is not Linux's: nothing that it does holds Linux's interrupts back. */
#define PIN_APART VMX_PIN_INTERRUPT_EXITING
#define PRIMARY_APART (VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE)
#define EXIT_NEEDED \
	(VMX_EXIT_CTL_SAVE_DEBUG | VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_SAVE_PAT | \
	 VMX_EXIT_CTL_LOAD_PAT | VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER)
#define ENTRY_NEEDED (VMX_ENTRY_CTL_LOAD_DEBUG | VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER)

/* The driver has looked whether they are there before any CPU got here. */
BF_STATIC_ASSERT((PIN_NEEDED | PIN_APART) == BF_VMX_PIN_CONTROLS, "abi/features.h: PIN");
BF_STATIC_ASSERT((VMX_PRIMARY_NMI_WINDOW | PRIMARY_APART) == BF_VMX_PRIMARY_CONTROLS,
		 "abi/features.h: PRIMARY");
BF_STATIC_ASSERT(EXIT_NEEDED == BF_VMX_EXIT_CONTROLS, "abi/features.h: EXIT");
BF_STATIC_ASSERT((ENTRY_NEEDED | VMX_ENTRY_CTL_IA32E_GUEST) == BF_VMX_ENTRY_CONTROLS,
		 "abi/features.h: ENTRY");

/*
 * Never on: features with which the CPU writes to memory by physical address or changes the EPT or
 * the VMCS, those for which our EPT lacks the bits, and those with fields that Mk#1 has not:
 * further controls, PASID directories, the ENCLV bitmap, the time-out of instructions.
 */
#define PIN_REFUSED VMX_PIN_POSTED_INTERRUPTS
#define PRIMARY_REFUSED (VMX_PRIMARY_TPR_SHADOW | VMX_PRIMARY_TERTIARY)
#define SECONDARY_REFUSED \
	(VMX_SECONDARY_APIC_ACCESS | VMX_SECONDARY_X2APIC | VMX_SECONDARY_APIC_REGISTERS | \
	 VMX_SECONDARY_VIRTUAL_INTERRUPTS | VMX_SECONDARY_VMFUNC | VMX_SECONDARY_SHADOW_VMCS | \
	 VMX_SECONDARY_PML | VMX_SECONDARY_EPT_VE | VMX_SECONDARY_PASID | \
	 VMX_SECONDARY_EXEC_BY_MODE | VMX_SECONDARY_SUB_PAGE | VMX_SECONDARY_ENCLV | \
	 VMX_SECONDARY_TIMEOUT)
/* The other exit controls load what write_host and exchange.c write. */
#define EXIT_REFUSED VMX_EXIT_CTL_SECONDARY

/*
 * Extensions write what they would like to have, and CPUs differ: a bit that this one lacks is
 * dropped, whatever it stands for. false: the CPU would do it, but it is refused, or it lacks what
 * is needed.
 */
static bool complete(struct vmx_ctl ctl, uint32_t needed, uint32_t refused, uint64_t *value)
{
	uint64_t completed = (*value & ctl.may) | needed | ctl.must;

	if (completed & ~(uint64_t)(ctl.may & ~refused))
		return false;
	*value = completed;
	return true;
}

static bool offers(struct vmx_ctl ctl, uint32_t needed)
{
	return (ctl.may & needed) == needed;
}

bool vmx_controls_offered(void)
{
	return offers(vmx.pin, PIN_NEEDED | PIN_APART) &&
	       offers(vmx.primary, VMX_PRIMARY_NMI_WINDOW | PRIMARY_APART) &&
	       offers(vmx.exit, EXIT_NEEDED) &&
	       offers(vmx.entry, ENTRY_NEEDED | VMX_ENTRY_CTL_IA32E_GUEST);
}

/*
 * The root VS stays behind the table that hides the hypervisor, in whatever mode it runs, and a VS
 * that was attached to its VM's table behind that.
 */
static uint32_t secondary_needed(const struct vs *vs)
{
	if (vs->nested)
		return VMX_SECONDARY_EPT;
	if (!vs->root || !mk.root_npt)
		return 0;
	return VMX_SECONDARY_EPT | (vmx.secondary.may & VMX_SECONDARY_UNRESTRICTED);
}

/* "IA-32e mode guest" follows EFER.LMA: anything else is refused by VM entry (§29.3.1.1). */
static bool sanitize_entry(uint64_t *value)
{
	*value &= ~(uint64_t)VMX_ENTRY_CTL_IA32E_GUEST;
	if (vmcs_read(VMCS_efer) & EFER_LMA)
		*value |= VMX_ENTRY_CTL_IA32E_GUEST;
	return complete(vmx.entry, ENTRY_NEEDED | vmx.entry_exchange, 0, value);
}

bool vmx_sanitize_controls(const struct vs *vs, uint64_t field, uint64_t *value)
{
	uint32_t secondary = secondary_needed(vs);

	switch (field) {
	case VMCS_pin_based_vm_execution_ctls:
		return complete(vmx.pin, PIN_NEEDED | (vs->root ? 0 : PIN_APART), PIN_REFUSED,
				value);
	case VMCS_primary_proc_based_vm_execution_ctls:
		return complete(vmx.primary,
				(secondary ? VMX_PRIMARY_SECONDARY : 0) |
					(vs->root ? 0 : PRIMARY_APART),
				PRIMARY_REFUSED, value);
	case VMCS_secondary_proc_based_vm_execution_ctls:
		/*
		 * Without a VPID every exit and entry flushes (§31.4.3.1), as it must: see outer.c.
		 */
		if (outer_flushes())
			*value &= ~(uint64_t)VMX_SECONDARY_VPID;
		return complete(vmx.secondary, secondary, SECONDARY_REFUSED, value);
	case VMCS_vmexit_ctls:
		/* An interrupt that the extension does not expect stays in the APIC for Linux. */
		if (!vs->root && !vs->intr_exiting)
			*value &= ~(uint64_t)VMX_EXIT_CTL_ACKNOWLEDGE;
		return complete(vmx.exit, EXIT_NEEDED | vmx.exit_exchange, EXIT_REFUSED, value);
	default:
		return sanitize_entry(value);
	}
}

/* What a VS loses that becomes Linux's, unless its extension wants it. */
static uint64_t apart(const struct vs *vs, uint64_t field)
{
	if (!vs->root)
		return 0;
	if (field == VMCS_pin_based_vm_execution_ctls)
		return vs->intr_exiting ? 0 : PIN_APART;
	if (field == VMCS_primary_proc_based_vm_execution_ctls)
		return PRIMARY_APART & ~vs->vmx.cr8_exiting;
	return 0;
}

/* Each control field with nothing but what must be; in a VS that has values already, those too. */
bool vmx_init_controls(const struct vs *vs)
{
	static const uint16_t fields[] = { VMCS_pin_based_vm_execution_ctls,
					   VMCS_primary_proc_based_vm_execution_ctls,
					   VMCS_secondary_proc_based_vm_execution_ctls,
					   VMCS_vmexit_ctls, VMCS_vmentry_ctls };

	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t value;

		if (fields[i] == VMCS_secondary_proc_based_vm_execution_ctls &&
		    !(vmx.primary.may & VMX_PRIMARY_SECONDARY))
			continue;
		if (!vmcs_try_read(fields[i], &value))
			return false;
		value &= ~apart(vs, fields[i]);
		if (fields[i] == VMCS_vmexit_ctls && vs->vmx.acknowledge)
			value |= VMX_EXIT_CTL_ACKNOWLEDGE;
		if (!vmx_sanitize_controls(vs, fields[i], &value) ||
		    !vmcs_try_write(fields[i], value))
			return false;
	}
	return true;
}
