// SPDX-License-Identifier: GPL-2.0-only
/* driver/efi/config.c: the parser of bareflank.conf. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/channel.h>

#include "driver/efi/config.h"

static struct efi_config config;
static struct efi_config_error error;
static char *text; /* a copy of exactly its size, so that sanitizers see what is beyond */

static bool parse_bytes(const char *from, size_t size)
{
	free(text);
	text = malloc(size + 1);
	ck_assert_ptr_nonnull(text);
	memcpy(text, from, size);
	return efi_config_parse(&config, text, size, &error);
}

static bool parse(const char *from)
{
	return parse_bytes(from, strlen(from));
}

static void assert_wrong(const char *from, uint32_t line, const char *sentence, const char *word)
{
	ck_assert_msg(!parse(from), "%s", from);
	ck_assert_uint_eq(error.line, line);
	ck_assert_msg(strstr(error.sentence, sentence), "%s: %s", from, error.sentence);
	ck_assert_str_eq(error.word, word);
}

START_TEST(defaults)
{
	ck_assert(parse(""));
	ck_assert_uint_eq(config.start.nr_exts, 1);
	ck_assert_str_eq(config.exts[0], "default");
	ck_assert_str_eq(config.microkernel, "microkernel");
	ck_assert_ptr_null(config.next);
	ck_assert_str_eq(config.options, "");
	ck_assert_uint_eq(config.start.pool_size, 0);
	ck_assert(parse("# a comment = 1\r\n\r\n  \t\n#"));
	ck_assert_str_eq(config.exts[0], "default");
}
END_TEST

START_TEST(all_options)
{
	ck_assert(parse("next = \\EFI\\debian\\grubx64.efi\r\n"
			"options=root=/dev/sda1 quiet \n"
			" microkernel =mk\n"
			"extension = first\n"
			"arg = leaf=0x40000000\n"
			"arg = name=a = b\n"
			"allow = guests,hypercalls\n"
			"extension = second\n"
			"allow = none\n"
			"extension = third\n"
			"allow = all\n"
			"pool = 32M\n"
			"huge = 5000\n"
			"channel = 256K\n"
			"serial = 0x2F8\n"
			"watchdog = 2s\n"
			"repeats = 100"));
	ck_assert_str_eq(config.next, "\\EFI\\debian\\grubx64.efi");
	ck_assert_str_eq(config.options, "root=/dev/sda1 quiet");
	ck_assert_str_eq(config.microkernel, "mk");
	ck_assert_uint_eq(config.start.nr_exts, 3);
	ck_assert_str_eq(config.exts[2], "third");
	ck_assert_uint_eq(config.start.args[0].size, 27);
	ck_assert_int_eq(memcmp(config.start.args[0].data, "leaf=0x40000000\0name=a = b", 27), 0);
	ck_assert_uint_eq(config.start.args[1].size, 0);
	ck_assert_uint_eq(config.start.denied[0],
			  BF_ALL_RIGHTS & ~(uint64_t)(BF_RIGHT_guests | BF_RIGHT_hypercalls));
	ck_assert_uint_eq(config.start.denied[1], BF_ALL_RIGHTS);
	ck_assert_uint_eq(config.start.denied[2], 0);
	ck_assert_uint_eq(config.start.pool_size, 32 << 20);
	ck_assert_uint_eq(config.start.huge_size, 8192);
	ck_assert_uint_eq(config.start.channel_size, 256 << 10);
	ck_assert_uint_eq(config.start.serial_port, 0x2F8);
	ck_assert_uint_eq(config.start.watchdog_ns, 2000000000);
	ck_assert_uint_eq(config.start.repeats, 100);
	ck_assert(parse("watchdog = off\nrepeats = off\n"));
	ck_assert_uint_eq(config.start.watchdog_ns, BF_WATCHDOG_OFF);
	ck_assert_uint_eq(config.start.repeats, BF_REPEATS_OFF);
	ck_assert(parse("watchdog = 100\n") && config.start.watchdog_ns == BF_WATCHDOG_MIN_NS);
	ck_assert(parse("watchdog = 1000s") && config.start.watchdog_ns == BF_WATCHDOG_MAX_NS);
	ck_assert(parse("watchdog = 150ms") && config.start.watchdog_ns == 150000000);
}
END_TEST

START_TEST(wrong_lines)
{
	assert_wrong("# 1\n\npools = 1M", 3, "no such option", "pools");
	assert_wrong("pool", 1, "not of the form", "pool");
	assert_wrong("pool =", 1, "has no value", "pool");
	assert_wrong("= 1", 1, "no such option", "");
	assert_wrong("pool = 1M\npool = 2M", 2, "there already", "pool");
	assert_wrong("options = quiet", 0, "for next", "");
	assert_wrong("pool = 1M\n\x01", 2, "ASCII", "");
	assert_wrong("extension = \xC3\xA4", 1, "ASCII", "");
	ck_assert(!parse_bytes("pool = 1M\0\n", 11));
	ck_assert_uint_eq(error.line, 1);
}
END_TEST

START_TEST(wrong_values)
{
	static const char *const sizes[] = {
		"much",        "0",   "1T",  "1MB", "-1",
		"0x",          "1 M", "0x0", "1KK", "99999999999999999999",
		"17179869184G"
	};
	static const char *const times[] = {
		"99", "99ms",     "1001s", "1000001", "1m", "s", "18446744073709551615s",
		"0",  "0x10s ms", "offs"
	};
	char line[64];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(line, sizeof(line), "pool = %s", sizes[i]);
		assert_wrong(line, 1, "not a size", sizes[i]);
		memcpy(line, "huge", 4);
		assert_wrong(line, 1, "not a size", sizes[i]);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(line, sizeof(line), "watchdog = %s", times[i]);
		assert_wrong(line, 1, "not a time", times[i]);
	}
	assert_wrong("channel = 8K", 1, "not a size of channels", "8K");
	assert_wrong("channel = 8M", 1, "not a size of channels", "8M");
	assert_wrong("serial = 0", 1, "not a serial port", "0");
	assert_wrong("serial = 0xFFF9", 1, "not a serial port", "0xFFF9");
	assert_wrong("serial = com1", 1, "not a serial port", "com1");
	assert_wrong("repeats = 99", 1, "not a number of exits", "99");
	assert_wrong("repeats = 1000000001", 1, "not a number of exits", "1000000001");
}
END_TEST

START_TEST(wrong_for_an_extension)
{
	char many[BF_MAX_EXTS * 16 + 32] = "", long_one[MK2_ARGS_MAX + 64];

	assert_wrong("arg = a=1", 1, "no extension comes before", "a=1");
	assert_wrong("allow = all", 1, "no extension comes before", "all");
	assert_wrong("extension = a\narg = A=1", 2, "not an argument", "A=1");
	assert_wrong("extension = a\narg = a", 2, "not an argument", "a");
	assert_wrong("extension = a\narg = a=1\narg = a=2", 3, "there already", "a=2");
	assert_wrong("extension = a\nallow = guests,", 2, "not a list of rights", "guests,");
	assert_wrong("extension = a\nallow = everything", 2, "not a list of rights", "everything");
	for (unsigned int i = 0; i <= BF_MAX_EXTS; i++)
		strcat(many, "extension = a\n");
	assert_wrong(many, BF_MAX_EXTS + 1, "too many extensions", "a");
	memset(long_one, 'x', sizeof(long_one));
	memcpy(long_one, "extension = a\narg = a=", 22);
	long_one[22 + MK2_ARGS_MAX - 3] = '\0';
	ck_assert(parse(long_one));
	ck_assert_uint_eq(config.start.args[0].size, MK2_ARGS_MAX);
	long_one[22 + MK2_ARGS_MAX - 3] = 'x';
	long_one[22 + MK2_ARGS_MAX - 2] = '\0';
	ck_assert(!parse(long_one));
}
END_TEST

/* Whatever is there, nothing beyond the text is read or written. */
START_TEST(anything)
{
	static const char words[][12] = { "extension", "arg", "allow", "pool", "next", "options",
					  "watchdog",  "=",   " ",     "\n",   "\r\n", "a=1",
					  "1M",        "off", "#",     "\t",   "all,", "\x80" };
	unsigned int seed = 1;

	for (unsigned int i = 0; i < 20000; i++) {
		char any[256] = "";

		while (strlen(any) < sizeof(any) - 16) {
			seed = seed * 1103515245 + 12345;
			strcat(any, words[seed / 65536 % (sizeof(words) / sizeof(words[0]))]);
			if (seed / 65536 % 7 == 0)
				break;
		}
		if (parse(any))
			ck_assert_uint_ge(config.start.nr_exts, 1);
		else
			ck_assert_ptr_nonnull(error.sentence);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("efi_config");
	TCase *tc = tcase_create("parse");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, all_options);
	tcase_add_test(tc, wrong_lines);
	tcase_add_test(tc, wrong_values);
	tcase_add_test(tc, wrong_for_an_extension);
	tcase_add_test(tc, anything);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(text);
	return failed != 0;
}
