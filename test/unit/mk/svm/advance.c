// SPDX-License-Identifier: GPL-2.0-only
/* svm/advance.c: past the instruction that exited. */
#include "microkernel/svm/advance.h"

#include <string.h>

#include "svm.h"
#include "../suites.h"

/* Each call that steps over an instruction does it alike. */
static void advance(int way)
{
	switch (way) {
	case 0:
		SYS(vs_advance_ip_and_run_current, HANDLE);
		break;
	case 1:
		SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0);
		break;
	default:
		ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	}
}

START_TEST(advance_ip)
{
	in_vmexit();
	vmcb()->rip = 0x1000;
	vmcb()->nrip = 0x1003;
	vmcb()->interrupt_shadow = 1;
	vmcb()->rflags = RFLAGS_RF | 2;
	advance(_i);
	ck_assert_uint_eq(vmcb()->rip, 0x1003);
	ck_assert_uint_eq(vmcb()->interrupt_shadow, 0);
	ck_assert_uint_eq(vmcb()->rflags, 2);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	/* single-step: a trap behind the instruction */
	vmcb()->rflags = RFLAGS_TF | 2;
	vmcb()->dr6 = 0;
	advance(_i);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, 1));
	ck_assert_uint_eq(vmcb()->dr6, 1 << 14);
	/* unless it is for branches */
	vmcb()->eventinj = 0;
	msr_set(cpu, MSR_DEBUGCTL, DEBUGCTL_BTF);
	advance(_i);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	msr_set(cpu, MSR_DEBUGCTL, 0);
	/* not instead of an event that is injected anyway */
	vmcb()->eventinj = EVENT(3, 6);
	advance(_i);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, 6));
}
END_TEST

START_TEST(advance_ip_of_io)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 1); /* no next-RIP save */
	start_and_launch();
	vmcb()->exitinfo2 = 0x2222;
	guest_exit(SVM_EXIT_IOIO);
	advance(_i);
	ck_assert_uint_eq(vmcb()->rip, 0x2222);
}
END_TEST

/* What stands at RIP is not what exited: nothing is stepped over, and nothing emulated stays. */
START_TEST(advance_ip_of_what_has_changed)
{
	static const uint8_t nops[] = { 0x90, 0x90 };

	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 1); /* no next-RIP save */
	start_and_launch();
	vmcb()->rax = 0x11;
	abi_gprs()[BF_RBX] = 0x22;
	abi_gprs()[BF_RSI] = 0x33;
	guest_code(nops, sizeof(nops));
	guest_exit(SVM_EXIT_CPUID);
	if (_i)
		vmcb()->rip = 0xF0000000; /* cannot be read */
	memset(abi_gprs(), 0x77, BF_GPR_BYTES);
	if (_i < 2)
		SYS(vs_advance_ip_and_run_current, HANDLE);
	else
		SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, _i ? 0xF0000000 : linux_page(5));
	ck_assert_uint_eq(vmcb()->rax, 0x11);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x22);
	ck_assert_uint_eq(abi_gprs()[BF_RSI], 0x33);
	/* registers of a VS that has not exited last are its extension's */
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	vmcb()->rip = 0xF0000000;
	abi_gprs()[BF_RAX] = 0x88;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rax, 0x88);
}
END_TEST

/* What has decoded the instruction says so: RIP has 64 bits in 64-bit mode only. */
START_TEST(advance_by)
{
	running();
	vmcb()->efer = EFER_SVME | EFER_LMA;
	vmcb()->cs.attrib = _i ? 0xA9B : 0xC9B;
	vmcb()->rip = 0xFFFFFFFE;
	vmcb()->interrupt_shadow = SVM_INTERRUPT_SHADOW;
	vmcb()->rflags = RFLAGS_TF | RFLAGS_RF | 2;
	vmcb()->dr6 = 0;
	vmcb()->eventinj = 0;
	svm_advance_by(vmcb(), 7);
	ck_assert_uint_eq(vmcb()->rip, _i ? 0x100000005 : 5);
	ck_assert_uint_eq(vmcb()->interrupt_shadow, 0);
	ck_assert_uint_eq(vmcb()->rflags, RFLAGS_TF | 2);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_DB));
	ck_assert_uint_eq(vmcb()->dr6, DR6_BS);
}
END_TEST

TCase *svm_advance_tests(void)
{
	TCase *tc = tcase_create("svm_advance");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, advance_ip, 0, 3);
	tcase_add_loop_test(tc, advance_ip_of_io, 0, 3);
	tcase_add_loop_test(tc, advance_ip_of_what_has_changed, 0, 3);
	tcase_add_loop_test(tc, advance_by, 0, 2);
	return tc;
}
