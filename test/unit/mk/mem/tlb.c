// SPDX-License-Identifier: GPL-2.0-only
/* mem/tlb.c: TLB shootdown. */
#include "microkernel/arch/apic.h"
#include "../guest.h"
#include "../suites.h"

static void second_pp(void)
{
	enter(1);
	(void)launch();
	guest_exit(SVM_EXIT_CPUID);
	on_pp(0);
	guest_exit(SVM_EXIT_CPUID);
}

/* What the other PP does meanwhile. */
static void other_flushes(void)
{
	__atomic_store_n(&m.pps[1]->tlb->seen, tlb_generation, __ATOMIC_SEQ_CST);
}

static uint64_t map_and_unmap(void)
{
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	return SYS(vm_unmap_direct_broadcast, HANDLE, 0, MK1_DIRECT_MAP_BASE + linux_page(0));
}

START_TEST(shootdown_waits_for_a_pp_in_its_extension)
{
	machine_amd_runs();
	second_pp();
	cpu_in_a_while(other_flushes);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_unmap_direct_broadcast, HANDLE, 0, MK1_DIRECT_MAP_BASE),
			  MK1_INVALID_INPUT_REG(2));
}
END_TEST

START_TEST(shootdown_does_not_wait_for_a_guest)
{
	unsigned int flushes;
	uint64_t seen;

	machine_amd_runs();
	second_pp();
	on_pp(1);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	seen = m.pps[1]->tlb->seen;
	on_pp(0);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	/* it flushes when it comes back */
	on_pp(1);
	ck_assert_uint_eq(m.pps[1]->tlb->seen, seen);
	flushes = cpu->count[INSN_WRITE_CR];
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(m.pps[1]->tlb->seen, seen + 1);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], flushes + 1);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], flushes + 1);
}
END_TEST

/* Two PPs at once: each flushes for the other while it waits. */
static void other_shoots_too(void)
{
	if (__atomic_fetch_add(&tlb_generation, 1, __ATOMIC_SEQ_CST) < 100)
		cpu_in_a_while(other_flushes);
}

START_TEST(shootdowns_at_the_same_time)
{
	machine_amd_runs();
	second_pp();
	cpu_in_a_while(other_shoots_too);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(m.pps[0]->tlb->seen, tlb_generation);
}
END_TEST

/* The NMI that it gets, and what its handler does. */
static void other_takes_the_nmi(void)
{
	if (msr_get(&m.cpus[0], MSR_X2APIC_ICR) == (0x101ULL << 32 | 0x4400))
		(void)tlb_kicked(m.pps[1]);
	else
		cpu_in_a_while(other_takes_the_nmi);
}

START_TEST(shootdown_reaches_a_pp_in_its_extension)
{
	machine_amd_runs();
	second_pp();
	cpu_in_a_while(other_takes_the_nmi);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(m.pps[1]->tlb->seen, tlb_generation);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, 0);
	/* somebody else has sent one already */
	m.pps[1]->tlb->kick = KICK_SENT;
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
	cpu_in_a_while(other_flushes);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_X2APIC_ICR), 0);
}
END_TEST

static void nmi_comes(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

	trap_dispatch(&f);
}

/* Such an NMI must not become the guest's, nor Linux's that has its CPU back. */
START_TEST(nobody_else_takes_the_nmi)
{
	machine_of(_i / 3);
	start_and_launch();
	guest_exit(_i / 3 ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	if (_i % 3 == 1)
		host_pp->entry_dirty = true;
	host_pp->tlb->kick = KICK_SENT;
	tlb_generation++;
	cpu_in_a_while(nmi_comes);
	if (_i % 3 == 2)
		SYS(vs_promote, HANDLE, 0);
	else
		SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, _i % 3 == 2 ? END_LEFT : END_GUEST);
	ck_assert_uint_eq(host_pp->tlb->kick, 0);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
	ck_assert_uint_eq(host_pp->tlb->in_guest, _i % 3 != 2);
	ck_assert_uint_eq(m.switch_pages[0]->nmi_pending, 0);
}
END_TEST

static void two_nmis_come(void)
{
	nmi_comes();
	nmi_comes();
}

/* The second one is Linux's, and goes to it. */
START_TEST(another_nmi_behind_it)
{
	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	host_pp->tlb->kick = KICK_SENT;
	cpu_in_a_while(two_nmis_come);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
}
END_TEST

/* Registers in memory: Linux's half of a write to the ICR is there afterwards. */
START_TEST(nmi_by_xapic)
{
	volatile uint32_t *apic;

	machine_of(0);
	apic = phys_at(linux_page(0));
	msr_set(&m.cpus[0], MSR_APIC_BASE, linux_page(0) | 0x800);
	apic[0x20 / 4] = 7U << 24;
	apic[0x310 / 4] = 0x12000000;
	apic[0x300 / 4] = 0x1000; /* still sending */
	start();
	ck_assert_uint_eq(host_pp->tlb->apic_id, 7);
	ck_assert(apic_send_nmi(5));
	ck_assert_uint_eq(apic[0x300 / 4], 0x4400);
	ck_assert_uint_eq(apic[0x310 / 4], 0x12000000);
}
END_TEST

/* Lost on the way: the PP does not wait for ever. */
START_TEST(the_nmi_never_comes)
{
	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	host_pp->tlb->kick = KICK_SENT;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
}
END_TEST

/* Linux runs without it: an NMI that it is owed goes in as an event. */
START_TEST(no_apic)
{
	machine_of(0);
	msr_set(&m.cpus[0], MSR_APIC_BASE, 0xFEE00000);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(vmcb_of(host_pp->vs)->eventinj,
			  SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI | VECTOR_NMI);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
}
END_TEST

/* To itself, behind an event; somebody else has reserved it, or there is no APIC. */
START_TEST(nmi_to_itself)
{
	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	tlb_end_own_run(host_pp);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_SENT);
	ck_assert(tlb_kicked(host_pp));
	ck_assert(!host_pp->end_run);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	host_pp->tlb->kick = KICK_RESERVED;
	tlb_end_own_run(host_pp);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_RESERVED);
	host_pp->tlb->kick = KICK_NONE;
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00000);
	tlb_end_own_run(host_pp);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
}
END_TEST

/* It never answers: the page is lost rather than reused. */
START_TEST(shootdown_gives_up)
{
	uint64_t va, spa;

	machine_amd_runs();
	second_pp();
	cpu_in_a_while(other_flushes);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	va = regs.reg[0];
	spa = regs.reg[1];
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_SUCCESS);
	if (_i) {
		ck_assert_uint_eq(map_and_unmap(), MK1_FAILURE_UNKNOWN);
		return;
	}
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[1], spa);
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_uint_ne(regs.reg[1], spa);
	ck_assert_uint_eq(
		SYS(mem_free_huge, HANDLE, MK1_PAGE_POOL_BASE + svm.passthrough_bitmaps + 3 * PAGE),
		MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(huge_alloc(PAGE), svm.passthrough_bitmaps + 4 * PAGE);
}
END_TEST

/* The same where memory ran out before all of an area was mapped. */
START_TEST(shootdown_of_an_area_gives_up)
{
	uint64_t before;

	machine_amd_runs();
	second_pp();
	before = huge_alloc(PAGE);
	huge_free(before);
	drain_pool(0);
	if (_i)
		cpu_in_a_while(other_flushes);
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_FAILURE_UNKNOWN);
	ck_assert_int_eq(huge_alloc(PAGE) == before, _i);
}
END_TEST

/* By an NMI, but who has left needs none; and with one that never ends there is no other. */
START_TEST(fetches_a_pp)
{
	machine_amd_runs();
	second_pp();
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	m.pps[1]->tlb->present = false;
	ck_assert(tlb_fetch(1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
	m.pps[1]->tlb->present = true;
	ck_assert(tlb_fetch(1));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x101ULL << 32 | 0x4400);
	ck_assert(!tlb_fetch(1));
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_SENT);
}
END_TEST

/* One that is offline, and halts as a guest, comes in by an NMI; which is not Linux's. */
START_TEST(fetches_a_parked_pp)
{
	uint64_t nmi = 0x101ULL << 32 | 0x4400, exit = _i ? VMX_EXIT_EXCEPTION_NMI : SVM_EXIT_NMI;
	uint64_t generation;

	machine_of(_i);
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	msr_set(&m.cpus[0], MSR_VMX_MISC, VMX_MISC_WAIT_FOR_SIPI);
	machine_has_x2apics();
	start_and_launch();
	enter(1);
	(void)launch();
	on_pp(0);
	generation = tlb_move_on(host_pp);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	ck_assert(!tlb_have_seen(generation));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	status_of(1)->parked = 1;
	m.pps[1]->tlb->in_guest = TLB_IN_WINDOW; /* it comes by itself */
	ck_assert(!tlb_have_seen(generation));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
	m.pps[1]->tlb->in_guest = TLB_IN_GUEST;
	ck_assert(!tlb_have_seen(generation));
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), nmi);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	ck_assert(!tlb_have_seen(generation)); /* it is on its way */
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0);
	on_pp(1);
	if (!_i)
		RUN(nmi_comes());
	else
		put_field(VMCS_vmexit_interruption_information,
			  VMX_EVENT_VALID | VMX_EVENT_TYPE_NMI | VECTOR_NMI);
	guest_exit(exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert(tlb_have_seen(generation));
}
END_TEST

TCase *mem_tlb_tests(void)
{
	TCase *tc = tcase_create("mem_tlb");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, shootdown_waits_for_a_pp_in_its_extension);
	tcase_add_test(tc, shootdown_reaches_a_pp_in_its_extension);
	tcase_add_loop_test(tc, nobody_else_takes_the_nmi, 0, 6);
	tcase_add_test(tc, another_nmi_behind_it);
	tcase_add_test(tc, nmi_by_xapic);
	tcase_add_test(tc, the_nmi_never_comes);
	tcase_add_test(tc, no_apic);
	tcase_add_test(tc, nmi_to_itself);
	tcase_add_test(tc, shootdown_does_not_wait_for_a_guest);
	tcase_add_test(tc, fetches_a_pp);
	tcase_add_loop_test(tc, fetches_a_parked_pp, 0, 2);
	tcase_add_test(tc, shootdowns_at_the_same_time);
	tcase_add_loop_test(tc, shootdown_gives_up, 0, 2);
	tcase_add_loop_test(tc, shootdown_of_an_area_gives_up, 0, 2);
	return tc;
}
