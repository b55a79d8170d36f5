// SPDX-License-Identifier: GPL-2.0-only
/* vmx/vs.c: the VMCS of a VS. */
#include <string.h>

#include "../mk2.h"
#include "vmx.h"
#include "../suites.h"

/* Creating a VS: each instruction that touches its VMCS fails once. */
static unsigned int fail_create(enum insn insn, unsigned int nth)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	vmx_fail(insn, ANY, nth);
	if (SYS(vs_create_vs, HANDLE, 0, 0) == MK1_SUCCESS)
		return 1;
	ck_assert_int_eq(ended.end, END_RETURNED);
	expect_printed("vs 0: the CPU refuses its VMCS");
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 0), MK1_SUCCESS);
	return 0;
}

START_TEST(create_vs_with_failing_vmwrites)
{
	/* zeroing forgives: there are fields that CPUs lack */
	(void)fail_create(INSN_VMWRITE, (unsigned int)_i + 1);
}
END_TEST

START_TEST(create_vs_with_a_failing_instruction)
{
	static const enum insn insns[] = { INSN_VMCLEAR, INSN_VMPTRLD, INSN_VMREAD, INSN_VMCLEAR };

	ck_assert_uint_eq(fail_create(insns[_i], _i == 3 ? 2 : 1), 0);
}
END_TEST

/* Destroying a VS that the CPU does not let go: its page is not used again. */
START_TEST(destroy_vs_with_a_failing_vmclear)
{
	uint64_t block;

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	block = vs_find(1)->block_spa;
	vmx_fail(INSN_VMCLEAR, block, 1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 1), MK1_SUCCESS);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_uint_ne(pool_alloc(), block);
}
END_TEST

START_TEST(host_state)
{
	in_vmexit();
	ck_assert_uint_eq(field(VMCS_HOST_CR0), cpu->cr0);
	ck_assert_uint_eq(field(VMCS_HOST_CR4), cpu->cr4);
	ck_assert_uint_eq(field(VMCS_HOST_CR3), host_pp->ext_cr3[host_pp->ext->id]);
	ck_assert_uint_eq(field(VMCS_HOST_FS_BASE), MK1_EXT_TLS_BASE + 0x1000);
	ck_assert_uint_eq(field(VMCS_HOST_CS), BF_SEL_KERNEL_CS);
	ck_assert_uint_eq(field(VMCS_HOST_TR_BASE), (uint64_t)&host_pp->tss);
	ck_assert_uint_eq(field(VMCS_HOST_RSP), BF_PP_STACK_TOP);
	ck_assert_uint_eq(field(VMCS_HOST_RIP), (uint64_t)vmx_exit_entry);
	ck_assert_uint_eq(field(VMCS_HOST_PAT), HOST_PAT);
	ck_assert_uint_eq(field(VMCS_vmcs_link_pointer), ~0ULL);
	ck_assert_uint_eq(vmx_lists(host_pp->vs)->host[VMX_LSTAR].value, (uint64_t)mk_syscall);
	ck_assert_uint_eq(vmx_lists(host_pp->vs)->guest[VMX_LSTAR].value, 0xFFFFFFFF81000000);
}
END_TEST

/* What a segment is in the VMCS: attributes unpacked, unusable, busy, accessed. */
START_TEST(segments)
{
	struct bf_cpu_state *state;

	machine_of(1);
	state = &m.switch_pages[0]->cpu;
	state->ds = (struct bf_segment){ 0, 0, 0, 0 };
	state->es = (struct bf_segment){ 0x2B, 0xCF2, 0xFFFFFFFF, 0 };
	state->tr.attrib = 0x89;
	state->ldtr = (struct bf_segment){ 0x50, 0x82, 0xFF, 0xFFFF888000001000 };
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_ds_attrib), VMX_AR_UNUSABLE);
	ck_assert_uint_eq(field(VMCS_es_attrib), 0xC0F3);
	ck_assert_uint_eq(field(VMCS_tr_attrib), 0x8B);
	ck_assert_uint_eq(field(VMCS_ldtr_attrib), 0x82);
	ck_assert_uint_eq(field(VMCS_cs_attrib), 0xA09B);
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(state->ds.attrib, 0);
	ck_assert_uint_eq(state->cs.attrib, 0xA9B);
	ck_assert_uint_eq(state->es.attrib, 0xCF3);
}
END_TEST

/* An inactive VS keeps CSTAR and KERNEL_GS_BASE beside the CPU. */
START_TEST(msrs_of_an_inactive_vs)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	msr_set(cpu, MSR_KERNEL_GS_BASE, 0x1111); /* the guest wrote it */
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_kernel_gs_base, 0x2222), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x2222);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_kernel_gs_base), 0x1111);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x1111);
}
END_TEST

/* Those that are the same in both stay in the CPU. */
START_TEST(msrs_that_are_the_same)
{
	unsigned int writes;

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_cstar, msr_get(cpu, MSR_CSTAR)), MK1_SUCCESS);
	ck_assert_uint_eq(
		reg_write(1, MK1_INTEL_kernel_gs_base, msr_get(cpu, MSR_KERNEL_GS_BASE) + _i),
		MK1_SUCCESS);
	writes = cpu->count[INSN_WRMSR];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRMSR], writes + _i);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRMSR], writes + 2 * _i);
}
END_TEST

/* A VS that is active when it becomes Linux. */
START_TEST(init_as_root_of_the_active_vs)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x7F00);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], m.switch_pages[0]->cpu.gpr[BF_RBX]);
}
END_TEST

/*
 * What the TLB holds under its tags is older than what it did elsewhere. That it was looked at
 * before it runs again, for which its VMCS is current, changes nothing.
 */
START_TEST(a_vs_that_comes_back)
{
	unsigned int flushes;

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_virtual_processor_identifier, 2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	flushes = cpu->count[INSN_INVVPID];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], flushes);
	for (uint64_t pp = 2; pp-- > 0;)
		ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 1, pp), MK1_SUCCESS);
	if (_i)
		(void)reg_read(1, MK1_INTEL_rip);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], flushes);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], flushes + 1);
}
END_TEST

/*
 * A guest of Mk#2 that comes to a PP drops what its VPID stands for there, and not Linux's
 * translations, unless the CPU has nothing else for it. An extension's own table may have changed.
 */
static const struct {
	uint64_t lacks; /* of the CPU */
	bool attached;
	unsigned int vpids, epts; /* how many flushes of each kind */
	uint64_t type; /* of the former */
} comings[] = {
	{ 0, true, 1, 0, 1 },          { 1ULL << 41, true, 1, 0, 2 },
	{ 1ULL << 32, true, 0, 1, 0 }, { 1ULL << 41 | 1ULL << 42, true, 0, 1, 0 },
	{ 0, false, 1, 1, 2 },
};

#define NR_COMINGS ((int)(sizeof(comings) / sizeof(comings[0])))

START_TEST(a_guest_that_comes)
{
	uint64_t capabilities;

	machine_of(1);
	capabilities = msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~comings[_i].lacks;
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP, capabilities);
	open_and_launch();
	ck_assert_uint_eq(make_vs(1, 0), 1);
	if (comings[_i].attached)
		ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_virtual_processor_identifier, 2), MK1_SUCCESS);
	for (uint64_t pp = 2; pp-- > 0;)
		ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 1, pp), MK1_SUCCESS);
	cpu->count[INSN_INVVPID] = 0;
	cpu->count[INSN_INVEPT] = 0;
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 1, vs_find(1)->vpid, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], comings[_i].vpids);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], comings[_i].epts);
	if (comings[_i].vpids)
		ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], comings[_i].type);
	/* once */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 1, vs_find(1)->vpid, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], comings[_i].vpids);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], comings[_i].epts);
}
END_TEST

START_TEST(dump_skips_what_is_not_there)
{
	in_vmexit();
	vmcs_absent(VMCS_ept_pointer, true);
	put_field(VMCS_rip, 0xABCDE);
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vs, 0), MK1_SUCCESS);
	const char *text = printed();
	ck_assert_ptr_nonnull(strstr(text, "rip 0xabcde"));
	ck_assert_ptr_null(strstr(text, "  ept "));
}
END_TEST

TCase *vmx_vs_tests(void)
{
	TCase *tc = tcase_create("vmx_vs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, create_vs_with_failing_vmwrites, 0, 160);
	tcase_add_loop_test(tc, create_vs_with_a_failing_instruction, 0, 4);
	tcase_add_test(tc, destroy_vs_with_a_failing_vmclear);
	tcase_add_test(tc, host_state);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, msrs_of_an_inactive_vs);
	tcase_add_loop_test(tc, msrs_that_are_the_same, 0, 2);
	tcase_add_test(tc, init_as_root_of_the_active_vs);
	tcase_add_loop_test(tc, a_vs_that_comes_back, 0, 2);
	tcase_add_loop_test(tc, a_guest_that_comes, 0, NR_COMINGS);
	tcase_add_test(tc, dump_skips_what_is_not_there);
	return tc;
}
