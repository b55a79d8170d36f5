// SPDX-License-Identifier: GPL-2.0-only
/* vmx/vmcs.c: VMCSs that are loaded and cleared, and instructions that fail. */
#include "vmx.h"
#include "../suites.h"

/* All that this PP has loaded is cleared before VMXOFF; the fake CPU sees to it. */
START_TEST(nothing_stays_loaded)
{
	in_vmexit();
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, i % 2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 2), MK1_SUCCESS);
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	on_pp(1);
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
}
END_TEST

START_TEST(clear_fails)
{
	in_vmexit();
	vmx_fail(INSN_VMCLEAR, ANY, 1);
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 0), NOT_RETURNED);
	expect_failed(BF_ERR_MK_VMCS);
	expect_printed("VMCLEAR of vs 0 failed");
}
END_TEST

START_TEST(vmptrld_fails)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	vmx_fail(INSN_VMPTRLD, vs_find(1)->block_spa, 1);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 1, MK1_INTEL_rip), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
	ck_assert_uint_eq(status_of(0)->detail, 1);
	expect_printed("VMPTRLD of vs 1 failed");
}
END_TEST

START_TEST(vmptrld_fails_on_activation)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	vmx_fail(INSN_VMPTRLD, vs_find(1)->block_spa, 1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
}
END_TEST

START_TEST(vmread_or_vmwrite_fails)
{
	in_vmexit();
	vmx_fail(_i ? INSN_VMWRITE : INSN_VMREAD, VMCS_rip, 1);
	put_field(VMCS_vmexit_instruction_length, 2);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
	ck_assert_uint_eq(status_of(0)->detail, VMCS_rip);
}
END_TEST

TCase *vmx_vmcs_tests(void)
{
	TCase *tc = tcase_create("vmx_vmcs");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nothing_stays_loaded);
	tcase_add_test(tc, clear_fails);
	tcase_add_test(tc, vmptrld_fails);
	tcase_add_test(tc, vmptrld_fails_on_activation);
	tcase_add_loop_test(tc, vmread_or_vmwrite_fails, 0, 2);
	return tc;
}
