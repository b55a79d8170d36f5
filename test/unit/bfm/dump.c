// SPDX-License-Identifier: GPL-2.0-only
/* dump.c, escape.c */
#include "commands.h"

#include <errno.h>

#include "bfm/lines.h"

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

/* Who watches what bfm itself does prints more for each line that bfm has printed. */
START_TEST(ends_where_the_text_ended)
{
	device.endless = true;
	device.text_position = 1000;
	ck_assert_int_eq(run(&dump_command, "dump"), EXIT_OK);
	ck_assert_uint_ge(strlen(out), BF_RING_DATA);
	ck_assert_uint_lt(strlen(out), 4 * BF_RING_DATA);
}
END_TEST

START_TEST(levels)
{
	static const struct {
		const char *line;
		enum level level;
	} lines[] = { { "watch: PP 2: warning: x", LEVEL_WARNING },
		      { "watch: error: x", LEVEL_ERROR },
		      { "watch: PP 12: debug: ", LEVEL_DEBUG },
		      { "watch: PP 2: info: x", LEVEL_INFO },
		      { "watch: PP 2: x: error: y", LEVEL_INFO },
		      { "watch: PP 2: warnings: x", LEVEL_INFO },
		      { "watch: PP 2: warning:", LEVEL_INFO },
		      { "error: x", LEVEL_INFO },
		      { "microkernel: exception 14, error", LEVEL_ERROR },
		      { "", LEVEL_INFO } };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(line_level(lines[i].line, strlen(lines[i].line)) == lines[i].level,
			      "%s", lines[i].line);
}
END_TEST

static const char leveled[] = "a: error: 1\na: PP 0: warning: 2\nplain\na: debug: 4\n";

START_TEST(choosing_levels)
{
	device.text = leveled;
	ck_assert_int_eq(run(&dump_command, "dump --level warning"), EXIT_OK);
	ck_assert_str_eq(out, "a: error: 1\na: PP 0: warning: 2\n");
	ck_assert_int_eq(run(&dump_command, "dump --level info"), EXIT_OK);
	ck_assert_str_eq(out, "a: error: 1\na: PP 0: warning: 2\nplain\n");
	ck_assert_int_eq(run(&dump_command, "dump --color always"), EXIT_OK);
	ck_assert_str_eq(out, "\033[1;31ma: error: 1\033[0m\n\033[33ma: PP 0: warning: 2\033[0m\n"
			      "plain\n\033[2ma: debug: 4\033[0m\n");
	ck_assert_int_eq(run(&dump_command, "dump --color sometimes"), EXIT_USAGE);
	assert_failure("dump", "auto, always or never");
	ck_assert_int_eq(run(&dump_command, "dump --level loud"), EXIT_USAGE);
	assert_failure("dump", "debug");
	ck_assert_int_eq(run(&dump_command, "dump --stamps on"), EXIT_USAGE);
}
END_TEST

/* What is known of a line is in front of it, and of others it is said that nothing is. */
START_TEST(stamps)
{
	device.text = leveled;
	device.text_position = 1000;
	device.nr_lines = 4;
	device.lines[0] = (struct bf_line){ .position = 900, .tsc = 1 };
	device.lines[1] = (struct bf_line){ .position = 1000, .tsc = 12345678, .cpu = 3 };
	device.lines[2] =
		(struct bf_line){ .position = 1012, .tsc = 12400000, .cpu = 11, .image = 2 };
	device.lines[3] = (struct bf_line){ .position = 1040, .tsc = 99 };
	ck_assert_int_eq(run(&dump_command, "dump --stamps always --level info"), EXIT_OK);
	ck_assert_str_eq(out, "[   12.345678 CPU 3   mk   ] a: error: 1\n"
			      "[   12.400000 CPU 11  ext 2] a: PP 0: warning: 2\n"
			      "[                          ] plain\n");
}
END_TEST

/* Lines of any length, and text that ends within one, in pieces of any size. */
START_TEST(pieces_of_lines)
{
	static char text[3 * LINE_SIZE];
	char got[4 * LINE_SIZE];

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + LINE_SIZE - 1, "\n\nab\n", 5);
	memcpy(text + 2 * LINE_SIZE + 4, "\n", 1);
	for (size_t piece = 1; piece < sizeof(text); piece += piece / 2 + 1) {
		struct escape e = { .terminal = true };
		struct lines lines = { .escape = &e, .max = LEVEL_DEBUG };
		size_t length = sizeof(text) - 1;

		lines.file = fmemopen(got, sizeof(got), "w");
		for (size_t at = 0; at < length; at += piece)
			lines_text(&lines, at, text + at,
				   length - at < piece ? length - at : piece);
		lines_flush(&lines);
		lines_text(&lines, length, "end\n", 4);
		lines_text(&lines, length + 100, "after a gap\n", 12);
		fclose(lines.file);
		ck_assert_int_eq(strncmp(got, text, length), 0);
		ck_assert_str_eq(got + length, "end\nafter a gap\n");
	}
}
END_TEST

TCase *dump_tests(void)
{
	TCase *tc = commands_case("dump");

	tcase_add_test(tc, dumping);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, choosing_levels);
	tcase_add_test(tc, stamps);
	tcase_add_test(tc, ends_where_the_text_ended);
	tcase_add_test(tc, pieces_of_lines);
	tcase_add_test(tc, colours);
	tcase_add_test(tc, other_sequences);
	return tc;
}
