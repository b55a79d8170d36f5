// SPDX-License-Identifier: GPL-2.0-only
/* svm/vs.c: the VMCB of a VS, with what newer CPUs exchange or withhold. */
#include "svm.h"
#include "svm/cpu.h"
#include "../suites.h"

#define HAS_INVLPGB 1
#define HAS_SPEC_CTRL 2
#define HAS_CET 4

/* A machine with some of these; its MSRs are there whether VMRUN exchanges them or not. */
static void machine_with(int features)
{
	machine_of(0);
	cpuid_set(0x80000008, 0, 0, features & HAS_INVLPGB ? 1 << 3 : 0, 0, 0);
	cpuid_set(0x8000000A, 0, 1, 16, 0,
		  9U | (features & HAS_INVLPGB ? 1U << 24 : 0) |
			  (features & HAS_SPEC_CTRL ? 1U << 20 : 0));
	cpuid_set(7, 0, 0, 1U | 1U << 7 | 1U << 20, 1U << 2 | (features & HAS_CET ? 1U << 7 : 0),
		  0);
	msr_set(cpu, MSR_SPEC_CTRL, 7);
	msr_set(cpu, MSR_S_CET, 0x8004);
	msr_set(cpu, MSR_ISST_ADDR, 0xFFFFFE0000005000);
}

START_TEST(exchanged_msrs)
{
	bool spec_ctrl = _i & HAS_SPEC_CTRL, cet = _i & HAS_CET;

	machine_with(_i);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->spec_ctrl, spec_ctrl ? 7 : 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), spec_ctrl ? 0 : 7);
	ck_assert_uint_eq(vmcb()->s_cet, cet ? 0x8004 : 0);
	ck_assert_uint_eq(vmcb()->isst_addr, cet ? 0xFFFFFE0000005000 : 0);
	/* what Linux has made of them since is what it gets back */
	vmcb()->spec_ctrl = 5;
	vmcb()->s_cet = 0x8000;
	vmcb()->isst_addr = 0xFFFFFE0000006000;
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), spec_ctrl ? 5 : 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), cet ? 0x8000 : 0x8004);
	ck_assert_uint_eq(msr_get(cpu, MSR_ISST_ADDR),
			  cet ? 0xFFFFFE0000006000 : 0xFFFFFE0000005000);
}
END_TEST

/* A launch that fails, and an extension that does. */
START_TEST(exchanged_msrs_after_a_failure)
{
	machine_with(HAS_SPEC_CTRL | HAS_CET);
	start();
	if (_i) {
		(void)launch();
		vmcb()->spec_ctrl = 1;
		vmcb()->ssp = 0x7FFF0000;
		guest_exit(SVM_EXIT_CPUID);
		reg_write(0, MK1_AMD_rip, 0x1234);
		SYS(control_exit);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->spec_ctrl, 1);
		ck_assert_uint_eq(vmcb()->s_cet, 0x8004);
		ck_assert_uint_eq(vmcb()->ssp, 0x7FFF0000);
		return;
	}
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), 0x8004);
}
END_TEST

/*
 * Linux has INVLPGB where the CPU has it, whatever its extension says, and does not show it there.
 */
START_TEST(invlpgb)
{
	uint64_t on = _i & HAS_INVLPGB ? SVM_INVLPGB_ENABLE : 0;

	machine_with(_i);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), SVM_NP_ENABLE);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, SVM_INVLPGB_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), SVM_NP_ENABLE | on);
	/* another VS has it if its extension says so */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_ctls1, SVM_NP_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(1))->np_control, SVM_NP_ENABLE);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_ctls1, on), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(1))->np_control, on);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
}
END_TEST

/* INVLPGB flushes one ASID, on all CPUs: Linux has the same everywhere. */
START_TEST(asid_of_linux)
{
	machine_with(_i ? HAS_INVLPGB : 0);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 7), MK1_SUCCESS); /* no root VS */
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 5),
			  _i ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 5), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 3 : 5);
	/* another PP, whose extension has not said, or something else before */
	enter(1);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(2, MK1_AMD_guest_asid, 9), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 2), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(2, MK1_AMD_guest_asid), _i ? 3 : 9);
	ck_assert_uint_eq(reg_write(2, MK1_AMD_guest_asid, 1),
			  _i ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 1, 2);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 3 : 1);
}
END_TEST

/* Both were made Linux's before one of them said anything: with what runs first. */
START_TEST(asid_of_linux_that_ran)
{
	machine_with(HAS_INVLPGB);
	start();
	enter(1);
	for (uint64_t pp = 0; pp < 2; pp++) {
		on_pp((uint32_t)pp);
		ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, pp, pp), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, pp), MK1_SUCCESS);
	}
	if (_i)
		ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 4), MK1_SUCCESS);
	on_pp(0);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 4 : 1);
	ck_assert_uint_eq(vmcb()->tlb_control, SVM_TLB_FLUSH_ALL);
	on_pp(1);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 2), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, _i ? 4 : 1), MK1_SUCCESS);
}
END_TEST

/* It was active before it was made Linux's. */
START_TEST(asid_of_linux_that_is_active)
{
	machine_with(HAS_INVLPGB);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 6), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(svm.root_asid, 6);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 2), MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* Runs the VS until it exits; whether that began with a flush. Its VMCB is loaded anew then. */
static bool flushes(uint64_t vsid)
{
	bool flush;

	SYS(vs_run, HANDLE, 0, 0, vsid);
	ck_assert_int_eq(ended.end, END_GUEST);
	flush = vmcb()->tlb_control == SVM_TLB_FLUSH_ALL;
	if (flush)
		ck_assert_uint_eq(vmcb()->clean, 0);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(vmcb()->tlb_control, 0);
	return flush;
}

/* Linux, which has ASID 1, and two VSs more. All of them have run. */
static void three_vss(uint64_t asid1, uint64_t asid2)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 64, 0, 9);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	for (uint64_t id = 1; id <= 2; id++) {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], id);
		ck_assert_uint_eq(reg_write(id, MK1_AMD_guest_asid, id == 1 ? asid1 : asid2),
				  MK1_SUCCESS);
		ck_assert(flushes(id));
	}
	(void)flushes(0);
}

/* A VS with an ASID of its own keeps its translations, and its VMCB in the CPU. */
START_TEST(asids_of_their_own)
{
	three_vss(2, 3);
	for (uint64_t id = 0; id < 9; id++) {
		ck_assert(!flushes(id % 3));
		ck_assert_uint_eq(vmcb()->clean, SVM_CLEAN_ALL);
	}
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 2), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->clean, SVM_CLEAN_ALL);
	ck_assert(!flushes(1));
}
END_TEST

/* The same one, and such as share what is kept of them. */
START_TEST(asids_that_change_hands)
{
	three_vss(_i ? 3 + SVM_NR_ASID_OWNERS : 3, 3);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert(flushes(1));
		ck_assert(!flushes(0));
		ck_assert(!flushes(1));
		ck_assert(flushes(2));
	}
	/* one that was active between two runs, but did not run: too often does no harm */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert(flushes(2));
	/* a flush stays due until it runs */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert(flushes(1));
	/* whatever the extension wants, and sees */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 2), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(2, MK1_AMD_tlb_control, 0), MK1_SUCCESS);
	ck_assert(flushes(2));
	/* and until it has run */
	ck_assert_uint_eq(reg_write(1, MK1_AMD_cr4, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	refuse();
	ck_assert_uint_eq(reg_read(1, MK1_AMD_tlb_control), 0);
	ck_assert(flushes(1));
}
END_TEST

/* An ASID that it had before holds what was true then. */
START_TEST(asids_that_are_written)
{
	three_vss(2, 3);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 4), MK1_SUCCESS);
	ck_assert(flushes(1));
	ck_assert(!flushes(1));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, _i ? 1 : 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 2), MK1_SUCCESS);
	ck_assert(flushes(1));
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 3), MK1_SUCCESS);
	ck_assert(flushes(1));
	ck_assert(flushes(2));
}
END_TEST

START_TEST(translations_that_a_write_drops)
{
	static const struct {
		uint64_t number, value;
	} writes[] = { { MK1_AMD_cr0, CR0_PE },   { MK1_AMD_cr3, 0x5000 },
		       { MK1_AMD_cr4, CR4_PAE },  { MK1_AMD_efer, 0x100 },
		       { MK1_AMD_n_cr3, 0x7000 }, { MK1_AMD_ctls1, SVM_NP_ENABLE } };

	three_vss(2, 3);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_rip, 0x1234), MK1_SUCCESS);
	ck_assert(!flushes(1));
	(void)flushes(0);
	ck_assert_uint_eq(reg_write(1, writes[_i].number, writes[_i].value), MK1_SUCCESS);
	ck_assert(flushes(1));
	ck_assert(!flushes(0));
	ck_assert(!flushes(1));
	/* nested paging also where it is active; for its own tables it flushes as it sees fit */
	ck_assert_uint_eq(reg_write(1, writes[_i].number, writes[_i].value), MK1_SUCCESS);
	ck_assert_uint_eq(flushes(1), writes[_i].number != MK1_AMD_cr3);
}
END_TEST

/* Of a VS that is not active, too: it has them no more when it is. */
START_TEST(translations_that_a_flush_drops)
{
	three_vss(2, 3);
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert(flushes(0));
	ck_assert(!flushes(0));
	ck_assert(flushes(1));
	ck_assert(flushes(2));
	ck_assert(!flushes(0));
	ck_assert(!flushes(1));
}
END_TEST

/* What it did on another PP left nothing here. */
START_TEST(translations_of_a_vs_that_comes_back)
{
	three_vss(2, 3);
	for (uint64_t pp = 2; pp-- > 0;)
		ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 1, pp), MK1_SUCCESS);
	ck_assert(flushes(1));
	ck_assert(!flushes(0));
	ck_assert(!flushes(1));
	(void)flushes(0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 2), MK1_SUCCESS);
	ck_assert(flushes(1));
}
END_TEST

/* Who had SVM meanwhile may have used each ASID. */
START_TEST(translations_of_somebody_else)
{
	three_vss(2, 3);
	svm_cpu_disable(host_pp);
	ck_assert_int_eq(svm_cpu_enable(host_pp), BF_ERR_OK);
	for (uint64_t id = 1; id <= 2; id++) {
		ck_assert(flushes(id));
		ck_assert(!flushes(id));
	}
	ck_assert(flushes(0));
}
END_TEST

/* The instruction without a control for it in the VMCB. */
START_TEST(invlpgb_of_the_host_only)
{
	machine_with(0);
	cpuid_set(0x80000008, 0, 0, 1 << 3, 0, 0);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE);
}
END_TEST

START_TEST(dump)
{
	in_vmexit();
	vmcb()->rip = 0xABCDE;
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vs, 0), MK1_SUCCESS);
	expect_printed("rip 0xabcde");
}
END_TEST

TCase *svm_vs_tests(void)
{
	TCase *tc = tcase_create("svm_vs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, exchanged_msrs, 0, 8);
	tcase_add_loop_test(tc, exchanged_msrs_after_a_failure, 0, 2);
	tcase_add_loop_test(tc, invlpgb, 0, 2);
	tcase_add_loop_test(tc, asid_of_linux, 0, 2);
	tcase_add_loop_test(tc, asid_of_linux_that_ran, 0, 2);
	tcase_add_test(tc, asid_of_linux_that_is_active);
	tcase_add_test(tc, asids_of_their_own);
	tcase_add_loop_test(tc, asids_that_change_hands, 0, 2);
	tcase_add_loop_test(tc, asids_that_are_written, 0, 2);
	tcase_add_loop_test(tc, translations_that_a_write_drops, 0, 6);
	tcase_add_test(tc, translations_that_a_flush_drops);
	tcase_add_test(tc, translations_of_a_vs_that_comes_back);
	tcase_add_test(tc, translations_of_somebody_else);
	tcase_add_test(tc, invlpgb_of_the_host_only);
	tcase_add_test(tc, dump);
	return tc;
}
