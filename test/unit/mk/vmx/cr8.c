// SPDX-License-Identifier: GPL-2.0-only
/* vmx/cr8.c: CR8 of a guest that is not Linux. */
#include "../guest.h"
#include "../suites.h"

/* The one in the CPU is Linux's, whatever a guest and its extension do. */
START_TEST(cr8_is_kept_apart)
{
	uint64_t cr8 = _i ? MK1_INTEL_cr8 : MK1_AMD_cr8;

	with_guest(_i);
	ck_assert_uint_eq(reg_write(0, cr8, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, cr8, 9), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, cr8, 16), MK1_INVALID_INPUT_REG(3)); /* it is active */
	ck_assert_uint_eq(reg_read(1, cr8), 9);
	ck_assert_uint_ne(cpu->cr8, 9);
	if (!_i)
		ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING | 9);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_uint_eq(cpu->cr8, 3);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_read(0, cr8), 3);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, cr8), 9);
	ck_assert_uint_eq(reg_read(0, cr8), 3);
	ck_assert_uint_eq(cpu->cr8, 3);
}
END_TEST

/* MOV to (0) or from (1) CR8, by register number as instructions have it. */
static void cr8_access(uint64_t access, uint64_t reg)
{
	put_field(VMCS_exit_qualification, 8 | access << 4 | reg << 8);
	put_field(VMCS_vmexit_instruction_length, 4);
	put_field(VMCS_rip, 0x1000);
	put_field(VMCS_interruptibility_state, 0);
	put_event_to_inject(0);
	guest_exit(VMX_EXIT_CR_ACCESS);
}

START_TEST(mov_cr8)
{
	in_guest(1);
	abi_gprs()[BF_RBX] = 7;
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_rip), 0x1004);
	ck_assert_uint_eq(event_to_inject(), 0);
	ck_assert_uint_ne(cpu->cr8, 7);
	cr8_access(1, 9);
	ck_assert_uint_eq(abi_gprs()[BF_R9], 7);
	put_field(VMCS_rsp, 0xC);
	cr8_access(0, 4);
	put_field(VMCS_rsp, 0);
	cr8_access(1, 4);
	ck_assert_uint_eq(field(VMCS_rsp), 0xC);
	/* reserved bits */
	abi_gprs()[BF_RBX] = 0x10;
	put_field(VMCS_cr0, CR0_PE);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_rip), 0x1000);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_GP) | VMX_EVENT_ERROR_CODE);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr8), 0xC);
}
END_TEST

/* What the extension has asked for is its exit, and so is any other register. */
START_TEST(cr_accesses_of_the_extension)
{
	uint64_t primary = MK1_INTEL_primary_proc_based_vm_execution_ctls;

	with_guest(1);
	reg_write(1, primary, VMX_PRIMARY_CR8_LOAD);
	SYS(vs_run_current, HANDLE);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	reg_write(1, primary, VMX_PRIMARY_CR8_STORE);
	SYS(vs_run_current, HANDLE);
	cr8_access(1, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	put_field(VMCS_exit_qualification, 3);
	guest_exit(VMX_EXIT_CR_ACCESS);
	ck_assert_int_eq(ended.end, END_RING3);
	SYS(vs_run, HANDLE, 0, 0, 0);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 0);
}
END_TEST

TCase *vmx_cr8_tests(void)
{
	TCase *tc = tcase_create("vmx_cr8");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cr8_is_kept_apart, 0, 2);
	tcase_add_test(tc, mov_cr8);
	tcase_add_test(tc, cr_accesses_of_the_extension);
	return tc;
}
