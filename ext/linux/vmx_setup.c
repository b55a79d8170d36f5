// SPDX-License-Identifier: MIT
/* Intel: the controls of the root VS (SDM vol. 3, chapter 25). */
#include <abi/features.h>
#include <ext/linux/vendor.h>
#include <ext/linux/vmx.h>

/* Instructions that are #UD in a guest without the control. */
#define SECONDARY_WANTED \
	(VMX_SECONDARY_RDTSCP | VMX_SECONDARY_VPID | VMX_SECONDARY_INVPCID | \
	 VMX_SECONDARY_XSAVES | VMX_SECONDARY_USER_WAIT | VMX_SECONDARY_PCONFIG)

#define EXIT_WANTED \
	(VMX_EXIT_CTL_SAVE_DEBUG | VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_SAVE_PAT | \
	 VMX_EXIT_CTL_LOAD_PAT | VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER)

#define ENTRY_WANTED (VMX_ENTRY_CTL_LOAD_DEBUG | VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER)

#define ROOT_VPID 1

static uint64_t bitmap_spa; /* one map for all PPs: written in ext_start, then only read */
static uint8_t *bitmap;

/* Writes that exit: an update of microcode, and the MTRRs, which the microkernel's EPT follows. */
static const struct {
	uint16_t first;
	uint16_t last;
} watched_writes[] = {
	{ MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL }, { MSR_BIOS_UPDT_TRIG, MSR_BIOS_UPDT_TRIG },
	{ MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYS_LAST },   { MSR_MTRR_FIX64K, MSR_MTRR_FIX64K },
	{ MSR_MTRR_FIX16K, MSR_MTRR_FIX16K_LAST },    { MSR_MTRR_FIX4K, MSR_MTRR_FIX4K_LAST },
	{ MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE }
};

static void set_bit(uint32_t map, uint32_t number)
{
	(void)__atomic_fetch_or(&bitmap[map + number / 8], (uint8_t)(1u << (number % 8)),
				__ATOMIC_RELAXED);
}

bool vmx_intercept_msr(uint32_t msr, unsigned int access)
{
	uint32_t number = msr & 0x1FFF;
	bool high = msr >= 0xC0000000;

	if (msr - number != (high ? 0xC0000000 : 0))
		return false;
	if (access & EXT_MSR_READ)
		set_bit(high ? VMX_MSR_BITMAP_READ_HIGH : VMX_MSR_BITMAP_READ_LOW, number);
	if (access & EXT_MSR_WRITE)
		set_bit(high ? VMX_MSR_BITMAP_WRITE_HIGH : VMX_MSR_BITMAP_WRITE_LOW, number);
	return true;
}

/* Builds the MSR bitmap. Returns false, after a message, without memory for it. */
bool vmx_start(void)
{
	uint64_t va;
	uint64_t status = mk1_mem_alloc_page(MK1_HANDLE, &va, &bitmap_spa);

	if (status != MK1_SUCCESS) {
		ext_print("%s: no memory for the MSR bitmap (0x%llx)\n", ext_name,
			  (unsigned long long)status);
		return false;
	}
	bitmap = (uint8_t *)va;
	(void)vmx_intercept_msr(MSR_FEATURE_CONTROL, EXT_MSR_READ);
	/* Read only for the CPU too: writes need no exit to fail. */
	for (uint32_t msr = MSR_VMX_BASIC; msr <= MSR_VMX_EXIT_CTLS2; msr++)
		(void)vmx_intercept_msr(msr, EXT_MSR_READ);
	for (size_t i = 0; i < sizeof(watched_writes) / sizeof(watched_writes[0]); i++) {
		for (uint32_t msr = watched_writes[i].first; msr <= watched_writes[i].last; msr++)
			(void)vmx_intercept_msr(msr, EXT_MSR_WRITE);
	}
	return true;
}

/*
 * Adds the wanted bits to a control field: those that the CPU allows, with those that it requires
 * and those that the microkernel has set already. Returns the field's new value.
 */
static uint64_t add_controls(uint64_t vsid, uint64_t reg, uint64_t capability, uint64_t wanted)
{
	uint64_t must = capability & 0xFFFFFFFF;
	uint64_t may = capability >> 32;
	uint64_t value = (vs_get(vsid, reg) | wanted | must) & may;

	vs_set(vsid, reg, value);
	return value;
}

static bool setup_execution(uint64_t vsid, uint32_t offset)
{
	uint64_t primary;
	uint64_t secondary;
	uint64_t wanted = SECONDARY_WANTED;

	/*
	 * Only what the CPU requires. NMIs are the microkernel's, which needs NMI exiting for those
	 * of root mode anyway: an extension that does not request it never sees one.
	 */
	vs_set(vsid, MK1_INTEL_pin_based_vm_execution_ctls,
	       vmx_capability(vsid, MSR_VMX_PINBASED_CTLS + offset) & 0xFFFFFFFF);
	vs_set(vsid, MK1_INTEL_address_of_msr_bitmaps, bitmap_spa);
	primary = add_controls(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls,
			       vmx_capability(vsid, MSR_VMX_PROCBASED_CTLS + offset),
			       VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY);
	if (!(primary & VMX_PRIMARY_MSR_BITMAPS)) {
		ext_print("%s: this CPU has no MSR bitmaps\n", ext_name);
		return false;
	}
	if (primary & (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE)) {
		ext_print("%s: this CPU insists on exits for CR3\n", ext_name);
		return false;
	}
	if (!(primary & VMX_PRIMARY_SECONDARY))
		return true;

	/* Without EPT a guest cannot be unrestricted (SDM vol. 3 §29.2.1.1). */
	if (vs_get(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls) & VMX_SECONDARY_EPT)
		wanted |= VMX_SECONDARY_UNRESTRICTED;
	/* A VPID has to be there before its control, or the VS is invalid in between. */
	vs_set(vsid, MK1_INTEL_virtual_processor_identifier, ROOT_VPID);
	secondary = add_controls(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
				 vmx_capability(vsid, MSR_VMX_PROCBASED_CTLS2), wanted);
	if (!(secondary & VMX_SECONDARY_VPID))
		vs_set(vsid, MK1_INTEL_virtual_processor_identifier, 0);
	return true;
}

static bool setup_transitions(uint64_t vsid, uint32_t offset)
{
	uint64_t entry_wanted = ENTRY_WANTED;
	uint64_t exit_ctls;
	uint64_t entry_ctls;

	if (vs_get(vsid, MK1_INTEL_efer) & EFER_LMA)
		entry_wanted |= VMX_ENTRY_CTL_IA32E_GUEST;
	exit_ctls = add_controls(vsid, MK1_INTEL_vmexit_ctls,
				 vmx_capability(vsid, MSR_VMX_EXIT_CTLS + offset), EXIT_WANTED);
	entry_ctls = add_controls(vsid, MK1_INTEL_vmentry_ctls,
				  vmx_capability(vsid, MSR_VMX_ENTRY_CTLS + offset), entry_wanted);
	if ((exit_ctls & EXIT_WANTED) != EXIT_WANTED ||
	    (entry_ctls & entry_wanted) != entry_wanted) {
		ext_print("%s: this CPU does not switch EFER, PAT or the debug registers\n",
			  ext_name);
		return false;
	}
	return true;
}

bool vmx_setup(uint64_t vsid)
{
	/* Offset of the capability MSRs that tell which default-1 controls may be 0. */
	uint32_t offset = vmx_capability(vsid, MSR_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS ?
				  MSR_VMX_TRUE_PINBASED_CTLS - MSR_VMX_PINBASED_CTLS :
				  0;

	vs_set(vsid, MK1_INTEL_vmcs_link_pointer, VMX_NO_LINKED_VMCS);
	if (!setup_execution(vsid, offset) || !setup_transitions(vsid, offset))
		return false;

	/* init_as_root loaded what Linux ran with; of VMXE, the shadow has what Linux knows. */
	vs_set(vsid, MK1_INTEL_cr0_guest_host_mask, vmx_cr0_forced(vsid));
	vs_set(vsid, MK1_INTEL_cr4_guest_host_mask, vmx_cr4_forced(vsid) | ~BF_CR4_KNOWN);
	vmx_set_cr0(vsid, vs_get(vsid, MK1_INTEL_cr0));
	vmx_set_cr4(vsid, vmx_get_cr4(vsid));
	return true;
}
