// SPDX-License-Identifier: GPL-2.0-only
/* {svm,vmx}/exit.c: an entry of another VS that the CPU refuses is an exit, on both vendors. */
#include "../guest.h"
#include "../suites.h"

static void set_rip(uint64_t rip)
{
	ck_assert_uint_eq(reg_write(1, intel() ? MK1_INTEL_rip : MK1_AMD_rip, rip), MK1_SUCCESS);
}

START_TEST(refused)
{
	with_guest(_i);
	set_rip(0x1234);
	if (!_i)
		reg_write(1, MK1_AMD_eventinj, EVENT(1, 0x30));
	abi_gprs()[BF_RAX] = 0xAAAA;
	abi_gprs()[BF_R15] = 0x1515;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	refuse();
	expect_told(refused_reason());
	expect_printed(_i ? "VM entry failed: exit reason 0x80000021" :
			    "VMRUN refused the state of vs 1");
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0xAAAA);
	ck_assert_uint_eq(abi_gprs()[BF_R15], 0x1515);
	ck_assert_uint_eq(host_pp->exit_gpr[BF_RAX], 0xAAAA);
	ck_assert_uint_eq(reg_read(1, _i ? MK1_INTEL_rip : MK1_AMD_rip), 0x1234);
	ck_assert_uint_eq(status_of(0)->exit_count[_i ? VMX_EXIT_ENTRY_GUEST_STATE : 0xFF], 1);
	if (!_i) {
		ck_assert_uint_eq(vmcb()->cr3, 0);
		ck_assert_uint_eq(vmcb()->cr2, 0);
		ck_assert_uint_eq(vmcb()->eventinj, EVENT(1, 0x30));
		ck_assert_uint_eq(vmcb()->tlb_control, SVM_TLB_FLUSH_ALL);
	}
	/* mended, it is as if nothing had been */
	set_rip(0x5678);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, cpuid_reason());
	if (!_i)
		return;
	/* by VMRESUME the same */
	set_rip(0x9ABC);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ended.launched, true);
	refuse();
	expect_told(refused_reason());
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Twice, with nothing written in between; Linux goes on alone. */
START_TEST(refused_twice)
{
	with_guest(_i);
	SYS(vs_run_current, HANDLE);
	refuse();
	expect_told(refused_reason());
	SYS(vs_run_current, HANDLE);
	refuse();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	expect_failed(BF_ERR_VS_INVALID);
}
END_TEST

/* Before Linux has run: the extension can still launch it. */
START_TEST(refused_before_the_launch)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	refuse();
	expect_told(refused_reason());
	ck_assert(!host_pp->launched);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	ck_assert(host_pp->launched);
}
END_TEST

TCase *vendor_exit_tests(void)
{
	TCase *tc = tcase_create("vendor_exit");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, refused_twice, 0, 2);
	tcase_add_loop_test(tc, refused_before_the_launch, 0, 2);
	return tc;
}
