// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmx/exchange.c: what counts, traces and checks by itself, on CPUs that offer more or less for it.
 */
#include "../guest.h"
#include "../suites.h"

/* What is exchanged, but for SSP, which is no MSR: as Linux has it, and as it left it. */
static const struct {
	uint32_t msr;
	uint16_t member, guest, host;
	bool runs;
} all[] = {
#define STATE(member) offsetof(struct bf_cpu_state, member)
	{ MSR_PERF_GLOBAL_CTRL, STATE(perf_global_ctrl), 0x2808, 0x2C04, true },
	{ MSR_RTIT_CTL, STATE(rtit_ctl), 0x2814, 0, true },
	{ MSR_LBR_CTL, STATE(lbr_ctl), 0x2816, 0, true },
	{ MSR_DS_AREA, STATE(ds_area), 0, 0, false },
	{ MSR_PKRS, STATE(pkrs), 0x2818, 0x2C06, false },
	{ MSR_S_CET, STATE(s_cet), 0x6828, 0x6C18, false },
	{ MSR_ISST_ADDR, STATE(isst_addr), 0x682C, 0x6C1C, false },
	{ MSR_DEBUGCTL, STATE(debugctl), VMCS_debugctl, 0, true }
};
#define NR_ALL (sizeof(all) / sizeof(all[0]))

static uint64_t *member(unsigned int i)
{
	return (uint64_t *)((uint8_t *)&m.switch_pages[0]->cpu + all[i].member);
}

/* A CPU that has all of it, and has captured it; the loader has stopped what runs. */
static void machine_with_all(uint32_t entry, uint32_t exit)
{
	machine_of(1);
	cpuid_set(1, 0, 0, 0, 0x4020020, 1U << 12 | 1U << 21);
	cpuid_set(7, 0, 0, 1U << 25, 1U << 31 | 1U << 7, 1U << 20 | 1U << 19);
	cpuid_set(0xA, 0, 2, 0, 0, 0);
	msr_set(cpu, MSR_VMX_TRUE_ENTRY_CTLS,
		(msr_get(cpu, MSR_VMX_TRUE_ENTRY_CTLS) & ~(1ULL << 45)) | (uint64_t)entry << 32);
	msr_set(cpu, MSR_VMX_TRUE_EXIT_CTLS,
		(msr_get(cpu, MSR_VMX_TRUE_EXIT_CTLS) & ~(1ULL << 44)) | (uint64_t)exit << 32);
	for (unsigned int i = 0; i < NR_ALL; i++) {
		*member(i) = 0x1000 + i;
		msr_set(cpu, all[i].msr, all[i].runs ? 0 : *member(i));
	}
	m.switch_pages[0]->cpu.ssp = 0x7000;
}

#define ENTRY_ALL 0x742000U
#define EXIT_ALL 0x76001000U

static const struct vmx_msr *listed(const struct vmx_msr *list, uint32_t msr)
{
	for (uint64_t i = 0; i < field(VMCS_vmexit_msr_store_count); i++) {
		if (list[i].index == msr)
			return &list[i];
	}
	return NULL;
}

START_TEST(by_controls)
{
	machine_with_all(ENTRY_ALL, EXIT_ALL);
	msr_set(cpu, MSR_PERF_GLOBAL_CTRL, 7); /* an NMI in between */
	start_and_launch();
	ck_assert_uint_eq(msr_get(cpu, MSR_PERF_GLOBAL_CTRL), 0);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & ENTRY_ALL, ENTRY_ALL);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & EXIT_ALL, EXIT_ALL);
	ck_assert_uint_eq(field(VMCS_vmexit_msr_store_count), VMX_NR_MSRS + 1); /* DS_AREA */
	for (unsigned int i = 0; i < NR_ALL; i++) {
		if (all[i].guest)
			ck_assert_uint_eq(field(all[i].guest), 0x1000 + i);
		if (all[i].host)
			ck_assert_uint_eq(field(all[i].host), 0);
	}
	ck_assert_uint_eq(field(0x682A), 0x7000);
	ck_assert_uint_eq(field(0x6C1A), 0);
	guest_exit(VMX_EXIT_CPUID);
	/* no extension turns them off, and another VS has its own */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_vmexit_ctls, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_vmentry_ctls, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & ENTRY_ALL, ENTRY_ALL);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & EXIT_ALL, EXIT_ALL);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcs_get(vs_find(1)->block_spa, 0x2808), 0);
	ck_assert_uint_eq(vmcs_get(vs_find(1)->block_spa, 0x6828), 0);
	/* Linux changed them all, and exits have loaded what is root mode's */
	for (unsigned int i = 0; i < NR_ALL; i++) {
		if (all[i].guest) {
			vmcs_put(host_pp->vs->block_spa, all[i].guest, 0x2000 + i);
			msr_set(cpu, all[i].msr, 0);
		}
	}
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	for (unsigned int i = 0; i < NR_ALL; i++) {
		if (!all[i].guest)
			continue;
		ck_assert_uint_eq(*member(i), 0x2000 + i);
		/* the switch lets go on what runs */
		ck_assert_uint_eq(msr_get(cpu, all[i].msr), all[i].runs ? 0 : 0x2000 + i);
	}
}
END_TEST

/*
 * Without one of the controls for the counters, and without those for the trace: the lists do it.
 */
START_TEST(by_lists)
{
	static const uint32_t last[] = { MSR_DS_AREA, MSR_RTIT_CTL, MSR_PERF_GLOBAL_CTRL };
	struct vmx_msr_lists *lists;

	machine_with_all(_i == 0 ? 0 : 1U << 13, _i < 2 ? 1U << 12 : 1U << 30);
	start_and_launch();
	lists = vmx_lists(host_pp->vs);
	ck_assert_uint_eq(field(VMCS_vmexit_msr_store_count), VMX_NR_MSRS + 3);
	ck_assert_uint_eq(field(VMCS_vmexit_msr_load_count), VMX_NR_MSRS + 3);
	ck_assert_uint_eq(field(VMCS_vmentry_msr_load_count), VMX_NR_MSRS + 3);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & 1U << 13, 0);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(lists->guest[VMX_NR_MSRS + i].index, last[i]);
		ck_assert_uint_eq(lists->host[VMX_NR_MSRS + i].index, last[i]);
		ck_assert_uint_eq(lists->host[VMX_NR_MSRS + i].value == 0, i > 0);
	}
	/* root mode's debug store: buffers that are full */
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_uint_eq(((uint64_t *)lists->host[VMX_NR_MSRS].value)[i], 0);
	for (unsigned int i = 0; i < NR_ALL; i++) {
		struct vmx_msr *entry = (struct vmx_msr *)listed(lists->guest, all[i].msr);

		if (!entry)
			continue;
		ck_assert_uint_eq(entry->value, 0x1000 + i);
		entry->value = 0x2000 + i;
	}
	msr_set(cpu, MSR_DS_AREA, lists->host[VMX_NR_MSRS].value); /* by the exit */
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.perf_global_ctrl, 0x2000);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.rtit_ctl, 0x2001);
	ck_assert_uint_eq(msr_get(cpu, MSR_PERF_GLOBAL_CTRL), 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_DS_AREA), 0x2003);
}
END_TEST

/* What root mode does not use stays in the CPU, but that the loader stopped the branch records. */
START_TEST(in_the_cpu)
{
	machine_with_all(0, 0);
	start_and_launch();
	ck_assert_uint_eq(msr_get(cpu, MSR_LBR_CTL), 0x1002);
	ck_assert_uint_eq(msr_get(cpu, MSR_PKRS), 0x1004);
	guest_exit(VMX_EXIT_CPUID);
	msr_set(cpu, MSR_LBR_CTL, 0x2002);
	msr_set(cpu, MSR_S_CET, 0x2005);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.lbr_ctl, 0x2002);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.s_cet, 0x2005);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), 0x2005);
	ck_assert_uint_eq(msr_get(cpu, MSR_PKRS), 0x1004);
}
END_TEST

/* CPUID shows it, but it faults: an MSR in a list must not. Or CPUID ends before its leaf. */
START_TEST(not_in_the_lists)
{
	machine_with_all(0, 0);
	if (_i == 0)
		msr_drop(cpu, MSR_PERF_GLOBAL_CTRL);
	else if (_i == 1)
		msr_restrict(cpu, MSR_DS_AREA, 0);
	else if (_i == 2)
		cpuid_set(0, 0, 9, 0, 0, 0);
	else
		cpuid_set(0xA, 0, 1, 0, 0, 0);
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_vmexit_msr_store_count), VMX_NR_MSRS + 2);
	ck_assert_ptr_null(listed(vmx_lists(host_pp->vs)->guest,
				  _i == 1 ? MSR_DS_AREA : MSR_PERF_GLOBAL_CTRL));
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
}
END_TEST

/* A field that the controls say is there, or that each CPU has. */
START_TEST(a_field_is_missing)
{
	static const uint32_t missing[] = { 0x2814,
					    0x6C18,
					    VMCS_vmexit_msr_store_address,
					    VMCS_vmexit_msr_store_count,
					    VMCS_vmentry_msr_load_address,
					    VMCS_vmentry_msr_load_count,
					    VMCS_vmexit_msr_load_address,
					    VMCS_vmexit_msr_load_count };

	machine_with_all(ENTRY_ALL, EXIT_ALL);
	vmcs_absent(missing[_i], true);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_ne(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	expect_printed("the CPU refuses its VMCS");
}
END_TEST

/* The launch fails: Linux has what it had. */
START_TEST(a_launch_that_fails)
{
	machine_with_all(ENTRY_ALL, EXIT_ALL);
	start();
	msr_set(cpu, MSR_S_CET, 0);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), 0x1005);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.perf_global_ctrl, 0x1000);
}
END_TEST

TCase *vmx_exchange_tests(void)
{
	TCase *tc = tcase_create("vmx_exchange");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, by_controls);
	tcase_add_loop_test(tc, by_lists, 0, 3);
	tcase_add_test(tc, in_the_cpu);
	tcase_add_loop_test(tc, not_in_the_lists, 0, 4);
	tcase_add_loop_test(tc, a_field_is_missing, 0, 8);
	tcase_add_test(tc, a_launch_that_fails);
	return tc;
}
