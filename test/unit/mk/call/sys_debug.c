// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_debug.c: what extensions print. */
#include <string.h>

#include "microkernel/debug.h"
#include "../machine.h"
#include "../suites.h"

START_TEST(debug_prints)
{
	const char *text;

	enter(0);
	ck_assert_uint_eq(SYS(debug_out, 0xABC, ~0ULL), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "0xabc 0xffffffffffffffff\n");
	ck_assert_uint_eq(SYS(debug_write_c, 0x141), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "A");
	ck_assert_uint_eq(SYS(debug_write_c, 'B'), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "B");
	/* the microkernel, and an extension of another PP, begin a line of their own */
	ck_assert_uint_eq(SYS(debug_dump_page_pool), MK1_SUCCESS);
	text = printed();
	ck_assert_int_eq(*text, '\n');
	ck_assert_ptr_nonnull(strstr(text, "of 600 pages used"));
	ck_assert_uint_eq(SYS(debug_write_c, 'C'), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "C");
	debug_write(DEBUG_WRITER(1, 0), "D\n", 2);
	ck_assert_str_eq(printed(), "\nD\n");
	debug_write(DEBUG_WRITER(1, 1), "E\n", 2);
	ck_assert_str_eq(printed(), "E\n");
	(void)huge_alloc(2 * PAGE);
	ck_assert_uint_eq(SYS(debug_dump_huge_pool), MK1_SUCCESS);
	expect_printed("0x2000 bytes at");
	ck_assert_uint_eq(SYS(debug_dump_ext, 0), MK1_SUCCESS);
	expect_printed("ext 0: handle closed");
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(debug_dump_ext, 0x10000), MK1_SUCCESS);
	expect_printed("ext 0: handle open");
	ck_assert_uint_eq(SYS(debug_dump_ext, 1), MK1_INVALID_INPUT_REG(0));
	expect_printed("ext 1: not loaded");
}
END_TEST

START_TEST(debug_dumps_objects)
{
	machine_of(_i);
	start_and_launch();
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vm, 0), MK1_SUCCESS);
	expect_printed("vm 0: 1 VPs, active on 1 PPs\n");
	ck_assert_uint_eq(SYS(debug_dump_vm, 1), MK1_INVALID_INPUT_REG(0));
	expect_printed("vm 1: not allocated\n");
	ck_assert_uint_eq(SYS(debug_dump_vp, 0), MK1_SUCCESS);
	expect_printed("vp 0: vm 0, 1 VSs, active on 1 PPs\n");
	ck_assert_uint_eq(SYS(debug_dump_vp, 0xFFFF), MK1_INVALID_INPUT_REG(0));
	expect_printed("vp 65535: not allocated\n");
	ck_assert_uint_eq(SYS(debug_dump_vs, 0), MK1_SUCCESS);
	expect_printed("vs 0: vp 0, assigned to pp 0, root, active here\n");
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(debug_dump_vs, 1), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "vs 1: vp 0, assigned to pp 1\n");
	ck_assert_uint_eq(SYS(debug_dump_vs, 2), MK1_INVALID_INPUT_REG(0));
	expect_printed("vs 2: not allocated\n");
}
END_TEST

START_TEST(exit_log)
{
	start_and_launch();
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, 0), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "");
	for (unsigned int i = 0; i < 34; i++) {
		vmcb_of(m.pps[0]->vs)->rip = 0x1000 + i;
		guest_exit(SVM_EXIT_CPUID);
	}
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, 0), MK1_SUCCESS);
	expect_printed("pp 0 exit 2: vs 0, reason 0x72, rip 0x1002\n");
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, 1), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, 0x10000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, BF_MAX_PPS), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_dump_vmexit_log, MK1_INVALID_ID), MK1_INVALID_INPUT_REG(0));
}
END_TEST

static void put_text(uint64_t va, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(char *)mmu_user(va + i, false, false) = text[i];
}

START_TEST(write_str)
{
	char text[300];

	if (_i)
		machine_without_cr4(CR4_SMAP);
	enter(0);
	memset(text, 'x', sizeof(text));
	put_text(EXT_DATA, text, sizeof(text));
	put_text(EXT_DATA + 0x10, "hi", 3);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0x10, 300), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "hi");
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0x20, 200), MK1_SUCCESS);
	ck_assert_uint_eq(strlen(printed()), 200);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0x10, 0), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "");
	put_text(EXT_DATA + 0x10, "", 1);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0x10, 300), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "");
	/* across a page */
	put_text(EXT_DATA - 3, "abcdef", 7);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA - 3, 6), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "abcdef");
	/* out of the mapping, in the middle of it and from the beginning */
	memset(text, 'y', sizeof(text));
	put_text(EXT_DATA + 0xFFC, text, 4);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0xFFC, 5), MK1_INVALID_INPUT_REG(0));
	ck_assert_str_eq(printed(), "");
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA + 0xFFC, 4), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(debug_write_str, 0, 1), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_write_str, BF_PP_ABI, 1), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_write_str, 0x7FFFFFFFFFFF, 2), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_write_str, ~0ULL, ~0ULL), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(SYS(debug_write_str, 0xFFFF808000000000, 8), MK1_INVALID_INPUT_REG(0));
	ck_assert(!cpu->ac);
}
END_TEST

/* Another PP unmaps the page between the check and the copy. */
static void unmap_meanwhile(enum insn insn, uint64_t arg)
{
	(void)arg;
	if (insn == INSN_STAC)
		ck_assert(ext_unmap_pool(host_pp->ext, EXT_DATA - MK1_PAGE_POOL_BASE, PAGE));
}

START_TEST(write_str_of_a_page_that_goes_away)
{
	enter(0);
	put_text(EXT_DATA, "gone", 5);
	cpu_watch = unmap_meanwhile;
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA, 4), MK1_INVALID_INPUT_REG(0));
	cpu_watch = NULL;
	ck_assert_str_eq(printed(), "");
	ck_assert(!cpu->ac);
	ck_assert_uint_eq(cpu->cr2, EXT_DATA);
	ck_assert_uint_eq(SYS(debug_write_str, EXT_RODATA, 6), MK1_SUCCESS);
	ck_assert_str_eq(printed(), "read-o");
}
END_TEST

TCase *call_sys_debug_tests(void)
{
	TCase *tc = tcase_create("call_sys_debug");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, machine_amd, NULL);
	tcase_add_test(tc, debug_prints);
	tcase_add_loop_test(tc, debug_dumps_objects, 0, 2);
	tcase_add_test(tc, exit_log);
	tcase_add_loop_test(tc, write_str, 0, 2);
	tcase_add_test(tc, write_str_of_a_page_that_goes_away);
	return tc;
}
