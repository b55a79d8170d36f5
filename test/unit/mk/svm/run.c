// SPDX-License-Identifier: GPL-2.0-only
/* svm/run.c: into the guest. */
#include "microkernel/svm/run.h"

#include "svm.h"
#include "../suites.h"

START_TEST(rax_goes_with_the_guest)
{
	running();
	vmcb()->rax = 0x1234;
	vmcb()->clean = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x1234);
	ck_assert_uint_eq(vmcb()->clean, SVM_CLEAN_ALL);
	abi_gprs()[BF_RAX] = 0x5678;
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->rax, 0x5678);
	ck_assert_uint_eq(ended.spa, host_pp->vs->block_spa);
}
END_TEST

static void kick_arrives(void)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	if (host_pp->tlb->kick == KICK_SENT)
		trap_dispatch(&frame);
}

/* An NMI of another PP is under way: it comes before the window, where it would be Linux's. */
START_TEST(no_window_before_a_kick)
{
	uint32_t wanted;

	machine_of(0);
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	wanted = vmcb()->instruction1;
	ck_assert(wanted & SVM_INSTR1_NMI);
	host_pp->nmi_pending = true;
	host_pp->tlb->kick = KICK_SENT;
	cpu->on_stgi = kick_arrives;
	RUN(svm_before_entry(host_pp, host_pp->vs));
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_WINDOW);
	ck_assert_uint_eq(vmcb()->instruction1 & SVM_INSTR1_NMI, 0);
	/* the window has been closed in between: what it ends with is what there was */
	guest_exit(SVM_EXIT_IRET);
	ck_assert_uint_eq(vmcb()->instruction1, wanted);
}
END_TEST

/* Another PP sends an NMI just before the entry, and once more while that one is waited for. */
static void kicks_come(enum insn insn, uint64_t arg)
{
	static unsigned int times;

	(void)arg;
	if (insn == INSN_CLGI && ++times < 3)
		host_pp->tlb->kick = KICK_SENT;
}

/* It enters once all have arrived, none of which is Linux's. */
START_TEST(kicks_before_an_entry)
{
	unsigned int before;

	in_vmexit();
	tlb_generation++;
	before = cpu->count[INSN_STGI];
	cpu_watch = kicks_come;
	cpu->on_stgi = kick_arrives;
	SYS(vs_run_current, HANDLE);
	cpu->on_stgi = NULL;
	cpu_watch = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(cpu->count[INSN_STGI], before + 2);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
	ck_assert_uint_ne(host_pp->tlb->in_guest, 0);
	ck_assert(!host_pp->nmi_pending);
	ck_assert(!cpu->gif);
}
END_TEST

TCase *svm_run_tests(void)
{
	TCase *tc = tcase_create("svm_run");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, rax_goes_with_the_guest);
	tcase_add_test(tc, no_window_before_a_kick);
	tcase_add_test(tc, kicks_before_an_entry);
	return tc;
}
