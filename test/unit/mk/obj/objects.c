// SPDX-License-Identifier: GPL-2.0-only
/* obj/objects.c: the life of VMs, VPs and VSs. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "microkernel/lock.h"
#include "obj.h"
#include "../suites.h"

uint64_t vm2, vp2, vs2;

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
	int status;
	pid_t child;

	machine_of(0);
	enter(0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child) {
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
		return;
	}
	mk_lock(&outer);
	ASSERT_LOCKED(&outer);
	if (_i == 0)
		mk_lock(&same);
	if (_i == 1)
		mk_unlock(&same);
	mk_unlock(&outer);
	ASSERT_LOCKED(&outer);
	_exit(0);
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
	ck_assert_uint_eq(direct_map_page(&vm->direct, host_pp->ext->id, LINUX_RAM),
			  MK1_FAILURE_UNKNOWN);
}
END_TEST

/* The same before it makes something of it, or says whose its exits are. */
START_TEST(nothing_of_what_goes)
{
	struct ext *ext;

	in_vmexit(_i);
	ext = host_pp->ext;
	ck_assert(!vm_set_handler(MK1_ROOT_VMID, ext, EXT_VMEXIT));
	ck_assert(!vm_set_handler((uint16_t)vm2, ext, EXT_VMEXIT)); /* it has a VP */
	ck_assert(!vp_destroy((uint16_t)vp2));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vp2), MK1_SUCCESS);
	ck_assert_ptr_null(vs_create((uint16_t)vp2, 0));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vm2), MK1_SUCCESS);
	ck_assert_ptr_null(vp_create((uint16_t)vm2));
	ck_assert(!vm_set_handler((uint16_t)vm2, ext, EXT_VMEXIT));
	ck_assert(!mk.vm_handlers);
}
END_TEST

/* What a dump says of a VP does not count the VM's others; and a VS of another PP's is named. */
START_TEST(dumps_of_others)
{
	uint64_t vp3;

	in_vmexit(_i);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vm2), MK1_SUCCESS);
	vp3 = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vp, vp2), MK1_SUCCESS);
	expect_printed("active on 1 PPs");
	ck_assert_uint_eq(SYS(debug_dump_vp, vp3), MK1_SUCCESS);
	expect_printed("active on 0 PPs");
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp3, 1), MK1_SUCCESS);
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vs, regs.reg[0]), MK1_SUCCESS);
	expect_printed("assigned to pp 1");
	ck_assert_uint_eq(host_pp->nr_locks, 0);
}
END_TEST

/* Between a PP's look at the VS and its claim, another PP migrates it, or destroys it. */
START_TEST(no_claim_of_a_vs_that_goes)
{
	struct vs *vs;

	in_vmexit(_i);
	vs = vs_find((uint16_t)vs2);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, 1), MK1_SUCCESS);
	ck_assert(!vs_try_claim(vs));
	ck_assert_uint_eq(vs->claim, MK1_INVALID_ID);
	enter(1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	on_pp(0);
	ck_assert(!vs_try_claim(vs));
	ck_assert_uint_eq(vs->claim, 1);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	vs = vs_find((uint16_t)regs.reg[0]);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs->id), MK1_SUCCESS);
	ck_assert(!vs_try_claim(vs));
}
END_TEST

/* A call that fails leaves the VS to others, as does one that moves or destroys it. */
START_TEST(no_claim_is_left)
{
	struct vs *vs;

	in_vmexit(_i);
	vs = vs_find((uint16_t)vs2);
	ck_assert_uint_eq(vs->claim, MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, 0, vs2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(vs->claim, MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, vs2, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(vs->claim, MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(vs->claim, 0);
	/* once more changes nothing */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, 0, vs2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(vs->claim, 0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vs->claim, MK1_INVALID_ID);
	/* one that has been left behind is refused, and waited for in vain */
	vs->claim = 0;
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vm2, vp2, vs2), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_INVALID_INPUT_REG(1));
	vs_unclaim(vs);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(vs->claim, VS_RESERVED);
	/* Linux's is not reserved for long by another PP, which may not destroy it */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vp2, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, regs.reg[0]), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	on_pp(0);
	ck_assert_uint_eq(vs_find(0)->claim, MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
}
END_TEST

TCase *obj_objects_tests(void)
{
	TCase *tc = tcase_create("obj_objects");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, ids_are_handed_out_lowest_first);
	tcase_add_loop_test(tc, the_pool_of_vss_is_exhausted, 0, 2);
	tcase_add_test(tc, a_thousand_pps);
	tcase_add_loop_test(tc, a_vs_without_memory, 0, 10);
	tcase_add_test(tc, a_vs_loaded_elsewhere_is_not_destroyed);
	tcase_add_loop_test(tc, the_root_vs_is_destroyed_before_it_runs_only, 0, 2);
	tcase_add_test(tc, a_failing_pp_lets_go);
	tcase_add_loop_test(tc, a_faulting_pp_lets_go, 0, 2);
	tcase_add_loop_test(tc, locks_are_asserted, 0, 3);
	tcase_add_loop_test(tc, no_map_in_a_vm_that_goes, 0, 2);
	tcase_add_loop_test(tc, nothing_of_what_goes, 0, 2);
	tcase_add_loop_test(tc, dumps_of_others, 0, 2);
	tcase_add_loop_test(tc, no_claim_of_a_vs_that_goes, 0, 2);
	tcase_add_loop_test(tc, no_claim_is_left, 0, 2);
	return tc;
}
