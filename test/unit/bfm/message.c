// SPDX-License-Identifier: GPL-2.0-only
/* message.c: each error and each feature has its text. */
#include "commands.h"

#include <abi/features.h>

START_TEST(every_error_has_texts)
{
#define NUMBER(number, name, errno_value, sentence, hint) number,
	static const uint32_t all[] = { BF_ERRORS(NUMBER) };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct error_text *text = error_text(all[i]);

		ck_assert_uint_eq(text->number, all[i]);
		ck_assert(*text->name && *text->sentence);
		ck_assert_msg(!all[i] || *text->hint, "%s has no hint", text->name);
	}
	ck_assert_str_eq(error_text(9999)->name, "UNKNOWN");
}
END_TEST

static const char *describe(uint32_t error, uint64_t detail)
{
	static char text[DETAIL_SIZE];

	describe_detail(error, detail, text, sizeof(text));
	return text;
}

START_TEST(details_in_words)
{
	uint64_t lass = BF_FEATURE_DETAIL(BF_REGISTER_CR4, 27);

	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32)),
			 "CR4 bit 32, FRED: it replaces the IDT: boot with fred=off");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 29)),
			 "CR4 bit 29: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_XSS, 63)),
			 "IA32_XSS bit 63: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, lass | BF_FEATURE_NOT_IN_VMX),
			 "CR4 bit 27, LASS: this CPU's VMX does not allow it in a guest");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, 0xFF05),
			 "a register bit 5: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48D, 5)),
			 "MSR 0x48d bit 5, virtual NMIs");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48B, 20)),
			 "MSR 0x48b bit 20, enable XSAVES/XRSTORS");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48B, 31)), "MSR 0x48b");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, 0x4002), "field 0x4002");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, 0), "");
	ck_assert_str_eq(describe(BF_ERR_MK_VERSION, BF_VERSION_DETAIL(14, 15)),
			 "handoff 14, and 15 of the module");
	ck_assert_str_eq(describe(BF_ERR_MK_VERSION, 0), "");
	ck_assert_str_eq(describe(BF_ERR_GUESTS, 123), "process 123");
	ck_assert_str_eq(describe(BF_ERR_GUESTS, 0), ""); /* of a suspend, which the log tells */
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER, 3), "CPU 3");
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER,
				  BF_DIFFER_DETAIL(BF_DIFFER_CPUID(0x8000000A, 0, 3), 12)),
			 "CPU 12: CPUID 0x8000000a.0 EDX differs from the first CPU");
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER, BF_DIFFER_DETAIL(0x48B, 1)),
			 "CPU 1: MSR 0x48b differs from the first CPU");
}
END_TEST

/* Whatever the driver can name, in a text that fits. */
START_TEST(every_feature_has_a_text)
{
#define FEATURE(reg, first, last, name, verdict, by) BF_FEATURE_DETAIL(BF_REGISTER_##reg, last),
	static const uint64_t all[] = { BF_FEATURES(FEATURE) };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *text = describe(BF_ERR_CPU_FEATURE, all[i]);

		ck_assert(!strstr(text, "not known"));
		ck_assert_uint_lt(strlen(text), DETAIL_SIZE - 1);
	}
}
END_TEST

TCase *message_tests(void)
{
	TCase *tc = commands_case("message");

	tcase_add_test(tc, every_error_has_texts);
	tcase_add_test(tc, details_in_words);
	tcase_add_test(tc, every_feature_has_a_text);
	return tc;
}
