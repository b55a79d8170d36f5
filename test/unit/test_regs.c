// SPDX-License-Identifier: GPL-2.0-only
/* The register lists of Mk#1: complete, without doubles, and true to the layouts of the manuals. */
#include <check.h>
#include <string.h>

#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>

enum access { RW, RO, GPR, LIVE };

struct reg {
	unsigned int number;
	const char *name;
	unsigned int where;
	unsigned int bytes;
	enum access access;
};

#define ENTRY(number, name, where, bytes, access) { number, #name, where, bytes, access },
static const struct reg amd[] = { MK1_AMD_REGS(ENTRY) };
static const struct reg intel[] = { MK1_INTEL_REGS(ENTRY) };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct reg *find(const struct reg *regs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(regs[i].name, name))
			return &regs[i];
	}
	ck_abort_msg("no register %s", name);
}

static void check_list(const struct reg *regs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(regs[i].number, i + 1);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(regs[i].name, regs[j].name);
		if (regs[i].access == LIVE)
			ck_assert_uint_eq(regs[i].where, 0);
		if (regs[i].access == GPR) {
			ck_assert_uint_lt(regs[i].where, BF_GPR_BYTES);
			ck_assert_uint_eq(regs[i].bytes, 8);
		}
	}
}

START_TEST(lists_are_complete_and_without_doubles)
{
	ck_assert_uint_eq(COUNT(amd), 120);
	ck_assert_uint_eq(COUNT(intel), 162);
	check_list(amd, COUNT(amd));
	check_list(intel, COUNT(intel));
	ck_assert_int_eq(MK1_AMD_NR_REGS, 121);
	ck_assert_int_eq(MK1_INTEL_NR_REGS, 163);
}
END_TEST

START_TEST(vmcb_fields_do_not_overlap)
{
	static unsigned char used[0x1000];

	memset(used, 0, sizeof(used));
	for (size_t i = 0; i < COUNT(amd); i++) {
		if (amd[i].access != RW)
			continue;
		ck_assert_uint_le(amd[i].where + amd[i].bytes, 0x700);
		ck_assert_uint_eq(amd[i].where % amd[i].bytes, 0);
		for (unsigned int b = 0; b < amd[i].bytes; b++)
			ck_assert_msg(!used[amd[i].where + b]++, "%s", amd[i].name);
	}
}
END_TEST

/* SDM vol. 3 §27.11.2: an encoding's bits 14:13 are the width, bits 11:10 the type, bit 0 is 0. */
START_TEST(vmcs_encodings_say_width_and_type)
{
	static const unsigned int bytes_of_width[] = { 2, 8, 4, 8 };

	for (size_t i = 0; i < COUNT(intel); i++) {
		const struct reg *r = &intel[i];
		unsigned int type = r->where >> 10 & 3;

		if (r->access != RW && r->access != RO)
			continue;
		ck_assert_uint_eq(r->bytes, bytes_of_width[r->where >> 13 & 3]);
		ck_assert_uint_eq(r->where & 0x9001, 0);
		ck_assert_msg((type == 1) == (r->access == RO), "%s", r->name);
		ck_assert_msg(type != 3, "%s is a host field", r->name);
		for (size_t j = 0; j < i; j++)
			ck_assert(intel[j].where != r->where || intel[j].access != r->access);
	}
}
END_TEST

/* Known points, so that no block of either list is shifted as a whole. */
START_TEST(landmarks)
{
	static const struct {
		const char *name;
		unsigned int where;
	} vmcb[] = { { "intercept_instruction1", 0x00C },
		     { "guest_asid", 0x058 },
		     { "exitcode", 0x070 },
		     { "exitininfo", 0x088 },
		     { "eventinj", 0x0A8 },
		     { "n_cr3", 0x0B0 },
		     { "nrip", 0x0C8 },
		     { "es_selector", 0x400 },
		     { "tr_base", 0x498 },
		     { "cpl", 0x4CB },
		     { "efer", 0x4D0 },
		     { "cr4", 0x548 },
		     { "rip", 0x578 },
		     { "rsp", 0x5D8 },
		     { "cr2", 0x640 },
		     { "pat", 0x668 },
		     { "lastexcpto", 0x690 },
		     { "r15", BF_GPR_R15 } },
	  vmcs[] = { { "virtual_processor_identifier", 0x0000 },
		     { "tr_selector", 0x080E },
		     { "address_of_msr_bitmaps", 0x2004 },
		     { "ept_pointer", 0x201A },
		     { "tsc_multiplier", 0x2032 },
		     { "physical_address", 0x2400 },
		     { "vmcs_link_pointer", 0x2800 },
		     { "efer", 0x2806 },
		     { "rtit_ctl", 0x2814 },
		     { "secondary_proc_based_vm_execution_ctls", 0x401E },
		     { "ple_window", 0x4022 },
		     { "exit_reason", 0x4402 },
		     { "idt_vectoring_information_field", 0x4408 },
		     { "tr_attrib", 0x4822 },
		     { "sysenter_cs", 0x482A },
		     { "vmx_preemption_timer_value", 0x482E },
		     { "cr4_read_shadow", 0x6006 },
		     { "exit_qualification", 0x6400 },
		     { "linear_address", 0x640A },
		     { "cr0", 0x6800 },
		     { "idtr_base", 0x6818 },
		     { "rip", 0x681E },
		     { "sysenter_eip", 0x6826 },
		     { "rax", BF_GPR_RAX } };

	for (size_t i = 0; i < COUNT(vmcb); i++)
		ck_assert_uint_eq(find(amd, COUNT(amd), vmcb[i].name)->where, vmcb[i].where);
	for (size_t i = 0; i < COUNT(vmcs); i++)
		ck_assert_uint_eq(find(intel, COUNT(intel), vmcs[i].name)->where, vmcs[i].where);
	ck_assert_int_eq(MK1_AMD_exitcode, 32);
	ck_assert_int_eq(MK1_AMD_rip, 97);
	ck_assert_int_eq(MK1_INTEL_exit_reason, 93);
	ck_assert_int_eq(MK1_INTEL_rip, 152);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("regs");
	TCase *tc = tcase_create("regs");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, lists_are_complete_and_without_doubles);
	tcase_add_test(tc, vmcb_fields_do_not_overlap);
	tcase_add_test(tc, vmcs_encodings_say_width_and_type);
	tcase_add_test(tc, landmarks);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
