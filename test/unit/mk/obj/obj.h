/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share of VMs, VPs and VSs beside those of Linux. */
#ifndef TEST_MK_OBJ_H
#define TEST_MK_OBJ_H

#include "../machine.h"

/* A VM, VP and VS of its own beside the root's, on PP 0. */
extern uint64_t vm2, vp2, vs2;

static inline void second_vs(void)
{
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	vm2 = regs.reg[0];
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vm2), MK1_SUCCESS);
	vp2 = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	vs2 = regs.reg[0];
}

/* In the vmexit callback of the root VS, with a second VS at hand. */
static inline void in_vmexit(int vendor)
{
	machine_of(vendor);
	start_and_launch();
	guest_exit(vendor ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	second_vs();
}

static inline uint64_t reg_rip(void)
{
	return m.vendor == BF_VENDOR_AMD ? (uint64_t)MK1_AMD_rip : (uint64_t)MK1_INTEL_rip;
}

/* An instruction of 2 bytes exited at rip in the active VS. */
static inline void exited_at(uint64_t rip)
{
	struct vs *vs = host_pp->vs;

	if (m.vendor == BF_VENDOR_AMD) {
		vmcb_of(vs)->rip = rip;
		vmcb_of(vs)->nrip = rip + 2;
	} else {
		vmcs_put(vs->block_spa, VMCS_rip, rip);
		vmcs_put(vs->block_spa, VMCS_vmexit_instruction_length, 2);
		vmcs_put(vs->block_spa, VMCS_interruptibility_state, 0);
	}
}

static const uint64_t runs[] = { MK1_vs_run, MK1_vs_advance_ip_and_run, MK1_vs_set_active,
				 MK1_vs_advance_ip_and_set_active };

static inline uint64_t run_call(uint64_t rax, uint64_t vmid, uint64_t vpid, uint64_t vsid)
{
	regs = (struct syscall_frame){ .reg = { HANDLE, vmid, vpid, vsid } };
	return syscall_run(rax);
}

#endif
