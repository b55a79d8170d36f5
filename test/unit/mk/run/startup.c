// SPDX-License-Identifier: GPL-2.0-only
/* run/startup.c and svm/startup.c: INIT and start-up IPIs that no CPU gets. */
#include "microkernel/run/startup.h"

#include "../svm/startup.h"
#include "../suites.h"

START_TEST(a_cpu_is_reset_and_started)
{
	two_run();
	send(ICR(INIT, 1));
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(has_fetched(1));
	/* it waits, whatever else comes */
	msr_set(&m.cpus[1], MSR_X2APIC + XAPIC_IRR / 16, 0x10);
	nmi_exit();
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_uint_eq(machine_interrupts, 1);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16), 0xFF);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_LVT_TIMER / 16), APIC_LVT_MASKED);
	ck_assert_uint_eq(host_pp->phase, PHASE_IDLE);
	send(ICR(DEASSERT, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	send(ICR(STARTUP | 0x99, 1));
	ck_assert(has_fetched(1));
	send(ICR(STARTUP | 0x88, 1));
	on_pp(1);
	RUN(mk.vendor->vs_run(host_pp->vs));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INIT);
	ck_assert_uint_eq(reg_read(host_pp->vs->id, MK1_AMD_exitinfo1), 0x99);
	/* another IPI is nothing to a CPU that runs */
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	send(ICR(STARTUP | 0x77, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
}
END_TEST

START_TEST(what_is_not_for_one_of_ours_is_sent)
{
	two_run();
	send(ICR(INIT, 7));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(INIT, 7));
	send(ICR(0x40FD, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(0x40FD, 1));
	send(ICR(ICR_NMI, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(ICR_NMI, 1));
	send(INIT | OTHERS);
	ck_assert(has_fetched(1));
}
END_TEST

START_TEST(the_boot_processor_is_the_machine)
{
	two_run();
	send(ICR(INIT, 0));
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("INIT of the boot processor: the machine is reset");
}
END_TEST

/* In place of SVM's own, NMIs of Linux go in with a window, which its IRET, or its HLT, closes. */
START_TEST(linux_gets_its_nmis_in_a_window)
{
	uint32_t wanted;

	two_run();
	on_pp(1);
	wanted = vmcb()->instruction1;
	ck_assert(wanted & SVM_INSTR1_NMI);
	ck_assert_uint_eq(
		reg_read(host_pp->vs->id, MK1_AMD_intercept_instruction1) & SVM_INSTR1_NMI, 0);
	host_pp->nmi_pending = true;
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->instruction1 & SVM_INSTR1_NMI, 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), ICR(ICR_NMI, 1));
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_WINDOW);
	/* nobody sends an NMI meanwhile, but what was noted is seen at the end */
	send(ICR(INIT, 1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	on_pp(1);
	guest_exit(_i ? SVM_EXIT_HLT : SVM_EXIT_IRET);
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_uint_eq(vmcb()->instruction1, wanted);
}
END_TEST

/* The page of local APICs is not Linux's to write to. */
START_TEST(the_page_is_watched)
{
	uint64_t entry;

	two_run();
	ck_assert_uint_eq(nested_walk(0xFEE00000, &entry), 1);
	ck_assert_uint_eq(entry & 7, 5);
	ck_assert_uint_eq(nested_walk(0xFEE01000, &entry), 1);
	ck_assert_uint_eq(entry & 7, 7);
}
END_TEST

START_TEST(a_page_elsewhere_is_refused)
{
	one_runs();
	on_pp(1);
	msr_set(cpu, MSR_APIC_BASE, 0xFED00C00);
	enter(1);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_KEEP_CPUS);
}
END_TEST

/* One without a local APIC in use. On Intel each may be where it wants. */
START_TEST(what_the_local_apics_have_to_be)
{
	machine_of(_i / 2);
	msr_set(&m.cpus[0], MSR_VMX_MISC, VMX_MISC_WAIT_FOR_SIPI);
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
	on_pp(1);
	msr_set(cpu, MSR_APIC_BASE, _i % 2 ? 0xFED00C00 : 0xFEE00000);
	enter(1);
	if (_i == 3) {
		ck_assert_int_eq(ended.end, END_RING3);
		return;
	}
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_KEEP_CPUS);
	expect_printed("pp 1: to keep CPUs takes a local APIC on each, in the same place");
}
END_TEST

/* Without nested paging, or on Intel without what real mode takes, or a wait for the IPI. */
START_TEST(a_machine_that_cannot_is_refused)
{
	const uint64_t unrestricted = (uint64_t)VMX_SECONDARY_UNRESTRICTED << 32;

	machine_of(_i != 0);
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	msr_set(&m.cpus[0], MSR_VMX_MISC, _i == 1 ? 0 : VMX_MISC_WAIT_FOR_SIPI);
	if (_i == 0)
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	else if (_i == 2)
		msr_set(cpu, MSR_VMX_PROCBASED_CTLS2,
			msr_get(cpu, MSR_VMX_PROCBASED_CTLS2) & ~unrestricted);
	else if (_i == 3)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	if (_i)
		machine_offers();
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_KEEP_CPUS);
	expect_printed("to keep CPUs takes");
}
END_TEST

TCase *run_startup_tests(void)
{
	TCase *tc = tcase_create("run_startup");

	tcase_add_test(tc, a_cpu_is_reset_and_started);
	tcase_add_test(tc, what_is_not_for_one_of_ours_is_sent);
	tcase_add_test(tc, the_boot_processor_is_the_machine);
	tcase_add_loop_test(tc, linux_gets_its_nmis_in_a_window, 0, 2);
	tcase_add_test(tc, the_page_is_watched);
	tcase_add_test(tc, a_page_elsewhere_is_refused);
	tcase_add_loop_test(tc, what_the_local_apics_have_to_be, 0, 4);
	tcase_add_loop_test(tc, a_machine_that_cannot_is_refused, 0, 4);
	return tc;
}
