// SPDX-License-Identifier: GPL-2.0-only
/* run/trap.c: faults, NMIs and machine checks in root mode. */
#include <string.h>

#include "run.h"
#include "../suites.h"

/* A single-step trap of the guest's, that outlived its exit. */
START_TEST(debug_trap_in_ring_0)
{
	struct trap_frame f = { .vector = VECTOR_DB, .cs = BF_SEL_KERNEL_CS, .rip = 0x1234 };

	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(f.rip, 0x1234);
	f.cs = BF_SEL_USER_CS;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* An interrupt is taken in one place, and is a failure before and behind it. */
START_TEST(interrupt_in_ring_0)
{
	struct trap_frame f = { .vector = VECTOR_LAST_EXCEPTION + 1,
				.cs = BF_SEL_KERNEL_CS,
				.rip = _i / 2 ? 0x1234 : (uint64_t)take_interrupt_end + 1 };

	in_vmexit(_i % 2);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_FAULT);
}
END_TEST

/* What BLCKDB reports is not a fault; a single step, even over such an instruction, is. */
START_TEST(bus_lock_in_ring_3)
{
	struct trap_frame f = user_fault(VECTOR_DB), before = f;

	in_vmexit(_i);
	cpu->dr[6] &= ~0x800ULL;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_int_eq(memcmp(&f, &before, sizeof(f)), 0);
	ck_assert_uint_eq(cpu->dr[6], DR6_RESET);
	cpu->dr[6] &= ~0x800ULL;
	f.rflags |= RFLAGS_TF;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* Ring 3 cannot leave SMAP off for an exception. */
START_TEST(alignment_check_of_ring_3)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(0);
	if (_i)
		machine_without_cr4(CR4_SMAP);
	start_and_launch();
	guest_exit(cpuid_reason());
	cpu->ac = true;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(cpu->ac, _i);
}
END_TEST

/* CPUID faulting: what ring 3 wants to know, ring 0 finds out. */
START_TEST(cpuid_that_faults)
{
	struct trap_frame f = user_fault(VECTOR_GP), wanted;
	uint8_t *code;

	in_vmexit(_i);
	cpuid_set(0x1234, 5, 0x11, 0x22, 0x33, 0x44);
	code = mmu_user(f.rip, false, true);
	memcpy(code, "\x0F\xA2", 2);
	f.error_code = 0;
	f.gpr[BF_RAX] = 0xABCD00001234;
	f.gpr[BF_RCX] = 0xABCD00000005;
	wanted = f;
	wanted.gpr[BF_RAX] = 0x11;
	wanted.gpr[BF_RBX] = 0x22;
	wanted.gpr[BF_RCX] = 0x33;
	wanted.gpr[BF_RDX] = 0x44;
	wanted.rip += 2;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_mem_eq(&f, &wanted, sizeof(f));
	/*
	 * with an error code, other instructions, where nothing can be read: a fault like any other
	 */
	f = user_fault(VECTOR_GP);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

START_TEST(gp_of_other_instructions)
{
	struct trap_frame f = user_fault(VECTOR_GP);

	in_vmexit(0);
	f.error_code = 0;
	memcpy(mmu_user(f.rip, false, true), _i == 0 ? "\x0F\x32" : "\xF4\xA2", 2);
	if (_i == 2)
		f.rip = 0x800000000000;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

START_TEST(fault_of_the_microkernel)
{
	in_vmexit(_i);
	msr_drop(cpu, MSR_FS_BASE);
	struct trap_frame f = user_fault(VECTOR_UD);
	RUN(trap_dispatch(&f)); /* into the fail callback: WRMSR of FS base faults in ring 0 */
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

START_TEST(nmi_in_root_mode)
{
	struct trap_frame f = { .vector = VECTOR_NMI,
				.cs = _i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS };

	in_vmexit(_i & 1);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
}
END_TEST

/* It goes on behind the HLT, which would miss it. */
START_TEST(nmi_before_a_halt)
{
	static const struct {
		const void *rip, *then;
	} cases[] = { { (const void *)wait_for_nmi, wait_for_nmi_end },
		      { wait_for_nmi_end - 1, wait_for_nmi_end },
		      { wait_for_nmi_end, wait_for_nmi_end },
		      { (const void *)0x1000, (const void *)0x1000 } };
	struct trap_frame f = { .vector = VECTOR_NMI,
				.cs = BF_SEL_KERNEL_CS,
				.rip = (uint64_t)cases[_i].rip };

	in_vmexit(0);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(f.rip, (uint64_t)cases[_i].then);
}
END_TEST

static struct trap_frame machine_check(uint64_t cs)
{
	return (struct trap_frame){ .vector = VECTOR_MC, .rip = EXT_ENTRY, .cs = cs };
}

/* What was injected into Linux at the last entry. */
static uint64_t injected(void)
{
	return m.vendor == BF_VENDOR_AMD ?
		       vmcb_of(host_pp->vs)->eventinj :
		       vmcs_get(host_pp->vs->block_spa, VMCS_vmentry_interrupt_information_field);
}

static void put_injected(uint64_t event)
{
	if (m.vendor == BF_VENDOR_AMD)
		vmcb_of(host_pp->vs)->eventinj = event;
	else
		vmcs_put(host_pp->vs->block_spa, VMCS_vmentry_interrupt_information_field, event);
}

#define INJECTED_MC 0x80000312
#define INJECTED_UD 0x80000306

/*
 * It goes to Linux at the next entry at which nothing else does; whatever it interrupted goes on.
 */
START_TEST(machine_check_in_root_mode)
{
	struct trap_frame f = machine_check(_i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS);

	in_vmexit(_i & 1);
	msr_set(cpu, MSR_MCG_STATUS, 5); /* MCIP, RIPV */
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	put_injected(INJECTED_UD);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(injected(), INJECTED_UD);
	ck_assert(host_pp->mc_pending);
	put_injected(0);
	guest_exit(m.vendor == BF_VENDOR_AMD ? SVM_EXIT_CPUID : VMX_EXIT_NMI_WINDOW);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert_uint_eq(host_pp->owed, 0);
	/* another VS is none of its business */
	put_injected(0);
	guest_exit(cpuid_reason());
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_uint_eq(injected(), 0);
	ck_assert(host_pp->mc_pending);
}
END_TEST

/* Linux leaves first: it is delivered on the way. */
START_TEST(machine_check_before_promote)
{
	struct trap_frame f = machine_check(BF_SEL_USER_CS);

	in_vmexit(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->mc_pending, 1);
	ck_assert_uint_eq(ended.sp->nmi_pending, 0);
	ck_assert_uint_eq(host_pp->owed, 0);
}
END_TEST

/* Together with an NMI, and with events of the extension's own: VMX. */
START_TEST(machine_check_and_nmi)
{
	struct trap_frame f = machine_check(BF_SEL_KERNEL_CS);
	struct trap_frame nmi = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	in_vmexit(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	RUN(trap_dispatch(&nmi));
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert(!host_pp->mc_pending);
	put_injected(0);
	ck_assert_uint_eq(host_pp->nmi_pending, _i); /* on AMD it has been sent */
	if (!_i)
		return;
	/* it arrives behind the look at it: the window is the microkernel's */
	guest_exit(cpuid_reason());
	reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls,
		  reg_read(0, MK1_INTEL_primary_proc_based_vm_execution_ctls) |
			  VMX_PRIMARY_NMI_WINDOW);
	host_pp->nmi_pending = false;
	host_pp->mc_pending = true;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	host_pp->mc_pending = false;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/* Without RIPV, or without knowing: what was interrupted is over. */
START_TEST(machine_check_that_ends)
{
	struct trap_frame f = machine_check(_i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS);

	in_vmexit(_i & 1);
	if (_i & 4)
		msr_set(cpu, MSR_MCG_STATUS, 4);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_MC);
	expect_alone(_i & 2 ? BF_ERR_EXT_FAULT : BF_ERR_MK_FAULT);
}
END_TEST

TCase *run_trap_tests(void)
{
	TCase *tc = tcase_create("run_trap");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, debug_trap_in_ring_0, 0, 2);
	tcase_add_loop_test(tc, interrupt_in_ring_0, 0, 4);
	tcase_add_loop_test(tc, bus_lock_in_ring_3, 0, 2);
	tcase_add_loop_test(tc, alignment_check_of_ring_3, 0, 2);
	tcase_add_loop_test(tc, cpuid_that_faults, 0, 2);
	tcase_add_loop_test(tc, gp_of_other_instructions, 0, 3);
	tcase_add_loop_test(tc, fault_of_the_microkernel, 0, 2);
	tcase_add_loop_test(tc, nmi_in_root_mode, 0, 4);
	tcase_add_loop_test(tc, nmi_before_a_halt, 0, 4);
	tcase_add_loop_test(tc, machine_check_in_root_mode, 0, 4);
	tcase_add_loop_test(tc, machine_check_before_promote, 0, 2);
	tcase_add_loop_test(tc, machine_check_and_nmi, 0, 2);
	tcase_add_loop_test(tc, machine_check_that_ends, 0, 8);
	return tc;
}
