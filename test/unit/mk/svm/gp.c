// SPDX-License-Identifier: GPL-2.0-only
/* svm/gp.c: #GP, turned into what a CPU without a hypervisor raises. */
#include "svm.h"
#include "../suites.h"

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

TCase *svm_gp_tests(void)
{
	TCase *tc = tcase_create("svm_gp");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, gp_of_svm_instructions);
	tcase_add_test(tc, gp_of_other_instructions);
	tcase_add_test(tc, gp_in_a_delivery);
	tcase_add_test(tc, gp_of_int);
	tcase_add_test(tc, gp_in_a_double_fault);
	tcase_add_loop_test(tc, shutdown_is_the_extensions, 0, 2);
	tcase_add_test(tc, gp_that_the_extension_asked_for);
	return tc;
}
