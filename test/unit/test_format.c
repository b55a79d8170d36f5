// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsl/format.h>

#define SAME(...) \
	do { \
		char want[256], got[256]; \
		int n = snprintf(want, sizeof(want), __VA_ARGS__); \
		size_t m = bsl_format(got, sizeof(got), __VA_ARGS__); \
		ck_assert_str_eq(got, want); \
		ck_assert_uint_eq(m, (size_t)n); \
	} while (0)

START_TEST(agrees_with_snprintf)
{
	SAME("plain, 100%% %s %s|%8s|%-8s|%.3s|%.*s|%*s", "one", "", "right", "left", "cut", 2,
	     "abc", -6, "x");
	SAME("%c%c|%3c|%-3c|", 'a', 'z', 'r', 'l');
	SAME("%d %d %d %5d|%-5d|%05d|%05d", 0, INT_MAX, INT_MIN, -12, -12, -12, 12);
	SAME("%ld %lld %ld", LONG_MAX, LLONG_MIN, 0L);
	SAME("%u %lu %llu %zu", UINT_MAX, ULONG_MAX, ULLONG_MAX, (size_t)7);
	SAME("%x %X %lx %llX %08x %016lx|%4x|%-4x|%2x", 0xabcdefU, 0xabcdefU, ULONG_MAX, 0xF0ULL,
	     0x12U, 0x1234UL, 0x12U, 0x12U, 0x12345U);
	SAME("%-5d|%3d|%1d", 42, 1234, 1234);
	SAME("%60s|%-60d|%060d", "wide", 1, 2);
}
END_TEST

START_TEST(pointers_and_null)
{
	char got[64];
	const char *volatile null = NULL;

	bsl_format(got, sizeof(got), "%p", (void *)0x1234);
	ck_assert_str_eq(got, "0x0000000000001234");
	bsl_format(got, sizeof(got), "%p", (void *)UINTPTR_MAX);
	ck_assert_str_eq(got, "0xffffffffffffffff");
	bsl_format(got, sizeof(got), "%s", null);
	ck_assert_str_eq(got, "(null)");
}
END_TEST

START_TEST(never_writes_past_the_end)
{
	const char text[] = "0123456789";

	for (size_t size = 0; size <= sizeof(text) + 2; size++) {
		char *buf = malloc(size ? size : 1); /* ASan watches its end */
		size_t n = bsl_format(buf, size, "%s", text);

		ck_assert_uint_eq(n, size == 0            ? 0 :
				     size <= strlen(text) ? size - 1 :
							    strlen(text));
		if (size) {
			ck_assert_int_eq(strncmp(buf, text, n), 0);
			ck_assert_int_eq(buf[n], 0);
		}
		free(buf);
	}
}
END_TEST

START_TEST(reads_no_more_than_the_precision)
{
	char *text = malloc(3);
	char got[8];

	memcpy(text, "abc", 3);
	ck_assert_uint_eq(bsl_format(got, sizeof(got), "%.*s", 3, text), 3);
	ck_assert_str_eq(got, "abc");
	free(text);
}
END_TEST

START_TEST(unknown_conversions_end_the_formatting)
{
	/* Not literals, or the compiler refuses them. */
	const char *const formats[] = { "a%fb%s", "a%", "a%-", "a%5.", "a%lb", "a%q", "%n" };
	char got[64];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		bsl_format(got, sizeof(got), formats[i]);
#pragma GCC diagnostic pop
		ck_assert_str_eq(got, formats[i]);
	}
}
END_TEST

START_TEST(huge_widths_stay_in_the_buffer)
{
	volatile int width = INT_MIN;
	char got[16];

	ck_assert_uint_eq(bsl_format(got, sizeof(got), "%*d", width, 5), 15);
	ck_assert_str_eq(got, "5              ");
	ck_assert_uint_eq(bsl_format(got, sizeof(got), "%999999999s", "x"), 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("format");
	TCase *tc = tcase_create("format");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, agrees_with_snprintf);
	tcase_add_test(tc, pointers_and_null);
	tcase_add_test(tc, never_writes_past_the_end);
	tcase_add_test(tc, reads_no_more_than_the_precision);
	tcase_add_test(tc, unknown_conversions_end_the_formatting);
	tcase_add_test(tc, huge_widths_stay_in_the_buffer);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
