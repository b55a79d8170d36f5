// SPDX-License-Identifier: GPL-2.0-only
/* obj/active.c: registers that stay in the CPU. */
#include "obj.h"
#include "../suites.h"

/* Registers that stay in the CPU: in it while the VS is active, beside it else; the CPU judges. */
START_TEST(live_registers)
{
	static const uint16_t numbers[2][NR_UNSWITCHED_REGS] = {
		{ MK1_AMD_cr8, MK1_AMD_dr0, MK1_AMD_dr1, MK1_AMD_dr2, MK1_AMD_dr3, MK1_AMD_xcr0 },
		{ MK1_INTEL_cr8, MK1_INTEL_dr0, MK1_INTEL_dr1, MK1_INTEL_dr2, MK1_INTEL_dr3,
		  MK1_INTEL_xcr0 }
	};
	uint16_t vsid;

	in_vmexit(_i % 2);
	vsid = _i < 2 ? 0 : (uint16_t)vs2;
	for (unsigned int i = 0; i < NR_UNSWITCHED_REGS; i++) {
		uint64_t value = i == UNSWITCHED_XCR0 ? 3 : i + 5;

		ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][i], value), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][i]), value);
	}
	ck_assert_uint_eq(cpu->dr[3], vsid ? 0 : 4 + 5);
	ck_assert_uint_eq(cpu->cr8, vsid ? 0 : 5);
	ck_assert_uint_eq(cpu->xcr0, vsid ? 7 : 3);
	/* without x87 there is no XCR0 */
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 1);
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 6), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 7);
	if (vsid)
		return;
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_CR8], 16),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_write(vsid, numbers[_i % 2][UNSWITCHED_XCR0], 15),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_read(vsid, numbers[_i % 2][UNSWITCHED_XCR0]), 7);
}
END_TEST

/* What no CPU takes is held, but for Linux, and does not become active. */
START_TEST(live_registers_that_no_cpu_takes)
{
	const uint16_t numbers[] = { _i ? MK1_INTEL_cr8 : MK1_AMD_cr8,
				     _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0 };

	in_vmexit(_i);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(reg_write((uint16_t)vs2, numbers[i], 0x1234567890ABCDEF),
				  MK1_SUCCESS);
		ck_assert_uint_eq(reg_read((uint16_t)vs2, numbers[i]), 0x1234567890ABCDEF);
	}
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int run = 0; run < 4; run++)
			ck_assert_uint_eq(run_call(runs[run], vm2, vp2, vs2), MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(host_pp->vs->id, 0);
		ck_assert_uint_eq(reg_write((uint16_t)vs2, numbers[i], 1), MK1_SUCCESS);
	}
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	/* Linux is not active now, but would go on with it */
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_eq(reg_write(0, numbers[i], 0x1234567890ABCDEF),
				  MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* At a change of the active VS, only what differs is written. */
START_TEST(live_registers_that_are_the_same)
{
	uint64_t dr2 = _i ? MK1_INTEL_dr2 : MK1_AMD_dr2;
	unsigned int drs, xcr0s;

	machine_of(_i);
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int reg = _i ? MK1_INTEL_dr0 : MK1_AMD_dr0, i = 0; i < 4; i++)
		ck_assert_uint_eq(reg_write(1, reg + i, reg_read(0, reg + i)), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0, cpu->xcr0), MK1_SUCCESS);
	drs = cpu->count[INSN_WRITE_DR];
	xcr0s = cpu->count[INSN_XSETBV];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_DR], drs);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], xcr0s);
	ck_assert_uint_eq(reg_write(1, dr2, 0x1234), MK1_SUCCESS);
	drs = cpu->count[INSN_WRITE_DR];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_DR], drs + 1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->dr[2], 0x1234);
}
END_TEST

START_TEST(a_cpu_without_xsave)
{
	machine_of(0);
	machine_without_cr4(CR4_OSXSAVE);
	m.switch_pages[0]->cpu.cr4 &= ~(uint64_t)CR4_OSXSAVE;
	m.switch_pages[0]->cpu.xcr0 = 0;
	start_and_launch();
	ck_assert_uint_eq(reg_read(0, MK1_AMD_xcr0), 1);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_xcr0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_xcr0, 3), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_read(0, MK1_AMD_xcr0), 1);
}
END_TEST

TCase *obj_active_tests(void)
{
	TCase *tc = tcase_create("obj_active");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, live_registers, 0, 4);
	tcase_add_loop_test(tc, live_registers_that_are_the_same, 0, 2);
	tcase_add_loop_test(tc, live_registers_that_no_cpu_takes, 0, 2);
	tcase_add_test(tc, a_cpu_without_xsave);
	return tc;
}
