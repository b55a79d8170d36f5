// SPDX-License-Identifier: GPL-2.0-only
/* vmx/advance.c: past the instruction that exited. */
#include "vmx.h"
#include "../suites.h"

/* Each call that steps over an instruction does it alike; the status of the call. */
static uint64_t advance(int way)
{
	if (way == 0)
		return SYS(vs_advance_ip_and_run_current, HANDLE);
	if (way == 1)
		return SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0);
	return SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0);
}

START_TEST(advance_ip)
{
	in_vmexit();
	put_field(VMCS_vmexit_instruction_length, 15);
	put_field(VMCS_rip, 0xFFFFFFFF81000FFF);
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_NMI);
	put_field(VMCS_rflags, RFLAGS_RF | 2);
	put_field(VMCS_pending_debug_exceptions, 0);
	advance(_i);
	ck_assert_uint_eq(field(VMCS_rip), 0xFFFFFFFF8100100E);
	ck_assert_uint_eq(field(VMCS_interruptibility_state), VMX_BLOCKING_BY_NMI);
	ck_assert_uint_eq(field(VMCS_rflags), 2);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), 0);
	/* single-step; unless it is for branches */
	put_field(VMCS_rflags, RFLAGS_TF | 2);
	advance(_i);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), VMX_PENDING_DEBUG_BS);
	put_field(VMCS_pending_debug_exceptions, 0);
	put_field(VMCS_debugctl, 2);
	advance(_i);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), 0);
	/* outside of 64-bit mode the pointer wraps; in it, 4 GiB is nothing special */
	put_field(VMCS_rflags, 2);
	put_field(VMCS_rip, 0xFFFFFFFF);
	advance(_i);
	ck_assert_uint_eq(field(VMCS_rip), 0x10000000E);
	put_field(VMCS_rip, 0xFFFFFFFF);
	put_field(VMCS_cs_attrib, 0xC09B);
	advance(_i);
	ck_assert_uint_eq(field(VMCS_rip), 0xE);
	for (unsigned int length = 0; length <= 16; length += 16) {
		put_field(VMCS_vmexit_instruction_length, length);
		ck_assert_uint_eq(advance(_i), MK1_FAILURE_UNKNOWN);
	}
}
END_TEST

TCase *vmx_advance_tests(void)
{
	TCase *tc = tcase_create("vmx_advance");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, advance_ip, 0, 3);
	return tc;
}
