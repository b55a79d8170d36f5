// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_vm.c: TLB flushes. See obj/objects.c and mem/direct_map.c for the rest. */
#include "../machine.h"
#include "../suites.h"

START_TEST(tlb_flush_of_a_vm)
{
	unsigned int before;

	machine_amd_runs();
	before = cpu->count[INSN_WRITE_CR];
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
	vmcb_of(host_pp->vs)->tlb_control = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before + 1);
	ck_assert_uint_eq(vmcb_of(host_pp->vs)->tlb_control, SVM_TLB_FLUSH_ALL);
}
END_TEST

START_TEST(tlb_flush_in_bootstrap)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
}
END_TEST

TCase *call_sys_vm_tests(void)
{
	TCase *tc = tcase_create("call_sys_vm");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, tlb_flush_of_a_vm);
	tcase_add_loop_test(tc, tlb_flush_in_bootstrap, 0, 2);
	return tc;
}
