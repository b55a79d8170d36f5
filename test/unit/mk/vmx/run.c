// SPDX-License-Identifier: GPL-2.0-only
/* vmx/run.c: into the guest. */
#include "vmx.h"
#include "../suites.h"

START_TEST(launch_then_resume)
{
	machine_of(1);
	start_and_launch();
	ck_assert(!ended.launched);
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(ended.launched);
}
END_TEST

START_TEST(cr2_and_dr6_go_with_the_guest)
{
	in_vmexit();
	cpu->cr2 = 0x1111; /* of the host: a fault of the extension */
	cpu->dr[6] = 0xFFFF4FF0;
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_cr2, 0x2222), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_dr6, 0xFFFF0FF1), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(cpu->cr2, 0x2222);
	ck_assert_uint_eq(cpu->dr[6], 0xFFFF0FF1);
	cpu->cr2 = 0x3333; /* the guest's own page fault */
	cpu->dr[6] = 0xFFFF0FF2;
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_cr2), 0x3333);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_dr6), 0xFFFF0FF2);
}
END_TEST

/* What happened in root mode is a reason to write something before the entry. */
START_TEST(one_thing_differs)
{
	struct trap_frame f = { .cs = BF_SEL_KERNEL_CS };

	in_vmexit();
	SYS(vs_run_current, HANDLE);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert(!host_pp->entry_dirty);
	f.vector = _i < 2 ? VECTOR_DB : VECTOR_NMI;
	if (_i == 0)
		cpu->cr2++;
	else if (_i == 1)
		cpu->dr[6] ^= 1;
	RUN(trap_dispatch(&f));
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(cpu->cr2, host_pp->vs->vmx.cr2);
	ck_assert_uint_eq(cpu->dr[6], host_pp->vs->vmx.dr6);
	ck_assert_uint_eq(nmi_window(), _i == 2);
}
END_TEST

/* Mappings that went away meanwhile are flushed, whichever way the guest is left. */
START_TEST(every_exit_catches_up)
{
	in_vmexit();
	SYS(vs_run_current, HANDLE);
	tlb_generation++;
	if (_i)
		RUN(vmx_entry_failed(RFLAGS_CF));
	else
		guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
}
END_TEST

TCase *vmx_run_tests(void)
{
	TCase *tc = tcase_create("vmx_run");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, launch_then_resume);
	tcase_add_test(tc, cr2_and_dr6_go_with_the_guest);
	tcase_add_loop_test(tc, one_thing_differs, 0, 3);
	tcase_add_loop_test(tc, every_exit_catches_up, 0, 2);
	return tc;
}
