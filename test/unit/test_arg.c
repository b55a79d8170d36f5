// SPDX-License-Identifier: GPL-2.0-only
/* abi/args.h, and ext/libext/arg.c, which is included: the arguments of an extension. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/args.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>

static struct {
	const char *args;
	uint64_t size;
	uint64_t status; /* of the call, with an open handle */
	uint64_t open_status;
	bool open;
	char text[1024]; /* what was printed */
} fake;

static uint64_t fake_open(uint64_t spec, uint64_t *handle)
{
	ck_assert_uint_eq(spec, MK2_SPEC_ID);
	ck_assert(!fake.open);
	if (fake.open_status == MK1_SUCCESS)
		fake.open = true;
	*handle = MK2_HANDLE;
	return fake.open_status;
}

static uint64_t fake_close(uint64_t handle)
{
	ck_assert_uint_eq(handle, MK2_HANDLE);
	ck_assert(fake.open);
	fake.open = false;
	return MK1_SUCCESS;
}

/* As docs/abi/mk2.md says; after a failure the results are anything. */
static uint64_t fake_args(uint64_t handle, uint64_t va, uint64_t size, uint64_t *copied,
			  uint64_t *total)
{
	*copied = *total = 0x55;
	ck_assert_uint_eq(handle, MK2_HANDLE);
	if (!fake.open)
		return MK1_FAILURE_INVALID_HANDLE;
	if (fake.status != MK1_SUCCESS)
		return fake.status;
	ck_assert_uint_eq(size, MK2_ARGS_MAX);
	memset((void *)va, 0, size);
	memcpy((void *)va, fake.args, fake.size);
	*copied = *total = fake.size;
	return MK1_SUCCESS;
}

uint64_t ext_print(const char *fmt, ...)
{
	size_t used = strlen(fake.text);
	va_list list;

	va_start(list, fmt);
	vsnprintf(fake.text + used, sizeof(fake.text) - used, fmt, list);
	va_end(list);
	return MK1_SUCCESS;
}

#define mk1_handle_open_handle fake_open
#define mk1_handle_close_handle fake_close
#define mk2_ext_args fake_args
#include "ext/libext/arg.c"

#define GIVE(text) give(text, sizeof(text))

/* The NUL of a literal is that of the last argument. */
static void give(const char *text, uint64_t size)
{
	fake.args = text;
	fake.size = size;
	ck_assert(ext_args_load());
	ck_assert_str_eq(fake.text, "");
}

static bool is_valid(const char *text, uint64_t size)
{
	char *copy = malloc(size ? size : 1); /* so that a sanitizer sees what is beyond it */
	bool valid;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, size);
	valid = bf_args_are_valid(copy, size);
	free(copy);
	return valid;
}

#define VALID(text) is_valid(text, sizeof(text))
#define KEY_31 "abcdefghijklmnopqrstuvwxyz0_-19"

START_TEST(what_is_valid)
{
	char full[MK2_ARGS_MAX + 1];

	ck_assert(is_valid("", 0));
	ck_assert(bf_args_are_valid(NULL, 0));
	ck_assert(VALID("a="));
	ck_assert(VALID("a=b"));
	ck_assert(VALID("a=b=c:d,\x80\n"));
	ck_assert(VALID(KEY_31 "=1"));
	ck_assert(VALID("a=1\0aa=2\0b=a=1\0"
			"ab="));
	ck_assert(!VALID("")); /* an empty one */
	ck_assert(!VALID("a"));
	ck_assert(!VALID("=b"));
	ck_assert(!VALID("A=b"));
	ck_assert(!VALID("a b=c"));
	ck_assert(!VALID("\xE1=c"));
	ck_assert(!VALID("x" KEY_31 "=1"));
	ck_assert(!VALID("x" KEY_31));
	ck_assert(!VALID("a=1\0"));
	ck_assert(!VALID("a=1\0b=2\0a=3"));
	ck_assert(!VALID("a=1\0b"));
	ck_assert(!is_valid("a=1", 3)); /* without a NUL */
	ck_assert(!is_valid("a", 1));
	memset(full, 'x', sizeof(full));
	full[1] = '=';
	full[MK2_ARGS_MAX - 1] = '\0';
	ck_assert(is_valid(full, MK2_ARGS_MAX));
	full[MK2_ARGS_MAX - 1] = 'x';
	full[MK2_ARGS_MAX] = '\0';
	ck_assert(!is_valid(full, MK2_ARGS_MAX + 1));
}
END_TEST

START_TEST(values)
{
	ck_assert_ptr_null(ext_arg("a"));
	GIVE("name=x=y\0empty=\0na=2");
	ck_assert_str_eq(ext_arg("name"), "x=y");
	ck_assert_str_eq(ext_arg("empty"), "");
	ck_assert_str_eq(ext_arg("na"), "2");
	ck_assert_ptr_null(ext_arg("n"));
	ck_assert_ptr_null(ext_arg("names"));
	ck_assert_ptr_null(ext_arg("x"));
	ck_assert_ptr_null(ext_arg(""));
	ck_assert_ptr_null(ext_arg("name=x"));
	give("", 0);
	ck_assert_ptr_null(ext_arg("name"));
}
END_TEST

/* All that there can be, to the last byte. */
START_TEST(a_full_page)
{
	static char full[MK2_ARGS_MAX];

	memset(full, 'x', sizeof(full) - 1);
	memcpy(full, "first=1\0last=", 13);
	give(full, sizeof(full));
	ck_assert_str_eq(ext_arg("first"), "1");
	ck_assert_uint_eq(strlen(ext_arg("last")), MK2_ARGS_MAX - 14);
	ck_assert_ptr_null(ext_arg("x"));
}
END_TEST

/* A handle that was open stays so, and one that was not is not left behind. */
START_TEST(the_handle)
{
	fake.open = _i;
	GIVE("a=1");
	ck_assert_int_eq(fake.open, _i);
	ck_assert_str_eq(ext_arg("a"), "1");
	fake.status = MK1_FAILURE_UNSUPPORTED;
	ck_assert(!ext_args_load());
	ck_assert_int_eq(fake.open, _i);
	ck_assert_ptr_nonnull(strstr(fake.text, "does not give them, status 0xdead000000040001\n"));
	ck_assert_ptr_null(ext_arg("a"));
}
END_TEST

START_TEST(no_handle)
{
	fake.open_status = MK1_FAILURE_UNSUPPORTED;
	ck_assert(!ext_args_load());
	ck_assert_str_ne(fake.text, "");
	ck_assert_ptr_null(ext_arg("a"));
}
END_TEST

START_TEST(numbers)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = { { "0", true, 0 },
		      { "10", true, 10 },
		      { "010", true, 10 },
		      { "0x1F", true, 0x1F },
		      { "0Xabcdef", true, 0xABCDEF },
		      { "18446744073709551615", true, UINT64_MAX },
		      { "0xffffffffffffffff", true, UINT64_MAX },
		      { "18446744073709551616", false, 0 },
		      { "18446744073709551620", false, 0 },
		      { "0x10000000000000000", false, 0 },
		      { "", false, 0 },
		      { "0x", false, 0 },
		      { "-1", false, 0 },
		      { "+1", false, 0 },
		      { " 1", false, 0 },
		      { "1 ", false, 0 },
		      { "1f", false, 0 },
		      { "0x0x1", false, 0 },
		      { "1g", false, 0 },
		      { "1/", false, 0 },
		      { "0x:", false, 0 },
		      { "0x@", false, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64], said[128];
		uint64_t value = 77;
		int length = snprintf(text, sizeof(text), "count=%s", cases[i].text);

		fake.text[0] = '\0';
		give(text, (uint64_t)length + 1);
		ck_assert_msg(ext_arg_u64("count", 5, &value) == cases[i].good, "%s", text);
		ck_assert_uint_eq(value, cases[i].good ? cases[i].value : 77);
		snprintf(said, sizeof(said), "argument count: not a number: %s\n", cases[i].text);
		ck_assert_str_eq(fake.text, cases[i].good ? "" : said);
		fake.text[0] = '\0';
		ck_assert(ext_arg_u64("other", 5, &value) && value == 5);
	}
}
END_TEST

START_TEST(yes_or_no)
{
	static const char *const words[2][5] = { { "no", "off", "false", "0" },
						 { "yes", "on", "true", "1" } };
	static const char *const bad[] = { "", "y", "yess", "YES", "2", "o" };
	char text[64];
	bool value;

	for (unsigned int i = 0; i < 8; i++) {
		bool wanted = i / 4;
		int length = snprintf(text, sizeof(text), "on=%s", words[wanted][i % 4]);

		give(text, (uint64_t)length + 1);
		value = !wanted;
		ck_assert(ext_arg_bool("on", !wanted, &value) && value == wanted);
		ck_assert(ext_arg_bool("off", wanted, &value) && value == wanted);
		ck_assert(ext_arg_bool("off", !wanted, &value) && value != wanted);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int length = snprintf(text, sizeof(text), "on=%s", bad[i]);
		char said[128];

		fake.text[0] = '\0';
		give(text, (uint64_t)length + 1);
		value = i & 1;
		ck_assert(!ext_arg_bool("on", !value, &value) && value == (i & 1));
		snprintf(said, sizeof(said), "argument on: neither yes nor no: %s\n", bad[i]);
		ck_assert_str_eq(fake.text, said);
	}
}
END_TEST

START_TEST(known)
{
	static const char *const keys[] = { "name", "count", NULL }, *const none[] = { NULL };

	give("", 0);
	ck_assert(ext_args_known(keys) && ext_args_known(none));
	GIVE("count=1\0name=count=2");
	ck_assert(ext_args_known(keys));
	ck_assert_str_eq(fake.text, "");
	ck_assert(!ext_args_known(none));
	ck_assert_str_eq(fake.text, "argument count: this extension knows none of this name\n"
				    "argument name: this extension knows none of this name\n");
	fake.text[0] = '\0';
	GIVE("name=\0nam=count\0names=1\0count=1");
	ck_assert(!ext_args_known(keys));
	ck_assert_str_eq(fake.text, "argument nam: this extension knows none of this name\n"
				    "argument names: this extension knows none of this name\n");
}
END_TEST

/* The whole line fits, whatever was given. */
START_TEST(a_long_value)
{
	char text[MK2_ARGS_MAX];
	uint64_t value;

	memset(text, 'z', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, KEY_31 "=", 32);
	give(text, sizeof(text));
	ck_assert(!ext_arg_u64(KEY_31, 0, &value));
	ck_assert_uint_lt(strlen(fake.text), EXT_PRINT_SIZE);
	ck_assert_int_eq(fake.text[strlen(fake.text) - 1], '\n');
}
END_TEST

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	args_size = 0;
}

int main(void)
{
	Suite *suite = suite_create("arg");
	TCase *tc = tcase_create("arg");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, what_is_valid);
	tcase_add_test(tc, values);
	tcase_add_test(tc, a_full_page);
	tcase_add_loop_test(tc, the_handle, 0, 2);
	tcase_add_test(tc, no_handle);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, yes_or_no);
	tcase_add_test(tc, known);
	tcase_add_test(tc, a_long_value);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
