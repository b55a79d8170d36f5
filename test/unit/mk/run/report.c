// SPDX-License-Identifier: GPL-2.0-only
/* run/report.c: what is kept and printed about a failure. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "run.h"
#include "../suites.h"

#define STACK (MK1_EXT_STACK_BASE + MK1_EXT_STACK_SIZE)

/* Ring 3's stack holds its own addresses below STACK. */
static void fill_user_stack(void)
{
	for (uint64_t va = STACK - 2 * PAGE; va < STACK; va += sizeof(va))
		*(uint64_t *)mmu_user(va, true, false) = va;
}

static void expect_stack(uint64_t rsp, uint64_t size)
{
	const struct bf_report *r = &status_of(0)->report;

	ck_assert_uint_eq(r->rsp, rsp);
	ck_assert_uint_eq(r->stack_size, size);
	for (uint64_t at = 0; at < size; at += sizeof(at)) {
		uint64_t word;

		memcpy(&word, &r->stack[at], sizeof(word));
		ck_assert_uint_eq(word, rsp + at);
	}
}

/* The stack may cross a page, and end with one. */
START_TEST(fault_of_ring_3)
{
	static const uint64_t sizes[] = { BF_REPORT_STACK, 0x100, 8, BF_REPORT_STACK };
	const struct bf_report *r;
	struct trap_frame f = user_fault(VECTOR_PF);
	uint64_t size = sizes[_i / 2];

	in_vmexit(_i % 2);
	r = &status_of(0)->report;
	fill_user_stack();
	host_pp->ext->fail = 0;
	host_pp->handoff.cpu = 9;
	cpu->cr2 = 0xABC;
	f.rsp = _i / 2 == 3 ? STACK - PAGE - 0x20 : STACK - size;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(r->error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(r->cpu, 9);
	ck_assert_uint_eq(r->image, 1);
	ck_assert_uint_eq(r->callback, BF_CALLBACK_VMEXIT);
	ck_assert_uint_eq(r->flags, BF_REPORT_PLACE | BF_REPORT_GPRS | BF_REPORT_FAULT);
	ck_assert_mem_eq(r->gpr, f.gpr, sizeof(f.gpr));
	ck_assert_uint_eq(r->vector, VECTOR_PF);
	ck_assert_uint_eq(r->error_code, 6);
	ck_assert_uint_eq(r->rip, f.rip);
	ck_assert_uint_eq(r->cs, f.cs);
	ck_assert_uint_eq(r->rflags, f.rflags);
	ck_assert_uint_eq(r->address, 0xABC);
	ck_assert_uint_eq(r->cr2, 0xABC);
	expect_stack(f.rsp, size);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

START_TEST(no_stack)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	in_vmexit(_i % 2);
	host_pp->ext->fail = 0;
	f.rsp = _i / 2 ? STACK : 0xFFFFFFFFFFFFFF00;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(status_of(0)->report.stack_size, 0);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

/* What the fail callback gave up was a fault in a vmexit callback. */
START_TEST(callback_that_failed)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i % 2);
	RUN(trap_dispatch(&f));
	if (_i / 2) {
		SYS(control_exit);
		ck_assert_uint_eq(status_of(0)->report.callback, BF_CALLBACK_VMEXIT);
		expect_alone(BF_ERR_EXT_FAULT);
	} else {
		f.rip += 4;
		RUN(trap_dispatch(&f));
		ck_assert_uint_eq(status_of(0)->report.callback, BF_CALLBACK_FAIL);
		expect_alone(BF_ERR_EXT_FAIL_FAULT);
	}
	ck_assert_uint_eq(status_of(0)->report.rip, f.rip);
	ck_assert_uint_eq(status_of(0)->report.gpr[BF_RDX], f.gpr[BF_RDX]);
}
END_TEST

/* An illegal call knows where it was, but not all registers. */
START_TEST(failing_call)
{
	const struct bf_report *r;

	in_vmexit(_i);
	r = &status_of(0)->report;
	fill_user_stack();
	regs = (struct syscall_frame){ .rip = 0x4242, .rsp = STACK - 0x40 };
	syscall_run(MK1_control_exit);
	ck_assert_uint_eq(r->error, BF_ERR_EXT_EXIT);
	ck_assert_uint_eq(r->flags, BF_REPORT_PLACE);
	ck_assert_uint_eq(r->rip, 0x4242);
	expect_stack(STACK - 0x40, 0x40);
	expect_alone(BF_ERR_EXT_EXIT);
}
END_TEST

/* --- ring 0 ----------------------------------------------------------------------------------- */

#define STACKS_SIZE (BF_PP_IST_BASE + BF_PP_IST_COUNT * BF_PP_IST_STRIDE - BF_PP_STACK)

static void map_stacks(void)
{
	ck_assert_ptr_eq(mmap((void *)BF_PP_STACK, STACKS_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 (void *)BF_PP_STACK);
	for (uint64_t va = BF_PP_STACK; va < BF_PP_STACK + STACKS_SIZE; va += sizeof(va))
		*(uint64_t *)va = va;
}

static void teardown(void)
{
	munmap((void *)BF_PP_STACK, STACKS_SIZE);
}

static struct trap_frame kernel_fault(uint64_t rsp)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	f.cs = BF_SEL_KERNEL_CS;
	f.ss = BF_SEL_KERNEL_SS;
	f.rsp = rsp;
	return f;
}

START_TEST(fault_of_ring_0)
{
	const uint64_t ist = BF_PP_IST_BASE + BF_PP_IST_STRIDE;
	const struct {
		uint64_t rsp, size;
	} rows[] = { { BF_PP_STACK_TOP - 0x100, 0x100 },
		     { BF_PP_STACK, BF_REPORT_STACK },
		     { ist + BF_PAGE_SIZE - 0x80, 0x80 },
		     { BF_PP_STACK_TOP, 0 },
		     { ist + BF_PAGE_SIZE, 0 },
		     { ist - 8, 0 },
		     { 0, 0 } };
	struct trap_frame f = kernel_fault(rows[_i / 2].rsp);

	in_vmexit(_i % 2);
	map_stacks();
	cpu->cr2 = 0xFFFF800000000123;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(status_of(0)->report.error, BF_ERR_MK_FAULT);
	ck_assert_uint_eq(status_of(0)->report.image, 0);
	expect_stack(f.rsp, rows[_i / 2].size);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

/* A guard page that the stack has reached has no content. */
START_TEST(stack_overflow)
{
	const struct bf_report *r;
	struct trap_frame f = kernel_fault(BF_PP_STACK - (_i / 2 ? 0x10 : BF_PAGE_SIZE));
	uint64_t word;

	f.vector = VECTOR_DF;
	in_vmexit(_i % 2);
	map_stacks();
	r = &status_of(0)->report;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(r->stack_size, BF_REPORT_STACK);
	memcpy(&word, &r->stack[8], sizeof(word));
	ck_assert_uint_eq(word, 0);
	memcpy(&word, &r->stack[0x10], sizeof(word));
	ck_assert_uint_eq(word, _i / 2 ? BF_PP_STACK : 0);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

START_TEST(printed_report)
{
	struct trap_frame f = kernel_fault(BF_PP_STACK_TOP - 0x103);
	uint64_t *stack = (uint64_t *)(BF_PP_STACK_TOP - 0x100);
	char line[64];
	const char *text;

	machine_of(_i);
	start_and_launch();
	for (unsigned int i = 0; i < 10; i++) {
		guest_exit(cpuid_reason());
		SYS(vs_run_current, HANDLE);
	}
	map_stacks();
	stack[3] = (uint64_t)trap_dispatch;
	stack[31] = (uint64_t)pp_fail;
	cpu->cr2 = 0x77;
	(void)printed();
	RUN(trap_dispatch(&f));
	text = printed();
	ck_assert_ptr_ne(strstr(text, "exception 14, error code 0x6 at rip 0x"), NULL);
	ck_assert_ptr_ne(strstr(text, "pp 0: rax 0x100, rbx 0x101, rcx 0x102"), NULL);
	ck_assert_ptr_ne(strstr(text, "r14 0x10d, r15 0x10e\n"), NULL);
	ck_assert_ptr_ne(strstr(text, "cr2 0x77, cr3 0x"), NULL);
	snprintf(line, sizeof(line), "on the stack: 0x%lx\n", (uint64_t)trap_dispatch);
	ck_assert_ptr_ne(strstr(text, line), NULL);
	snprintf(line, sizeof(line), "on the stack: 0x%lx\n", (uint64_t)pp_fail);
	ck_assert_ptr_ne(strstr(text, line), NULL);
	ck_assert_ptr_eq(strstr(text, "pp 0 exit 1:"), NULL);
	ck_assert_ptr_ne(strstr(text, "pp 0 exit 2:"), NULL);
	ck_assert_ptr_ne(strstr(text, "pp 0 exit 9:"), NULL);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

/* A stack full of addresses does not fill the ring. */
START_TEST(bounded_report)
{
	struct trap_frame f = kernel_fault(BF_PP_STACK);
	unsigned int count = 0;
	const char *text;

	in_vmexit(_i);
	map_stacks();
	for (uint64_t va = BF_PP_STACK; va < BF_PP_STACK_TOP; va += sizeof(va))
		*(uint64_t *)va = (uint64_t)pp_fail;
	(void)printed();
	RUN(trap_dispatch(&f));
	for (text = printed(); (text = strstr(text, "on the stack:")); text++)
		count++;
	ck_assert_uint_eq(count, 16);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

/* As if printing had faulted: the CPU goes on all the same, or is halted in silence. */
START_TEST(fault_in_the_report)
{
	struct trap_frame f = kernel_fault(0);

	in_vmexit(_i);
	host_pp->reporting = true;
	(void)printed();
	RUN(trap_dispatch(&f));
	ck_assert_str_eq(printed(), "");
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->fallback, true);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_str_eq(printed(), "");
}
END_TEST

/* The first failure is the one that is kept. */
START_TEST(failing_again)
{
	struct trap_frame f = kernel_fault(0);

	in_vmexit(_i);
	SYS(control_exit);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_uint_eq(status_of(0)->report.error, BF_ERR_EXT_EXIT);
	expect_printed("CPU 0 is halted");
}
END_TEST

/* Without an exception, it is the registers of the function that gave up. */
START_TEST(failing_function)
{
	const struct bf_report *r;

	in_vmexit(_i);
	r = &status_of(0)->report;
	RUN(pp_fail(BF_ERR_MK_VMCS, 0x681E, 0, 0));
	ck_assert_uint_eq(r->flags, BF_REPORT_PLACE | BF_REPORT_GPRS);
	ck_assert_uint_eq(r->gpr[BF_RBP], 0xB0B0);
	ck_assert_uint_eq(r->rip, 0x1717);
	expect_printed("pp 0: rip 0x1717, cs 0x10");
	expect_alone(BF_ERR_MK_VMCS);
}
END_TEST

/* Nobody knows where: nothing that is left of an earlier failure is shown. */
START_TEST(failing_nowhere)
{
	in_vmexit(_i);
	status_of(0)->report.flags = BF_REPORT_FAULT;
	status_of(0)->report.stack_size = 8;
	RUN(pp_fail(BF_ERR_VS_INVALID, 1, 0, 0));
	ck_assert_uint_eq(status_of(0)->report.flags, 0);
	ck_assert_uint_eq(status_of(0)->report.stack_size, 0);
	expect_alone(BF_ERR_VS_INVALID);
}
END_TEST

static void say(const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		*(char *)mmu_user(EXT_DATA + i, false, false) = text[i];
	ck_assert_uint_eq(SYS(debug_write_str, EXT_DATA, strlen(text)), MK1_SUCCESS);
}

/* What an extension has printed last is why it gives up. */
START_TEST(last_words)
{
	char lines[300];

	in_vmexit(_i);
	say("something else\n");
	memset(lines, 'y', sizeof(lines));
	lines[sizeof(lines) - 1] = '\0';
	say(lines);
	SYS(control_exit);
	ck_assert_uint_eq(strlen(status_of(0)->report.said), BF_REPORT_SAID - 1);
	ck_assert_int_eq(strncmp(status_of(0)->report.said, lines, BF_REPORT_SAID - 1), 0);
}
END_TEST

/* A fault has other reasons, and what another extension has said is none. */
START_TEST(no_last_words)
{
	struct trap_frame f = { .vector = 6, .cs = BF_SEL_USER_CS };

	in_vmexit(_i % 2);
	strcpy(status_of(0)->report.said, "before");
	say("hello\n");
	if (_i / 2) {
		host_pp->said.ext = host_pp->ext + 1;
		SYS(control_exit);
	} else {
		RUN(trap_dispatch(&f));
		SYS(control_exit); /* of its fail callback */
	}
	ck_assert_uint_ne(status_of(0)->report.error, BF_ERR_OK);
	ck_assert_str_eq(status_of(0)->report.said, "");
}
END_TEST

TCase *run_report_tests(void)
{
	TCase *tc = tcase_create("run_report");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, fault_of_ring_3, 0, 8);
	tcase_add_loop_test(tc, no_stack, 0, 4);
	tcase_add_loop_test(tc, callback_that_failed, 0, 4);
	tcase_add_loop_test(tc, failing_call, 0, 2);
	tcase_add_loop_test(tc, fault_of_ring_0, 0, 14);
	tcase_add_loop_test(tc, stack_overflow, 0, 4);
	tcase_add_loop_test(tc, printed_report, 0, 2);
	tcase_add_loop_test(tc, bounded_report, 0, 2);
	tcase_add_loop_test(tc, fault_in_the_report, 0, 2);
	tcase_add_loop_test(tc, failing_again, 0, 2);
	tcase_add_loop_test(tc, failing_function, 0, 2);
	tcase_add_loop_test(tc, failing_nowhere, 0, 2);
	tcase_add_loop_test(tc, last_words, 0, 2);
	tcase_add_loop_test(tc, no_last_words, 0, 4);
	return tc;
}
