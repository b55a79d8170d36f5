// SPDX-License-Identifier: MIT
/* AMD: the VMCB of a VM of an extension's own, and its exits (APM vol. 2 chapter 15). */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/linux/svm.h>
#include <ext/linux/vm.h>

#define BIT_OF_CR4 (1u << 4) /* in the intercepts of control registers */

#define LEAF_SVM 0x8000000A
#define MAPS_SIZE (SVM_IOPM_SIZE + SVM_MSRPM_SIZE)

static uint64_t maps_spa; /* of the ports and MSRs of all VMs: everything exits */
static struct bsl_spinlock maps_lock;

static bool make_maps(void)
{
	uint64_t va, spa;

	bsl_spin_lock(&maps_lock);
	if (!maps_spa && mk1_mem_alloc_huge(MK1_HANDLE, MAPS_SIZE, &va, &spa) == MK1_SUCCESS) {
		bsl_memset((void *)va, 0xFF, MAPS_SIZE);
		maps_spa = spa;
	}
	bsl_spin_unlock(&maps_lock);
	if (!maps_spa)
		ext_print("%s: no VM: no memory for the permission maps\n", ext_name);
	return maps_spa;
}

bool vm_svm_setup(struct ext_vm *vm, uint64_t root)
{
	if (!(cpuid(LEAF_SVM, 0).edx & CPUID_8000000A_EDX_NP)) {
		ext_print("%s: no VM: this CPU has no nested paging\n", ext_name);
		return false;
	}
	if (!make_maps())
		return false;
	vs_set(vm->vsid, MK1_AMD_intercept_cr_write, BIT_OF_CR4);
	/* A guest must not keep the CPU busy with endless exceptions. */
	vs_set(vm->vsid, MK1_AMD_intercept_exception,
	       EXCEPTION_BIT(VECTOR_DB) | EXCEPTION_BIT(VECTOR_AC));
	vs_set(vm->vsid, MK1_AMD_intercept_instruction1, SVM_GUEST_INTERCEPTS1);
	vs_set(vm->vsid, MK1_AMD_intercept_instruction2, SVM_GUEST_INTERCEPTS2 | SVM_INSTR2_RDTSCP);
	vs_set(vm->vsid, MK1_AMD_iopm_base_pa, maps_spa);
	vs_set(vm->vsid, MK1_AMD_msrpm_base_pa, maps_spa + SVM_IOPM_SIZE);
	vs_set(vm->vsid, MK1_AMD_ctls1, SVM_NP_ENABLE);
	/* With 5-level paging it takes a page of the pool. */
	if (mk1_vs_write(MK1_HANDLE, vm->vsid, MK1_AMD_n_cr3, root) == MK1_SUCCESS)
		return true;
	ext_print("%s: no VM: no memory for its nested table\n", ext_name);
	return false;
}

void vm_svm_reset(struct ext_vm *vm, uint64_t cr0, uint64_t cr4)
{
	vs_set(vm->vsid, MK1_AMD_cr0, cr0);
	vs_set(vm->vsid, MK1_AMD_cr4, cr4);
	vs_set(vm->vsid, MK1_AMD_cpl, 0);
	vs_set(vm->vsid, MK1_AMD_virtual_interrupt_b, 0);
	vs_set(vm->vsid, MK1_AMD_eventinj, 0);
}

static bool answer_io(struct ext_vm *vm)
{
	uint64_t info = vs_get(vm->vsid, MK1_AMD_exitinfo1);

	if (info & SVM_IOIO_STRING)
		return false;
	vm->exit.kind = EXT_VM_IO;
	vm->exit.port = SVM_IOIO_PORT(info);
	vm->exit.size = SVM_IOIO_SIZE(info);
	vm->exit.in = info & SVM_IOIO_IN;
	return true;
}

static void answer_fault(struct ext_vm *vm)
{
	uint64_t info = vs_get(vm->vsid, MK1_AMD_exitinfo1);

	vm->exit.kind = EXT_VM_MEMORY;
	vm->exit.gpa = vs_get(vm->vsid, MK1_AMD_exitinfo2);
	vm->exit.access = info & SVM_NPF_FETCH ? EXT_EXECUTE :
			  info & SVM_NPF_WRITE ? EXT_WRITE :
						 EXT_READ;
}

static bool is_instruction(struct ext_vm *vm, enum ext_vm_exit_kind kind)
{
	vm->exit.kind = kind;
	return true;
}

bool vm_svm_exit(struct ext_vm *vm, uint64_t reason)
{
	vm->exit.kind = EXT_VM_OTHER;
	switch ((uint32_t)reason) {
	case SVM_EXIT_INTR:
		vm->exit.kind = EXT_VM_INTERRUPTED;
		return false;
	case SVM_EXIT_IOIO:
		return answer_io(vm);
	case SVM_EXIT_CPUID:
		return is_instruction(vm, EXT_VM_CPUID);
	case SVM_EXIT_MSR:
		return is_instruction(vm,
				      vs_get(vm->vsid, MK1_AMD_exitinfo1) & SVM_EXITINFO1_WRITE ?
					      EXT_VM_WRMSR :
					      EXT_VM_RDMSR);
	case SVM_EXIT_HLT:
		return is_instruction(vm, EXT_VM_HLT);
	case SVM_EXIT_VMMCALL:
		return is_instruction(vm, EXT_VM_CALL);
	case SVM_EXIT_NPF:
		answer_fault(vm);
		return false;
	case SVM_EXIT_SHUTDOWN:
		vm->exit.kind = EXT_VM_SHUTDOWN;
		return false;
	case (uint32_t)SVM_EXIT_INVALID:
		vm->exit.kind = EXT_VM_REFUSED;
		return false;
	default:
		return false;
	}
}
