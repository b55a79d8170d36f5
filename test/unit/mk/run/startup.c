// SPDX-License-Identifier: GPL-2.0-only
/* run/startup.c and svm/startup.c: INIT and start-up IPIs that no CPU gets. */
#include "microkernel/run/startup.h"

#include "microkernel/svm/startup.h"

#include "../svm/svm.h"
#include "../suites.h"

#define ICR(command, id) ((uint64_t)(0x100 + (id)) << 32 | (command))

enum { INIT = 0xC500, DEASSERT = 0x8500, STARTUP = 0x4600, OTHERS = 3 << 18 };

static void one_runs(void)
{
	machine_of(0);
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
}

/* PPs 0 and 1 run Linux, in x2APIC mode. */
static void two_run(void)
{
	one_runs();
	on_pp(1);
	enter(1);
	(void)launch();
	on_pp(0);
	machine_waits = NULL;
	machine_interrupts = 0;
}

/* PP 0's Linux writes to the ICR. */
static void send(uint64_t icr)
{
	on_pp(0);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	vmcb()->exitinfo1 = SVM_EXITINFO1_WRITE;
	vmcb()->nrip = vmcb()->rip + 2;
	abi_gprs()[BF_RCX] = MSR_X2APIC_ICR;
	vmcb()->rax = (uint32_t)icr;
	abi_gprs()[BF_RDX] = icr >> 32;
	guest_exit(SVM_EXIT_MSR);
}

/* What PP 0 has sent: the NMI that fetches another PP. */
static bool has_fetched(uint32_t ppid)
{
	return msr_get(&m.cpus[0], MSR_X2APIC_ICR) == ICR(ICR_NMI, ppid);
}

static void kick_arrives(void)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	trap_dispatch(&frame);
}

static void nmi_exit(void)
{
	on_pp(1);
	cpu->on_stgi = NULL;
	RUN(kick_arrives());
	guest_exit(SVM_EXIT_NMI);
}

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

/* On Intel without what real mode takes, and without nested paging on AMD. */
START_TEST(a_machine_that_cannot_is_refused)
{
	machine_of(_i);
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	if (_i)
		msr_set(&m.cpus[0], MSR_VMX_MISC, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
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
	tcase_add_loop_test(tc, a_machine_that_cannot_is_refused, 0, 2);
	return tc;
}
