// SPDX-License-Identifier: GPL-2.0-only
/* svm/insns.c: each instruction with its exit code. */
#include "svm.h"
#include "../suites.h"

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
		      { 0x7C, 1, { 0x0F, 0x30 } },           { 0x76, 0, { 0x0F, 0x08 } },
		      { 0x80, 0, { 0x0F, 0x01, 0xD8 } },     { 0x81, 0, { 0x0F, 0x01, 0xD9 } },
		      { 0x86, 0, { 0x0F, 0x01, 0xDE } },     { 0x78, 0, { 0xF4 } },
		      { 0x77, 0, { 0xF3, 0x90 } },           { 0x6E, 0, { 0x0F, 0x31 } },
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

TCase *svm_insns_tests(void)
{
	TCase *tc = tcase_create("svm_insns");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, insns_and_their_exits);
	return tc;
}
