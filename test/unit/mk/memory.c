// SPDX-License-Identifier: GPL-2.0-only
/* sys_mem.c, sys_vm.c, ext.c, direct_map.c, tlb.c: pools, direct maps, TLB shootdown, MSRs. */
#include "machine.h"

#include <signal.h>
#include <sys/time.h>

#include "microkernel/arch/apic.h"
#include "microkernel/obj/ext.h"
#include "microkernel/mem/tlb.h"
#include "suites.h"

static void setup(void)
{
	machine_of(0);
	start_and_launch();
}

START_TEST(alloc_and_free_page)
{
	uint64_t va, spa;

	setup();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	va = regs.reg[0];
	spa = regs.reg[1];
	ck_assert_uint_eq(va, MK1_PAGE_POOL_BASE + spa);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));
	ck_assert(!mmu_user(va, false, true));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va + 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va + PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, MK1_DIRECT_MAP_BASE),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, MK1_PAGE_POOL_BASE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], va);
}
END_TEST

START_TEST(alloc_and_free_huge)
{
	uint64_t va, spa;

	setup();
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, ~0ULL), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 1ULL << 40), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 2 * PAGE + 1), MK1_SUCCESS);
	va = regs.reg[0];
	spa = regs.reg[1];
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_ptr_eq(mmu_user(va + i * PAGE, true, false), phys_at(spa + i * PAGE));
	ck_assert(!mmu_user(va + 3 * PAGE, false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va + PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va + 1), MK1_INVALID_INPUT_REG(1));
	/* the maps of svm/cpu.c are in the same pool, and nobody's */
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, MK1_PAGE_POOL_BASE + svm.passthrough_bitmaps),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* _i pages left: either all of it, or nothing has changed. */
START_TEST(allocation_without_memory)
{
	uint64_t before;

	setup();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 8 * PAGE) == MK1_SUCCESS, _i >= 2);
	if (_i >= 2)
		return;
	before = cpu->cr3;
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(cpu->cr3, before);
	ck_assert_uint_eq(huge_claim(svm.passthrough_bitmaps + 3 * PAGE), 0);
}
END_TEST

/* The page is there, but not the tables for it. */
START_TEST(page_without_tables)
{
	setup();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE) == MK1_SUCCESS, _i == 3);
	if (_i == 1)
		ck_assert_uint_ne(pool_alloc(), MK_NO_PAGE);
}
END_TEST

/* Part of a huge allocation is mapped when the tables run out: it comes out again. */
START_TEST(huge_allocation_without_a_second_table)
{
	uint64_t va;

	machine_defaults(BF_VENDOR_AMD);
	m.huge_pages = 1040;
	machine_init();
	start_and_launch();
	drain_pool(2); /* a page directory and a page table: the allocation needs two or three */
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 1030 * PAGE), MK1_FAILURE_UNKNOWN);
	va = MK1_PAGE_POOL_BASE + svm.passthrough_bitmaps + 3 * PAGE;
	for (unsigned int i = 0; i < 1030; i++)
		ck_assert(!mmu_user(va + i * PAGE, false, false));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_SUCCESS);
}
END_TEST

START_TEST(direct_map_of_the_root_vm)
{
	uint64_t va, spa = linux_page(3);

	setup();
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 1, spa), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa + 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, MK1_DIRECT_MAP_SIZE),
			  MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, PHYS_BASE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, ODD_OWNED), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_SUCCESS);
	va = regs.reg[0];
	ck_assert_uint_eq(va, MK1_DIRECT_MAP_BASE + spa);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));
	ck_assert(!mmu_user(va, false, true));
	/* once is enough */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_FAILURE_UNKNOWN);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));

	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 1, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + PAGE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + (1ULL << 39)),
			  MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, EXT_DATA), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(
		SYS(vm_unmap_direct, HANDLE, 0, MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE),
		MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVLPG][0], va);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_SUCCESS);
}
END_TEST

/* Another VM's direct map is there while one of its VSs is active, and gone with the VM. */
START_TEST(direct_map_of_another_vm)
{
	uint64_t spa = linux_page(3), va = MK1_DIRECT_MAP_BASE + spa, used;
	uint64_t vmid, vpid, vsid;

	setup();
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	vmid = regs.reg[0];
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vmid, spa), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vmid), MK1_SUCCESS);
	vpid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vpid, 0), MK1_SUCCESS);
	vsid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vmid, vpid, vsid), MK1_SUCCESS);
	ck_assert(mmu_user(va, true, false) != NULL);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vpid), MK1_SUCCESS);
	used = pool_alloc();
	pool_free(used);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_SUCCESS);
	/* three tables came back */
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_eq(pool_alloc(), used);
}
END_TEST

START_TEST(direct_map_without_memory)
{
	setup();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)) == MK1_SUCCESS, _i == 3);
}
END_TEST

/* A PP that has not seen a new table of the direct map faults, and then has it. */
START_TEST(direct_map_fault_is_mended)
{
	struct trap_frame f = { .vector = VECTOR_PF, .error_code = 4, .cs = BF_SEL_USER_CS };
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(0);

	setup();
	enter(1);
	(void)launch();
	on_pp(0);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	on_pp(1);
	ck_assert(!mmu_user(va, false, false));
	cpu->cr2 = va;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(mmu_user(va, false, false) != NULL);
	/* the table is there: whatever it was, it is the extension's fault */
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(ended.arg1, va);
	host_pp->phase = PHASE_VMEXIT;
	cpu->cr2 = va + (1ULL << 40); /* nothing there */
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	host_pp->phase = PHASE_VMEXIT;
	f.error_code |= 1; /* what is there does not allow it */
	cpu->cr2 = va;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	host_pp->phase = PHASE_VMEXIT;
	f.error_code &= ~1ULL;
	cpu->cr2 = EXT_DATA;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* The microkernel reads there as ring 3 would. */
START_TEST(direct_map_not_seen_yet)
{
	setup();
	enter(1);
	(void)launch();
	on_pp(0);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	on_pp(1);
	ck_assert(ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + linux_page(0), PAGE));
	ck_assert(!ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + linux_page(0), PAGE + 1));
}
END_TEST

START_TEST(direct_map_fault_without_a_vm)
{
	machine_of(0);
	start();
	host_pp->vmid = MK1_INVALID_ID;
	ck_assert(!ext_direct_map_fault(host_pp, MK1_DIRECT_MAP_BASE));
}
END_TEST

/* Before there is an active VS the root VM is active, in _start and in bootstrap. */
START_TEST(direct_map_in_bootstrap)
{
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(3);

	machine_of(_i);
	enter(0);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VMID), MK1_ROOT_VMID);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VPID), MK1_INVALID_ID);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VSID), MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(3)), MK1_SUCCESS);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(linux_page(3)));
	SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP);
	SYS(control_wait);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VMID), MK1_ROOT_VMID);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(linux_page(3)));
}
END_TEST

START_TEST(tlb_flush_of_a_vm)
{
	unsigned int before;

	setup();
	before = cpu->count[INSN_WRITE_CR];
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
	vmcb_of(host_pp->vs)->tlb_control = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before + 1);
	ck_assert_uint_eq(vmcb_of(host_pp->vs)->tlb_control, SVM_TLB_FLUSH_ALL);
}
END_TEST

START_TEST(tlb_flush_in_bootstrap)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
}
END_TEST

/* --- TLB shootdown ---------------------------------------------------------------------------- */

static void second_pp(void)
{
	enter(1);
	(void)launch();
	guest_exit(SVM_EXIT_CPUID);
	on_pp(0);
	guest_exit(SVM_EXIT_CPUID);
}

/* What the other PP does meanwhile. */
static void other_flushes(int signal)
{
	(void)signal;
	__atomic_store_n(&m.pps[1]->tlb->seen, tlb_generation, __ATOMIC_SEQ_CST);
}

static void in_a_while(void (*then)(int))
{
	const struct itimerval t = { .it_value.tv_usec = 20000 };

	signal(SIGALRM, then);
	setitimer(ITIMER_REAL, &t, NULL);
}

static uint64_t map_and_unmap(void)
{
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	return SYS(vm_unmap_direct_broadcast, HANDLE, 0, MK1_DIRECT_MAP_BASE + linux_page(0));
}

START_TEST(shootdown_waits_for_a_pp_in_its_extension)
{
	setup();
	second_pp();
	in_a_while(other_flushes);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_unmap_direct_broadcast, HANDLE, 0, MK1_DIRECT_MAP_BASE),
			  MK1_INVALID_INPUT_REG(2));
}
END_TEST

START_TEST(shootdown_does_not_wait_for_a_guest)
{
	unsigned int flushes;
	uint64_t seen;

	setup();
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
static void other_shoots_too(int signal)
{
	(void)signal;
	if (__atomic_fetch_add(&tlb_generation, 1, __ATOMIC_SEQ_CST) < 100)
		in_a_while(other_flushes);
}

START_TEST(shootdowns_at_the_same_time)
{
	setup();
	second_pp();
	in_a_while(other_shoots_too);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(m.pps[0]->tlb->seen, tlb_generation);
}
END_TEST

/* The NMI that it gets, and what its handler does. */
static void other_takes_the_nmi(int signal)
{
	(void)signal;
	if (msr_get(&m.cpus[0], MSR_X2APIC_ICR) == (0x101ULL << 32 | 0x4400))
		(void)tlb_kicked(m.pps[1]);
	else
		in_a_while(other_takes_the_nmi);
}

START_TEST(shootdown_reaches_a_pp_in_its_extension)
{
	setup();
	second_pp();
	in_a_while(other_takes_the_nmi);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(m.pps[1]->tlb->seen, tlb_generation);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, 0);
	/* somebody else has sent one already */
	m.pps[1]->tlb->kick = KICK_SENT;
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
	in_a_while(other_flushes);
	ck_assert_uint_eq(map_and_unmap(), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_X2APIC_ICR), 0);
}
END_TEST

static void nmi_comes(int signal)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

	(void)signal;
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
	in_a_while(nmi_comes);
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

static void two_nmis_come(int signal)
{
	nmi_comes(signal);
	nmi_comes(signal);
}

/* The second one is Linux's, and goes to it. */
START_TEST(another_nmi_behind_it)
{
	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	host_pp->tlb->kick = KICK_SENT;
	in_a_while(two_nmis_come);
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

/* It never answers: the page is lost rather than reused. */
START_TEST(shootdown_gives_up)
{
	uint64_t va, spa;

	setup();
	second_pp();
	in_a_while(other_flushes);
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

/* --- MSRs ------------------------------------------------------------------------------------- */

START_TEST(msrs)
{
	setup();
	msr_set(cpu, MSR_TSC_AUX, 7);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 7);
	/* the upper half of the register is not looked at */
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0x1C0000103), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x1C0000103, 0x123456789), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 0x123456789);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_EFER), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], msr_get(cpu, MSR_EFER));
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_GS_BASE, 0x4000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_GS_BASE, 1ULL << 63),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_GS_BASE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0x4000);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_EFER, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_LSTAR, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0x12345), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x12345, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, ~0ULL), MK1_INVALID_PERM_DENIED);
	/* allowed, but this CPU does not have it, or not this value */
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0xDA0), MK1_INVALID_INPUT_REG(1));
	msr_restrict(cpu, MSR_TSC_AUX, 0xFFFFFFFF);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_TSC_AUX, 1ULL << 32),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(regs.reg[0], HANDLE);
}
END_TEST

/* --- two extensions --------------------------------------------------------------------------- */

START_TEST(each_extension_has_its_own_memory)
{
	uint64_t va, huge, code0;
	struct ext *first;

	machine_defaults(BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	first = m.pps[0]->ext;
	code0 = (uint64_t)mmu_user(EXT_ENTRY, false, true);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	va = regs.reg[0];
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_SUCCESS);
	huge = regs.reg[0];
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	abi_gprs()[BF_RBX] = 0x4242;
	RUN(ext_switch(host_pp, first + 1));
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x4242);
	ck_assert_uint_ne((uint64_t)mmu_user(EXT_ENTRY, false, true), code0);
	ck_assert(!mmu_user(va, false, false));
	ck_assert(!mmu_user(MK1_DIRECT_MAP_BASE + linux_page(0), false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, huge), MK1_INVALID_INPUT_REG(1));
	/* an exit brings the one that registered back */
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_ptr_eq(host_pp->ext, first);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x4242);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(va - MK1_PAGE_POOL_BASE));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, huge), MK1_SUCCESS);
}
END_TEST

START_TEST(the_mapping_of_nothing)
{
	setup();
	ck_assert(ext_is_mapped(host_pp, 0, 0));
	ck_assert(ext_is_mapped(host_pp, EXT_RODATA, 2 * PAGE));
	ck_assert(!ext_is_mapped(host_pp, EXT_RODATA, 2 * PAGE + 1));
	ck_assert(!ext_is_mapped(host_pp, EXT_RODATA, ~0ULL));
	ck_assert(!ext_is_mapped(host_pp, 0x7FFFFFFFFFFF, 2));
}
END_TEST

TCase *memory_tests(void)
{
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, alloc_and_free_page);
	tcase_add_test(tc, alloc_and_free_huge);
	tcase_add_loop_test(tc, allocation_without_memory, 0, 4);
	tcase_add_loop_test(tc, page_without_tables, 0, 4);
	tcase_add_test(tc, huge_allocation_without_a_second_table);
	tcase_add_test(tc, direct_map_of_the_root_vm);
	tcase_add_test(tc, direct_map_of_another_vm);
	tcase_add_loop_test(tc, direct_map_without_memory, 0, 4);
	tcase_add_test(tc, direct_map_fault_is_mended);
	tcase_add_test(tc, direct_map_not_seen_yet);
	tcase_add_test(tc, direct_map_fault_without_a_vm);
	tcase_add_test(tc, tlb_flush_of_a_vm);
	tcase_add_loop_test(tc, direct_map_in_bootstrap, 0, 2);
	tcase_add_loop_test(tc, tlb_flush_in_bootstrap, 0, 2);
	tcase_add_test(tc, shootdown_waits_for_a_pp_in_its_extension);
	tcase_add_test(tc, shootdown_reaches_a_pp_in_its_extension);
	tcase_add_loop_test(tc, nobody_else_takes_the_nmi, 0, 6);
	tcase_add_test(tc, another_nmi_behind_it);
	tcase_add_test(tc, nmi_by_xapic);
	tcase_add_test(tc, the_nmi_never_comes);
	tcase_add_test(tc, no_apic);
	tcase_add_test(tc, shootdown_does_not_wait_for_a_guest);
	tcase_add_test(tc, shootdowns_at_the_same_time);
	tcase_add_loop_test(tc, shootdown_gives_up, 0, 2);
	tcase_add_test(tc, msrs);
	tcase_add_test(tc, each_extension_has_its_own_memory);
	tcase_add_test(tc, the_mapping_of_nothing);
	return tc;
}
