// SPDX-License-Identifier: GPL-2.0-only
/* run/trace.c: exits and entries of a PP that is traced, on both vendors. */
#include "microkernel/run/trace.h"
#include "../several.h"
#include "../suites.h"
#include "run.h"

static const struct bf_trace *ring(void)
{
	return phys_to_virt(host_pp->handoff.trace);
}

static const struct bf_trace_record *last(void)
{
	return &ring()->records[(ring()->written - 1) % BF_TRACE_RECORDS];
}

static void put_rip(uint64_t rip)
{
	if (intel())
		put_field(VMCS_rip, rip);
	else
		vmcb()->rip = rip;
}

/* The driver's hypercall, at an instruction of 3 bytes. */
static void call_trace(unsigned int cpl)
{
	put_rip(0x1000);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_TRACE;
	if (intel()) {
		put_field(VMCS_ss_attrib, cpl << 5);
		put_field(VMCS_vmexit_instruction_length, 3);
	} else {
		vmcb()->cpl = (uint8_t)cpl;
		vmcb()->rax = BF_HYPERCALL_TRACE;
		vmcb()->nrip = 0x1003;
	}
	guest_exit(intel() ? VMX_EXIT_VMCALL : SVM_EXIT_VMMCALL);
}

static void switch_trace(bool on)
{
	status_of(0)->tracing = on;
	call_trace(0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(intel() ? abi_gprs()[BF_RAX] : vmcb()->rax, BF_HYPERCALL_TRACED);
}

static void traced(int vendor)
{
	machine_of(vendor);
	start_and_launch();
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ring()->written, 0);
	switch_trace(true);
	ck_assert_uint_eq(ring()->written, 0); /* not even that exit */
}

START_TEST(exits_of_an_extension)
{
	uint64_t before;

	traced(_i);
	for (unsigned int i = 1; i < 4; i++) {
		put_rip(0x2000 + i);
		before = rdtsc();
		guest_exit(cpuid_reason());
		ck_assert_int_eq(ended.end, END_RING3);
		ck_assert_uint_eq(ring()->written, i - 1);
		SYS(vs_run_current, HANDLE);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(ring()->written, i);
		ck_assert_uint_eq(last()->rip, 0x2000 + i);
		ck_assert_uint_eq(last()->slot, cpuid_reason());
		ck_assert_uint_eq(last()->image, 1);
		ck_assert_uint_eq(last()->vmid, 0);
		ck_assert_uint_eq(last()->vsid, 0);
		ck_assert(last()->begin >= before && last()->begin + last()->ticks <= rdtsc());
	}
}
END_TEST

/*
 * What the microkernel answers is nobody's, as a VMMCALL of a process is. Nothing but the driver's
 * hypercall ends a trace.
 */
START_TEST(exits_of_the_microkernel)
{
	traced(_i);
	status_of(0)->tracing = false;
	call_trace(3);
	if (intel())
		SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(host_pp->traced, true);
	ck_assert_uint_eq(ring()->written, 1);
	ck_assert_uint_eq(last()->image, intel());
	switch_trace(false);
	/* This exit has still been one. */
	ck_assert_uint_eq(ring()->written, 2);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ring()->written, 2);
	ck_assert_uint_eq(host_pp->exit_slow, 0);
}
END_TEST

/* Linux can write what it likes into the ring: it is only ever written, and within its bounds. */
START_TEST(a_ring_that_linux_writes)
{
	struct bf_trace *r;

	traced(_i);
	r = phys_to_virt(host_pp->handoff.trace);
	host_pp->trace.written = UINT64_MAX - 1;
	for (unsigned int i = 0; i < 4; i++) {
		r->written = 0x1234567812345678;
		guest_exit(cpuid_reason());
		SYS(vs_run_current, HANDLE);
		ck_assert_uint_eq(r->written, UINT64_MAX + i);
	}
}
END_TEST

START_TEST(a_pp_that_comes_in_traced)
{
	machine_of(_i);
	status_of(0)->tracing = true;
	start_and_launch();
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ring()->written, 1);
	ck_assert_uint_eq(last()->image, 1);
}
END_TEST

/* It took longer than a record can tell. */
START_TEST(a_long_exit)
{
	traced(_i);
	guest_exit(cpuid_reason());
	host_pp->trace.record.begin -= 1ULL << 40;
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ring()->written, 1);
	ck_assert_uint_eq(last()->ticks, UINT32_MAX);
}
END_TEST

/* A hypercall is whose it is, not of whom treats Linux. */
START_TEST(exits_of_two_extensions)
{
	launch_two(_i, GUEST_RIGHTS);
	switch_trace(true);
	hypercall(CALL_FIRST, 0);
	expect_exit(1, EXT_ROUTE, hypercall_reason());
	SYS(vs_advance_ip_and_run_current, HANDLE);
	expect_linux();
	ck_assert_uint_eq(ring()->written, 1);
	ck_assert_uint_eq(last()->image, 2);
	ck_assert_uint_eq(last()->rip, CALL_RIP);
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ring()->written, 2);
	ck_assert_uint_eq(last()->image, 1);
}
END_TEST

/* A run that somebody has ended before it began is an exit as others are. */
START_TEST(a_run_that_was_ended)
{
	uint16_t vsid;

	with_vm(_i);
	SYS(vs_run_current, HANDLE);
	switch_trace(true);
	guest_exit(cpuid_reason());
	vsid = make_vs(1, 0);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(pp_kick, HANDLE2, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 1, vs_find(vsid)->vpid, vsid);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert_uint_eq(ring()->written, 1);
	ck_assert_uint_eq(last()->slot, cpuid_reason());
	put_event_to_inject(0);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ring()->written, 2);
	ck_assert_uint_eq(last()->slot, interrupt_reason());
	ck_assert_uint_eq(last()->image, 1);
	ck_assert_uint_eq(last()->vmid, 1);
	ck_assert_uint_eq(last()->vsid, vsid);
}
END_TEST

TCase *run_trace_tests(void)
{
	TCase *tc = tcase_create("run_trace");

	tcase_add_loop_test(tc, exits_of_an_extension, 0, 2);
	tcase_add_loop_test(tc, exits_of_the_microkernel, 0, 2);
	tcase_add_loop_test(tc, a_ring_that_linux_writes, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_comes_in_traced, 0, 2);
	tcase_add_loop_test(tc, a_long_exit, 0, 2);
	tcase_add_loop_test(tc, exits_of_two_extensions, 0, 2);
	tcase_add_loop_test(tc, a_run_that_was_ended, 0, 2);
	return tc;
}
