/* SPDX-License-Identifier: MIT */
/* Intel: the controls of the root VS (SDM vol. 3, chapter 25). */
#include <abi/features.h>
#include <ext/default/vmx.h>

#define MSR_VMX_BASIC 0x480
#define MSR_VMX_PINBASED 0x481
#define MSR_VMX_PROCBASED 0x482
#define MSR_VMX_EXIT 0x483
#define MSR_VMX_ENTRY 0x484
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_PROCBASED2 0x48B
#define MSR_VMX_TRUE_PINBASED 0x48D /* then procbased, exit, entry */
#define BASIC_TRUE_CONTROLS (1ull << 55)

#define PRIMARY_CR3_LOAD (1u << 15)
#define PRIMARY_CR3_STORE (1u << 16)
#define PRIMARY_MSR_BITMAPS (1u << 28)
#define PRIMARY_SECONDARY (1u << 31)

#define SECONDARY_EPT (1u << 1)
#define SECONDARY_RDTSCP (1u << 3)
#define SECONDARY_VPID (1u << 5)
#define SECONDARY_INVPCID (1u << 12)
#define SECONDARY_XSAVES (1u << 20)
#define SECONDARY_USER_WAIT (1u << 26)
#define SECONDARY_PCONFIG (1u << 27)
/* Instructions that are #UD in a guest without the control. */
#define SECONDARY_WANTED \
	(SECONDARY_RDTSCP | SECONDARY_VPID | SECONDARY_INVPCID | SECONDARY_XSAVES | \
	 SECONDARY_USER_WAIT | SECONDARY_PCONFIG)

#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64 (1u << 9)
#define EXIT_SAVE_PAT (1u << 18)
#define EXIT_LOAD_PAT (1u << 19)
#define EXIT_SAVE_EFER (1u << 20)
#define EXIT_LOAD_EFER (1u << 21)
#define EXIT_WANTED \
	(EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | \
	 EXIT_LOAD_EFER)

#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_LOAD_PAT (1u << 14)
#define ENTRY_LOAD_EFER (1u << 15)
#define ENTRY_WANTED (ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

#define ROOT_VPID 1
#define NO_LINKED_VMCS (~0ull)

/* MSR bitmap: a quarter of the page each (SDM vol. 3 §25.6.9). */
#define BITMAP_READ_LOW 0x000
#define BITMAP_WRITE_LOW 0x800

static uint64_t bitmap_spa; /* one map for all PPs: written by vmx_start, then only read */

/* Writes that exit: an update of microcode, and the MTRRs, which the microkernel's EPT follows. */
static const struct {
	uint16_t first;
	uint16_t last;
} watched_writes[] = { { MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL },
		       { MSR_MICROCODE, MSR_MICROCODE },
		       { 0x200, 0x23F },
		       { 0x250, 0x250 },
		       { 0x258, 0x259 },
		       { 0x268, 0x26F },
		       { 0x2FF, 0x2FF } };

/* Builds the MSR bitmap. Returns false, after a message, without memory for it. */
bool vmx_start(void)
{
	uint64_t va;
	uint64_t status = mk1_mem_alloc_page(MK1_HANDLE, &va, &bitmap_spa);
	uint8_t *bitmap = (uint8_t *)va;

	if (status != MK1_SUCCESS) {
		ext_print("default: no memory for the MSR bitmap (0x%llx)\n",
			  (unsigned long long)status);
		return false;
	}
	bitmap[BITMAP_READ_LOW + MSR_FEATURE_CONTROL / 8] |= 1u << (MSR_FEATURE_CONTROL % 8);
	/* Read only for the CPU too: writes need no exit to fail. */
	for (unsigned int msr = MSR_VMX_FIRST; msr <= MSR_VMX_LAST; msr++)
		bitmap[BITMAP_READ_LOW + msr / 8] |= (uint8_t)(1u << (msr % 8));
	for (size_t i = 0; i < sizeof(watched_writes) / sizeof(watched_writes[0]); i++) {
		for (unsigned int msr = watched_writes[i].first; msr <= watched_writes[i].last;
		     msr++)
			bitmap[BITMAP_WRITE_LOW + msr / 8] |= (uint8_t)(1u << (msr % 8));
	}
	return true;
}

uint64_t vmx_capability(uint64_t vsid, uint32_t msr)
{
	uint64_t value;

	if (mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value) != MK1_SUCCESS)
		give_up("the microkernel does not read this MSR", vsid, msr);
	return value;
}

uint64_t vmx_cr0_forced(uint64_t vsid)
{
	uint64_t forced = vmx_capability(vsid, MSR_VMX_CR0_FIXED0);

	if (vs_get(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls) & SECONDARY_UNRESTRICTED)
		forced &= ~(uint64_t)(CR0_PE | CR0_PG);
	return forced;
}

uint64_t vmx_cr4_forced(uint64_t vsid)
{
	return vmx_capability(vsid, MSR_VMX_CR4_FIXED0);
}

/*
 * Adds the wanted bits to a control field: those that the CPU allows, with those that it insists on
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
	 * Nothing but what the CPU insists on. NMIs are the microkernel's, which needs NMI exiting
	 * for those of root mode anyway: an extension that does not ask for it never sees one.
	 */
	vs_set(vsid, MK1_INTEL_pin_based_vm_execution_ctls,
	       vmx_capability(vsid, MSR_VMX_PINBASED + offset) & 0xFFFFFFFF);
	vs_set(vsid, MK1_INTEL_address_of_msr_bitmaps, bitmap_spa);
	primary = add_controls(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls,
			       vmx_capability(vsid, MSR_VMX_PROCBASED + offset),
			       PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY);
	if (!(primary & PRIMARY_MSR_BITMAPS)) {
		ext_print("default: this CPU has no MSR bitmaps\n");
		return false;
	}
	if (primary & (PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE)) {
		ext_print("default: this CPU insists on exits for CR3\n");
		return false;
	}
	if (!(primary & PRIMARY_SECONDARY))
		return true;

	/* Without EPT a guest cannot be unrestricted (SDM vol. 3 §26.2.1.1). */
	if (vs_get(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls) & SECONDARY_EPT)
		wanted |= SECONDARY_UNRESTRICTED;
	/* A VPID has to be there before its control, or the VS is invalid in between. */
	vs_set(vsid, MK1_INTEL_virtual_processor_identifier, ROOT_VPID);
	secondary = add_controls(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
				 vmx_capability(vsid, MSR_VMX_PROCBASED2), wanted);
	if (!(secondary & SECONDARY_VPID))
		vs_set(vsid, MK1_INTEL_virtual_processor_identifier, 0);
	return true;
}

static bool setup_transitions(uint64_t vsid, uint32_t offset)
{
	uint64_t entry_wanted = ENTRY_WANTED;
	uint64_t exit_ctls;
	uint64_t entry_ctls;

	if (vs_get(vsid, MK1_INTEL_efer) & EFER_LMA)
		entry_wanted |= ENTRY_IA32E_GUEST;
	exit_ctls = add_controls(vsid, MK1_INTEL_vmexit_ctls,
				 vmx_capability(vsid, MSR_VMX_EXIT + offset), EXIT_WANTED);
	entry_ctls = add_controls(vsid, MK1_INTEL_vmentry_ctls,
				  vmx_capability(vsid, MSR_VMX_ENTRY + offset), entry_wanted);
	if ((exit_ctls & EXIT_WANTED) != EXIT_WANTED ||
	    (entry_ctls & entry_wanted) != entry_wanted) {
		ext_print("default: this CPU does not switch EFER, PAT or the debug registers\n");
		return false;
	}
	return true;
}

bool vmx_setup(uint64_t vsid)
{
	/* Offset of the capability MSRs that tell which default-1 controls may be 0. */
	uint32_t offset = vmx_capability(vsid, MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS ?
				  MSR_VMX_TRUE_PINBASED - MSR_VMX_PINBASED :
				  0;

	vs_set(vsid, MK1_INTEL_vmcs_link_pointer, NO_LINKED_VMCS);
	if (!setup_execution(vsid, offset) || !setup_transitions(vsid, offset))
		return false;

	/* init_as_root loaded what Linux ran with; of VMXE, the shadow has what Linux knows. */
	vs_set(vsid, MK1_INTEL_cr0_guest_host_mask, vmx_cr0_forced(vsid));
	vs_set(vsid, MK1_INTEL_cr4_guest_host_mask, vmx_cr4_forced(vsid) | ~BF_CR4_KNOWN);
	vmx_set_cr0(vsid, vs_get(vsid, MK1_INTEL_cr0));
	vmx_set_cr4(vsid, vmx_get_cr4(vsid));
	return true;
}
