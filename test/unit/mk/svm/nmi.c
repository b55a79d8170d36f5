// SPDX-License-Identifier: GPL-2.0-only
/* svm/nmi.c: no NMI hits the first instructions of Linux's NMI handler. */
#include "svm.h"
#include "../suites.h"

#define IDT linux_page(6)
#define TSS linux_page(7)
#define STACK 0xFFFFFE0000012000ULL
#define IST 2

static unsigned int sent; /* NMIs to this CPU itself */

static void to_guest(uint64_t base, uint64_t offset, uint64_t value)
{
	memcpy((uint8_t *)phys_at(base) + offset, &value, sizeof(value));
}

/* An exit, in the handler of an NMI that has a stack of its own. */
static void in_the_handler_of(void (*machine)(void))
{
	machine();
	memset(phys_at(IDT), 0, PAGE);
	memset(phys_at(TSS), 0, PAGE);
	to_guest(IDT, VECTOR_NMI * 16, (uint64_t)IST << 32);
	to_guest(TSS, 36 + (IST - 1) * 8, STACK);
	vmcb()->cr0 = CR0_PE;
	vmcb()->efer = EFER_SVME | EFER_LMA;
	vmcb()->idtr.base = IDT;
	vmcb()->tr.base = TSS;
	vmcb()->rflags = RFLAGS_FIXED;
	vmcb()->rsp = STACK - 40;
	sent = 0;
}

static void in_the_handler(void)
{
	in_the_handler_of(running);
}

static void cpus_are_kept(void)
{
	machine_of(0);
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
}

/* The NMI that has been sent arrives as soon as it can. */
static void nmi_arrives(void)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	if (!msr_get(cpu, MSR_X2APIC_ICR))
		return;
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	sent++;
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_WINDOW); /* in which no kick is sent */
	trap_dispatch(&frame);
	ck_abort_msg("it went on");
}

static void exit_and_enter(void)
{
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_int_eq(ended.end, END_RING3);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	cpu->on_stgi = nmi_arrives;
	SYS(vs_run_current, HANDLE);
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!cpu->gif);
}

/* The CPU is in the handler of another one when it enters the guest, and a third one waits. */
START_TEST(linux_gets_none_in_its_first_instructions)
{
	in_the_handler();
	exit_and_enter();
	ck_assert_uint_eq(sent, 1);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	guest_exit(SVM_EXIT_IOIO);
	host_pp->nmi_pending = true;
	cpu->on_stgi = nmi_arrives;
	SYS(vs_run_current, HANDLE);
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(sent, 2);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
	/* and when it has left the handler, none is blocked */
	vmcb()->rflags |= RFLAGS_IF;
	exit_and_enter();
	ck_assert_uint_eq(sent, 2);
}
END_TEST

/* Another VS runs in between, and exits with interrupts off as well. */
START_TEST(another_vs_runs_in_between)
{
	in_the_handler();
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	vmcb()->rflags = RFLAGS_FIXED;
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_int_eq(ended.end, END_RING3);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	cpu->on_stgi = nmi_arrives;
	SYS(vs_run, HANDLE, 0, 0, 0);
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(sent, 1);
}
END_TEST

START_TEST(elsewhere_it_gets_them)
{
	in_the_handler();
	vmcb()->rsp = STACK - PAGE - 8;
	exit_and_enter();
	vmcb()->rsp = STACK + 8;
	exit_and_enter();
	vmcb()->rsp = STACK;
	vmcb()->efer = EFER_SVME;
	exit_and_enter();
	vmcb()->efer = EFER_SVME | EFER_LMA;
	vmcb()->idtr.base = IDT + 0x100; /* where the gate is another one, which has none */
	exit_and_enter();
	vmcb()->idtr.base = IDT;
	vmcb()->tr.base = TSS + 8; /* its stack is another one */
	exit_and_enter();
	vmcb()->tr.base = TSS + PAGE - 44; /* on two pages */
	exit_and_enter();
	vmcb()->tr.base = RAM_TOP;
	exit_and_enter();
	vmcb()->idtr.base = RAM_TOP;
	exit_and_enter();
	vmcb()->tr.base = TSS;
	vmcb()->idtr.base = IDT;
	vmcb()->cr0 = CR0_PE | CR0_PG; /* by a table that maps nothing */
	vmcb()->cr4 = CR4_PAE;
	vmcb()->cr3 = linux_page(8);
	exit_and_enter();
	ck_assert_uint_eq(sent, 0);
}
END_TEST

/* What has been read once is good while IDTR and TR stay, but not for ever. */
START_TEST(the_stack_changes_in_place)
{
	unsigned int exits = 0;

	in_the_handler();
	exit_and_enter();
	ck_assert_uint_eq(sent, 1);
	to_guest(TSS, 36 + (IST - 1) * 8, STACK + PAGE + 8);
	while (sent == ++exits)
		exit_and_enter();
	ck_assert_uint_le(exits, 256 + 1);
	sent = 0;
	to_guest(TSS, 36 + (IST - 1) * 8, STACK);
	vmcb()->tr.base = TSS + 8;
	exit_and_enter();
	vmcb()->tr.base = TSS;
	exit_and_enter();
	ck_assert_uint_eq(sent, 1);
}
END_TEST

/* Without a stack of the handler's, nothing is kept: the first one there is counts. */
START_TEST(the_stack_is_set_up_late)
{
	in_the_handler();
	to_guest(IDT, VECTOR_NMI * 16, 0);
	exit_and_enter();
	ck_assert_uint_eq(sent, 0);
	to_guest(IDT, VECTOR_NMI * 16, (uint64_t)IST << 32);
	exit_and_enter();
	ck_assert_uint_eq(sent, 1);
}
END_TEST

/* There NMIs exit, but for a window: one opens, so that Linux gets the next behind its handler. */
START_TEST(a_window_behind_the_handler)
{
	in_the_handler_of(cpus_are_kept);
	ck_assert(vmcb()->instruction1 & SVM_INSTR1_NMI);
	exit_and_enter();
	ck_assert_uint_eq(sent, 1);
	ck_assert(host_pp->nmi_window);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_WINDOW);
	ck_assert_uint_eq(vmcb()->instruction1 & (SVM_INSTR1_NMI | SVM_INSTR1_IRET),
			  SVM_INSTR1_IRET);
}
END_TEST

/* Before it sends an NMI to itself, with which it would become one. */
static void kick_arrives_first(void)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	cpu->on_stgi = nmi_arrives;
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	ck_assert(!host_pp->on_nmi);
	trap_dispatch(&frame);
}

START_TEST(a_kick_that_is_on_its_way)
{
	in_the_handler();
	guest_exit(SVM_EXIT_IOIO);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	host_pp->tlb->kick = KICK_SENT;
	cpu->on_stgi = kick_arrives_first;
	SYS(vs_run_current, HANDLE);
	cpu->on_stgi = NULL;
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert(!host_pp->nmi_pending);
}
END_TEST

/* Without an APIC, or if nothing comes, it goes on all the same. */
START_TEST(an_nmi_that_does_not_come)
{
	in_the_handler();
	guest_exit(SVM_EXIT_IOIO);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(SVM_EXIT_IOIO);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00000);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->nmis_blocked);
	ck_assert(!host_pp->on_nmi);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_GUEST);
}
END_TEST

TCase *svm_nmi_tests(void)
{
	TCase *tc = tcase_create("svm_nmi");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, linux_gets_none_in_its_first_instructions);
	tcase_add_test(tc, another_vs_runs_in_between);
	tcase_add_test(tc, the_stack_changes_in_place);
	tcase_add_test(tc, the_stack_is_set_up_late);
	tcase_add_test(tc, elsewhere_it_gets_them);
	tcase_add_test(tc, a_window_behind_the_handler);
	tcase_add_test(tc, an_nmi_that_does_not_come);
	tcase_add_test(tc, a_kick_that_is_on_its_way);
	return tc;
}
