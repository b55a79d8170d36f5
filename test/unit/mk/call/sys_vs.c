// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_vs.c: which VS runs, is active, becomes Linux, or goes to another PP. */
#include "../obj/obj.h"
#include "../suites.h"

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
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vp, vp2), MK1_SUCCESS);
	expect_printed("active on 1 PPs");
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vm, 0), MK1_SUCCESS);
	expect_printed("active on 0 PPs");
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

/* Intel: the CPU tells no length. AMD runs such an instruction again: svm/advance.c. */
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
	/* the calls about one VS need none that is active */
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, vs2, 0x1000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, vs2, 0x1008), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(debug_dump_vs, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(host_pp->nr_locks, 0);
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

TCase *call_sys_vs_tests(void)
{
	TCase *tc = tcase_create("call_sys_vs");

	tcase_set_timeout(tc, 120);
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
	tcase_add_loop_test(tc, clear_and_flush, 0, 2);
	tcase_add_loop_test(tc, promote_of_a_vs_that_is_not_linux, 0, 2);
	tcase_add_loop_test(tc, no_vmexit_callback, 0, 2);
	return tc;
}
