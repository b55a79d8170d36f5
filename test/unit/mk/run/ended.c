// SPDX-License-Identifier: GPL-2.0-only
/* run/ended.c: an extension that only runs guests fails, and Linux goes on with the others. */
#include "microkernel/run/watchdog.h"

#include "run.h"
#include "../several.h"
#include "../suites.h"

/* PP 0 has found that the second extension ends; no PP has failed. */
static void expect_reported(enum bf_error error, uint64_t detail)
{
	ck_assert_uint_eq(ended_of(1)->report.error, error);
	ck_assert_uint_eq(ended_of(1)->report.image, error ? 2 : 0);
	ck_assert_uint_eq(ended_of(1)->report.cpu, error ? m.pps[0]->handoff.cpu : 0);
	ck_assert_uint_eq(ended_of(1)->detail, detail);
	ck_assert_uint_eq(ended_of(0)->report.error, BF_ERR_OK);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(status_of(i)->error, BF_ERR_OK);
		ck_assert_uint_eq(status_of(i)->image, 0);
		ck_assert_uint_eq(status_of(i)->report.error, BF_ERR_OK);
	}
}

/* Linux calls it once more, and others as before. */
static void expect_nobody(void)
{
	hypercall(CALL_FIRST, 0);
	expect_linux();
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
	SYS(vs_run_current, HANDLE);
	expect_linux();
}

static void fault(void)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	RUN(trap_dispatch(&f));
}

/* A fault, a call that ends it, and the watchdog, each at the hypercall. */
static void fail_by(unsigned int way)
{
	static const enum bf_error errors[] = { BF_ERR_EXT_FAULT, BF_ERR_EXT_EXIT, BF_ERR_EXT_WAIT,
						BF_ERR_EXT_AGAIN, BF_ERR_EXT_OVERDUE };
	static const uint64_t details[] = { VECTOR_UD, 0, 0, 0, BF_CALLBACK_VMEXIT };

	switch (way) {
	case 0:
		fault();
		break;
	case 1:
		SYS(control_exit);
		break;
	case 2:
		SYS(control_wait);
		break;
	case 3:
		SYS(control_again);
		break;
	default:
		host_pp->overdue = user_fault(0);
		RUN(watchdog_expired());
	}
	expect_reported(errors[way], details[way]);
}

START_TEST(at_a_hypercall)
{
	launch_two(_i % 2, GUEST_RIGHTS);
	abi_gprs()[BF_RBX] = 0xB;
	hypercall(CALL_LAST, 0);
	expect_exit(1, EXT_ROUTE, hypercall_reason());
	abi_gprs()[BF_RAX] = 1;
	abi_gprs()[BF_RBX] = 2;
	fail_by((unsigned int)_i / 2);
	expect_linux();
	/* as if it had not begun */
	ck_assert_uint_eq(abi_gprs()[BF_RAX], CALL_LAST);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP);
	expect_printed("ext 1 has ended, and its guests");
	expect_nobody();
}
END_TEST

/*
 * The answer is a call that names Linux as a whole. One that names it by half fails, and Linux
 * waits still.
 */
START_TEST(an_answer_with_wrong_names)
{
	uint16_t half = (uint16_t)(_i / 2);

	launch_two(_i % 2, GUEST_RIGHTS);
	hypercall(CALL_FIRST, 0);
	if (half < 2) {
		ck_assert_uint_ne(SYS(vs_run, HANDLE, half ? 0 : 1, half ? 1 : 0, 0), MK1_SUCCESS);
		ck_assert(host_pp->answering);
		abi_gprs()[BF_RAX] = 5;
		fault();
		expect_linux();
		ck_assert_uint_eq(abi_gprs()[BF_RAX], CALL_FIRST); /* it will call again */
		expect_nobody();
		return;
	}
	abi_gprs()[BF_RAX] = 5;
	SYS(vs_run, HANDLE, 0, 0, 0);
	expect_linux();
	ck_assert(!host_pp->answering);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 5);
}
END_TEST

/* Linux is behind the instruction, and another VS is active. */
START_TEST(in_an_exit_of_its_guest)
{
	uint16_t vmid, vsid;

	launch_two(_i % 2, GUEST_RIGHTS);
	abi_gprs()[BF_RBX] = 0xB;
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	abi_gprs()[BF_RAX] = 0x77; /* what it was going to answer */
	abi_gprs()[BF_RBX] = 0x78;
	run_guest(vmid, vsid);
	guest_exit(cpuid_reason());
	expect_exit(1, EXT_HANDLER, cpuid_reason());
	fail_by((unsigned int)_i / 2);
	expect_linux();
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
	expect_nobody();
}
END_TEST

/* Linux runs by its hand, and its fault is a thing of the past then. */
START_TEST(a_fail_callback_that_goes_on)
{
	launch_two(_i, GUEST_RIGHTS);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(SYS(callback_register_fail, HANDLE, EXT_FAIL), MK1_SUCCESS);
	fault();
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	abi_gprs()[BF_RAX] = 5;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	expect_linux();
	expect_reported(BF_ERR_OK, 0);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 5);
	hypercall(CALL_FIRST, 0);
	expect_exit(1, EXT_ROUTE, hypercall_reason());
	fault();
	fault();
	expect_linux();
	expect_reported(BF_ERR_EXT_FAIL_FAULT, VECTOR_UD);
	expect_nobody();
}
END_TEST

/* Its guest is refused by the CPU a second time. */
START_TEST(a_guest_that_the_cpu_refuses)
{
	uint16_t vmid, vsid;

	launch_two(_i, GUEST_RIGHTS);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	run_guest(vmid, vsid);
	for (unsigned int i = 0; i < 2; i++) {
		refuse();
		if (!i)
			SYS(vs_run_current, HANDLE);
	}
	expect_linux();
	expect_reported(BF_ERR_VS_INVALID, ended_of(1)->detail);
	expect_nobody();
}
END_TEST

/* A call that cannot be stepped over has no answer: it is made again. */
START_TEST(a_call_without_a_length)
{
	launch_two(1, GUEST_RIGHTS);
	hypercall(CALL_FIRST, 0);
	fault();
	expect_linux();
	abi_gprs()[BF_RAX] = CALL_FIRST;
	put_field(VMCS_rip, CALL_RIP);
	put_field(VMCS_vmexit_instruction_length, 0);
	guest_exit(VMX_EXIT_VMCALL);
	expect_linux();
	ck_assert_uint_eq(abi_gprs()[BF_RAX], CALL_FIRST);
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP);
	expect_nobody();
}
END_TEST

/* What treats Linux fails: that is the end of all, whoever else there is. */
START_TEST(the_one_that_treats_linux)
{
	launch_two(_i, GUEST_RIGHTS);
	guest_exit(cpuid_reason());
	fault();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(status_of(0)->image, 1);
	/* a call for the other one is not passed on */
	hypercall(CALL_FIRST, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_FAILURE_UNSUPPORTED);
}
END_TEST

/* With all rights, an extension is as ever: if it fails, the PP has. */
START_TEST(one_that_may_do_all)
{
	launch_two(_i, BF_ALL_RIGHTS);
	hypercall(CALL_FIRST, 0);
	fault();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(status_of(0)->image, 2);
}
END_TEST

START_TEST(in_its_start)
{
	start_two(_i, GUEST_RIGHTS);
	m.pps[0]->ext = ext_find(1);
	fault();
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_FAULT);
}
END_TEST

/* PP 1 is a guest, too, and in the second extension by a hypercall; PP 0 is at one. */
static void two_pps(int vendor)
{
	launch_two(vendor, GUEST_RIGHTS);
	enter(1);
	(void)launch();
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	expect_exit(1, EXT_ROUTE, hypercall_reason());
	on_pp(0);
	hypercall(CALL_FIRST, 0);
	expect_exit(1, EXT_ROUTE, hypercall_reason());
}

/* What fails later is the PP's own failure, and what it gives back unasked has none. */
START_TEST(a_later_failure_of_the_same_pp)
{
	launch_two(_i % 2, GUEST_RIGHTS);
	hypercall(CALL_FIRST, 0);
	fault();
	expect_reported(BF_ERR_EXT_FAULT, VECTOR_UD);
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
	if (_i / 2) {
		SYS(vs_promote, HANDLE, host_pp->vsid);
		ck_assert_int_eq(ended.end, END_LEFT);
		ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
		ck_assert_uint_eq(status_of(0)->error, BF_ERR_OK);
	} else {
		SYS(control_exit);
		expect_failed(BF_ERR_EXT_EXIT);
		ck_assert_uint_eq(status_of(0)->report.error, BF_ERR_EXT_EXIT);
		ck_assert_uint_eq(status_of(0)->report.image, 1);
	}
	ck_assert_uint_eq(status_of(0)->image, 1);
	ck_assert_uint_eq(ended_of(1)->report.error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(ended_of(1)->report.image, 2);
}
END_TEST

/* It is in ring 3 of the extension that ends: an NMI gets it out of there. */
START_TEST(another_pp_in_ring_3)
{
	struct trap_frame f;

	two_pps(_i);
	fault();
	expect_linux();
	on_pp(1);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_SENT);
	f = nmi_from(BF_SEL_USER_CS);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(f.rip, (uint64_t)leave_ended);
	ck_assert_uint_eq(f.cs, BF_SEL_KERNEL_CS);
	ck_assert_uint_eq(f.ss, BF_SEL_KERNEL_SS);
	ck_assert_uint_eq(f.rsp, BF_PP_STACK_TOP - 8);
	ck_assert_uint_eq(f.rflags, RFLAGS_FIXED);
	RUN(leave_ended());
	expect_linux();
	expect_reported(BF_ERR_EXT_FAULT, VECTOR_UD);
	expect_nobody();
}
END_TEST

/* Without the NMI, with whatever call is next; and a fault is not reported a second time. */
START_TEST(another_pp_that_calls)
{
	two_pps(_i % 2);
	fault();
	on_pp(1);
	switch (_i / 2) {
	case 0:
		SYS(vs_run_current, HANDLE);
		break;
	case 1:
		SYS(debug_out, 1, 2);
		break;
	case 2:
		SYS2(vm_nested_flush, HANDLE2, 1, 0);
		break;
	case 3:
		SYS(vs_read, HANDLE, 0, 0);
		break;
	default:
		fault();
	}
	expect_linux();
	expect_reported(BF_ERR_EXT_FAULT, VECTOR_UD);
	expect_nobody();
}
END_TEST

/* It is in a guest: that exits, and nobody is asked. */
START_TEST(another_pp_in_a_guest)
{
	uint16_t vmid, vsid;

	two_pps(_i);
	on_pp(1);
	vsid = make_guest(&vmid);
	run_guest(vmid, vsid);
	on_pp(0);
	fault();
	expect_linux();
	on_pp(1);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_SENT);
	if (_i) {
		put_field(VMCS_vmexit_interruption_information, EVENT(2, VECTOR_NMI));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
	} else {
		struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

		RUN(trap_dispatch(&f));
		guest_exit(SVM_EXIT_NMI);
	}
	expect_linux();
	expect_nobody();
}
END_TEST

/* It is in a guest of it, in which the other extension runs that; it exits before it hears. */
START_TEST(another_pp_in_a_guest_by_another)
{
	uint16_t vmid, vsid;

	two_pps(_i % 2);
	on_pp(1);
	vsid = make_guest(&vmid);
	abi_gprs()[BF_RAX] = 5;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	expect_linux();
	abi_gprs()[BF_RBX] = 0xB;
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
	if (_i / 2)
		host_pp->needs_barriers = 0; /* a CPU on which nothing precedes the extension */
	run_guest(vmid, vsid);
	ck_assert_uint_eq(ext_id(), 0);
	on_pp(0);
	fault();
	expect_linux();
	on_pp(1);
	abi_gprs()[BF_RBX] = 0x78; /* the guest's */
	/* one that the microkernel looks at first, and one that it does not */
	if (_i / 2)
		guest_exit(intel() ? VMX_EXIT_HLT : SVM_EXIT_HLT);
	else
		guest_exit(cpuid_reason());
	expect_linux();
	/* Linux was not at a hypercall: nothing is an answer */
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 5);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
	expect_nobody();
}
END_TEST

/* It is in a guest of the other extension, with which nothing has changed. */
START_TEST(another_pp_in_a_guest_of_another)
{
	uint16_t vmid, vsid;

	two_pps(_i);
	(void)make_guest(&vmid); /* of the one that ends, and nowhere */
	on_pp(1);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
	vsid = make_guest(&vmid);
	run_guest(vmid, vsid);
	on_pp(0);
	fault();
	expect_linux();
	on_pp(1);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_HANDLER, cpuid_reason());
}
END_TEST

/* It does not take an NMI for seconds: it is told, and the others go on. */
START_TEST(another_pp_that_does_not_answer)
{
	two_pps(_i);
	m.pps[1]->tlb->kick = KICK_RESERVED;
	fault();
	expect_linux();
	expect_reported(BF_ERR_EXT_FAULT, VECTOR_UD);
	expect_printed("pp 1 does not answer");
	on_pp(1);
	SYS(vs_run_current, HANDLE);
	expect_linux();
	expect_nobody();
}
END_TEST

TCase *run_ended_tests(void)
{
	TCase *tc = tcase_create("run_ended");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, at_a_hypercall, 0, 10);
	tcase_add_loop_test(tc, an_answer_with_wrong_names, 0, 6);
	tcase_add_loop_test(tc, in_an_exit_of_its_guest, 0, 10);
	tcase_add_loop_test(tc, a_fail_callback_that_goes_on, 0, 2);
	tcase_add_loop_test(tc, a_guest_that_the_cpu_refuses, 0, 2);
	tcase_add_test(tc, a_call_without_a_length);
	tcase_add_loop_test(tc, the_one_that_treats_linux, 0, 2);
	tcase_add_loop_test(tc, one_that_may_do_all, 0, 2);
	tcase_add_loop_test(tc, in_its_start, 0, 2);
	tcase_add_loop_test(tc, a_later_failure_of_the_same_pp, 0, 4);
	tcase_add_loop_test(tc, another_pp_in_ring_3, 0, 2);
	tcase_add_loop_test(tc, another_pp_that_calls, 0, 10);
	tcase_add_loop_test(tc, another_pp_in_a_guest, 0, 2);
	tcase_add_loop_test(tc, another_pp_in_a_guest_by_another, 0, 4);
	tcase_add_loop_test(tc, another_pp_in_a_guest_of_another, 0, 2);
	tcase_add_loop_test(tc, another_pp_that_does_not_answer, 0, 2);
	return tc;
}
