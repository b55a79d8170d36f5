// SPDX-License-Identifier: GPL-2.0-only
/* obj/backup.c: Linux does not keep half a change. */
#include "../run/run.h"
#include "../suites.h"

/* What the extension changed in this exit is undone; what it changed in an earlier one stays. */
START_TEST(linux_does_not_keep_half_a_change)
{
	uint64_t rip_reg, rsp_reg, rip;
	struct ended how;

	in_vmexit(_i);
	rip_reg = _i ? MK1_INTEL_rip : MK1_AMD_rip;
	rsp_reg = _i ? MK1_INTEL_rsp : MK1_AMD_rsp;
	rip = reg_read(0, rip_reg);
	ck_assert_uint_eq(reg_write(0, rsp_reg, 0x9000), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x6666), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x7777), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	how = ended;
	ck_assert_uint_eq(reg_read(0, rip_reg), rip);
	ck_assert_uint_eq(reg_read(0, rsp_reg), 0x9000);
	ended = how;
	expect_alone(BF_ERR_EXT_EXIT);
}
END_TEST

/* All of them are as Linux had them when it exited, whatever another VS has run meanwhile. */
START_TEST(linux_keeps_its_registers)
{
	bool other = _i / 2;

	in_vmexit(_i % 2);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		abi_gprs()[i] = 0x1000 + i;
	if (_i % 2 == 0)
		vmcb_of(host_pp->vs)->rax = 0x1000; /* where SVM has it */
	guest_exit(cpuid_reason());
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		abi_gprs()[i] = 0x2000 + i;
	if (other) {
		SYS(vs_run, HANDLE, 0, 0, 1);
		for (unsigned int i = 0; i < BF_NR_GPRS; i++)
			abi_gprs()[i] = 0x3000 + i;
		guest_exit(cpuid_reason());
		/* Linux becomes active, but does not run */
		SYS(vs_set_active, HANDLE, 0, 0, 0);
		abi_gprs()[BF_RDI] = 0x4000;
		SYS(vs_set_active, HANDLE, 0, 0, 1);
	}
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		ck_assert_uint_eq(abi_gprs()[i], 0x1000 + i);
}
END_TEST

/* Another VS runs, and fails, while Linux waits half-changed. */
START_TEST(linux_does_not_keep_half_a_change_for_later)
{
	bool changed_before = _i / 2;
	uint64_t rip_reg, rip, base;

	in_vmexit(_i % 2);
	rip_reg = _i % 2 ? MK1_INTEL_rip : MK1_AMD_rip;
	rip = reg_read(0, rip_reg);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	if (_i % 2)
		msr_set(cpu, MSR_KERNEL_GS_BASE, 0x1111000);
	if (changed_before)
		ck_assert_uint_eq(reg_write(0, rip_reg, 0x6666), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	if (_i % 2)
		msr_set(cpu, MSR_KERNEL_GS_BASE, 0x2222000); /* the other's */
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x7777), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	if (_i / 4) {
		/* It runs: from here on that is its state. */
		guest_exit(cpuid_reason());
		rip = 0x7777;
	}
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x8888), MK1_SUCCESS);
	RUN(pp_fail(BF_ERR_VS_INVALID, 0, 0, 0));
	ck_assert_int_eq(ended.end, END_GUEST);
	base = _i % 2 ? msr_get(cpu, MSR_KERNEL_GS_BASE) : 0x1111000;
	ck_assert_uint_eq(base, 0x1111000);
	ck_assert_uint_eq(reg_read(0, rip_reg), rip);
}
END_TEST

/* Whatever VMRUN or VM entry refused must not be there any more when Linux runs alone. */
START_TEST(what_was_refused_is_undone)
{
	static const struct {
		uint64_t reg, value;
		uint32_t field;
	} cases[] = {
		{ MK1_INTEL_activity_state, 7, VMCS_activity_state },
		{ MK1_INTEL_interruptibility_state, 0xFF, VMCS_interruptibility_state },
		{ MK1_INTEL_pending_debug_exceptions, ~0ULL, VMCS_pending_debug_exceptions },
		{ MK1_INTEL_vmentry_interrupt_information_field, 0x80000102,
		  VMCS_vmentry_interrupt_information_field },
	};
	uint64_t before;

	in_vmexit(1);
	before = vmcs_get(host_pp->vs->block_spa, cases[_i].field);
	ck_assert_uint_eq(reg_write(0, cases[_i].reg, cases[_i].value), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
	ck_assert_uint_eq(vmcs_get(host_pp->vs->block_spa, cases[_i].field), before);
	expect_alone(BF_ERR_VS_INVALID);
}
END_TEST

/* An exit that interrupted nothing, or an interrupt; QEMU then shows the refused event there. */
START_TEST(an_event_that_was_refused_is_undone)
{
	uint64_t interrupted = _i ? SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | 0x55 : 0;

	machine_of(0);
	start_and_launch();
	vmcb_of(host_pp->vs)->exitintinfo = interrupted;
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_write(0, MK1_AMD_eventinj, SVM_EVENT_VALID | 0x100), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	vmcb_of(host_pp->vs)->exitintinfo = SVM_EVENT_VALID | 0x100;
	guest_exit((uint32_t)SVM_EXIT_INVALID);
	ck_assert_uint_eq(vmcb_of(host_pp->vs)->eventinj, interrupted);
	expect_alone(BF_ERR_VS_INVALID);
}
END_TEST

TCase *obj_backup_tests(void)
{
	TCase *tc = tcase_create("obj_backup");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, linux_does_not_keep_half_a_change, 0, 2);
	tcase_add_loop_test(tc, linux_keeps_its_registers, 0, 4);
	tcase_add_loop_test(tc, linux_does_not_keep_half_a_change_for_later, 0, 8);
	tcase_add_loop_test(tc, what_was_refused_is_undone, 0, 4);
	tcase_add_loop_test(tc, an_event_that_was_refused_is_undone, 0, 2);
	return tc;
}
