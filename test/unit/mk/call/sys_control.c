// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_control.c: control, handle, callback. */
#include "../machine.h"
#include "../suites.h"

START_TEST(handle)
{
	enter(0);
	ck_assert_uint_eq(SYS(handle_close_handle, HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID + 1), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID | 1ULL << 32), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(handle_close_handle, HANDLE + 1), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_close_handle, MK1_INVALID_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_close_handle, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
}
END_TEST

static void check_callback(uint64_t rax)
{
	const uint64_t bad[] = { 0,
				 EXT_RODATA,
				 EXT_DATA,
				 MK1_EXT_CODE_BASE - 1,
				 MK1_EXT_CODE_BASE,
				 MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE,
				 MK1_EXT_STACK_BASE,
				 BF_WINDOW_BASE,
				 ~0ULL };

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		regs = (struct syscall_frame){ .reg = { HANDLE, bad[i] } };
		ck_assert_uint_eq(syscall_run(rax), MK1_INVALID_INPUT_REG(1));
	}
	regs = (struct syscall_frame){ .reg = { HANDLE, EXT_VMEXIT } };
	ck_assert_uint_eq(syscall_run(rax), MK1_SUCCESS);
	ck_assert_uint_eq(syscall_run(rax), MK1_FAILURE_UNKNOWN);
}

START_TEST(callbacks)
{
	enter(0);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	check_callback(MK1_callback_register_bootstrap);
	check_callback(MK1_callback_register_vmexit);
	check_callback(MK1_callback_register_fail);
}
END_TEST

/* Of two extensions, whoever comes first has the exits; each has a fail callback of its own. */
START_TEST(callbacks_of_two_extensions)
{
	machine_defaults(BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	start();
	/* start() ended in ext 0's bootstrap; ask as ext 1 */
	m.pps[0]->ext = m.pps[0]->ext + 1;
	ck_assert_uint_eq(SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP),
			  MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(callback_register_vmexit, HANDLE, EXT_VMEXIT), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(callback_register_fail, HANDLE, EXT_FAIL), MK1_SUCCESS);
	/* the loader counts images from the microkernel on, which is 0 */
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	expect_failed(BF_ERR_EXT_EXIT);
	ck_assert_uint_eq(status_of(0)->image, 2);
}
END_TEST

START_TEST(exit_ends_the_run)
{
	enter(0);
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_EXIT);
	ck_assert_uint_eq(status_of(0)->rip, EXT_ENTRY + 0x10);
}
END_TEST

START_TEST(wait_outside_of_start)
{
	start();
	ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_WAIT);
}
END_TEST

START_TEST(again_outside_of_fail)
{
	start();
	ck_assert_uint_eq(SYS(control_again), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_AGAIN);
}
END_TEST

TCase *call_sys_control_tests(void)
{
	TCase *tc = tcase_create("call_sys_control");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, machine_amd, NULL);
	tcase_add_test(tc, handle);
	tcase_add_test(tc, callbacks);
	tcase_add_test(tc, callbacks_of_two_extensions);
	tcase_add_test(tc, exit_ends_the_run);
	tcase_add_test(tc, wait_outside_of_start);
	tcase_add_test(tc, again_outside_of_fail);
	return tc;
}
