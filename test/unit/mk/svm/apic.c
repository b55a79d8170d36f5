// SPDX-License-Identifier: GPL-2.0-only
/* svm/apic.c: Linux's writes to its local APIC, which the microkernel carries out for it. */
#include "microkernel/svm/apic.h"

#include <abi/hw/x86.h>

#include "svm.h"
#include "../suites.h"

#define APIC linux_page(20) /* a page of Linux's memory that plays all of them */
#define LONG_RIP 0xFFFFFFFF81234567ULL
#define DECODE_ASSISTS (1U | 1U << 3 | 1U << 7) /* beside nested paging and next-RIP save */
#define READ_BITS(map, msr) ((map)[(msr) / 4] >> (msr) % 4 * 2 & 1)
#define WRITE_BITS(map, msr) ((map)[(msr) / 4] >> (msr) % 4 * 2 & 2)

enum { IS_INIT = 0xC500, IS_FIXED = 0x40FD, IS_LOGICAL = 0x800 };

static volatile uint32_t *apic(unsigned int offset)
{
	return (volatile uint32_t *)((uint8_t *)phys_at(APIC) + offset);
}

static void xapics(unsigned int flags)
{
	machine_of(0);
	m.handoff->flags = flags;
	for (uint32_t i = 0; i < m.nr_pps; i++)
		msr_set(&m.cpus[i], MSR_APIC_BASE, APIC | APIC_BASE_EN | (i ? 0 : APIC_BASE_BSP));
	*apic(XAPIC_DFR) = ~0U;
}

static void one_runs(void)
{
	xapics(BF_HANDOFF_KEEP_CPUS);
	start_and_launch();
}

static void two_run(void)
{
	one_runs();
	*apic(XAPIC_ID) = 1U << 24;
	enter(1);
	(void)launch();
	on_pp(0);
}

static void writes_to(uint64_t gpa)
{
	vmcb()->rflags = RFLAGS_FIXED | RFLAGS_IF;
	vmcb()->interrupt_shadow = SVM_INTERRUPT_SHADOW;
	vmcb()->eventinj = 0;
	vmcb()->exitinfo1 = SVM_NPF_WRITE;
	vmcb()->exitinfo2 = gpa;
	guest_exit(SVM_EXIT_NPF);
}

/* mov $value, (offset): the code of a guest of 32 bits */
static void put_mov(uint32_t value)
{
	uint8_t code[10] = { 0xC7, 0x05 };

	memcpy(code + 6, &value, 4);
	guest_code(code, sizeof(code));
}

static void store(unsigned int offset, uint32_t value)
{
	put_mov(value);
	writes_to(APIC + offset);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, linux_page(5) + 10);
	ck_assert_uint_eq(vmcb()->interrupt_shadow & SVM_INTERRUPT_SHADOW, 0);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
}

START_TEST(a_register_is_written)
{
	one_runs();
	store(XAPIC_TPR, 0x12345678);
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0x12345678);
	store(XAPIC_SVR, 0x1FF);
	ck_assert_uint_eq(*apic(XAPIC_SVR), 0x1FF);
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0x12345678);
}
END_TEST

/* APM vol. 3 §1.4.1: by the number in ModRM.reg, with REX.R. */
static uint64_t *gpr(int number)
{
	static const unsigned int order[16] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, 0,      BF_RBP,
						BF_RSI, BF_RDI, BF_R8,  BF_R9,  BF_R10, BF_R11,
						BF_R12, BF_R13, BF_R14, BF_R15 };

	if (number == 0)
		return &vmcb()->rax;
	return number == 4 ? &vmcb()->rsp : &abi_gprs()[order[number]];
}

static void long_mode(const uint8_t *code, uint8_t n)
{
	vmcb()->efer = EFER_SVME | EFER_LME | EFER_LMA;
	vmcb()->cs.attrib = 0xA9B;
	vmcb()->rip = LONG_RIP;
	vmcb()->nr_insn_bytes = n;
	memcpy(vmcb()->insn_bytes, code, n);
	for (int i = 0; i < 16; i++)
		*gpr(i) = 0xAAAABBBB11110000 + (uint64_t)i;
}

/* MOV and XCHG, of which the CPU tells the bytes: 32 bits of the old value are all that is left. */
START_TEST(each_general_register)
{
	uint8_t code[] = { (uint8_t)(_i < 8 ? 0x40 : 0x44),
			   0x89,
			   (uint8_t)(0x04 | (_i & 7) << 3),
			   0x25,
			   0,
			   0,
			   0,
			   0 };

	xapics(BF_HANDOFF_KEEP_CPUS);
	cpuid_set(0x8000000A, 0, 1, 16, 0, DECODE_ASSISTS);
	start_and_launch();
	for (unsigned int exchange = 0; exchange < 2; exchange++) {
		code[1] = exchange ? 0x87 : 0x89;
		*apic(XAPIC_TPR) = 0x99887766;
		long_mode(code, sizeof(code));
		writes_to(APIC + XAPIC_TPR);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->rip, LONG_RIP + sizeof(code));
		ck_assert_uint_eq(*apic(XAPIC_TPR), 0x11110000 + (uint32_t)_i);
		for (int i = 0; i < 16; i++)
			ck_assert_uint_eq(*gpr(i), exchange && i == _i ?
							   0x99887766 :
							   0xAAAABBBB11110000 + (uint64_t)i);
	}
}
END_TEST

/* The fetch of PP 1 is an NMI, behind which the destination is what Linux has written. */
static void expect_fetched(uint32_t high)
{
	ck_assert_uint_eq(*apic(XAPIC_ICR_LOW), ICR_NMI);
	ck_assert_uint_eq(*apic(XAPIC_ICR_HIGH), high);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_SENT);
	m.pps[1]->tlb->kick = KICK_NONE;
}

static void expect_sent(uint32_t low)
{
	ck_assert_uint_eq(*apic(XAPIC_ICR_LOW), low);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
}

START_TEST(only_an_init_of_ours_is_not_sent)
{
	two_run();
	store(XAPIC_ICR_HIGH, 1U << 24);
	store(XAPIC_ICR_LOW, IS_INIT);
	expect_fetched(1U << 24);
	store(XAPIC_ICR_LOW, IS_FIXED);
	expect_sent(IS_FIXED);
	store(XAPIC_ICR_HIGH, 7U << 24);
	store(XAPIC_ICR_LOW, IS_INIT);
	expect_sent(IS_INIT);
}
END_TEST

/* Its logical ID, and the model of those, are what Linux has given them last (APM §16.6). */
START_TEST(logical_destinations_are_followed)
{
	two_run();
	store(XAPIC_ICR_HIGH, 0x22U << 24);
	store(XAPIC_ICR_LOW, IS_INIT | IS_LOGICAL);
	expect_sent(IS_INIT | IS_LOGICAL);
	on_pp(1);
	store(XAPIC_LDR, 0x12000000);
	ck_assert_uint_eq(*apic(XAPIC_LDR), 0x12000000);
	on_pp(0);
	store(XAPIC_ICR_LOW, IS_INIT | IS_LOGICAL);
	expect_fetched(0x22U << 24);
	/* cluster 1 is not cluster 2 */
	on_pp(1);
	store(XAPIC_DFR, 0x0FFFFFFF);
	on_pp(0);
	store(XAPIC_ICR_LOW, IS_INIT | IS_LOGICAL);
	expect_sent(IS_INIT | IS_LOGICAL);
	store(XAPIC_ICR_HIGH, 0x12U << 24);
	store(XAPIC_ICR_LOW, IS_INIT | IS_LOGICAL);
	expect_fetched(0x12U << 24);
}
END_TEST

/* Another page, a read, a walk, another guest, or a hypervisor that does not keep CPUs. */
START_TEST(what_is_no_write_of_linux_to_its_apic)
{
	xapics(_i == 4 ? 0 : BF_HANDOFF_KEEP_CPUS);
	start_and_launch();
	if (_i == 3) {
		guest_exit(SVM_EXIT_CPUID);
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
		SYS(vs_run_current, HANDLE);
		ck_assert_int_eq(ended.end, END_GUEST);
		vmcb()->np_control = SVM_NP_ENABLE;
		vmcb()->n_cr3 = mk.root_npt;
	}
	put_mov(0x77);
	vmcb()->exitinfo1 = _i == 1 ? 0 : _i == 2 ? SVM_NPF_WRITE | SVM_NPF_WALK : SVM_NPF_WRITE;
	vmcb()->exitinfo2 = APIC + XAPIC_TPR + (_i ? 0 : PAGE);
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->rip, linux_page(5));
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0);
	ck_assert_uint_eq(*apic(XAPIC_TPR + PAGE), 0);
}
END_TEST

/* Another CPU has unmapped the code since: that fault is the guest's to take. */
START_TEST(code_that_is_gone)
{
	one_runs();
	put_mov(0x77);
	vmcb()->rip = 0xF0000000; /* no RAM */
	writes_to(APIC + XAPIC_TPR);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0xF0000000);
	ck_assert_uint_eq(vmcb()->interrupt_shadow, SVM_INTERRUPT_SHADOW);
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0);
	ck_assert(!host_pp->fallback);
}
END_TEST

/* An OR, which would have to be emulated; and a MOV to what is no register. */
START_TEST(what_cannot_be_carried_out)
{
	static const uint8_t or [] = { 0x83, 0x08, 0x01 };

	one_runs();
	if (_i)
		put_mov(0x77);
	else
		guest_code(or, sizeof(or));
	writes_to(APIC + (_i ? 0xFFD : XAPIC_TPR));
	expect_failed(BF_ERR_MK_APIC);
	expect_printed(_i ? ": c7 05 00 00" :
			    "an instruction that is not known, at 0x41005000: 83 08 01");
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0);
}
END_TEST

/* --- MSRs ------------------------------------------------------------------------------------- */

static void accesses_msr(uint32_t msr, uint64_t value, uint64_t exitinfo1)
{
	vmcb()->exitinfo1 = exitinfo1;
	vmcb()->rip = 0x1000;
	vmcb()->nrip = 0x1002;
	vmcb()->eventinj = 0;
	vmcb()->rax = 0xFFFFFFFF00000000 | value; /* whose upper half does not count */
	abi_gprs()[BF_RCX] = msr;
	abi_gprs()[BF_RDX] = value >> 32;
	guest_exit(SVM_EXIT_MSR);
}

static void expect_done(void)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1002);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
}

static void expect_gp(void)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1000);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0));
}

static void expect_ext(void)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_MSR);
	ck_assert_uint_eq(vmcb()->rip, 0x1000);
}

/* Of the permission map, writes to these two (APM vol. 2 §15.11). */
START_TEST(their_writes_exit)
{
	const uint8_t *map;

	xapics(_i ? BF_HANDOFF_KEEP_CPUS : 0);
	start_and_launch();
	map = phys_at(vmcb()->msrpm);
	for (uint32_t msr = 0; msr < 0x2000; msr++) {
		bool ours = msr == MSR_APIC_BASE || msr == MSR_X2APIC_ICR;

		ck_assert_uint_eq(READ_BITS(map, msr), 0);
		ck_assert_uint_eq(WRITE_BITS(map, msr), _i && ours ? 2 : 0);
	}
	ck_assert_int_eq(!(vmcb()->instruction1 & SVM_INSTR1_MSR), !_i);
	ck_assert_int_eq(!(vmcb()->instruction1 & SVM_INSTR1_NMI), !_i);
}
END_TEST

/* By a map of the extension's, too; not those of another guest. */
START_TEST(their_writes_exit_by_any_map)
{
	uint64_t map;

	one_runs();
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (uint16_t vsid = 0; vsid < 2; vsid++) {
		ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 2 * PAGE), MK1_SUCCESS);
		map = regs.reg[1];
		ck_assert_uint_eq(reg_write(vsid, MK1_AMD_msrpm_base_pa, map), MK1_SUCCESS);
		ck_assert_uint_eq(vmcb_of(vs_find(vsid))->msrpm, map);
		ck_assert_uint_eq(WRITE_BITS((const uint8_t *)phys_at(map), MSR_APIC_BASE),
				  vsid ? 0 : 2);
		ck_assert_uint_eq(WRITE_BITS((const uint8_t *)phys_at(map), MSR_PAT), 0);
	}
}
END_TEST

/* The mode is Linux's choice, the page is not, and reserved bits are refused by the CPU. */
START_TEST(the_base_is_kept)
{
	const uint64_t base = APIC | APIC_BASE_EN | APIC_BASE_BSP;

	one_runs();
	msr_restrict(cpu, MSR_APIC_BASE, 0xFFFFFFFFFFD00);
	accesses_msr(MSR_APIC_BASE, base | APIC_BASE_EXTD, SVM_EXITINFO1_WRITE);
	expect_done();
	ck_assert_uint_eq(msr_get(cpu, MSR_APIC_BASE), base | APIC_BASE_EXTD);
	accesses_msr(MSR_APIC_BASE, base + PAGE, SVM_EXITINFO1_WRITE);
	expect_gp();
	accesses_msr(MSR_APIC_BASE, base | 1ULL << 40, SVM_EXITINFO1_WRITE);
	expect_gp();
	accesses_msr(MSR_APIC_BASE, base | 1, SVM_EXITINFO1_WRITE);
	expect_gp();
	ck_assert_uint_eq(msr_get(cpu, MSR_APIC_BASE), base | APIC_BASE_EXTD);
}
END_TEST

/* In xAPIC mode there is none. */
START_TEST(the_icr_of_x2apic_mode)
{
	const uint64_t init = 0x101ULL << 32 | IS_INIT, fixed = 0x101ULL << 32 | IS_FIXED;

	xapics(BF_HANDOFF_KEEP_CPUS);
	machine_has_x2apics();
	start_and_launch();
	enter(1);
	(void)launch();
	on_pp(0);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	accesses_msr(MSR_X2APIC_ICR, fixed, SVM_EXITINFO1_WRITE);
	expect_done();
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), fixed);
	accesses_msr(MSR_X2APIC_ICR, init, SVM_EXITINFO1_WRITE);
	expect_done();
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x101ULL << 32 | ICR_NMI);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00000 | APIC_BASE_EN);
	msr_drop(cpu, MSR_X2APIC_ICR);
	m.pps[1]->tlb->kick = KICK_NONE;
	accesses_msr(MSR_X2APIC_ICR, init, SVM_EXITINFO1_WRITE);
	expect_gp();
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
}
END_TEST

/* A read, another MSR, another guest, or a hypervisor that does not keep CPUs. */
START_TEST(accesses_that_are_the_extensions)
{
	xapics(_i == 3 ? 0 : BF_HANDOFF_KEEP_CPUS);
	start_and_launch();
	if (_i == 2) {
		guest_exit(SVM_EXIT_CPUID);
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
		SYS(vs_run_current, HANDLE);
		ck_assert_int_eq(ended.end, END_GUEST);
	}
	accesses_msr(_i == 1 ? MSR_PAT : MSR_APIC_BASE, 0x77, _i ? SVM_EXITINFO1_WRITE : 0);
	expect_ext();
	ck_assert_uint_eq(msr_get(cpu, MSR_APIC_BASE), APIC | APIC_BASE_EN | APIC_BASE_BSP);
}
END_TEST

/* One that is not Linux's has no local APIC there: its extension is told, or it would loop. */
START_TEST(another_vs_writes)
{
	one_runs();
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	vmcb()->n_cr3 = mk.root_npt;
	*apic(XAPIC_TPR) = 0x11;
	put_mov(0x22);
	writes_to(APIC + XAPIC_TPR);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_NPF);
	ck_assert_uint_eq(*apic(XAPIC_TPR), 0x11);
	/* what it has not found yet is there when it comes again */
	SYS(vs_run_current, HANDLE);
	vmcb()->exitinfo1 = 0;
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

TCase *svm_apic_tests(void)
{
	TCase *tc = tcase_create("svm_apic");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_register_is_written);
	tcase_add_loop_test(tc, each_general_register, 0, 16);
	tcase_add_test(tc, only_an_init_of_ours_is_not_sent);
	tcase_add_test(tc, logical_destinations_are_followed);
	tcase_add_loop_test(tc, what_is_no_write_of_linux_to_its_apic, 0, 5);
	tcase_add_test(tc, code_that_is_gone);
	tcase_add_loop_test(tc, what_cannot_be_carried_out, 0, 2);
	tcase_add_loop_test(tc, their_writes_exit, 0, 2);
	tcase_add_test(tc, their_writes_exit_by_any_map);
	tcase_add_test(tc, the_base_is_kept);
	tcase_add_test(tc, the_icr_of_x2apic_mode);
	tcase_add_loop_test(tc, accesses_that_are_the_extensions, 0, 4);
	tcase_add_test(tc, another_vs_writes);
	return tc;
}
