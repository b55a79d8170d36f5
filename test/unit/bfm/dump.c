// SPDX-License-Identifier: GPL-2.0-only
/* dump.c, escape.c */
#include "commands.h"

#include <errno.h>

/* What comes out, whichever pieces the text comes in. */
static void assert_escaped(bool terminal, bool colours, const char *in, const char *wanted)
{
	size_t length = strlen(in);

	for (size_t piece = 1; piece <= length; piece++) {
		struct escape e = { .terminal = terminal, .colours = colours };
		char out[1024];
		size_t n = 0;

		for (size_t at = 0; at < length; at += piece) {
			size_t rest = length - at;

			n += escape_text(&e, in + at, rest < piece ? rest : piece, out + n);
		}
		n += escape_end(&e, out + n);
		out[n] = '\0';
		ck_assert_str_eq(out, wanted);
	}
}

START_TEST(colours)
{
	static const char red[] = "a \033[1;31mred\033[0m b\n";
	static const char left_on[] = "\033[35mx\033[my\033[38:5:1mz";

	assert_escaped(true, true, red, red);
	assert_escaped(true, false, red, "a red b\n");
	assert_escaped(false, false, red, "a red b\n");
	assert_escaped(true, true, left_on, "\033[35mx\033[my\033[38:5:1mz\033[0m");
	assert_escaped(false, false, left_on, "xyz");
}
END_TEST

/* They do not reach a terminal; a file gets them as they are. */
START_TEST(other_sequences)
{
	static const char *const texts[][2] = {
		{ "\033[2Jx", "?[2Jx" },
		{ "\033]0;title\007", "?]0;title?" },
		{ "\033[31", "?[31" },
		{ "\033", "?" },
		{ "\033\033[31H", "??[31H" },
		{ "\033[1111111111111111111111111111111111111m",
		  "?[1111111111111111111111111111111111111m" },
		{ "\033m", "?m" },
		{ "\302\23331m \303\233 \r\b\177", "\302?31m \303\233 ???" },
		{ "\tplain\n", "\tplain\n" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_escaped(true, true, texts[i][0], texts[i][1]);
		assert_escaped(true, false, texts[i][0], texts[i][1]);
		assert_escaped(false, false, texts[i][0], texts[i][0]);
	}
}
END_TEST

START_TEST(dumping)
{
	device.text = "hello from ring 3\n";
	ck_assert_int_eq(run(&dump_command, "dump"), EXIT_OK);
	ck_assert_str_eq(out, device.text);
	ck_assert_str_eq(err, "");
	device.text_position = 1000;
	device.polls_to_run = 3;
	ck_assert_int_eq(run(&dump_command, "dump --follow"), EXIT_OK);
	ck_assert_str_eq(out, device.text);
	ck_assert_msg(strstr(err, "1000 bytes of older text have been overwritten"), "%s", err);
	ck_assert_uint_eq(device.polls_to_run, 0);
	device.call_errno = EIO;
	ck_assert_int_eq(run(&dump_command, "dump"), EXIT_FAILED);
	assert_failure("dump", "Input/output error");
}
END_TEST

TCase *dump_tests(void)
{
	TCase *tc = commands_case("dump");

	tcase_add_test(tc, dumping);
	tcase_add_test(tc, colours);
	tcase_add_test(tc, other_sequences);
	return tc;
}
