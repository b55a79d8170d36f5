// SPDX-License-Identifier: GPL-2.0-only
/* svm/startup.c, run/startup.c: who gets which INIT and start-up IPI, and what becomes of it. */
#include "startup.h"

#include "microkernel/arch/apic.h"
#include "microkernel/run/startup.h"
#include "../suites.h"

/* The NMI that fetches PP 1 comes; its guest has not exited yet. */
static void note_on_1(void)
{
	on_pp(1);
	RUN(kick_arrives());
}

static void expect_started(uint8_t vector)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INIT);
	ck_assert_uint_eq(reg_read(host_pp->vs->id, MK1_AMD_exitinfo1), vector);
	ck_assert(!host_pp->fetched);
	ck_assert(!startup_is_pending(host_pp));
}

/* --- waiting ---------------------------------------------------------------------------------- */

static unsigned int waits;

/* Root mode halts on PP 1; what ends that is a write of PP 0's, and the NMI behind it. */
static void pp0_sends(uint64_t icr)
{
	on_pp(0);
	ck_assert(startup_icr(host_pp, icr, true));
	on_pp(1);
	kick_arrives();
}

/* An NMI about something else, another INIT, and then the IPI. */
static void wait(void)
{
	uint32_t svr = MSR_X2APIC + XAPIC_SVR / 16;
	uint64_t seen = host_pp->tlb->seen;

	/* nobody waits for it, whatever changes */
	m.pps[0]->tlb->seen = ++tlb_generation;
	ck_assert(tlb_have_seen(tlb_generation));
	ck_assert_uint_eq(host_pp->tlb->seen, seen);
	ck_assert(cpu->gif);
	ck_assert_uint_eq(host_pp->phase, PHASE_IDLE);
	ck_assert_uint_eq(msr_get(cpu, svr), APIC_SVR_RESET);
	switch (waits++) {
	case 0:
		return;
	case 1:
		msr_set(cpu, svr, 0x1FF);
		pp0_sends(ICR(INIT, 1));
		return;
	default:
		pp0_sends(ICR(STARTUP | 0x99, 1));
	}
}

START_TEST(it_waits_for_the_ipi_alone)
{
	two_run();
	send(ICR(INIT, 1));
	machine_waits = wait;
	waits = 0;
	nmi_exit();
	machine_waits = NULL;
	ck_assert_uint_eq(waits, 3);
	expect_started(0x99);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
}
END_TEST

/* Another guest is about to take an event, which comes first; then its run ends, for Linux's. */
START_TEST(it_comes_while_another_guest_runs)
{
	two_run();
	on_pp(1);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, host_pp->vpid, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, host_pp->vpid, regs.reg[0]), MK1_SUCCESS);
	send(ICR(INIT, 1));
	ck_assert(has_fetched(1));
	on_pp(1);
	RUN(kick_arrives());
	ck_assert(host_pp->fetched);
	vmcb()->eventinj = EVENT(0, 0x30);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(0, 0x30));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(ICR_NMI, 1));
	vmcb()->eventinj = 0;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INTR);
	ck_assert(host_pp->fetched);
}
END_TEST

/* What an INIT ends does not come afterwards. */
START_TEST(nothing_of_before_is_left)
{
	two_run();
	send(ICR(INIT, 1));
	note_on_1();
	send(ICR(STARTUP | 0x12, 1));
	on_pp(1);
	host_pp->nmis_blocked = true;
	host_pp->mc_pending = true;
	vmcb()->eventinj = EVENT(0, 0x30);
	nmi_exit();
	expect_started(0x12);
	ck_assert(!host_pp->nmis_blocked);
	ck_assert_uint_eq(host_pp->owed, 0);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
}
END_TEST

/* The IPI is there before the PP has seen the INIT; another INIT takes it away again. */
START_TEST(they_come_fast)
{
	two_run();
	send(ICR(INIT, 1));
	note_on_1();
	send(ICR(STARTUP | 0x55, 1));
	ck_assert(has_fetched(1));
	if (!_i) {
		nmi_exit();
		expect_started(0x55);
		return;
	}
	note_on_1();
	send(ICR(INIT, 1));
	ck_assert(has_fetched(1));
	note_on_1();
	send(ICR(INIT, 1)); /* as before, but it may have been seen by now */
	ck_assert(has_fetched(1));
	nmi_exit();
	ck_assert_int_eq(ended.end, END_HALTED);
}
END_TEST

/* A recall (tlb.h) that comes with it is told with the next run. */
START_TEST(and_a_recall)
{
	two_run();
	send(ICR(INIT, 1));
	note_on_1();
	send(ICR(STARTUP | 0x12, 1));
	on_pp(1);
	tlb_recall_own(host_pp);
	RUN(kick_arrives());
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INIT);
	ck_assert(host_pp->fetched);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INTR);
	ck_assert(!host_pp->fetched);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Nobody is there who could start it: Linux goes on. */
START_TEST(not_without_an_extension)
{
	two_run();
	send(ICR(INIT, 1));
	on_pp(1);
	host_pp->fallback = true;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->fetched);
	ck_assert(!startup_is_pending(host_pp));
	send(ICR(STARTUP | 0x55, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
}
END_TEST

/* --- of whom ---------------------------------------------------------------------------------- */

START_TEST(a_cpu_resets_itself)
{
	two_run();
	send_from(1, ICR(INIT, 1));
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16), APIC_SVR_RESET);
}
END_TEST

START_TEST(one_that_does_not_respond)
{
	two_run();
	m.pps[1]->tlb->kick = KICK_RESERVED;
	send(ICR(INIT, 1));
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	expect_printed("pp 0: pp 1 does not respond");
}
END_TEST

static uint64_t sent[8];
static unsigned int nr_sent;

/* What was sent before: the value that this write replaces. */
static void watch_icr(enum insn insn, uint64_t msr)
{
	if (insn == INSN_WRMSR && msr == MSR_X2APIC_ICR && msr_get(cpu, MSR_X2APIC_ICR))
		sent[nr_sent++] = msr_get(cpu, MSR_X2APIC_ICR);
}

/* PPs 0 and 1 are in the hypervisor, 2 has left, and 3 has never been there. */
static void two_of_four_run(void)
{
	machine_defaults(BF_VENDOR_AMD);
	m.nr_pps = 4;
	machine_init();
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
	enter(1);
	(void)launch();
	enter(2);
	uint16_t vsid = launch();
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_promote, HANDLE, vsid);
	ck_assert_int_eq(ended.end, END_LEFT);
	machine_waits = NULL;
	nr_sent = 0;
}

/* The others: by shorthand, and by a logical destination, for which no APIC is to look twice. */
START_TEST(one_that_has_left_gets_its_own)
{
	uint64_t others = (uint64_t)0x10 << 48 | 0xEULL << 32 | 0x800;

	two_of_four_run();
	cpu_watch = watch_icr;
	send(_i ? others | INIT : INIT | OTHERS);
	cpu_watch = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(startup_is_pending(m.pps[1]));
	ck_assert_uint_eq(nr_sent, 1);
	ck_assert_uint_eq(sent[0], ICR(ICR_NMI, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(INIT, 2));
	/* alone, it gets what Linux has written */
	send(ICR(INIT, 2));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(INIT, 2));
	ck_assert(!startup_is_pending(m.pps[2]));
	send(ICR(STARTUP | 0x9A, 3));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(STARTUP | 0x9A, 3));
}
END_TEST

/*
 * One whose CPU was reset behind the PP's back, as the driver says, gets its own; not one that is
 * only asked to leave.
 */
START_TEST(one_that_was_reset_gets_its_own)
{
	two_run();
	on_pp(1);
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(status_of(1)->state, BF_PP_GUEST);
	status_of(1)->leaving = 1;
	if (_i)
		status_of(1)->state = BF_PP_BARE;
	send(ICR(INIT, 1));
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(_i ? INIT : ICR_NMI, 1));
	ck_assert_int_eq(startup_is_pending(m.pps[1]), !_i);
}
END_TEST

/* --- xAPIC mode: by its LDR and DFR ----------------------------------------------------------- */

static volatile uint32_t *apic(unsigned int offset)
{
	return (volatile uint32_t *)phys_at(linux_page(0)) + offset / 4;
}

static void two_run_with_xapics(void)
{
	machine_of(0);
	for (uint32_t i = 0; i < 2; i++)
		msr_set(&m.cpus[i], MSR_APIC_BASE,
			linux_page(0) | APIC_BASE_EN | (i ? 0 : APIC_BASE_BSP));
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	*apic(XAPIC_DFR) = 0xFFFFFFFF;
	start_and_launch();
	*apic(XAPIC_ID) = 1U << 24;
	enter(1);
	(void)launch();
	on_pp(0);
	*apic(XAPIC_ID) = 0;
}

static bool reaches_1(uint32_t dest)
{
	*apic(XAPIC_ICR_LOW) = 0;
	if (!startup_icr(host_pp, (uint64_t)dest << 56 | ICR_LOGICAL | INIT, false)) {
		ck_assert_uint_eq(*apic(XAPIC_ICR_LOW), 0);
		return false;
	}
	ck_assert_uint_eq(*apic(XAPIC_ICR_LOW), ICR_NMI);
	ck_assert(tlb_kicked(m.pps[1]));
	return true;
}

START_TEST(it_is_addressed_as_it_says)
{
	uint8_t vector;

	two_run_with_xapics();
	ck_assert(!reaches_1(2));
	startup_follow(m.pps[1], XAPIC_LDR, 2U << 24);
	startup_follow(m.pps[1], XAPIC_TPR, 8U << 24);
	ck_assert(reaches_1(2));
	ck_assert(reaches_1(0xE));
	ck_assert(!reaches_1(8));
	startup_follow(m.pps[1], XAPIC_LDR, 0x32U << 24);
	ck_assert(reaches_1(0x10)); /* flat: one bit in common */
	startup_follow(m.pps[1], XAPIC_DFR, 0x0FFFFFFF);
	ck_assert(!reaches_1(0x10));
	ck_assert(reaches_1(0x32));
	ck_assert(!reaches_1(0x22));
	/* which an INIT ends: flat, and none */
	ck_assert_int_eq(startup_take(m.pps[1], &vector), STARTUP_INIT);
	ck_assert(!reaches_1(0x32));
	startup_follow(m.pps[1], XAPIC_LDR, 1U << 24);
	ck_assert(reaches_1(0xF1));
}
END_TEST

/* --- the window of Linux's NMIs --------------------------------------------------------------- */

/* PP 1's Linux has its NMI, and the window is open. */
static uint32_t in_a_window(uint32_t wanted)
{
	uint32_t intercepts;

	two_run();
	on_pp(1);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(host_pp->vs->id, MK1_AMD_intercept_instruction1,
				    vmcb()->instruction1 | wanted),
			  MK1_SUCCESS);
	intercepts = vmcb()->instruction1;
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_window);
	return intercepts;
}

static void expect_closed(uint32_t intercepts)
{
	ck_assert(!host_pp->nmi_window);
	ck_assert_uint_eq(vmcb()->instruction1, intercepts);
	ck_assert(intercepts & SVM_INSTR1_NMI);
}

/* Without anything noted, Linux goes on with its IRET. Other exits are the extension's. */
START_TEST(what_closes_a_window)
{
	static const struct {
		uint32_t wanted;
		uint64_t exit;
		enum end end;
	} cases[] = {
		{ 0, SVM_EXIT_IRET, END_GUEST },
		{ 0, SVM_EXIT_HLT, END_GUEST },
		{ 0, SVM_EXIT_CPUID, END_RING3 },
		{ SVM_INSTR1_HLT, SVM_EXIT_HLT, END_RING3 },
		{ SVM_INSTR1_IRET, SVM_EXIT_IRET, END_RING3 },
		{ SVM_INSTR1_IRET, SVM_EXIT_HLT, END_GUEST },
	};
	uint32_t intercepts = in_a_window(cases[_i].wanted);

	guest_exit(cases[_i].exit);
	ck_assert_int_eq(ended.end, cases[_i].end);
	expect_closed(intercepts);
	if (ended.end == END_RING3)
		ck_assert_uint_eq(ended.arg1, cases[_i].exit);
	else
		ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_GUEST);
}
END_TEST

/* A kick that is on its way is not to come in the window. */
static void kick_in_time(void)
{
	cpu->on_stgi = NULL;
	ck_assert(!host_pp->nmi_window);
	kick_arrives();
}

START_TEST(a_kick_comes_before_the_window)
{
	two_run();
	on_pp(1);
	guest_exit(SVM_EXIT_CPUID);
	host_pp->nmi_pending = true;
	m.pps[1]->tlb->kick = KICK_SENT;
	cpu->on_stgi = kick_in_time;
	SYS(vs_run_current, HANDLE);
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert(host_pp->nmi_window);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_WINDOW);
	ck_assert_uint_eq(vmcb()->instruction1 & SVM_INSTR1_NMI, 0);
}
END_TEST

/* An NMI that is Linux's exits first. */
START_TEST(an_nmi_of_linux_exits)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	two_run();
	on_pp(1);
	RUN(trap_dispatch(&frame));
	ck_assert(host_pp->nmi_pending);
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_window);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(ICR_NMI, 1));
}
END_TEST

TCase *svm_startup_tests(void)
{
	TCase *tc = tcase_create("svm_startup");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, it_waits_for_the_ipi_alone);
	tcase_add_test(tc, it_comes_while_another_guest_runs);
	tcase_add_test(tc, nothing_of_before_is_left);
	tcase_add_loop_test(tc, they_come_fast, 0, 2);
	tcase_add_test(tc, and_a_recall);
	tcase_add_test(tc, not_without_an_extension);
	tcase_add_test(tc, a_cpu_resets_itself);
	tcase_add_test(tc, one_that_does_not_respond);
	tcase_add_loop_test(tc, one_that_was_reset_gets_its_own, 0, 2);
	tcase_add_loop_test(tc, one_that_has_left_gets_its_own, 0, 2);
	tcase_add_test(tc, it_is_addressed_as_it_says);
	tcase_add_loop_test(tc, what_closes_a_window, 0, 6);
	tcase_add_test(tc, a_kick_comes_before_the_window);
	tcase_add_test(tc, an_nmi_of_linux_exits);
	return tc;
}
