// SPDX-License-Identifier: MIT
/* Intel: the VMCS of a VM of an extension's own, and its exits (SDM vol. 3 chapters 27 to 30). */
#include <ext/linux/vm.h>
#include <ext/linux/vmx.h>

#define PRIMARY \
	(VMX_PRIMARY_HLT | VMX_PRIMARY_MWAIT | VMX_PRIMARY_RDPMC | VMX_PRIMARY_IO | \
	 VMX_PRIMARY_MONITOR | VMX_PRIMARY_SECONDARY)
/* These exit where the CPU knows no other way. */
#define PRIMARY_UNWANTED (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE | VMX_PRIMARY_MSR_BITMAPS)
#define SECONDARY (VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED | VMX_SECONDARY_WBINVD)

/* VM entries and exits leave them as they are (§29.3.2.1). */
#define MASKED_CR0 (CR0_CD | CR0_NW)

/* Bits that the CPU lacks are dropped, and those that it wants are set. */
static uint64_t set_controls(uint64_t vsid, uint64_t reg, uint64_t wanted)
{
	if (mk1_vs_write(MK1_HANDLE, vsid, reg, vs_get(vsid, reg) | wanted) != MK1_SUCCESS)
		return 0;
	return vs_get(vsid, reg);
}

/* Without VPIDs: entries and exits flush what is the guest's. */
bool vm_vmx_setup(struct ext_vm *vm, uint64_t root)
{
	const uint64_t primary =
		set_controls(vm->vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls, PRIMARY);

	if ((primary & (PRIMARY | PRIMARY_UNWANTED)) != PRIMARY ||
	    (set_controls(vm->vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls, SECONDARY) &
	     SECONDARY) != SECONDARY ||
	    !(vmx_capability(vm->vsid, MSR_VMX_EPT_VPID_CAP) & VMX_CAP_EPT_4_LEVELS) ||
	    !(vmx_capability(vm->vsid, MSR_VMX_EPT_VPID_CAP) & VMX_CAP_EPT_WB)) {
		ext_print(
			"%s: no VM: this CPU lacks EPT, unrestricted guests or controls of exits\n",
			ext_name);
		return false;
	}
	/* A guest must not keep the CPU busy with endless exceptions. */
	vs_set(vm->vsid, MK1_INTEL_exception_bitmap,
	       EXCEPTION_BIT(VECTOR_DB) | EXCEPTION_BIT(VECTOR_AC));
	vs_set(vm->vsid, MK1_INTEL_ept_pointer, root | VMX_EPTP_4_LEVELS | VMX_EPTP_WB);
	return true;
}

void vm_vmx_reset(struct ext_vm *vm, uint64_t cr0, uint64_t cr4)
{
	vs_set(vm->vsid, MK1_INTEL_cr0_guest_host_mask, vmx_cr0_forced(vm->vsid) | MASKED_CR0);
	vmx_set_cr0(vm->vsid, cr0);
	vs_set(vm->vsid, MK1_INTEL_cr4_guest_host_mask, ~0ull);
	vmx_set_cr4(vm->vsid, cr4);
	vs_set(vm->vsid, MK1_INTEL_interruptibility_state, 0);
	vs_set(vm->vsid, MK1_INTEL_activity_state, 0);
	vs_set(vm->vsid, MK1_INTEL_pending_debug_exceptions, 0);
}

static bool answer_io(struct ext_vm *vm)
{
	uint64_t info = vs_get(vm->vsid, MK1_INTEL_exit_qualification);

	if (info & VMX_QUAL_IO_STRING)
		return false;
	vm->exit.kind = EXT_VM_IO;
	vm->exit.port = VMX_QUAL_IO_PORT(info);
	vm->exit.size = VMX_QUAL_IO_SIZE(info);
	vm->exit.in = info & VMX_QUAL_IO_IN;
	return true;
}

static void answer_fault(struct ext_vm *vm)
{
	uint64_t info = vs_get(vm->vsid, MK1_INTEL_exit_qualification);

	vm->exit.kind = EXT_VM_MEMORY;
	vm->exit.gpa = vs_get(vm->vsid, MK1_INTEL_physical_address);
	vm->exit.access = info & VMX_QUAL_EPT_FETCH ? EXT_EXECUTE :
			  info & VMX_QUAL_EPT_WRITE ? EXT_WRITE :
						      EXT_READ;
}

static bool is_instruction(struct ext_vm *vm, enum ext_vm_exit_kind kind)
{
	vm->exit.kind = kind;
	return true;
}

bool vm_vmx_exit(struct ext_vm *vm, uint64_t reason)
{
	vm->exit.kind = EXT_VM_OTHER;
	if (reason & VMX_EXIT_ENTRY_FAILED) {
		vm->exit.kind = EXT_VM_REFUSED;
		return false;
	}
	switch (reason & VMX_EXIT_BASIC) {
	case VMX_EXIT_EXTERNAL_INTERRUPT:
		vm->exit.kind = EXT_VM_INTERRUPTED;
		return false;
	case VMX_EXIT_IO:
		return answer_io(vm);
	case VMX_EXIT_CPUID:
		return is_instruction(vm, EXT_VM_CPUID);
	case VMX_EXIT_RDMSR:
		return is_instruction(vm, EXT_VM_RDMSR);
	case VMX_EXIT_WRMSR:
		return is_instruction(vm, EXT_VM_WRMSR);
	case VMX_EXIT_HLT:
		return is_instruction(vm, EXT_VM_HLT);
	case VMX_EXIT_VMCALL:
		return is_instruction(vm, EXT_VM_CALL);
	case VMX_EXIT_EPT_VIOLATION:
		answer_fault(vm);
		return false;
	case VMX_EXIT_TRIPLE_FAULT:
		vm->exit.kind = EXT_VM_SHUTDOWN;
		return false;
	default:
		return false;
	}
}
