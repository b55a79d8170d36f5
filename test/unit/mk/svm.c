// SPDX-License-Identifier: GPL-2.0-only
/* svm/cpu.c, svm/regs.c, svm/vs.c, svm/exit.c, svm/gp.c, svm/checks.c: AMD-V. */
#include "machine.h"

#include <string.h>

#include "microkernel/mem/nested.h"
#include "suites.h"

#define EVENT(type, vector) (SVM_EVENT_VALID | (uint64_t)(type) << 8 | (vector))

static struct vmcb *vmcb(void)
{
	return vmcb_of(host_pp->vs);
}

static void running(void)
{
	machine_of(0);
	start_and_launch();
}

static void in_vmexit(void)
{
	running();
	guest_exit(SVM_EXIT_CPUID);
}

/* --- on and off ------------------------------------------------------------------------------- */

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

/* --- registers -------------------------------------------------------------------------------- */

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
			continue; /* in objects.c */
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

START_TEST(no_nested_paging)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 8);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, SVM_NP_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), 0);
	/* PAT is the CPU's own then */
	msr_set(cpu, MSR_PAT, 0x0706);
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_uint_eq(ended.sp->cpu.pat, 0x0706);
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

/* Guest code at a virtual address of Linux, without paging. */
static void guest_code(const uint8_t *code, size_t n)
{
	memset(phys_at(linux_page(5)), 0x90, PAGE);
	memcpy(phys_at(linux_page(5)), code, n);
	vmcb()->cr0 = CR0_PE;
	vmcb()->efer = EFER_SVME;
	vmcb()->cs.attrib = 0x400;
	vmcb()->cs.base = 0;
	vmcb()->rip = linux_page(5);
}

/*
 * --- what newer CPUs exchange or withhold ------------------------------------------------------
 */

#define HAS_INVLPGB 1
#define HAS_SPEC_CTRL 2
#define HAS_CET 4

/* A machine with some of these; its MSRs are there whether VMRUN exchanges them or not. */
static void machine_with(int features)
{
	machine_of(0);
	cpuid_set(0x80000008, 0, 0, features & HAS_INVLPGB ? 1 << 3 : 0, 0, 0);
	cpuid_set(0x8000000A, 0, 1, 16, 0,
		  9U | (features & HAS_INVLPGB ? 1U << 24 : 0) |
			  (features & HAS_SPEC_CTRL ? 1U << 20 : 0));
	cpuid_set(7, 0, 0, 1U | 1U << 7 | 1U << 20, 1U << 2 | (features & HAS_CET ? 1U << 7 : 0),
		  0);
	msr_set(cpu, MSR_SPEC_CTRL, 7);
	msr_set(cpu, MSR_S_CET, 0x8004);
	msr_set(cpu, MSR_ISST_ADDR, 0xFFFFFE0000005000);
}

START_TEST(exchanged_msrs)
{
	bool spec_ctrl = _i & HAS_SPEC_CTRL, cet = _i & HAS_CET;

	machine_with(_i);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->spec_ctrl, spec_ctrl ? 7 : 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), spec_ctrl ? 0 : 7);
	ck_assert_uint_eq(vmcb()->s_cet, cet ? 0x8004 : 0);
	ck_assert_uint_eq(vmcb()->isst_addr, cet ? 0xFFFFFE0000005000 : 0);
	/* what Linux has made of them since is what it gets back */
	vmcb()->spec_ctrl = 5;
	vmcb()->s_cet = 0x8000;
	vmcb()->isst_addr = 0xFFFFFE0000006000;
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), spec_ctrl ? 5 : 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), cet ? 0x8000 : 0x8004);
	ck_assert_uint_eq(msr_get(cpu, MSR_ISST_ADDR),
			  cet ? 0xFFFFFE0000006000 : 0xFFFFFE0000005000);
}
END_TEST

/* A launch that fails, and an extension that does. */
START_TEST(exchanged_msrs_after_a_failure)
{
	machine_with(HAS_SPEC_CTRL | HAS_CET);
	start();
	if (_i) {
		(void)launch();
		vmcb()->spec_ctrl = 1;
		vmcb()->ssp = 0x7FFF0000;
		guest_exit(SVM_EXIT_CPUID);
		reg_write(0, MK1_AMD_rip, 0x1234);
		SYS(control_exit);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->spec_ctrl, 1);
		ck_assert_uint_eq(vmcb()->s_cet, 0x8004);
		ck_assert_uint_eq(vmcb()->ssp, 0x7FFF0000);
		return;
	}
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(msr_get(cpu, MSR_SPEC_CTRL), 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_S_CET), 0x8004);
}
END_TEST

/*
 * Linux has INVLPGB where the CPU has it, whatever its extension says, and does not show it there.
 */
START_TEST(invlpgb)
{
	uint64_t on = _i & HAS_INVLPGB ? SVM_INVLPGB_ENABLE : 0;

	machine_with(_i);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), SVM_NP_ENABLE);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, SVM_INVLPGB_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), SVM_NP_ENABLE | on);
	/* another VS has it if its extension says so */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_ctls1, SVM_NP_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(1))->np_control, SVM_NP_ENABLE);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_ctls1, on), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(1))->np_control, on);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE | on);
}
END_TEST

/* INVLPGB flushes one ASID, on all CPUs: Linux has the same everywhere. */
START_TEST(asid_of_linux)
{
	machine_with(_i ? HAS_INVLPGB : 0);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 7), MK1_SUCCESS); /* no root VS */
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 5),
			  _i ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 5), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 3 : 5);
	/* another PP, whose extension has not said, or something else before */
	enter(1);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(2, MK1_AMD_guest_asid, 9), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 2), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(2, MK1_AMD_guest_asid), _i ? 3 : 9);
	ck_assert_uint_eq(reg_write(2, MK1_AMD_guest_asid, 1),
			  _i ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 1, 2);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 3 : 1);
}
END_TEST

/* Both were made Linux's before one of them said anything: with what runs first. */
START_TEST(asid_of_linux_that_ran)
{
	machine_with(HAS_INVLPGB);
	start();
	enter(1);
	for (uint64_t pp = 0; pp < 2; pp++) {
		on_pp((uint32_t)pp);
		ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, pp, pp), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, pp), MK1_SUCCESS);
	}
	if (_i)
		ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 4), MK1_SUCCESS);
	on_pp(0);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->asid, _i ? 4 : 1);
	ck_assert_uint_eq(vmcb()->tlb_control, SVM_TLB_FLUSH_ALL);
	on_pp(1);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, 2), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(reg_write(1, MK1_AMD_guest_asid, _i ? 4 : 1), MK1_SUCCESS);
}
END_TEST

/* It was active before it was made Linux's. */
START_TEST(asid_of_linux_that_is_active)
{
	machine_with(HAS_INVLPGB);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 6), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(svm.root_asid, 6);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_guest_asid, 2), MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* The instruction without a control for it in the VMCB. */
START_TEST(invlpgb_of_the_host_only)
{
	machine_with(0);
	cpuid_set(0x80000008, 0, 0, 1 << 3, 0, 0);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, SVM_NP_ENABLE);
}
END_TEST

/* --- VS --------------------------------------------------------------------------------------- */

START_TEST(advance_ip)
{
	in_vmexit();
	vmcb()->rip = 0x1000;
	vmcb()->nrip = 0x1003;
	vmcb()->interrupt_shadow = 1;
	vmcb()->rflags = RFLAGS_RF | 2;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->rip, 0x1003);
	ck_assert_uint_eq(vmcb()->interrupt_shadow, 0);
	ck_assert_uint_eq(vmcb()->rflags, 2);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	/* single-step: a trap behind the instruction */
	vmcb()->rflags = RFLAGS_TF | 2;
	vmcb()->dr6 = 0;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, 1));
	ck_assert_uint_eq(vmcb()->dr6, 1 << 14);
	/* unless it is for branches */
	vmcb()->eventinj = 0;
	msr_set(cpu, MSR_DEBUGCTL, DEBUGCTL_BTF);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	msr_set(cpu, MSR_DEBUGCTL, 0);
	/* not instead of an event that is injected anyway */
	vmcb()->eventinj = EVENT(3, 6);
	SYS(vs_advance_ip_and_run_current, HANDLE);
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
	SYS(vs_advance_ip_and_run_current, HANDLE);
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
	ck_assert_uint_eq(abi_gprs()[BF_RSI], 0x7777777777777777);
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

static bool is_register_exit(uint64_t code)
{
	return code < 0x40 || code == 0x65;
}

/* Each instruction with its exit code, and with none of the others. */
START_TEST(insns_and_their_exits)
{
	static const struct {
		uint64_t code, info1;
		uint8_t bytes[4];
	} insns[] = { { SVM_EXIT_CPUID, 0, { 0x0F, 0xA2 } }, { 0x7C, 0, { 0x0F, 0x32 } },
		      { 0x7C, 1, { 0x0F, 0x30 } },	     { 0x76, 0, { 0x0F, 0x08 } },
		      { 0x80, 0, { 0x0F, 0x01, 0xD8 } },     { 0x81, 0, { 0x0F, 0x01, 0xD9 } },
		      { 0x86, 0, { 0x0F, 0x01, 0xDE } },     { 0x78, 0, { 0xF4 } },
		      { 0x77, 0, { 0xF3, 0x90 } },	     { 0x6E, 0, { 0x0F, 0x31 } },
		      { 0x6E, 0, { 0x0F, 0x01, 0xF9 } },     { 0x8D, 0, { 0x0F, 0x01, 0xD1 } },
		      { 0x03, 0, { 0x0F, 0x20, 0xD8 } },     { 0x13, 0, { 0x0F, 0x22, 0xD8 } },
		      { 0x27, 0, { 0x0F, 0x21, 0xF8 } },     { 0x37, 0, { 0x0F, 0x23, 0xF8 } },
		      { 0x65, 0, { 0x0F, 0x22, 0xC0 } },     { 0x00, 0, { 0x0F, 0x01, 0xE0 } },
		      { 0x10, 0, { 0x0F, 0x01, 0xF0 } },     { 0x65, 0, { 0x0F, 0x06 } } };
	const unsigned int n = sizeof(insns) / sizeof(insns[0]);

	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 1);
	start_and_launch();
	for (unsigned int i = 0; i < n; i++) {
		guest_code(insns[i].bytes, sizeof(insns[i].bytes));
		for (unsigned int j = 0; j < n; j++) {
			bool same = insns[i].code == insns[j].code &&
				    insns[i].info1 == insns[j].info1;
			uint64_t next;

			vmcb()->exitcode = insns[j].code;
			vmcb()->exitinfo1 = insns[j].info1;
			/* of the registers only the kind is looked at */
			if (same || !is_register_exit(insns[i].code) ||
			    !is_register_exit(insns[j].code))
				ck_assert_msg(svm_next_rip(vmcb(), &next) == same, "%u %u", i, j);
		}
		/* an exit that belongs to no instruction */
		vmcb()->exitcode = SVM_EXIT_NPF;
		ck_assert(svm_next_rip(vmcb(), &(uint64_t){ 0 }));
	}
	guest_code((const uint8_t[]){ 0xF4 }, 1);
	vmcb()->exitcode = 0x10;
	ck_assert(!svm_next_rip(vmcb(), &(uint64_t){ 0 }));
	guest_code((const uint8_t[]){ 0x0F, 0x06 }, 2);
	vmcb()->exitcode = 0x03;
	ck_assert(!svm_next_rip(vmcb(), &(uint64_t){ 0 }));
	vmcb()->exitcode = 0x00;
	ck_assert(!svm_next_rip(vmcb(), &(uint64_t){ 0 }));
}
END_TEST

START_TEST(dump)
{
	in_vmexit();
	vmcb()->rip = 0xABCDE;
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vs, 0), MK1_SUCCESS);
	expect_printed("rip 0xabcde");
}
END_TEST

/* --- exits ------------------------------------------------------------------------------------ */

START_TEST(exits_are_counted_by_reason)
{
	running();
	guest_exit(SVM_EXIT_EFER_WRITE_TRAP);
	guest_exit(0x90);
	guest_exit(SVM_EXIT_AVIC_NOACCEL);
	guest_exit(0x404);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(status_of(0)->exit_count[0x8F], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[0xF2], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[0xFF], 2);
	ck_assert_uint_eq(status_of(0)->exits, 5);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_CPUID);
}
END_TEST

START_TEST(rax_goes_with_the_guest)
{
	running();
	vmcb()->rax = 0x1234;
	vmcb()->clean = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x1234);
	ck_assert_uint_eq(vmcb()->clean, SVM_CLEAN_ALL);
	abi_gprs()[BF_RAX] = 0x5678;
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->rax, 0x5678);
	ck_assert_uint_eq(ended.spa, host_pp->vs->block_spa);
}
END_TEST

/* By another NMI, which waits until the guest can take it. */
START_TEST(a_pending_nmi_goes_in)
{
	in_vmexit();
	ck_assert(cpu->gif);
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert(!cpu->gif);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
}
END_TEST

/* The leaf by which Linux's kernel talks to the extension; a process finds nothing there. */
START_TEST(cpuid_leaf)
{
	running();
	cpuid_set(MK1_CPUID_LEAF, MK1_CPUID_STOP, 0x11, 0x22, 0x33, 0x44);
	vmcb()->cpl = 3;
	vmcb()->rip = 0x1000;
	vmcb()->nrip = 0x1002;
	vmcb()->rax = 0xABCD00000000 | MK1_CPUID_LEAF;
	abi_gprs()[BF_RCX] = 0xABCD00000000 | MK1_CPUID_STOP;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1002);
	ck_assert_uint_eq(vmcb()->rax, 0x11);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x22);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0x33);
	ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x44);
	/* its length cannot be told: it is executed again */
	vmcb()->rax = MK1_CPUID_LEAF;
	vmcb()->nrip = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1002);
	ck_assert_uint_eq(vmcb()->rax, MK1_CPUID_LEAF);
	/* another instruction; another leaf; the kernel */
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_int_eq(ended.end, END_RING3);
	vmcb()->rax = MK1_CPUID_LEAF + 1;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	vmcb()->rax = MK1_CPUID_LEAF;
	vmcb()->cpl = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_CPUID_LEAF);
}
END_TEST

/* Linux's NMIs make other VSs exit; an extension that asks sees what they are. */
START_TEST(nmi_exits)
{
	uint64_t before;

	in_vmexit();
	before = vmcb()->instruction1;
	ck_assert_uint_eq(before & SVM_INSTR1_NMI, 0);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, MK1_AMD_intercept_instruction1), 0);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, MK1_AMD_intercept_instruction1), 1);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_uint_eq(vmcb()->instruction1, 1 | SVM_INSTR1_NMI);
	host_pp->nmi_pending = true; /* behind STGI */
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INTR);
	ck_assert(host_pp->nmi_pending);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, SVM_INSTR1_NMI),
			  MK1_SUCCESS);
	host_pp->nmi_pending = false;
	SYS(vs_run_current, HANDLE);
	host_pp->nmi_pending = true;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_NMI);
	ck_assert(host_pp->nmi_pending);
	/* gone by now: somebody else's */
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, 0), MK1_SUCCESS);
	host_pp->nmi_pending = false;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(SVM_EXIT_CPUID);
	/* Linux's own: this is how it is delivered */
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction1, before | SVM_INSTR1_NMI),
			  MK1_SUCCESS);
	host_pp->nmi_pending = false;
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	host_pp->nmi_pending = true;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_intercept_instruction1), before | SVM_INSTR1_NMI);
}
END_TEST

/* VMMCALL is #UD for everyone but the driver; and for an extension that asks, an exit. */
START_TEST(vmmcall)
{
	running();
	vmcb()->rax = BF_HYPERCALL_STOP + 1;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	vmcb()->eventinj = 0;
	vmcb()->rax = BF_HYPERCALL_STOP;
	vmcb()->cpl = 3;
	vmcb()->nrip = 0x1003;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	/* it cannot be read any more: it is executed again */
	vmcb()->cpl = 0;
	vmcb()->nrip = 0;
	vmcb()->eventinj = 0;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	ck_assert_uint_eq(vmcb()->rax, BF_HYPERCALL_STOP);
	vmcb()->cpl = 3;
	guest_exit(SVM_EXIT_CPUID);
	reg_write(0, MK1_AMD_intercept_instruction2, SVM_INSTR2_VMMCALL);
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_VMMCALL);
	/* not Linux */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	vmcb()->rax = BF_HYPERCALL_STOP;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
}
END_TEST

/* A nested fault of device memory is the microkernel's; the interrupted event goes in again. */
START_TEST(nested_faults)
{
	static const uint64_t events[][2] = { { 0, 0 },
					      { EVENT(3, 14) | SVM_EVENT_ERROR_CODE | 5ULL << 32,
						EVENT(3, 14) | SVM_EVENT_ERROR_CODE | 5ULL << 32 },
					      { EVENT(0, 0x30), EVENT(0, 0x30) },
					      { EVENT(2, 2), EVENT(2, 2) },
					      { EVENT(3, 2),
						EVENT(2, 2) }, /* as QEMU reports them */
					      { EVENT(3, 0xEC), EVENT(0, 0xEC) },
					      { EVENT(4, 0x80), EVENT(4, 0x80) } };

	running();
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		vmcb()->exitinfo2 = RAM_TOP + i * (1ULL << 30);
		vmcb()->exitintinfo = events[i][0];
		vmcb()->eventinj = 0;
		guest_exit(SVM_EXIT_NPF);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->eventinj, events[i][1]);
	}
	/* an event that is to go in already stays */
	vmcb()->exitintinfo = EVENT(3, 14);
	vmcb()->eventinj = EVENT(2, 2);
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(2, 2));
	/* cannot be mended, or is another table: the extension's */
	vmcb()->exitinfo2 = 1ULL << 48;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_NPF);
	vmcb()->n_cr3 = LINUX_RAM;
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/* --- #GP -------------------------------------------------------------------------------------- */

static void gp(uint8_t cpl, uint64_t error_code, uint64_t interrupted)
{
	vmcb()->cpl = cpl;
	vmcb()->exitinfo1 = error_code;
	vmcb()->exitintinfo = interrupted;
	vmcb()->eventinj = 0;
	guest_exit((SVM_EXIT_EXCEPTION + VECTOR_GP));
}

#define INJECTED_GP(code) ((uint64_t)(code) << 32 | EVENT(3, VECTOR_GP) | SVM_EVENT_ERROR_CODE)

START_TEST(gp_of_svm_instructions)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xF2, 0xF3, 0x2E,
					    0x36, 0x3E, 0x26, 0x64, 0x65 };
	uint8_t code[] = { 0x0F, 0x01, 0xD8 }, prefixed[] = { 0, 0x0F, 0x01, 0xDF };

	running();
	for (unsigned int i = 0; i < 8; i++) {
		code[2] = (uint8_t)(0xD8 + i);
		guest_code(code, 3);
		gp(3, 0, 0);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	}
	for (unsigned int i = 0; i < sizeof(prefixes); i++) {
		prefixed[0] = prefixes[i];
		guest_code(prefixed, 4);
		gp(3, 0, 0);
		ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	}
	/* in the kernel it is RAX that was wrong */
	gp(0, 0, 0);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	/* with an error code, or in a delivery: something else was wrong */
	gp(3, 0x10, 0);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0x10));
	gp(3, 0, EVENT(0, 0x30));
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0));
}
END_TEST

START_TEST(gp_of_other_instructions)
{
	static const uint8_t others[][4] = { { 0x0F, 0x01, 0xD7 },
					     { 0x0F, 0x01, 0xE0 },
					     { 0x0F, 0x30 },
					     { 0xF4 },
					     { 0x66, 0x66, 0x66 },
					     { 0x0F, 0x00, 0xD8 },
					     { 0x66, 0x0E, 0x01, 0xD8 } };

	running();
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		guest_code(others[i], sizeof(others[i]));
		gp(3, 0, 0);
		ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0));
	}
	guest_code((const uint8_t[]){ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
				      0x66, 0x66, 0x66, 0x66, 0x66 },
		   15);
	gp(3, 0, 0);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0));
	vmcb()->rip = 0xF0000000; /* no RAM */
	gp(3, 0, 0);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0));
}
END_TEST

/* A fault in the delivery of a contributory exception or a page fault is a double fault. */
START_TEST(gp_in_a_delivery)
{
	running();
	for (uint64_t vector = 0; vector < 32; vector++) {
		bool contributory = vector == 0 || (vector >= 10 && vector <= 14) || vector == 21;

		if (vector == VECTOR_DF)
			continue;
		gp(0, 0x10, EVENT(3, vector));
		ck_assert_uint_eq(vmcb()->eventinj,
				  contributory ? EVENT(3, VECTOR_DF) | SVM_EVENT_ERROR_CODE :
						 INJECTED_GP(0x10));
	}
	gp(0, 0x10, EVENT(0, 14));
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0x10));
}
END_TEST

#define IDT_ERROR(vector, ext) ((uint64_t)(vector) << 3 | 2 | (ext))

/* An INT n that may not use its gate: EXITINTINFO is of something that has long been delivered. */
START_TEST(gp_of_int)
{
	static const struct {
		uint8_t bytes[3];
		unsigned int vector; /* for which the fault is the instruction's own */
	} ints[] = { { { 0xCD, 14, 0x90 }, 14 },
		     { { 0x66, 0xCD, 0x80 }, 0x80 },
		     { { 0xCC, 0x90, 0x90 }, 3 },
		     { { 0xCE, 0x90, 0x90 }, 4 } };
	const uint64_t df = EVENT(3, VECTOR_DF) | SVM_EVENT_ERROR_CODE;

	running();
	for (unsigned int i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		unsigned int vector = ints[i].vector;

		guest_code(ints[i].bytes, 3);
		gp(3, IDT_ERROR(vector, 0), EVENT(3, 14));
		ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(IDT_ERROR(vector, 0)));
		/* a delivery that has nothing to do with the instruction at RIP */
		gp(3, IDT_ERROR(vector, 1), EVENT(3, 14));
		ck_assert_uint_eq(vmcb()->eventinj, df);
		gp(3, IDT_ERROR(vector + 1, 0), EVENT(3, 14));
		ck_assert_uint_eq(vmcb()->eventinj, df);
		gp(3, vector << 3, EVENT(3, 14));
		ck_assert_uint_eq(vmcb()->eventinj, df);
	}
	guest_code((const uint8_t[]){ 0xF4 }, 1);
	gp(3, IDT_ERROR(14, 0), EVENT(3, 14));
	ck_assert_uint_eq(vmcb()->eventinj, df);
	/* it cannot be read, or not all of it */
	vmcb()->rip = 0xF0000000;
	gp(3, IDT_ERROR(14, 0), EVENT(3, 14));
	ck_assert_uint_eq(vmcb()->eventinj, df);
	*(uint8_t *)phys_at(PHYS_BASE + PHYS_SIZE - 1) = 0xCD;
	vmcb()->cr0 = CR0_PE | CR0_PG;
	vmcb()->cr3 = linux_page(6);
	vmcb()->cr4 = 0;
	((uint32_t *)phys_at(linux_page(6)))[0] = (uint32_t)linux_page(7) | 3;
	((uint32_t *)phys_at(linux_page(7)))[0] = (uint32_t)(PHYS_BASE + PHYS_SIZE - PAGE) | 3;
	vmcb()->rip = 0xFFF;
	gp(3, IDT_ERROR(14, 0), EVENT(3, 14));
	ck_assert_uint_eq(vmcb()->eventinj, df);
}
END_TEST

/* In the delivery of #DF: a triple fault. */
START_TEST(gp_in_a_double_fault)
{
	running();
	gp(0, 0x42, EVENT(3, VECTOR_DF) | SVM_EVENT_ERROR_CODE);
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("triple fault: the machine is reset");
	ck_assert_uint_eq(msr_get(cpu, MSR_EFER) & EFER_SVME, 0);
}
END_TEST

/*
 * An extension that has shutdowns exit sees this one, too; giving up on it ends as the CPU would.
 */
START_TEST(shutdown_is_the_extensions)
{
	in_vmexit();
	reg_write(0, MK1_AMD_intercept_instruction1, SVM_INSTR1_SHUTDOWN);
	gp(0, 0x42, EVENT(3, VECTOR_DF) | SVM_EVENT_ERROR_CODE);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_SHUTDOWN);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_exitcode), SVM_EXIT_SHUTDOWN);
	if (_i) {
		/* it may have a state of its own to go on with */
		SYS(vs_run_current, HANDLE);
		ck_assert_int_eq(ended.end, END_GUEST);
		guest_exit(SVM_EXIT_SHUTDOWN);
		ck_assert_int_eq(ended.end, END_RING3);
	}
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_RESET);
}
END_TEST

START_TEST(gp_that_the_extension_asked_for)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_exception, EXCEPTION_BIT(VECTOR_GP)),
			  MK1_SUCCESS);
	gp(3, 0, 0);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, (SVM_EXIT_EXCEPTION + VECTOR_GP));
}
END_TEST

/* --- alone ------------------------------------------------------------------------------------ */

START_TEST(alone)
{
	in_vmexit();
	reg_write(0, MK1_AMD_intercept_cr_write, 0xFFFF);
	reg_write(0, MK1_AMD_intercept_instruction1, 0x40000);
	reg_write(0, MK1_AMD_tsc_offset, 5);
	reg_write(0, MK1_AMD_n_cr3, LINUX_RAM);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->cr_write, 0);
	ck_assert_uint_eq(vmcb()->instruction1, 0);
	ck_assert_uint_eq(vmcb()->tsc_offset, 0);
	ck_assert_uint_eq(vmcb()->n_cr3, mk.root_npt);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_GP));
	guest_exit(SVM_EXIT_VMRUN);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	/* of a module that knows of an extension, and of a process */
	vmcb()->eventinj = 0;
	vmcb()->nrip = vmcb()->rip + 3;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	ck_assert_uint_eq(vmcb()->rip, vmcb()->nrip);
	ck_assert_uint_eq(vmcb()->rax, MK1_FAILURE_UNSUPPORTED);
	vmcb()->cpl = 3;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	vmcb()->cpl = 0;
	gp(0, 0x18, 0);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0x18));
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_GUEST);
	/* a panic of Linux's switches SVM off */
	vmcb()->efer &= ~(uint64_t)EFER_SVME;
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->efer & EFER_SVME, EFER_SVME);
	/* whatever the extension had exit */
	vmcb()->instruction1 = SVM_INSTR1_SHUTDOWN;
	guest_exit(SVM_EXIT_SHUTDOWN);
	ck_assert_int_eq(ended.end, END_RESET);
}
END_TEST

/* The event that the exit interrupted goes in, not what the extension made of it. */
START_TEST(alone_after_a_forged_event)
{
	running();
	vmcb()->exitintinfo = EVENT(0, 0x40);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_exitininfo, EVENT(7, 6)), MK1_SUCCESS);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(0, 0x40));
}
END_TEST

START_TEST(alone_without_nested_paging)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 8);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->np_control, 0);
}
END_TEST

/* --- VMRUN refuses ---------------------------------------------------------------------------- */

// clang-format off
static void b_svme(struct vmcb *v) { v->efer &= ~(uint64_t)EFER_SVME; }
static void b_nw(struct vmcb *v) { v->cr0 |= 0x20000000; }
static void b_cr0(struct vmcb *v) { v->cr0 |= 1ULL << 32; }
static void b_cr3(struct vmcb *v) { v->cr3 |= 1ULL << 52; }
static void b_cr4(struct vmcb *v) { v->cr4 |= 1ULL << 32; }
static void b_dr6(struct vmcb *v) { v->dr6 |= 1ULL << 32; }
static void b_dr7(struct vmcb *v) { v->dr7 |= 1ULL << 32; }
static void b_efer(struct vmcb *v) { v->efer |= 1ULL << 40; }
static void b_pae(struct vmcb *v) { v->cr4 &= ~(uint64_t)CR4_PAE; }
static void b_pe(struct vmcb *v) { v->cr0 &= ~(uint64_t)CR0_PE; }
static void b_cs(struct vmcb *v) { v->cs.attrib |= 0x600; }
static void b_vmrun(struct vmcb *v) { v->instruction2 = 0; }
static void b_asid(struct vmcb *v) { v->asid = 0; }
static void b_iopm(struct vmcb *v) { v->iopm |= 8; }
static void b_msrpm(struct vmcb *v) { v->msrpm |= 8; }
static void b_type1(struct vmcb *v) { v->eventinj = EVENT(1, 3); }
static void b_type5(struct vmcb *v) { v->eventinj = EVENT(5, 3); }
static void b_vector2(struct vmcb *v) { v->eventinj = EVENT(3, 2); }
static void b_vector32(struct vmcb *v) { v->eventinj = EVENT(3, 32); }
// clang-format on

static const struct {
	void (*spoil)(struct vmcb *v);
	const char *what;
} broken[] = {
	{ b_svme, "EFER.SVME is clear" },
	{ b_nw, "CR0.CD is clear and CR0.NW set" },
	{ b_cr0, "CR0[63:32]" },
	{ b_cr3, "CR3 has" },
	{ b_cr4, "CR4 has" },
	{ b_dr6, "DR6[63:32]" },
	{ b_dr7, "DR7[63:32]" },
	{ b_efer, "EFER has" },
	{ b_pae, "CR4.PAE is clear" },
	{ b_pe, "CR0.PE is clear" },
	{ b_cs, "both CS.L and CS.D" },
	{ b_vmrun, "VMRUN intercept" },
	{ b_asid, "ASID is zero" },
	{ b_iopm, "permission map" },
	{ b_msrpm, "permission map" },
	{ b_type1, "reserved type" },
	{ b_type5, "reserved type" },
	{ b_vector2, "vector that is none" },
	{ b_vector32, "vector that is none" },
};
#define NR_BROKEN ((int)(sizeof(broken) / sizeof(broken[0])))

START_TEST(the_broken_condition_is_named)
{
	const char *text, *first;

	running();
	guest_exit(SVM_EXIT_CPUID);
	vmcb()->cs.attrib = 0xA9B;
	broken[_i].spoil(vmcb());
	(void)printed();
	guest_exit(_i & 1 ? (uint32_t)SVM_EXIT_INVALID : ~0ULL);
	ck_assert_int_eq(ended.end, END_GUEST); /* Linux, alone */
	expect_failed(BF_ERR_VS_INVALID);
	text = printed();
	first = strstr(text, "broken: ");
	ck_assert_ptr_nonnull(first);
	ck_assert_msg(strstr(text, broken[_i].what) != NULL, "%s", text);
	ck_assert_ptr_null(strstr(first + 1, "broken: "));
	ck_assert_ptr_nonnull(strstr(text, "VMRUN refused the state of vs 0"));
}
END_TEST

/* Values beside the forbidden ones. */
START_TEST(nothing_is_broken)
{
	struct vmcb v;

	running();
	v = *vmcb();
	v.cr0 |= 0x60000000; /* CD and NW */
	v.eventinj = EVENT(_i, 31); /* each type that exists, and an exception that does */
	(void)printed();
	svm_print_checks(&v);
	if (_i != 1)
		ck_assert_str_eq(printed(), "");
	v.eventinj = 0;
	v.efer &= ~(uint64_t)EFER_LME;
	v.cr4 &= ~(uint64_t)CR4_PAE;
	v.cs.attrib |= 0x600;
	(void)printed();
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
	v.efer |= EFER_LME; /* not active without PG */
	v.cr0 &= ~(uint64_t)CR0_PG;
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
	v.cr0 |= CR0_PG;
	v.cr4 |= CR4_PAE;
	v.cs.attrib = 0x400;
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
}
END_TEST

TCase *svm_tests(void)
{
	TCase *tc = tcase_create("svm");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_svm);
	tcase_add_test(tc, disabled_by_firmware);
	tcase_add_test(tc, another_hypervisor);
	tcase_add_test(tc, no_vm_cr);
	tcase_add_test(tc, every_register);
	tcase_add_test(tc, refused_values);
	tcase_add_test(tc, control_registers_of_a_guest);
	tcase_add_loop_test(tc, features_for_no_guest, 0, 4);
	tcase_add_test(tc, the_root_vs_stays_behind_nested_paging);
	tcase_add_test(tc, no_nested_paging);
	tcase_add_test(tc, hidden_intercepts);
	tcase_add_loop_test(tc, exchanged_msrs, 0, 8);
	tcase_add_loop_test(tc, exchanged_msrs_after_a_failure, 0, 2);
	tcase_add_loop_test(tc, invlpgb, 0, 2);
	tcase_add_loop_test(tc, asid_of_linux, 0, 2);
	tcase_add_loop_test(tc, asid_of_linux_that_ran, 0, 2);
	tcase_add_test(tc, asid_of_linux_that_is_active);
	tcase_add_test(tc, invlpgb_of_the_host_only);
	tcase_add_test(tc, advance_ip);
	tcase_add_test(tc, advance_ip_of_io);
	tcase_add_loop_test(tc, advance_ip_of_what_has_changed, 0, 3);
	tcase_add_test(tc, insns_and_their_exits);
	tcase_add_test(tc, dump);
	tcase_add_test(tc, exits_are_counted_by_reason);
	tcase_add_test(tc, rax_goes_with_the_guest);
	tcase_add_test(tc, a_pending_nmi_goes_in);
	tcase_add_test(tc, cpuid_leaf);
	tcase_add_test(tc, nmi_exits);
	tcase_add_test(tc, vmmcall);
	tcase_add_test(tc, nested_faults);
	tcase_add_test(tc, gp_of_svm_instructions);
	tcase_add_test(tc, gp_of_other_instructions);
	tcase_add_test(tc, gp_in_a_delivery);
	tcase_add_test(tc, gp_of_int);
	tcase_add_test(tc, gp_in_a_double_fault);
	tcase_add_loop_test(tc, shutdown_is_the_extensions, 0, 2);
	tcase_add_test(tc, gp_that_the_extension_asked_for);
	tcase_add_test(tc, alone);
	tcase_add_test(tc, alone_after_a_forged_event);
	tcase_add_test(tc, alone_without_nested_paging);
	tcase_add_loop_test(tc, the_broken_condition_is_named, 0, NR_BROKEN);
	tcase_add_loop_test(tc, nothing_is_broken, 0, 5);
	return tc;
}
