// SPDX-License-Identifier: GPL-2.0-only
/* objects.c, sys_vs.c and the rest of sys_vm.c: the life of VMs, VPs and VSs. */
#include "machine.h"

#include "microkernel/obj/ext.h"
#include "microkernel/lock.h"

#include <bsl/paging.h>
#include <signal.h>

#include "suites.h"

/* A VM, VP and VS of its own beside the root's, on PP 0. */
static uint64_t vm2, vp2, vs2;

static void second_vs(void)
{
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	vm2 = regs.reg[0];
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vm2), MK1_SUCCESS);
	vp2 = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	vs2 = regs.reg[0];
}

/* In the vmexit callback of the root VS, with a second VS at hand. */
static void in_vmexit(int vendor)
{
	machine_of(vendor);
	start_and_launch();
	guest_exit(vendor ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	second_vs();
}

static uint64_t reg_rip(void)
{
	return m.vendor == BF_VENDOR_AMD ? (uint64_t)MK1_AMD_rip : (uint64_t)MK1_INTEL_rip;
}

/* An instruction of 2 bytes exited at rip in the active VS. */
static void exited_at(uint64_t rip)
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

START_TEST(ids_are_handed_out_lowest_first)
{
	machine_of(0);
	start();
	for (uint64_t i = 1; i < MK_MAX_VMS; i++) {
		ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], i);
	}
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 3), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 3), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 3);
	for (uint64_t i = 0; i < MK_MAX_VPS; i++) {
		ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, i % MK_MAX_VMS), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], i);
	}
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 100), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 100);
}
END_TEST

START_TEST(the_pool_of_vss_is_exhausted)
{
	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.pool_pages = 1000;
	machine_init();
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	for (uint64_t i = 0; i < MK_MAX_VSS; i++) {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], i);
	}
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 77), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 77);
}
END_TEST

/* As many PPs as there can be: one VS for each of them, and some for guests. */
START_TEST(a_thousand_pps)
{
	machine_defaults(BF_VENDOR_AMD);
	m.pool_pages = 2200;
	machine_init();
	m.handoff->nr_pps = BF_MAX_PPS;
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, BF_MAX_PPS), MK1_INVALID_INPUT_REG(2));
	for (uint64_t i = 0; i < MK_MAX_VSS + MK_PPS_BEYOND; i++) {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, BF_MAX_PPS - 1), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], i);
	}
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_ptr_null(vs_find(objects_nr_vss()));
	m.handoff->nr_pps = MK_USUAL_PPS;
	ck_assert_uint_eq(objects_nr_vps(), MK_MAX_VPS);
	ck_assert_uint_eq(objects_nr_vss(), MK_MAX_VSS);
}
END_TEST

/* Too few pages for a control block: nothing is changed, and nothing is lost. */
START_TEST(a_vs_without_memory)
{
	unsigned int left = (unsigned int)_i / 2;

	machine_of(_i & 1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	drain_pool(left);
	if (left < (_i & 1 ? 3 : 1)) {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 0), MK1_SUCCESS);
	} else {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	}
}
END_TEST

START_TEST(ids_are_checked)
{
	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 5), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, MK_MAX_VMS), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 9), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 9, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(2));
	/* the upper bits of an id are ignored */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0x10000 | vp2, 0xABC0001), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, regs.reg[0]), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 9), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, objects_nr_vss()), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 9), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 9, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, 9, 1, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 9), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 9), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 9, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 9, 0), MK1_INVALID_INPUT_REG(1));
}
END_TEST

static const uint64_t runs[] = { MK1_vs_run, MK1_vs_advance_ip_and_run, MK1_vs_set_active,
				 MK1_vs_advance_ip_and_set_active };

static uint64_t run_call(uint64_t rax, uint64_t vmid, uint64_t vpid, uint64_t vsid)
{
	regs = (struct syscall_frame){ .reg = { HANDLE, vmid, vpid, vsid } };
	return syscall_run(rax);
}

/* Each of the four wants three ids that belong together, and a VS of this PP. */
START_TEST(the_triple_is_checked)
{
	uint64_t rax, rip, elsewhere;

	in_vmexit(_i / 4);
	rax = runs[_i % 4];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 1), MK1_SUCCESS);
	elsewhere = regs.reg[0];
	exited_at(0x1000);
	ck_assert_uint_eq(run_call(rax, 9, vp2, vs2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(run_call(rax, vm2, 9, vs2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(run_call(rax, 0, vp2, vs2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(run_call(rax, vm2, vp2, 9), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(run_call(rax, vm2, vp2, 0), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(run_call(rax, vm2, vp2, elsewhere), MK1_INVALID_INPUT_REG(3));
	rip = reg_read(0, reg_rip());
	ck_assert_uint_eq(rip, 0x1000); /* nothing was advanced */
	ck_assert_uint_eq(host_pp->vs->id, 0);
}
END_TEST

START_TEST(run_another_vs)
{
	in_vmexit(_i);
	abi_gprs()[BF_RBX] = 0x1111;
	ck_assert_uint_eq(reg_write((uint16_t)vs2, _i ? MK1_INTEL_rbx : MK1_AMD_rbx, 0x2222),
			  MK1_SUCCESS);
	ck_assert_uint_eq(reg_write((uint16_t)vs2, _i ? MK1_INTEL_dr0 : MK1_AMD_dr0, 0x3333),
			  MK1_SUCCESS);
	ck_assert_uint_eq(cpu->dr[0], 0);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, vp2, vs2), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x2222);
	ck_assert_uint_eq(cpu->dr[0], 0x3333);
	ck_assert_uint_eq(host_pp->vmid, vm2);
	ck_assert_uint_eq(vp_find((uint16_t)vp2)->active, 1);
	ck_assert_uint_eq(vm_find(0)->active, 0);
	guest_exit(_i ? VMX_EXIT_CPUID : 0x72);
	ck_assert_uint_eq(ended.arg0, vs2);
	/* what is active is not destroyed, nor is what something belongs to, nor Linux */
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vp2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vm2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 1), MK1_INVALID_INPUT_REG(1));
	exited_at(0x4000);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x1111);
	ck_assert_uint_eq(cpu->dr[0], 0);
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, reg_rip()), 0x4002);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, _i ? MK1_INTEL_dr0 : MK1_AMD_dr0), 0x3333);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vp2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vm2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vp2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vm2), MK1_SUCCESS);
}
END_TEST

START_TEST(advance_and_run)
{
	in_vmexit(_i);
	exited_at(0x1000);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(reg_read(0, reg_rip()), 0x1002);
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	exited_at(0x2000);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(host_pp->vs->id, vs2);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, reg_rip()), 0x2002);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Intel: the CPU tells no length. AMD runs such an instruction again: svm.c. */
START_TEST(no_way_to_advance)
{
	in_vmexit(1);
	exited_at(0x1000);
	vmcs_put(host_pp->vs->block_spa, VMCS_vmexit_instruction_length, 0);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, vm2, vp2, vs2), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, vs2),
			  MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(host_pp->vs->id, 0);
}
END_TEST

/* In the bootstrap callback no VS is active. */
START_TEST(nothing_is_active)
{
	machine_of(_i);
	start();
	second_vs();
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, vm2, vp2, vs2), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, vs2),
			  MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(host_pp->vs->id, vs2);
}
END_TEST

/* What is active before the first exit has nothing to be advanced over. */
START_TEST(nothing_exited)
{
	uint64_t vs3;

	machine_of(_i);
	start();
	second_vs();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	vs3 = regs.reg[0];
	ck_assert_uint_eq(reg_write((uint16_t)vs2, reg_rip(), 0x1000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, 9),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, vm2, vp2, vs3), MK1_SUCCESS);
	ck_assert_uint_eq(host_pp->vs->id, vs3);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, reg_rip()), 0x1000);
}
END_TEST

START_TEST(init_as_root)
{
	machine_of(_i);
	start();
	second_vs();
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, reg_rip()), m.switch_pages[0]->cpu.rip);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, _i ? MK1_INTEL_r15 : MK1_AMD_r15),
			  m.switch_pages[0]->cpu.gpr[BF_R15]);
	ck_assert_uint_eq(reg_read((uint16_t)vs2, _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0), 7);
	/* again is allowed, a second root is not, nor one that is another PP's */
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, regs.reg[0]), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, regs.reg[0]), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, vp2, vs2), NOT_RETURNED);
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* Of the active VS it is the CPU that gets them. */
START_TEST(init_as_root_of_the_active_vs)
{
	machine_of(_i);
	m.switch_pages[0]->cpu.dr[1] = 0x7777;
	start();
	second_vs();
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->xcr0, 1);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->xcr0, 7);
	ck_assert_uint_eq(cpu->dr[1], 0x7777);
}
END_TEST

/* A VS goes to another PP, which runs it; what was in the first CPU's caches is not there. */
START_TEST(migrate)
{
	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 0, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vs2, reg_rip()), MK1_INVALID_INPUT_REG(1));
	enter(1);
	(void)launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, vp2, vs2), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 1, 2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, vs2), MK1_SUCCESS);
	/* only the PP that has it can destroy it, on Intel, once it has been loaded */
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* Whoever wants it may fetch it, but not out of the caches of another CPU. */
START_TEST(migrate_here)
{
	in_vmexit(_i);
	enter(1);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 0), MK1_INVALID_INPUT_REG(1));
	on_pp(1);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, regs.reg[0]), MK1_SUCCESS);
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 0),
			  _i ? MK1_INVALID_INPUT_REG(1) : MK1_SUCCESS);
	if (_i) {
		on_pp(1);
		ck_assert_uint_eq(SYS(vs_clear, HANDLE, vs2), MK1_SUCCESS);
		on_pp(0);
		ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 0), MK1_SUCCESS);
	}
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, vp2, vs2), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

START_TEST(a_vs_loaded_elsewhere_is_not_destroyed)
{
	in_vmexit(1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_SUCCESS);
}
END_TEST

/* Until it runs, an extension may think again; from then on Linux has no other place. */
START_TEST(the_root_vs_is_destroyed_before_it_runs_only)
{
	uint64_t first;

	machine_of(_i);
	start();
	second_vs();
	first = vs2;
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, first), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, first), MK1_INVALID_INPUT_REG(1));
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, first), MK1_SUCCESS);
	ck_assert_ptr_null(host_pp->root_vs);
	(void)launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	vs2 = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, host_pp->root_vs->id),
			  MK1_INVALID_INPUT_REG(1));
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_EXT_EXIT);
}
END_TEST

/* A PP that fails in the middle of its work on a VS does not hold up the others. */
START_TEST(a_failing_pp_lets_go)
{
	in_vmexit(1);
	vmx_fail(INSN_VMPTRLD, vs_find((uint16_t)vs2)->block_spa, 1);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vs2, MK1_INTEL_rip), NOT_RETURNED);
	expect_failed(BF_ERR_MK_VMCS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 1), MK1_SUCCESS);
}
END_TEST

/* Nor does one that meets a fault of its own, whatever it holds. */
START_TEST(a_faulting_pp_lets_go)
{
	static struct mk_lock outer = MK_LOCK(LOCK_OBJECTS), inner = MK_LOCK(LOCK_POOL);
	struct trap_frame f = { .vector = VECTOR_GP, .cs = BF_SEL_KERNEL_CS };

	in_vmexit(_i);
	mk_lock(&outer);
	mk_lock(&inner);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_FAULT);
	ck_assert_uint_eq(host_pp->nr_locks, 0);
	ck_assert(bsl_spin_trylock(&inner.spin) && bsl_spin_trylock(&outer.spin));
}
END_TEST

/* Debug builds stop at locks in the wrong order, and at a lock that is not held. */
START_TEST(locks_are_asserted)
{
	static struct mk_lock outer = MK_LOCK(LOCK_TABLES), same = MK_LOCK(LOCK_TABLES);

	machine_of(0);
	enter(0);
	mk_lock(&outer);
	ASSERT_LOCKED(&outer);
	if (_i == 0)
		mk_lock(&same);
	if (_i == 1)
		mk_unlock(&same);
	mk_unlock(&outer);
	ASSERT_LOCKED(&outer);
}
END_TEST

/* Between a PP's look at the VM and its map, another PP destroys the VM. */
START_TEST(no_map_in_a_vm_that_goes)
{
	struct vm *vm;

	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	vm = vm_find((uint16_t)regs.reg[0]);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vm->id), MK1_SUCCESS);
	ck_assert(!direct_map_page(&vm->direct, host_pp->ext->id, LINUX_RAM));
}
END_TEST

START_TEST(clear_and_flush)
{
	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 0), MK1_SUCCESS);
	if (_i) {
		ck_assert_uint_ge(cpu->count[INSN_VMCLEAR], 1);
		ck_assert(!m.pps[0]->vs->vmx.launched);
		ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 5),
				  MK1_SUCCESS);
	} else {
		ck_assert_uint_eq(vmcb_of(m.pps[0]->vs)->clean, 0);
	}
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0x7000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, vs2, 0x7001), MK1_INVALID_INPUT_REG(2));
	if (_i)
		ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], 0);
	else
		ck_assert_uint_eq(cpu->arg[INSN_INVLPGA][0], 0x7000);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Registers that stay in the CPU: in it while the VS is active, beside it else; the CPU judges. */
START_TEST(live_registers)
{
	static const uint16_t numbers[2][NR_UNSWITCHED_REGS] = {
		{ MK1_AMD_cr8, MK1_AMD_dr0, MK1_AMD_dr1, MK1_AMD_dr2, MK1_AMD_dr3, MK1_AMD_xcr0 },
		{ MK1_INTEL_cr8, MK1_INTEL_dr0, MK1_INTEL_dr1, MK1_INTEL_dr2, MK1_INTEL_dr3,
		  MK1_INTEL_xcr0 }
	};
	uint16_t vsid;

	in_vmexit(_i % 2);
	vsid = _i < 2 ? 0 : (uint16_t)vs2;
	for (unsigned int i = 0; i < NR_UNSWITCHED_REGS; i++) {
		uint64_t value = i == UNSWITCHED_XCR0 ? 3 : i + 5;

		ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][i], value), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][i]), value);
	}
	ck_assert_uint_eq(cpu->dr[3], vsid ? 0 : 4 + 5);
	ck_assert_uint_eq(cpu->cr8, vsid ? 0 : 5);
	ck_assert_uint_eq(cpu->xcr0, vsid ? 7 : 3);
	/* without x87 there is no XCR0 */
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 1);
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 6), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 7);
	if (vsid)
		return;
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_CR8], 16),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 15),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 7);
}
END_TEST

/* What no CPU takes is held, but for Linux, and does not become active. */
START_TEST(live_registers_that_no_cpu_takes)
{
	const uint16_t numbers[] = { _i ? MK1_INTEL_cr8 : MK1_AMD_cr8,
				     _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0 };

	in_vmexit(_i);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(reg_write((uint16_t)vs2, numbers[i], 0x1234567890ABCDEF),
				  MK1_SUCCESS);
		ck_assert_uint_eq(reg_read((uint16_t)vs2, numbers[i]), 0x1234567890ABCDEF);
	}
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int run = 0; run < 4; run++)
			ck_assert_uint_eq(run_call(runs[run], vm2, vp2, vs2), MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(host_pp->vs->id, 0);
		ck_assert_uint_eq(reg_write((uint16_t)vs2, numbers[i], 1), MK1_SUCCESS);
	}
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	/* Linux is not active now, but would go on with it */
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_eq(reg_write(0, numbers[i], 0x1234567890ABCDEF),
				  MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* At a change of the active VS, only what differs is written. */
START_TEST(live_registers_that_are_the_same)
{
	uint64_t dr2 = _i ? MK1_INTEL_dr2 : MK1_AMD_dr2;
	unsigned int drs, xcr0s;

	machine_of(_i);
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int reg = _i ? MK1_INTEL_dr0 : MK1_AMD_dr0, i = 0; i < 4; i++)
		ck_assert_uint_eq(reg_write(1, reg + i, reg_read(0, reg + i)), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0, cpu->xcr0), MK1_SUCCESS);
	drs = cpu->count[INSN_WRITE_DR];
	xcr0s = cpu->count[INSN_XSETBV];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_DR], drs);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], xcr0s);
	ck_assert_uint_eq(reg_write(1, dr2, 0x1234), MK1_SUCCESS);
	drs = cpu->count[INSN_WRITE_DR];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_DR], drs + 1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->dr[2], 0x1234);
}
END_TEST

START_TEST(a_cpu_without_xsave)
{
	machine_of(0);
	machine_without_cr4(CR4_OSXSAVE);
	m.switch_pages[0]->cpu.cr4 &= ~(uint64_t)CR4_OSXSAVE;
	m.switch_pages[0]->cpu.xcr0 = 0;
	start_and_launch();
	ck_assert_uint_eq(reg_read(0, MK1_AMD_xcr0), 1);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_xcr0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_xcr0, 3), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_read(0, MK1_AMD_xcr0), 1);
}
END_TEST

/* With a table that does not show the code that switches, the CPU could not go on after it. */
START_TEST(promote_on_a_table_of_the_user)
{
	uint64_t reg = _i & 1 ? MK1_INTEL_cr3 : MK1_AMD_cr3, va;
	uint64_t *table[5];
	unsigned int levels = 4 + (unsigned int)_i / 2;

	machine_of(_i & 1);
	start_and_launch();
	guest_exit(_i & 1 ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	if (levels == 5 && !(_i & 1))
		vmcb_of(host_pp->vs)->cr4 |= CR4_LA57;
	else if (levels == 5)
		vmcs_put(host_pp->vs->block_spa, VMCS_cr4,
			 vmcs_get(host_pp->vs->block_spa, VMCS_cr4) | CR4_LA57);
	for (unsigned int i = 0; i < levels; i++)
		table[i] = phys_at(linux_page(i));
	va = host_pp->handoff.switch_page;
	ck_assert_uint_eq(reg_write(0, reg, linux_page(levels - 1)), MK1_SUCCESS);
	for (unsigned int level = levels; level > 0; level--) {
		ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
		table[level - 1][va >> (12 + 9 * (level - 1)) & 511] =
			linux_page(level > 1 ? level - 2 : 20) | BSL_PTE_P;
	}
	/* the page, but not the code */
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	va = host_pp->handoff.switch_leave;
	for (unsigned int level = levels; level > 3; level--)
		table[level - 1][va >> (12 + 9 * (level - 1)) & 511] = linux_page(level - 2) |
								       BSL_PTE_P;
	table[2][va >> 30 & 511] |= BSL_PTE_P | BSL_PTE_PS;
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
}
END_TEST

/* A table where no RAM is shows nothing. */
START_TEST(promote_on_no_table)
{
	machine_of(_i);
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, _i ? MK1_INTEL_cr3 : MK1_AMD_cr3, 0xF0000000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
}
END_TEST

START_TEST(promote_of_a_vs_that_is_not_linux)
{
	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	/* user space of Linux is running: its page table need not map the switch */
	if (_i)
		vmcs_put(host_pp->vs->block_spa, VMCS_ss_attrib, 0xC0F3);
	else
		vmcb_of(host_pp->vs)->cpl = 3;
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

START_TEST(no_vmexit_callback)
{
	machine_of(_i);
	enter(0);
	SYS(handle_open_handle, MK1_SPEC_ID);
	SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP);
	ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_NO_VMEXIT);
	ck_assert_uint_eq(status_of(0)->image, 0);
}
END_TEST

TCase *objects_tests(void)
{
	TCase *tc = tcase_create("objects");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, ids_are_handed_out_lowest_first);
	tcase_add_loop_test(tc, the_pool_of_vss_is_exhausted, 0, 2);
	tcase_add_test(tc, a_thousand_pps);
	tcase_add_loop_test(tc, a_vs_without_memory, 0, 10);
	tcase_add_loop_test(tc, ids_are_checked, 0, 2);
	tcase_add_loop_test(tc, the_triple_is_checked, 0, 8);
	tcase_add_loop_test(tc, run_another_vs, 0, 2);
	tcase_add_loop_test(tc, advance_and_run, 0, 2);
	tcase_add_test(tc, no_way_to_advance);
	tcase_add_loop_test(tc, nothing_is_active, 0, 2);
	tcase_add_loop_test(tc, nothing_exited, 0, 2);
	tcase_add_loop_test(tc, init_as_root, 0, 2);
	tcase_add_loop_test(tc, init_as_root_of_the_active_vs, 0, 2);
	tcase_add_loop_test(tc, migrate, 0, 2);
	tcase_add_loop_test(tc, migrate_here, 0, 2);
	tcase_add_test(tc, a_vs_loaded_elsewhere_is_not_destroyed);
	tcase_add_loop_test(tc, the_root_vs_is_destroyed_before_it_runs_only, 0, 2);
	tcase_add_test(tc, a_failing_pp_lets_go);
	tcase_add_loop_test(tc, a_faulting_pp_lets_go, 0, 2);
	tcase_add_loop_test_raise_signal(tc, locks_are_asserted, SIGILL, 0, 3);
	tcase_add_loop_test(tc, no_map_in_a_vm_that_goes, 0, 2);
	tcase_add_loop_test(tc, clear_and_flush, 0, 2);
	tcase_add_loop_test(tc, live_registers, 0, 4);
	tcase_add_loop_test(tc, live_registers_that_are_the_same, 0, 2);
	tcase_add_loop_test(tc, live_registers_that_no_cpu_takes, 0, 2);
	tcase_add_test(tc, a_cpu_without_xsave);
	tcase_add_loop_test(tc, promote_of_a_vs_that_is_not_linux, 0, 2);
	tcase_add_loop_test(tc, promote_on_a_table_of_the_user, 0, 4);
	tcase_add_loop_test(tc, promote_on_no_table, 0, 2);
	tcase_add_loop_test(tc, no_vmexit_callback, 0, 2);
	return tc;
}
