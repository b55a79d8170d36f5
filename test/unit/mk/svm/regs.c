// SPDX-License-Identifier: GPL-2.0-only
/* svm/regs.c: the registers of a VS by their numbers. */
#include <string.h>

#include "svm.h"
#include "../suites.h"

enum access { NONE, RW, RO, GPR, LIVE };

static const struct {
	const char *name;
	uint16_t offset;
	uint8_t bytes;
	uint8_t access;
} regs_of[MK1_AMD_NR_REGS] = {
#define ENTRY(number, name, offset, bytes, access) [number] = { #name, offset, bytes, access },
	MK1_AMD_REGS(ENTRY)
};

/* A value that the register takes as it is; not 0 where anything else will do. */
static uint64_t plain_value(unsigned int number, uint8_t bytes)
{
	switch (number) {
	case MK1_AMD_intercept_exception:
		return 0x12345678 | EXCEPTION_BIT(VECTOR_GP);
	case MK1_AMD_intercept_instruction2:
		return 0x123450 | SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL;
	case MK1_AMD_iopm_base_pa:
	case MK1_AMD_msrpm_base_pa:
		return m.handoff->huge_pool.spa + 4 * PAGE;
	case MK1_AMD_guest_asid:
		return 15;
	case MK1_AMD_tlb_control:
		return 7;
	case MK1_AMD_virtual_interrupt_a:
		return 0x0000001100000108;
	case MK1_AMD_ctls1:
		return SVM_NP_ENABLE;
	case MK1_AMD_n_cr3:
		return 0x023456789000;
	case MK1_AMD_ctls2:
	case MK1_AMD_avic_apic_bar:
	case MK1_AMD_guest_pa_of_ghcb:
	case MK1_AMD_avic_apic_backing_page_ptr:
	case MK1_AMD_avic_logical_table_ptr:
	case MK1_AMD_avic_physical_table_ptr:
	case MK1_AMD_vmsa_ptr:
	case MK1_AMD_vmcb_clean_bits: /* cleared by every write */
		return 0;
	case MK1_AMD_cpl:
		return 3;
	case MK1_AMD_cr0:
		return 0x80050033;
	case MK1_AMD_cr4:
		return 0x3506F8;
	case MK1_AMD_efer:
		return EFER_SVME | 0xD01;
	default:
		return 0x1122334455667788 >> (64 - 8 * bytes);
	}
}

static bool is_intercept(unsigned int number)
{
	return number >= MK1_AMD_intercept_cr_read && number <= MK1_AMD_intercept_instruction3;
}

/* Every register: written, read back, and where the table says it is. */
START_TEST(every_register)
{
	in_vmexit();
	for (unsigned int n = 1; n < MK1_AMD_NR_REGS; n++) {
		uint64_t value = plain_value(n, regs_of[n].bytes), in_vmcb = 0;
		const char *name = regs_of[n].name;

		if (regs_of[n].access == LIVE)
			continue; /* in obj/active.c */
		vmcb()->clean = SVM_CLEAN_ALL;
		ck_assert_msg(reg_write(0, n, value) == MK1_SUCCESS, "%s", name);
		ck_assert_msg(reg_read(0, n) == value, "%s", name);
		if (regs_of[n].access == GPR) {
			ck_assert_msg(abi_gprs()[regs_of[n].offset / 8] == value, "%s", name);
			continue;
		}
		memcpy(&in_vmcb, (uint8_t *)vmcb() + regs_of[n].offset, regs_of[n].bytes);
		ck_assert_msg(in_vmcb == value, "%s", name);
		ck_assert_uint_eq(vmcb()->clean, 0);
		if (regs_of[n].bytes < 8)
			ck_assert_msg(
				reg_write(0, n, value | 1ULL << (8 * regs_of[n].bytes)) ==
					(is_intercept(n) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3)),
				"%s", name);
		ck_assert_msg(reg_read(0, n) == value, "%s", name);
	}
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, MK1_AMD_NR_REGS), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, ~0ULL), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, 0, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, 0, 1ULL << 32, 0), MK1_INVALID_INPUT_REG(2));
}
END_TEST

START_TEST(refused_values)
{
	static const struct {
		unsigned int number;
		uint64_t value;
	} bad[] = {
		{ MK1_AMD_iopm_base_pa, 0 },
		{ MK1_AMD_msrpm_base_pa, LINUX_RAM },
		{ MK1_AMD_guest_asid, 0 },
		{ MK1_AMD_guest_asid, 16 },
		{ MK1_AMD_tlb_control, 2 },
		{ MK1_AMD_tlb_control, 4 },
		{ MK1_AMD_n_cr3, 0x123 },
		{ MK1_AMD_n_cr3, MK1_SPA_LIMIT },
		{ MK1_AMD_avic_apic_bar, 0x1000 },
		{ MK1_AMD_guest_pa_of_ghcb, 0x1000 },
		{ MK1_AMD_avic_apic_backing_page_ptr, 0x1000 },
		{ MK1_AMD_avic_logical_table_ptr, 0x1000 },
		{ MK1_AMD_avic_physical_table_ptr, 0x1000 },
		{ MK1_AMD_vmsa_ptr, 0x1000 },
		{ MK1_AMD_cpl, 4 },
		{ MK1_AMD_cr0, 1ULL << 32 },
		{ MK1_AMD_cr4, 1ULL << 31 },
		{ MK1_AMD_xcr0, 8 },
		{ MK1_AMD_cr8, 16 },
	};

	in_vmexit();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = reg_read(0, bad[i].number);

		ck_assert_uint_eq(reg_write(0, bad[i].number, bad[i].value),
				  MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_read(0, bad[i].number), before);
	}
	for (unsigned int control = 0; control < 8; control++) {
		bool known = control == 0 || control == 1 || control == 3 || control == 7;

		ck_assert_uint_eq(reg_write(0, MK1_AMD_tlb_control, control) == MK1_SUCCESS, known);
	}
	/* a map must lie in the huge pool to its end, and on a page */
	for (unsigned int back = 0; back < 4; back++) {
		uint64_t spa = m.handoff->huge_pool.spa + m.handoff->huge_pool.size - back * PAGE;

		ck_assert_uint_eq(reg_write(0, MK1_AMD_iopm_base_pa, spa) == MK1_SUCCESS,
				  back >= 3);
		ck_assert_uint_eq(reg_write(0, MK1_AMD_msrpm_base_pa, spa) == MK1_SUCCESS,
				  back >= 2);
	}
	ck_assert_uint_eq(reg_write(0, MK1_AMD_iopm_base_pa, m.handoff->huge_pool.spa + 8),
			  MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* What Linux may go on with is judged; what a guest has, VMRUN checks. */
START_TEST(control_registers_of_a_guest)
{
	static const uint16_t numbers[] = { MK1_AMD_cr0, MK1_AMD_cr2, MK1_AMD_cr3, MK1_AMD_cr4 };

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		ck_assert_uint_eq(reg_write(1, numbers[i], 0x1234567890ABCDEF), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(1, numbers[i]), 0x1234567890ABCDEF);
	}
}
END_TEST

/* Features that no guest gets: refused where the CPU has them, dropped where it lacks them. */
START_TEST(features_for_no_guest)
{
	static const struct {
		unsigned int number, bit;
		uint32_t encryption, features;
	} words[] = { { MK1_AMD_virtual_interrupt_a, 31, 0, 1 << 13 },
		      { MK1_AMD_ctls1, 1, 1 << 1, 0 },
		      { MK1_AMD_ctls1, 2, 1 << 3, 0 },
		      { MK1_AMD_ctls1, 3, 0, 1 << 17 },
		      { MK1_AMD_ctls1, 4, 0, 1 << 19 },
		      { MK1_AMD_ctls1, 5, 1 << 16, 0 },
		      { MK1_AMD_ctls1, 6, 0, 1 << 21 },
		      { MK1_AMD_ctls2, 0, 0, 1 << 1 },
		      { MK1_AMD_ctls2, 1, 0, 1 << 15 },
		      { MK1_AMD_ctls2, 2, 0, 1 << 26 } };
	bool has = _i & 1;

	machine_of(0);
	if (_i & 2)
		cpuid_set(0x80000000, 0, 0x80000008, 0, 0, 0);
	else
		cpuid_set(0x80000000, 0, 0x8000001F, 0, 0, 0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, has ? 0x042AA00B : 9);
	cpuid_set(0x8000001F, 0, has ? 0x1000A : 0, 0, 0, 0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t before = reg_read(0, words[i].number);
		bool refused = has && !(words[i].encryption && _i & 2);

		ck_assert_uint_eq(reg_write(0, words[i].number, before | 1ULL << words[i].bit),
				  refused ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(0, words[i].number), before);
	}
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, 0xFFFFFFFFFFFFFF01), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), SVM_NP_ENABLE);
}
END_TEST

START_TEST(the_root_vs_stays_behind_nested_paging)
{
	machine_of(0);
	start_and_launch();
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE);
}
END_TEST

/* What exits for the microkernel's own purposes is there, and not shown. */
START_TEST(hidden_intercepts)
{
	in_vmexit();
	ck_assert_uint_eq(reg_read(0, MK1_AMD_intercept_exception), 0);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_intercept_instruction2), SVM_INSTR2_VMRUN);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_exception, 0x40), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->exceptions, 0x40 | EXCEPTION_BIT(VECTOR_GP));
	ck_assert_uint_eq(reg_read(0, MK1_AMD_intercept_exception), 0x40);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction2, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->instruction2, SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_efer, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->efer, EFER_SVME);
	/* not in a VS that is not Linux */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_exception, 0x40), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(1))->exceptions, 0x40 | EXCEPTION_BIT(VECTOR_MC));
}
END_TEST

START_TEST(amd_words)
{
	static const struct {
		uint64_t reg, bit;
	} words[] = {
		{ MK1_AMD_intercept_instruction1, SVM_INSTR1_INTR },
		{ MK1_AMD_intercept_instruction1, SVM_INSTR1_NMI },
		{ MK1_AMD_intercept_exception, EXCEPTION_BIT(VECTOR_MC) },
		{ MK1_AMD_virtual_interrupt_a, SVM_V_INTR_MASKING },
	};

	with_guest(0);
	ck_assert_uint_eq(vmcb()->instruction1, SVM_INSTR1_INTR | SVM_INSTR1_NMI);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_MC));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING);
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ck_assert_uint_eq(reg_read(1, words[i].reg), 0);
		ck_assert_uint_eq(reg_write(1, words[i].reg, words[i].bit), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(1, words[i].reg), words[i].bit);
		ck_assert_uint_eq(reg_write(1, words[i].reg, 0), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(1, words[i].reg), 0);
	}
	ck_assert_uint_eq(vmcb()->instruction1, SVM_INSTR1_INTR | SVM_INSTR1_NMI);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_MC));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING);
	/* Linux's own has what its extension wrote */
	ck_assert_uint_eq(vmcb_of(vs_find(0))->virtual_interrupt, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_exception, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->exceptions, EXCEPTION_BIT(VECTOR_GP));
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->instruction1, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_virtual_interrupt_a, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->virtual_interrupt, 0);
}
END_TEST

/* A VS that is to hold Linux keeps what the extension has asked for, and loses the rest. */
START_TEST(amd_words_of_a_root_vs)
{
	uint64_t instruction1 = _i ? SVM_INSTR1_INTR | SVM_INSTR1_NMI : 0;
	uint64_t exceptions = _i ? EXCEPTION_BIT(VECTOR_MC) : 0;
	uint64_t interrupt = _i ? SVM_V_INTR_MASKING : 0;

	machine_of(0);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert(host_pp->guest_active);
	reg_write(0, MK1_AMD_intercept_instruction1, instruction1);
	reg_write(0, MK1_AMD_intercept_exception, exceptions);
	reg_write(0, MK1_AMD_virtual_interrupt_a, interrupt);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->instruction1, instruction1);
	ck_assert_uint_eq(vmcb()->exceptions, exceptions | EXCEPTION_BIT(VECTOR_GP));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, interrupt);
	ck_assert(!host_pp->guest_active);
}
END_TEST

TCase *svm_regs_tests(void)
{
	TCase *tc = tcase_create("svm_regs");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, every_register);
	tcase_add_test(tc, refused_values);
	tcase_add_test(tc, control_registers_of_a_guest);
	tcase_add_loop_test(tc, features_for_no_guest, 0, 4);
	tcase_add_test(tc, the_root_vs_stays_behind_nested_paging);
	tcase_add_test(tc, hidden_intercepts);
	tcase_add_test(tc, amd_words);
	tcase_add_loop_test(tc, amd_words_of_a_root_vs, 0, 2);
	return tc;
}
