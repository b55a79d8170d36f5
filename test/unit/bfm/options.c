// SPDX-License-Identifier: GPL-2.0-only
/* options.c: numbers and command lines. */
#include "commands.h"

#include <errno.h>
#include <getopt.h>

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "1", 1 },
		     { "4096", 4096 },
		     { "0x1000", 4096 },
		     { "32M", 32 << 20 },
		     { "32m", 32 << 20 },
		     { "1k", 1024 },
		     { "2G", 2ULL << 30 },
		     { "1T", 1ULL << 40 },
		     { "5MiB", 5 << 20 },
		     { "5KB", 5 << 10 },
		     { "0x10K", 0x4000 },
		     { "18446744073709551615", UINT64_MAX },
		     { "16777215T", 16777215ULL << 40 } };
	static const char *const bad[] = { "",
					   "0",
					   "0M",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "M",
					   "1X",
					   "1MM",
					   "1Mi",
					   "1.5M",
					   "0x",
					   "0x0x1",
					   "0x-1",
					   "1iB",
					   "16777216T",
					   "18446744073709551616",
					   "99999999999999999999999K",
					   "1M\n" };
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(parse_size(good[i].text, &bytes), "%s", good[i].text);
		ck_assert_uint_eq(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!parse_size(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

START_TEST(numbers)
{
	uint64_t n;

	ck_assert(parse_number("0x2f8", 0xFFFF, &n) && n == 0x2F8);
	ck_assert(parse_number("010", 0xFFFF, &n) && n == 10);
	ck_assert(parse_number("65535", 0xFFFF, &n) && !parse_number("65536", 0xFFFF, &n));
	ck_assert(!parse_number("1K", 0xFFFF, &n) && !parse_number("", 0xFFFF, &n));
}
END_TEST

START_TEST(start_options)
{
	char *argv[] = { "start",       "a",          "--pool", "32M",
			 "--huge=5000", "--serial",   "0x2f8",  "--microkernel",
			 "mk",          "--watchdog", "2s",     "b",
			 "--no-wait",   "--repeats",  "off",    NULL };
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(15, argv, &options), -1);
	ck_assert_str_eq(options.microkernel, "mk");
	ck_assert_uint_eq(options.pool_size, 32 << 20);
	ck_assert_uint_eq(options.huge_size, 8192);
	ck_assert_uint_eq(options.serial_port, 0x2F8);
	ck_assert_uint_eq(options.watchdog_ns, 2000000000);
	ck_assert(options.no_wait);
	ck_assert_uint_eq(options.repeats, BF_REPEATS_OFF);
	ck_assert_uint_eq(options.nr_exts, 2);
	ck_assert_str_eq(options.exts[0], "a");
	ck_assert_str_eq(options.exts[1], "b");
}
END_TEST

START_TEST(watchdog_times)
{
	static const struct {
		char *text;
		uint64_t ns;
	} times[] = { { "100ms", 100000000 }, { "100", 100000000 }, { "1000s", 1000000000000 },
		      { "750", 750000000 },   { "1s", 1000000000 }, { "off", BF_WATCHDOG_OFF } };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char *argv[] = { "start", "--watchdog", times[i].text, NULL };
		struct start_options options;

		optind = 0;
		ck_assert_int_eq(start_parse(3, argv, &options), -1);
		ck_assert_uint_eq(options.watchdog_ns, times[i].ns);
	}
}
END_TEST

START_TEST(repeats)
{
	static const struct {
		char *text;
		uint64_t repeats;
	} cases[] = { { "100", 100 }, { "1000000000", 1000000000 }, { "off", BF_REPEATS_OFF } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = { "start", "--repeats", cases[i].text, NULL };
		struct start_options options;

		optind = 0;
		ck_assert_int_eq(start_parse(3, argv, &options), -1);
		ck_assert_uint_eq(options.repeats, cases[i].repeats);
	}
}
END_TEST

/* A line with the extensions a, b and x=y, and what they may not do then. */
START_TEST(rights)
{
	static const struct {
		const char *value;
		uint32_t ext;
		uint64_t allowed;
	} cases[] = {
		{ "b=guests,debug", 1, BF_RIGHT_guests | BF_RIGHT_debug },
		{ "1=none", 0, 0 },
		{ "3=linux", 2, BF_RIGHT_linux },
		{ "x=y=all", 2, BF_ALL_RIGHTS },
		{ "a=all,-wrmsr,-linux", 0, BF_ALL_RIGHTS & ~(BF_RIGHT_wrmsr | BF_RIGHT_linux) },
		{ "a=-all,hypercalls", 0, BF_RIGHT_hypercalls },
		{ "a=calls,-calls,memory", 0, BF_RIGHT_memory },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char value[64];
		char *argv[] = { "start", "a", "b", "x=y", "--allow", value, NULL };
		struct start_options options;

		snprintf(value, sizeof(value), "%s", cases[i].value);
		optind = 0;
		ck_assert_int_eq(start_parse(6, argv, &options), -1);
		for (uint32_t ext = 0; ext < BF_MAX_EXTS; ext++)
			ck_assert_uint_eq(options.denied[ext],
					  ext == cases[i].ext ? BF_ALL_RIGHTS & ~cases[i].allowed :
								0);
	}
}
END_TEST

/* Beside rights, and after them or before. */
START_TEST(single_rights)
{
	char *argv[] = { "start", "a", "--allow",
			 "a=-vs_promote,debug,rdmsr:0x10,-wrmsr:16-0xffffffff,mem_donate", NULL };
	static const struct bf_grant grants[] = {
		{ .kind = BF_GRANT_CALL, .first = 0x169, .last = 0x169 },
		{ .kind = BF_GRANT_RDMSR, .allow = 1, .first = 0x10, .last = 0x10 },
		{ .kind = BF_GRANT_WRMSR, .first = 0x10, .last = 0xFFFFFFFF },
		{ .kind = BF_GRANT_CALL, .allow = 1, .first = 0x280, .last = 0x280 },
	};
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(4, argv, &options), -1);
	ck_assert_uint_eq(options.denied[0], BF_ALL_RIGHTS & ~(uint64_t)BF_RIGHT_debug);
	ck_assert_uint_eq(options.nr_grants, 4);
	ck_assert_mem_eq(options.grants, grants, sizeof(grants));
}
END_TEST

/* As many as fit, and one more. */
START_TEST(too_many_single_rights)
{
	char value[8 + 9 * (BF_MAX_GRANTS + 1)];
	char *argv[] = { "start", "a", "--allow", value, NULL };
	struct start_options options;
	int length = snprintf(value, sizeof(value), "a=none");

	for (int i = 0; i < BF_MAX_GRANTS + _i; i++)
		length += snprintf(value + length, sizeof(value) - (size_t)length, ",rdmsr:%d",
				   10 + i);
	optind = 0;
	ck_assert_int_eq(start_parse(4, argv, &options), _i ? EXIT_USAGE : -1);
	ck_assert_uint_eq(options.nr_grants, BF_MAX_GRANTS);
}
END_TEST

/* Each to the extension that it names, in the order of the command line. */
START_TEST(arguments)
{
	char *argv[] = {
		"start", "a",     "--arg", "x:y:k=v:w",        "--arg", "a:n=1",      "x:y",
		"--arg", "3:n=2", "c=d",   "--arg=c=d:empty=", "--arg", "a:n_-9=a=b", NULL
	};
	static const char first[] = "n=1\0n_-9=a=b", second[] = "k=v:w", third[] = "n=2\0empty=";
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(13, argv, &options), -1);
	ck_assert_uint_eq(options.nr_exts, 3);
	ck_assert_uint_eq(options.args_size[0], sizeof(first));
	ck_assert_mem_eq(options.args[0], first, sizeof(first));
	ck_assert_uint_eq(options.args_size[1], sizeof(second));
	ck_assert_mem_eq(options.args[1], second, sizeof(second));
	ck_assert_uint_eq(options.args_size[2], sizeof(third));
	ck_assert_mem_eq(options.args[2], third, sizeof(third));
	ck_assert_uint_eq(options.args_size[3], 0);
}
END_TEST

/* By their files' names, too; what the command line has goes before that. */
START_TEST(named_by_files)
{
	char *argv[] = { "start",   "./a",    "/opt/b",  "a",       "--arg",
			 "a:k=3",   "--arg",  "b:k=2",   "--arg",   "./a:k=1",
			 "--allow", "b=none", "--allow", "a=debug", NULL };
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(14, argv, &options), -1);
	ck_assert_str_eq(options.args[0], "k=1");
	ck_assert_str_eq(options.args[1], "k=2");
	ck_assert_str_eq(options.args[2], "k=3");
	ck_assert_uint_eq(options.denied[0], 0);
	ck_assert_uint_eq(options.denied[1], BF_ALL_RIGHTS);
	ck_assert_uint_eq(options.denied[2], BF_ALL_RIGHTS & ~(uint64_t)BF_RIGHT_debug);
}
END_TEST

/* One extension need not be named, nor the default one. */
START_TEST(arguments_of_one)
{
	static const char args[] = "k=1:v\0url=a:b\0n=x", *const names[] = { "", "a:", "1:" };
	char values[3][32];
	char *argv[] = { "start", "--arg",   values[0],           "--arg", values[1],
			 "--arg", values[2], _i / 3 ? "a" : NULL, NULL };
	struct start_options options;

	snprintf(values[0], 32, "%sk=1:v", _i / 3 || _i % 3 != 1 ? names[_i % 3] : "default:");
	snprintf(values[1], 32, "url=a:b");
	snprintf(values[2], 32, "1:n=x");
	optind = 0;
	ck_assert_int_eq(start_parse(7 + _i / 3, argv, &options), -1);
	ck_assert_uint_eq(options.args_size[0], sizeof(args));
	ck_assert_mem_eq(options.args[0], args, sizeof(args));
	ck_assert_uint_eq(options.args_size[1], 0);
}
END_TEST

/* As much as there is room for, in many arguments; one more; and one byte more. */
START_TEST(too_many_arguments)
{
	enum { EACH = 8, ALL = MK2_ARGS_MAX / EACH };
	static char values[ALL + 1][EACH + 16], *argv[2 * (ALL + 1) + 2];
	struct start_options options;
	int argc = 0;

	argv[argc++] = "start";
	for (int i = 0; i < ALL + (_i == 1); i++) {
		snprintf(values[i], sizeof(values[i]), "k%04d=v%s", i,
			 _i == 2 && i == ALL - 1 ? "v" : "");
		argv[argc++] = "--arg";
		argv[argc++] = values[i];
	}
	optind = 0;
	ck_assert_int_eq(start_parse(argc, argv, &options), _i ? EXIT_USAGE : -1);
	ck_assert_uint_eq(options.args_size[0], MK2_ARGS_MAX - (_i == 2 ? EACH : 0));
}
END_TEST

/* Each mistake is said. */
START_TEST(wrong_arguments)
{
	static const struct {
		const char *line, *said;
	} wrong[] = {
		{ "start a --arg k", "has no \"=\": k" },
		{ "start a --arg a:k", "has no \"=\": a:k" },
		{ "start a --arg a:", "has no \"=\": a:" },
		{ "start a=b --arg a=b:k", "has no \"=\": a=b:k" },
		{ "start a --arg =v", "not a key of an argument: =v" },
		{ "start a --arg a:=v", "not a key of an argument: a:=v" },
		{ "start a --arg K=v", "not a key of an argument: K=v" },
		{ "start a --arg k.=v", "not a key of an argument: k.=v" },
		{ "start a --arg 1:b:k=v", "not a key of an argument: 1:b:k=v" },
		{ "start a --arg a123456789b123456789c123456789de=v", "not a key of an argument" },
		{ "start a --arg b:k=v", "one of the extensions: b:k=v" },
		{ "start a --arg 0:k=v", "one of the extensions: 0:k=v" },
		{ "start a --arg 2:k=v", "one of the extensions: 2:k=v" },
		{ "start a --arg :k=v", "one of the extensions: :k=v" },
		{ "start a --arg default:k=v", "one of the extensions: default:k=v" },
		{ "start a a --arg a:k=v", "one of the extensions: a:k=v" },
		{ "start ./a /b/a --arg a:k=v", "one of the extensions: a:k=v" },
		{ "start ./b/a --arg b/a:k=v", "one of the extensions: b/a:k=v" },
		{ "start a b --arg k=v", "is not said: k=v" },
		{ "start a b --arg k=a:v", "is not said: k=a:v" },
		{ "start a --arg k=1 --arg k=2", "is there already: k=2" },
		{ "start a b --arg 1:k=1 --arg 2:k=1 --arg a:k=1", "is there already: k=1" },
		{ "start a --arg", "this option needs a value" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(run(&start_command, wrong[i].line) == EXIT_USAGE, "%s",
			      wrong[i].line);
		ck_assert_str_eq(out, "");
		ck_assert_msg(strstr(err, wrong[i].said) && strstr(err, "\nhint: "), "%s: %s",
			      wrong[i].line, err);
	}
}
END_TEST

/* Without a word for it on the command line, there is the default extension. */
START_TEST(rights_of_the_default_extension)
{
	char *argv[] = { "start", "--allow", _i ? "1=linux" : "default=linux", NULL };
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(3, argv, &options), -1);
	ck_assert_uint_eq(options.denied[0], BF_ALL_RIGHTS & ~(uint64_t)BF_RIGHT_linux);
}
END_TEST

/* By letters that are missing, too many, wrong or exchanged; nobody guesses between two. */
START_TEST(suggestions)
{
	static const char *const names[] = {
		"start", "stop", "status",
		"dump",  "dumb", "a-name-that-is-longer-than-any-word-that-we-know"
	};
	static const struct {
		const char *word, *meant;
	} cases[] = {
		{ "start", "start" },  { "strat", "start" },   { "sttart", "start" },
		{ "tart", "start" },   { "stxrt", "start" },   { "stopp", "stop" },
		{ "sto", "stop" },     { "statsu", "status" }, { "dum", NULL },
		{ "sta", NULL },       { "x", NULL },          { "", NULL },
		{ "restarted", NULL }, { names[5], NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *meant = suggest(cases[i].word, strlen(cases[i].word), names, 6);

		ck_assert_msg(cases[i].meant ? meant && !strcmp(meant, cases[i].meant) : !meant,
			      "%s: %s", cases[i].word, meant ? meant : "none");
	}
	ck_assert_str_eq(suggest("dump=x", 4, names, 6), "dump");
	ck_assert_ptr_null(suggest("stop", 4, names, 0));
}
END_TEST

START_TEST(more_rights_than_extensions)
{
	char *argv[2 + 2 * (BF_MAX_EXTS + 1)] = { "start" };
	struct start_options options;
	int argc = 1;

	for (unsigned int i = 0; i <= BF_MAX_EXTS; i++) {
		argv[argc++] = "--allow";
		argv[argc++] = "1=linux";
	}
	optind = 0;
	ck_assert_int_eq(start_parse(argc, argv, &options), EXIT_USAGE);
}
END_TEST

START_TEST(wrong_command_lines)
{
	static const struct {
		const struct command *command;
		const char *line;
	} wrong[] = { { &start_command, "start --frob" },
		      { &start_command, "start --pool" },
		      { &start_command, "start --pool 0" },
		      { &start_command, "start --huge 1Z" },
		      { &start_command, "start -x" },
		      { &start_command, "start --serial 0" },
		      { &start_command, "start --serial 65529" },
		      { &start_command, "start --watchdog 99ms" },
		      { &start_command, "start --watchdog 1001s" },
		      { &start_command, "start --watchdog s" },
		      { &start_command, "start --watchdog ms" },
		      { &start_command, "start --watchdog 0" },
		      { &start_command, "start --repeats 99" },
		      { &start_command, "start --repeats 1000000001" },
		      { &start_command, "start --repeats -100" },
		      { &start_command, "start --repeats 0" },
		      { &start_command, "start --repeats 100x" },
		      { &start_command, "start --watchdog never" },
		      { &start_command, "start --watchdog 1000000000000000000000000000000000s" },
		      { &start_command, "start 1 2 3 4 5 6 7 8 9" },
		      { &start_command, "start a --allow" },
		      { &start_command, "start a --allow a" },
		      { &start_command, "start a --allow a=" },
		      { &start_command, "start a --allow a=linux," },
		      { &start_command, "start a --allow a=linu" },
		      { &start_command, "start a --allow a=linuxx" },
		      { &start_command, "start a --allow a=--linux" },
		      { &start_command, "start a --allow a=rdmsr:" },
		      { &start_command, "start a --allow a=rdmsr:x" },
		      { &start_command, "start a --allow a=rdmsr:2-1" },
		      { &start_command, "start a --allow a=rdmsr:1-" },
		      { &start_command, "start a --allow a=rdmsr:0x100000000" },
		      { &start_command, "start a --allow a=inmsr:1" },
		      { &start_command, "start a --allow a=vs_promot" },
		      { &start_command, "start a --allow a=-control_exit" },
		      { &start_command, "start a --allow a=callback_register_fail" },
		      { &start_command, "start a --allow b=linux" },
		      { &start_command, "start a --allow 0=linux" },
		      { &start_command, "start a --allow 2=linux" },
		      { &start_command, "start a --allow =linux" },
		      { &start_command, "start a --allow default=linux" },
		      { &start_command, "start a a --allow a=linux" },
		      { &start_command, "start a --allow a=linux --allow 1=linux" },
		      { &stop_command, "stop now" },
		      { &stop_command, "stop --now" },
		      { &stop_command, "stop --force now" },
		      { &status_command, "status --jason" },
		      { &status_command, "status x" },
		      { &dump_command, "dump --follow x" },
		      { &check_command, "check --all" } };
	static const struct command *const all[] = { &start_command, &stop_command, &status_command,
						     &dump_command, &check_command };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(run(wrong[i].command, wrong[i].line) == EXIT_USAGE, "%s",
			      wrong[i].line);
		ck_assert_str_eq(out, "");
		ck_assert_msg(!strncmp(err, "bfm: ", 5) && strstr(err, "hint: "), "%s: %s",
			      wrong[i].line, err);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char line[32];

		snprintf(line, sizeof(line), "%s --help", all[i]->name);
		ck_assert_int_eq(run(all[i], line), EXIT_OK);
		ck_assert_str_eq(err, "");
		ck_assert_msg(!strncmp(out, "usage: bfm ", 11), "%s", out);
	}
}
END_TEST

START_TEST(device_missing)
{
	static const struct command *const all[] = { &stop_command, &status_command,
						     &dump_command };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		device.open_errno = ENOENT;
		ck_assert_int_eq(run(all[i], all[i]->name), EXIT_NO_DEVICE);
		assert_failure(all[i]->name, "not loaded");
		device.open_errno = EACCES;
		ck_assert_int_eq(run(all[i], all[i]->name), EXIT_NO_DEVICE);
		assert_failure(all[i]->name, "no permission");
	}
}
END_TEST

TCase *options_tests(void)
{
	TCase *tc = commands_case("options");

	tcase_add_test(tc, sizes);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, start_options);
	tcase_add_test(tc, watchdog_times);
	tcase_add_test(tc, repeats);
	tcase_add_test(tc, rights);
	tcase_add_test(tc, single_rights);
	tcase_add_test(tc, suggestions);
	tcase_add_loop_test(tc, too_many_single_rights, 0, 2);
	tcase_add_test(tc, more_rights_than_extensions);
	tcase_add_loop_test(tc, rights_of_the_default_extension, 0, 2);
	tcase_add_test(tc, arguments);
	tcase_add_test(tc, named_by_files);
	tcase_add_loop_test(tc, arguments_of_one, 0, 6);
	tcase_add_loop_test(tc, too_many_arguments, 0, 3);
	tcase_add_test(tc, wrong_arguments);
	tcase_add_test(tc, wrong_command_lines);
	tcase_add_test(tc, device_missing);
	return tc;
}
