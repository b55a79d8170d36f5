// SPDX-License-Identifier: GPL-2.0-only
/* pp_recall of Mk#2: Linux on another PP exits at once. By mem/tlb.c, and run.c of both vendors. */
#include "../mk2.h"
#include "../suites.h"

static uint64_t recall(uint64_t ppid)
{
	return SYS2(pp_recall, HANDLE2, ppid);
}

static struct tlb_state *other(void)
{
	return m.pps[1]->tlb;
}

/* PP 0 is in its extension, and PP 1 in Linux, whose NMIs exit if that was asked for. */
static void two_run(int i, bool attached)
{
	machine_of(i);
	start_and_launch();
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	enter(1);
	if (attached)
		ck_assert_uint_eq(SYS2(pp_recall_attach, HANDLE2), MK1_SUCCESS);
	ck_assert_uint_eq(launch(), 1);
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	on_pp(0);
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
}

static bool nmi_was_sent(void)
{
	return msr_get(&m.cpus[0], MSR_X2APIC_ICR) == (0x101ULL << 32 | 0x4400);
}

/* PP 1's exit by the NMI, as far as the one that waits sees it. */
static void other_exits(void)
{
	ck_assert(nmi_was_sent());
	__atomic_store_n(&other()->in_guest, TLB_IN_ROOT, __ATOMIC_SEQ_CST);
}

/* That exit; the NMI of SVM comes with STGI, in root mode. */
static void nmi_exit(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	on_pp(1);
	if (intel()) {
		put_field(VMCS_vmexit_interruption_information, EVENT(2, VECTOR_NMI));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		return;
	}
	trap_dispatch(&f);
	guest_exit(SVM_EXIT_NMI);
}

static void expect_interrupt(void)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
	ck_assert_uint_eq(ended.arg0, host_pp->root_vs->id);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert_uint_eq(
		reg_read(host_pp->root_vs->id, intel() ? MK1_INTEL_exit_reason : MK1_AMD_exitcode),
		interrupt_reason());
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(host_pp->tlb->recall, 0);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
}

/* Once: then Linux runs. */
static void expect_once(void)
{
	expect_interrupt();
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	if (intel() && nmi_window()) { /* which vmx_owe opened */
		guest_exit(VMX_EXIT_NMI_WINDOW);
		ck_assert(!nmi_window());
	}
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->fetched);
}

/* What had changed is seen by then. */
START_TEST(linux_comes_out)
{
	two_run(_i, true);
	cpu_in_a_while(other_exits);
	(void)tlb_move_on(host_pp);
	ck_assert_uint_eq(recall(0x10001), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
	ck_assert_uint_eq(other()->recall, 1);
	ck_assert(!tlb_have_seen(tlb_generation));
	nmi_exit();
	ck_assert(tlb_have_seen(tlb_generation));
	expect_once();
}
END_TEST

/* One that has not come out is not waited for without end; it does later. */
START_TEST(linux_comes_late)
{
	two_run(_i, true);
	ck_assert_uint_eq(recall(1), MK2_FAILURE_BUSY);
	ck_assert(nmi_was_sent());
	ck_assert_uint_eq(other()->kick, KICK_SENT);
	nmi_exit();
	expect_once();
}
END_TEST

/* Others flush meanwhile, and wait for this PP. */
static void generation_moves(void)
{
	__atomic_add_fetch(&tlb_generation, 1, __ATOMIC_SEQ_CST);
	cpu_in_a_while(other_exits);
}

START_TEST(who_waits_flushes)
{
	two_run(_i, true);
	cpu_in_a_while(generation_moves);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
}
END_TEST

/* In root mode it need not come out: two PPs may recall each other. Its next run is none. */
START_TEST(from_each_other)
{
	two_run(_i, true);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
	on_pp(1);
	ck_assert_uint_eq(recall(0), MK1_SUCCESS);
	for (uint32_t ppid = 0; ppid < 2; ppid++) {
		struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

		on_pp(ppid);
		trap_dispatch(&f);
		ck_assert(!host_pp->nmi_pending);
		SYS(vs_run_current, HANDLE);
		expect_once();
	}
}
END_TEST

static void nmi_comes(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	trap_dispatch(&f);
}

/* The PP was about to enter Linux; who recalls it has not waited for that. */
START_TEST(as_linux_is_entered)
{
	two_run(_i, true);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	on_pp(1);
	host_pp->entry_dirty = true;
	cpu_in_a_while(nmi_comes);
	SYS(vs_run_current, HANDLE);
	expect_once();
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_GUEST);
}
END_TEST

/* A second one before the first has been seen adds nothing; one behind that does. */
START_TEST(each_is_seen)
{
	two_run(_i, true);
	on_pp(1);
	guest_exit(cpuid_reason());
	for (unsigned int n = 0; n < 2; n++) {
		struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

		on_pp(0);
		ck_assert_uint_eq(recall(1), MK1_SUCCESS);
		on_pp(1);
		trap_dispatch(&f);
		if (!n)
			continue;
		SYS(vs_run_current, HANDLE);
		expect_interrupt();
		on_pp(0);
		ck_assert_uint_eq(recall(1), MK1_SUCCESS);
		on_pp(1);
		trap_dispatch(&f);
		SYS(vs_run_current, HANDLE);
		expect_once();
	}
}
END_TEST

START_TEST(of_oneself)
{
	two_run(_i, true);
	ck_assert_uint_eq(recall(0), MK1_SUCCESS);
	ck_assert(!nmi_was_sent());
	SYS(vs_run_current, HANDLE);
	expect_once();
}
END_TEST

/* What Linux was about to take goes in afterwards. */
START_TEST(an_event_stays)
{
	two_run(_i, true);
	put_event_to_inject(EVENT(0, 0x30));
	ck_assert_uint_eq(recall(0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	expect_interrupt();
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x30));
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x30));
}
END_TEST

/* The guest that runs there makes room for Linux, which exits as it begins. */
START_TEST(another_guest_runs)
{
	uint64_t vpid, vsid;

	two_run(_i, true);
	on_pp(1);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, MK1_ROOT_VMID), MK1_SUCCESS);
	vpid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vpid, 1), MK1_SUCCESS);
	vsid = regs.reg[0];
	SYS(vs_run, HANDLE, MK1_ROOT_VMID, vpid, vsid);
	ck_assert_int_eq(ended.end, END_GUEST);
	on_pp(0);
	cpu_in_a_while(other_exits);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	nmi_exit();
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, vsid);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert_uint_eq(host_pp->tlb->recall, 1);
	SYS(vs_run, HANDLE, MK1_ROOT_VMID, vs_find(1)->vpid, 1);
	expect_once();
}
END_TEST

/* Without an extension there is nobody to be told. */
START_TEST(a_failed_pp)
{
	two_run(_i, true);
	cpu_in_a_while(other_exits);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	m.pps[1]->fallback = true;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->fetched);
	ck_assert_uint_eq(host_pp->tlb->recall, 0);
}
END_TEST

/* It gets no NMI, which nobody would take; when it comes in again, nothing is left of it. */
START_TEST(a_pp_that_is_not_here)
{
	two_run(_i, true);
	other()->present = false;
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	ck_assert(!nmi_was_sent());
	ck_assert_uint_eq(other()->kick, KICK_NONE);
	ck_assert_uint_eq(other()->recall, 0);
	other()->recall = 1;
	tlb_init(m.pps[1]);
	ck_assert_uint_eq(other()->recall, 0);
	ck_assert_uint_eq(recall(2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(recall(0xFFFF), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(pp_recall, HANDLE2 + 1, 1), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS2(pp_recall_attach, HANDLE2 + 1), MK1_FAILURE_INVALID_HANDLE);
}
END_TEST

START_TEST(a_pp_that_does_not_respond)
{
	two_run(_i, true);
	other()->kick = KICK_RESERVED;
	ck_assert_uint_eq(recall(1), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(other()->recall, 0);
}
END_TEST

/* On AMD it would be Linux's own NMI; in root mode it is not. */
START_TEST(without_an_attach)
{
	two_run(_i, false);
	if (intel())
		cpu_in_a_while(other_exits);
	ck_assert_uint_eq(recall(1), intel() ? MK1_SUCCESS : MK1_FAILURE_UNSUPPORTED);
	ck_assert(nmi_was_sent() == intel());
	if (intel())
		return;
	ck_assert_uint_eq(other()->kick, KICK_NONE);
	ck_assert_uint_eq(other()->recall, 0);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
}
END_TEST

/* For what becomes Linux's from then on; the extension does not see the intercept. */
START_TEST(attach)
{
	two_run(_i, true);
	ck_assert_uint_eq(SYS2(pp_recall_attach, HANDLE2), MK2_FAILURE_BUSY);
	on_pp(1);
	guest_exit(cpuid_reason());
	if (intel())
		return;
	ck_assert(vmcb()->instruction1 & SVM_INSTR1_NMI);
	ck_assert_uint_eq(reg_read(1, MK1_AMD_intercept_instruction1) & SVM_INSTR1_NMI, 0);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, SVM_INSTR1_CPUID),
			  MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->instruction1, SVM_INSTR1_CPUID | SVM_INSTR1_NMI);
	on_pp(0);
	ck_assert_uint_eq(vmcb()->instruction1 & SVM_INSTR1_NMI, 0);
}
END_TEST

/* AMD: one that was made before, and becomes active later. */
START_TEST(attach_before_another_vs)
{
	uint64_t vpid;

	machine_of(0);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, MK1_ROOT_VMID), MK1_SUCCESS);
	vpid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vpid, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->instruction1 & SVM_INSTR1_NMI, 0);
	ck_assert_uint_eq(SYS2(pp_recall_attach, HANDLE2), MK1_SUCCESS);
	SYS(vs_run, HANDLE, MK1_ROOT_VMID, vpid, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(vmcb()->instruction1 & SVM_INSTR1_NMI);
}
END_TEST

/* Intel: one that waits for a start-up IPI is told behind that, which would be lost meanwhile. */
START_TEST(linux_waits_for_its_start)
{
	two_run(1, true);
	machine_has_x2apics();
	mk.keep_cpus = true;
	cpu_in_a_while(other_exits);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	on_pp(1);
	RUN(nmi_comes());
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_AWAITS_IPI);
	on_pp(0);
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
	ck_assert_uint_eq(recall(1), MK1_SUCCESS);
	ck_assert(!nmi_was_sent());
	on_pp(1);
	guest_exit(VMX_EXIT_SIPI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_SIPI);
	put_field(VMCS_activity_state, 0);
	SYS(vs_run_current, HANDLE);
	expect_once();
}
END_TEST

/* AMD: Linux's own NMIs go in as with CPUs that are kept; and a recall waits for that. */
START_TEST(in_an_nmi_of_linux)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	two_run(0, true);
	on_pp(1);
	RUN(trap_dispatch(&f));
	ck_assert(host_pp->nmi_pending);
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_window);
	on_pp(0);
	ck_assert_uint_eq(recall(1), MK2_FAILURE_BUSY);
	ck_assert(!nmi_was_sent());
	ck_assert_uint_eq(other()->kick, KICK_NONE);
	on_pp(1);
	guest_exit(SVM_EXIT_IRET);
	expect_once();
}
END_TEST

/* AMD: nor do they come while the extension has it execute one instruction. */
START_TEST(in_a_step)
{
	two_run(0, true);
	on_pp(1);
	vmcb()->rflags |= RFLAGS_TF;
	vmcb()->interrupt_shadow = SVM_INTERRUPT_SHADOW;
	vmcb()->exceptions |= 1U << VECTOR_DB;
	RUN(nmi_comes());
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_pending && !host_pp->nmi_window);
	guest_exit(SVM_EXIT_EXCEPTION + VECTOR_DB);
	ck_assert_int_eq(ended.end, END_RING3);
	vmcb()->rflags &= ~(uint64_t)RFLAGS_TF;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->nmi_pending && host_pp->nmi_window);
}
END_TEST

/*
 * AMD: while NMIs become blocked, which takes one, nobody sends another: what is noted then is seen
 * before Linux is entered.
 */
START_TEST(as_the_nmi_handler_is_entered)
{
	two_run(0, true);
	on_pp(1);
	guest_exit(SVM_EXIT_CPUID);
	host_pp->nmis_blocked = true;
	mk.vendor->owe(host_pp);
	host_pp->tlb->recall = 1;
	SYS(vs_run_current, HANDLE);
	expect_once();
}
END_TEST

TCase *vendor_recall_tests(void)
{
	TCase *tc = tcase_create("vendor_recall");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, linux_comes_out, 0, 2);
	tcase_add_loop_test(tc, linux_comes_late, 0, 2);
	tcase_add_loop_test(tc, who_waits_flushes, 0, 2);
	tcase_add_loop_test(tc, from_each_other, 0, 2);
	tcase_add_loop_test(tc, as_linux_is_entered, 0, 2);
	tcase_add_loop_test(tc, each_is_seen, 0, 2);
	tcase_add_loop_test(tc, of_oneself, 0, 2);
	tcase_add_loop_test(tc, an_event_stays, 0, 2);
	tcase_add_loop_test(tc, another_guest_runs, 0, 2);
	tcase_add_loop_test(tc, a_failed_pp, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_is_not_here, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_does_not_respond, 0, 2);
	tcase_add_loop_test(tc, without_an_attach, 0, 2);
	tcase_add_loop_test(tc, attach, 0, 2);
	tcase_add_test(tc, attach_before_another_vs);
	tcase_add_test(tc, linux_waits_for_its_start);
	tcase_add_test(tc, in_an_nmi_of_linux);
	tcase_add_test(tc, in_a_step);
	tcase_add_test(tc, as_the_nmi_handler_is_entered);
	return tc;
}
