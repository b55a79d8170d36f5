// SPDX-License-Identifier: GPL-2.0-only
/* svm/cpu.c: SVM on and off. */
#include "../machine.h"
#include "../suites.h"

static void expect_refused(enum bf_error error)
{
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(error);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], error);
}

START_TEST(no_svm)
{
	machine_of(0);
	cpuid_set(0x80000001, 0, 0, 0, 0, 0);
	expect_refused(BF_ERR_NO_VIRT);
}
END_TEST

START_TEST(disabled_by_firmware)
{
	machine_of(0);
	msr_set(cpu, MSR_VM_CR, VM_CR_SVMDIS);
	expect_refused(BF_ERR_FW_DISABLED);
}
END_TEST

START_TEST(another_hypervisor)
{
	machine_of(0);
	msr_set(cpu, MSR_EFER, msr_get(cpu, MSR_EFER) | EFER_SVME);
	m.switch_pages[0]->cpu.efer |= EFER_SVME;
	expect_refused(BF_ERR_VIRT_BUSY);
	/* it keeps what it has */
	ck_assert_uint_eq(msr_get(cpu, MSR_EFER) & EFER_SVME, EFER_SVME);
	ck_assert_uint_eq(msr_get(cpu, MSR_VM_HSAVE_PA), 0x1234000);
}
END_TEST

START_TEST(no_vm_cr)
{
	machine_of(0);
	msr_drop(cpu, MSR_VM_CR);
	start_and_launch();
	ck_assert_uint_eq(cpu->arg[INSN_VMSAVE][0], host_pp->svm.host_vmcb);
	ck_assert_uint_eq(msr_get(cpu, MSR_VM_HSAVE_PA), host_pp->svm.hsave);
}
END_TEST

/* Room for one of the maps only, of the two that it takes to keep CPUs. */
START_TEST(no_memory_for_maps)
{
	machine_defaults(BF_VENDOR_AMD);
	m.huge_pages = _i ? 4 : 2;
	machine_init();
	m.handoff->flags = _i ? BF_HANDOFF_KEEP_CPUS : 0;
	expect_refused(BF_ERR_MK_POOL);
}
END_TEST

TCase *svm_cpu_tests(void)
{
	TCase *tc = tcase_create("svm_cpu");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_svm);
	tcase_add_test(tc, disabled_by_firmware);
	tcase_add_test(tc, another_hypervisor);
	tcase_add_test(tc, no_vm_cr);
	tcase_add_loop_test(tc, no_memory_for_maps, 0, 2);
	return tc;
}
