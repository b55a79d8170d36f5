// SPDX-License-Identifier: GPL-2.0-only
/* ext/libext/log.h: what an extension says, and its end. */
#include <check.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/mk2.h>

/* libext's stubs and TLS accessors are what this replaces. */
#define LIBEXT_MK1_SYS_H
#define LIBEXT_MK1_TLS_H

static struct {
	char text[4096]; /* what was written */
	unsigned int calls; /* that wrote it */
	const char *argument;
	uint64_t tsc;
	jmp_buf end;
} fake;

static uint64_t mk1_debug_write_str(uint64_t text, uint64_t length)
{
	size_t used = strlen(fake.text);

	ck_assert_uint_lt(used + length, sizeof(fake.text));
	memcpy(fake.text + used, (const char *)text, length);
	fake.text[used + length] = '\0';
	ck_assert_uint_eq(strlen(fake.text), used + length);
	fake.calls++;
	return MK1_SUCCESS;
}

static inline uint64_t mk1_control_exit(void)
{
	longjmp(fake.end, 1);
}

static inline uint64_t mk1_callback_register(uint64_t h, uint64_t fn)
{
	(void)h, (void)fn;
	return MK1_SUCCESS;
}

#define mk1_callback_register_bootstrap mk1_callback_register
#define mk1_callback_register_vmexit mk1_callback_register
#define mk1_callback_register_fail mk1_callback_register

static uint16_t mk1_tls_ppid(void)
{
	return 7;
}

const char *ext_arg(const char *key)
{
	ck_assert_str_eq(key, "level");
	return fake.argument;
}

static uint64_t fake_tsc(void)
{
	return fake.tsc;
}

#define __builtin_ia32_rdtsc fake_tsc
#include <ext/libext/log.c>

uint64_t ext_print(const char *fmt, ...)
{
	char text[256];
	va_list list;

	va_start(list, fmt);
	vsnprintf(text, sizeof(text), fmt, list);
	va_end(list);
	return mk1_debug_write_str((uint64_t)text, strlen(text));
}

const char ext_name[] = "me";

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	chosen = EXT_INFO;
}

START_TEST(levels)
{
	static const char *const lines[] = { "me: PP 7: error: a 0x12\n",
					     "me: PP 7: warning: a 0x12\n", "me: PP 7: a 0x12\n",
					     "me: PP 7: debug: a 0x12\n" };

	for (unsigned int most = 0; most < NR_LEVELS; most++) {
		ck_assert(ext_log_choose((enum ext_level)most));
		for (unsigned int level = 0; level < NR_LEVELS; level++) {
			fake.text[0] = '\0';
			ck_assert_int_eq(ext_log_says((enum ext_level)level), level <= most);
			ext_log((enum ext_level)level, "%s 0x%x", "a", 0x12);
			ck_assert_str_eq(fake.text, level <= most ? lines[level] : "");
		}
	}
	ck_assert(!ext_log_choose((enum ext_level)NR_LEVELS));
	ck_assert(ext_log_says(EXT_DEBUG));
}
END_TEST

START_TEST(level_by_argument)
{
	static const char *const bad[] = { "", "errors", "err", "INFO", "4" };

	ck_assert(ext_log_choose_by("level"));
	ck_assert(ext_log_says(EXT_INFO) && !ext_log_says(EXT_DEBUG));
	for (unsigned int i = 0; i < NR_LEVELS; i++) {
		fake.argument = names[i];
		ck_assert(ext_log_choose_by("level"));
		ck_assert_uint_eq(chosen, i);
	}
	ck_assert_str_eq(fake.text, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake.argument = bad[i];
		fake.text[0] = '\0';
		ck_assert(!ext_log_choose_by("level"));
		ck_assert_ptr_nonnull(strstr(fake.text, "argument level: none of error, warning"));
		ck_assert_uint_eq(chosen, EXT_DEBUG);
	}
}
END_TEST

/* However long, it is one line, in one call, that ends with its newline. */
START_TEST(a_long_line)
{
	char text[2 * EXT_PRINT_SIZE];

	for (size_t length = EXT_PRINT_SIZE - 30; length < sizeof(text); length++) {
		size_t said;

		memset(text, 'x', length);
		text[length] = '\0';
		fake.text[0] = '\0';
		fake.calls = 0;
		ext_log(EXT_INFO, "%s", text);
		said = strlen(fake.text);
		ck_assert_uint_eq(fake.calls, 1);
		ck_assert_uint_lt(said, EXT_PRINT_SIZE);
		ck_assert_ptr_eq(strchr(fake.text, '\n'), fake.text + said - 1);
		if (length > EXT_PRINT_SIZE)
			ck_assert_uint_eq(said, EXT_PRINT_SIZE - 1);
		else if (length + 12 < EXT_PRINT_SIZE)
			ck_assert_uint_eq(said, length + 11);
	}
}
END_TEST

static void many(enum ext_level level, unsigned int n)
{
	fake.text[0] = '\0';
	fake.calls = 0;
	for (unsigned int i = 0; i < n; i++)
		ext_log_ratelimited(level, "again");
}

START_TEST(rate)
{
	fake.tsc = 5 * EXT_LOG_INTERVAL + 77;
	many(EXT_DEBUG, 100); /* not said, and not counted */
	ck_assert_uint_eq(fake.calls, 0);
	many(EXT_INFO, EXT_LOG_BURST + 5);
	ck_assert_uint_eq(fake.calls, EXT_LOG_BURST);
	fake.tsc += EXT_LOG_INTERVAL - 1;
	many(EXT_INFO, 1);
	ck_assert_uint_eq(fake.calls, 0);
	fake.tsc += EXT_LOG_INTERVAL;
	many(EXT_INFO, 3);
	ck_assert_str_eq(fake.text, "me: PP 7: warning: 6 lines like the next one were left out\n"
				    "me: PP 7: again\nme: PP 7: again\nme: PP 7: again\n");
	fake.tsc += EXT_LOG_INTERVAL;
	many(EXT_INFO, 1);
	ck_assert_str_eq(fake.text, "me: PP 7: again\n");
}
END_TEST

static unsigned int line;

static void fails(void)
{
	ext_fail("no %s", "memory");
}

static void asserts(void)
{
	EXT_ASSERT(fake.calls == 0);
	line = __LINE__ + 1;
	EXT_ASSERT(fake.calls % 5 == 1);
}

static void ends_with(void (*function)(void), const char *said)
{
	if (!setjmp(fake.end)) {
		function();
		ck_abort_msg("goes on");
	}
	ck_assert_str_eq(fake.text, said);
}

START_TEST(the_end)
{
	char said[128];

	/* whatever level is chosen */
	ck_assert(ext_log_choose(EXT_ERROR));
	ends_with(fails, "me: PP 7: error: no memory\n");
	setup();
	if (!setjmp(fake.end))
		asserts();
	snprintf(said, sizeof(said),
		 "me: PP 7: error: %s:%u: assertion failed: fake.calls %% 5 == 1\n", __FILE__,
		 line);
	ck_assert_str_eq(fake.text, said);
}
END_TEST

START_TEST(status_names)
{
	static const struct {
		uint64_t status;
		const char *name;
	} cases[] = {
		{ 0, "SUCCESS" },
		{ 0xDEAD000000010001, "FAILURE_UNKNOWN" },
		{ 0xDEAD000000010002, "INVALID_PERM_DENIED" },
		{ 0xDEAD000000010003, "INVALID_INPUT_REG0" },
		{ 0xDEAD000000200003, "INVALID_INPUT_REG5" },
		{ 0xDEAD000000400003, "INVALID_OUTPUT_REG0" },
		{ 0xDEAD000008000003, "INVALID_OUTPUT_REG5" },
		{ 0xDEAD000000400001, "FAILURE_BUSY" },
		{ 1, "unknown status" },
		{ 0xDEAD000000030001, "unknown status" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(mk1_status_name(cases[i].status), cases[i].name);
}
END_TEST

/* The tables of the documentation have the same. */
START_TEST(documented_names)
{
	static const char *const files[] = { "docs/abi/calling.md", "docs/abi/mk2.md" };
	unsigned int found = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *file = fopen(files[i], "r");
		char text[512], name[64];
		unsigned long long status;

		ck_assert_ptr_nonnull(file);
		while (fgets(text, sizeof(text), file)) {
			if (sscanf(text, "| %63[A-Z0-9_] | 0x%llX |", name, &status) != 2 ||
			    (status && status >> 48 != 0xDEAD))
				continue;
			ck_assert_str_eq(mk1_status_name(status), name);
			found++;
		}
		fclose(file);
	}
	ck_assert_uint_eq(found, 22);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, level_by_argument);
	tcase_add_test(tc, a_long_line);
	tcase_add_test(tc, rate);
	tcase_add_test(tc, the_end);
	tcase_add_test(tc, status_names);
	tcase_add_test(tc, documented_names);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
