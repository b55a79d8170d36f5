// SPDX-License-Identifier: GPL-2.0-only
/* sample.c, table.c, wait.c, stats.c, openmetrics.c, top.c */
#include "commands.h"

#include <abi/hw/svm.h>
#include <errno.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "bfm/sample.h"

/* Two CPUs, 0 and 5, and two extensions, of which both have been asked. */
static void begin(void)
{
	device.status = (struct bf_ioctl_status){ .nr_cpus = 2,
						  .vendor = BF_VENDOR_AMD,
						  .state = BF_STATE_RUNNING,
						  .memory = 3 << 20,
						  .nr_image_ids = 3 };
	strcpy(device.ids[1].path, "/usr/lib/bareflank/default");
	strcpy(device.ids[2].path, "/tmp/\"mine\"\033[2J\\");
	device.cpus[1].cpu = 5;
	for (int i = 0; i < 2; i++) {
		struct bf_pp_status *pp = &device.cpus[i].pp;

		pp->state = BF_PP_GUEST;
		pp->exits = i ? 100 : 1000;
		pp->exit_count[SVM_EXIT_CPUID] = i ? 60 : 300;
		pp->exit_count[SVM_EXIT_MSR] = i ? 40 : 700;
		pp->ext_exits[0] = i ? 50 : 800;
		pp->ext_exits[1] = i ? 0 : 100;
	}
}

static void add_guest(uint32_t pid, const char *name, uint64_t exits)
{
	struct bf_guest_status *g = &device.guests[device.status.nr_guests++];

	*g = (struct bf_guest_status){ .pid = pid, .nr_vcpus = 2, .pinned = 4096 };
	strncpy(g->name, name, sizeof(g->name)); /* NOLINT: it need not end with a NUL */
	g->exits[BF_GUEST_EXIT_USER] = exits;
}

static void end_it(void)
{
	raise(SIGTERM);
}

/* All CPUs go on, but CPU 5 has been offline in between. */
static void go_on(void)
{
	device.cpus[0].pp.exits += 4000;
	device.cpus[0].pp.exit_count[SVM_EXIT_CPUID] += 4000;
	device.cpus[0].pp.ext_exits[1] += 3000;
	device.cpus[1].pp.exits = 10;
	device.cpus[1].pp.exit_count[SVM_EXIT_CPUID] = 10;
	device.cpus[1].pp.exit_count[SVM_EXIT_MSR] = 0;
	device.cpus[1].pp.ext_exits[0] = 10;
	device.on_status = NULL;
}

START_TEST(totals)
{
	begin();
	add_guest(77, "vmm", 20);
	add_guest(78, "other", 5);
	add_guest(77, "vmm", 10);
	ck_assert_int_eq(run(&stats_command, "stats"), EXIT_OK);
	ck_assert_str_eq(out, "  reason                                     exits  share\n"
			      "  MSR                                          740  67.3%\n"
			      "  CPUID                                        360  32.7%\n"
			      "\n"
			      "  CPU                                        exits  share\n"
			      "  0                                           1000  90.9%\n"
			      "  5                                            100   9.1%\n"
			      "\n"
			      "  asked                                      exits  share\n"
			      "  1 default                                    850  77.3%\n"
			      "  microkernel                                  150  13.6%\n"
			      "  2 \"mine\"?[2J\\                                100   9.1%\n"
			      "\n"
			      "  guests of process                          exits  share\n"
			      "  vmm (77)                                      30   2.7%\n"
			      "  other (78)                                     5   0.5%\n");
	ck_assert_int_eq(run(&stats_command, "stats --json"), EXIT_OK);
	assert_json(out);
	ck_assert_uint_eq(lines(out), 1);
	assert_has(out, "{\"running\": true, \"all\": {\"name\": \"all\", \"exits\": 1100}, "
			"\"reasons\": [{\"name\": \"CPUID\", \"exits\": 360}, ");
	assert_has(out, "\"cpus\": [{\"name\": \"0\", \"exits\": 1000}, "
			"{\"name\": \"5\", \"exits\": 100}], ");
	assert_has(out, "\"guests\": [{\"name\": \"vmm (77)\", \"exits\": 30}, ");
	device.status.nr_cpus = device.status.nr_guests = 0;
	ck_assert_int_eq(run(&stats_command, "stats"), EXIT_OK);
	ck_assert_str_eq(out, "no exits\n");
}
END_TEST

static double number_behind(const char *part)
{
	const char *found = strstr(out, part);

	ck_assert_msg(found != NULL, "%s is not in %s", part, out);
	return strtod(found + strlen(part), NULL);
}

/* A rate is what has come, by the time that has passed; what began anew counts from 0. */
START_TEST(rates)
{
	double seconds;

	begin();
	device.on_status = go_on;
	ck_assert_int_eq(run(&stats_command, "stats --json --interval 20ms --count 1"), EXIT_OK);
	assert_json(out);
	seconds = number_behind("\"seconds\": ");
	ck_assert(seconds >= 0.019);
	/* It is printed in milliseconds. */
#define ASSERT_RATE(part, exits) \
	ck_assert_msg(fabs(number_behind(part) * seconds - (exits)) < (exits) * 0.06, "%s", out)
	ASSERT_RATE("{\"name\": \"all\", \"exits\": 5010, \"per_second\": ", 4010);
	ASSERT_RATE("{\"name\": \"CPUID\", \"exits\": 4310, \"per_second\": ", 4010);
	ASSERT_RATE("{\"name\": \"0\", \"exits\": 5000, \"per_second\": ", 4000);
	ASSERT_RATE("{\"name\": \"5\", \"exits\": 10, \"per_second\": ", 10);
	ASSERT_RATE("{\"name\": \"1 default\", \"exits\": 810, \"per_second\": ", 10);
	ASSERT_RATE("{\"name\": \"microkernel\", \"exits\": 1100, \"per_second\": ", 1000);
	assert_has(out, "{\"name\": \"MSR\", \"exits\": 700, \"per_second\": 0.0}");
	device.on_status = go_on;
	ck_assert_int_eq(run(&stats_command, "stats --interval 0.01 --count 3"), EXIT_OK);
	assert_has(out, "  reason                             exits/s           exits  share\n");
	ck_assert_int_eq(run(&stats_command, "stats --json --interval 10ms --count 3"), EXIT_OK);
	ck_assert_uint_eq(lines(out), 3);
}
END_TEST

START_TEST(texts_of_rates)
{
	static const struct {
		double rate;
		const char *text;
	} cases[] = { { 0, "0" },         { 0.44, "0.4" },   { 9.94, "9.9" },
		      { 9.96, "10" },     { 999.4, "999" },  { 999.6, "1.00k" },
		      { 12345, "12.3k" }, { 99960, "100k" }, { 4560000, "4.56M" },
		      { 7.8e12, "7800G" } };
	char buf[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(rate_text(cases[i].rate, buf), cases[i].text);
}
END_TEST

START_TEST(intervals)
{
	static const char *const bad[] = { "",
					   "1m",
					   "0",
					   "9ms",
					   "3601",
					   "-1",
					   "+1",
					   " 1",
					   "0x1",
					   "inf",
					   "nan",
					   "1e2",
					   ".",
					   "1.2.3",
					   "s",
					   "1 s",
					   "ms",
					   "1sms",
					   "99999999999999999999" };
	double seconds;

	ck_assert(parse_interval("2", &seconds) && seconds > 1.99 && seconds < 2.01);
	ck_assert(parse_interval("2.5s", &seconds) && seconds > 2.49 && seconds < 2.51);
	ck_assert(parse_interval("250ms", &seconds) && seconds > 0.24 && seconds < 0.26);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!parse_interval(bad[i], &seconds), "%s", bad[i]);
}
END_TEST

/* What Python's parser of OpenMetrics makes of it; test/kselftest/stats.sh has what is real. */
START_TEST(metrics)
{
	static const char parser[] =
		"/usr/bin/python3 -c '"
		"import sys\n"
		"from prometheus_client.openmetrics.parser import text_string_to_metric_families\n"
		"for f in text_string_to_metric_families(sys.stdin.read()):\n"
		"    for s in f.samples:\n"
		"        print(s.name, sorted(s.labels.items()), s.value)' >/dev/null";
	FILE *pipe;

	begin();
	add_guest(77, "a\\b\"c\n\xff", 20);
	add_guest(77, "renamed", 10);
	add_guest(78, "sixteen letters!", 1);
	ck_assert_int_eq(run(&stats_command, "stats --openmetrics"), EXIT_OK);
	assert_has(out, "# TYPE bareflank_exits counter\n# HELP bareflank_exits ");
	assert_has(out, "\nbareflank_running 1\n");
	assert_has(out, "\nbareflank_cpus_inside 2\n");
	assert_has(out, "\nbareflank_memory_bytes 3145728\n");
	assert_has(out, "\nbareflank_exits_total{cpu=\"5\",reason=\"CPUID\"} 60\n");
	assert_has(out, "\nbareflank_extension_exits_total{cpu=\"0\",extension=\"2\","
			"name=\"\\\"mine\\\"?[2J\\\\\"} 100\n");
	assert_has(out, "\nbareflank_guest_exits_total{pid=\"77\",process=\"a\\\\b\\\"c??\","
			"by=\"user\"} 30\n");
	assert_has(out, "{pid=\"78\",process=\"sixteen letters!\",by=\"user\"} 1\n");
	assert_has(out,
		   "\nbareflank_guest_pinned_bytes{pid=\"77\",process=\"a\\\\b\\\"c??\"} 8192\n");
	ck_assert_str_eq(out + strlen(out) - 6, "# EOF\n");
	pipe = popen(parser, "w");
	ck_assert_ptr_nonnull(pipe);
	fputs(out, pipe);
	ck_assert_int_eq(pclose(pipe), 0);
	device.status = (struct bf_ioctl_status){ .state = BF_STATE_STOPPED };
	ck_assert_int_eq(run(&stats_command, "stats --openmetrics"), EXIT_OK);
	assert_has(out, "\nbareflank_running 0\n");
}
END_TEST

START_TEST(wrong_stats)
{
	ck_assert_int_eq(run(&stats_command, "stats --json --openmetrics"), EXIT_USAGE);
	assert_failure("stats", "choose one");
	ck_assert_int_eq(run(&stats_command, "stats --openmetrics --interval 1s"), EXIT_USAGE);
	assert_failure("stats", "totals");
	ck_assert_int_eq(run(&stats_command, "stats --interval 1ms"), EXIT_USAGE);
	assert_failure("stats", "10ms");
	ck_assert_int_eq(run(&stats_command, "stats --count 0"), EXIT_USAGE);
	assert_failure("stats", "from 1 on");
	ck_assert_int_eq(run(&stats_command, "stats more"), EXIT_USAGE);
	ck_assert_int_eq(run(&top_command, "top --sort size"), EXIT_USAGE);
	assert_failure("top", "rate, total or name");
	device.open_errno = ENOENT;
	ck_assert_int_eq(run(&stats_command, "stats"), EXIT_NO_DEVICE);
	assert_failure("stats", "not loaded");
	ck_assert_int_eq(run(&top_command, "top --once"), EXIT_NO_DEVICE);
	assert_failure("top", "not loaded");
}
END_TEST

START_TEST(top_without_a_terminal)
{
	begin();
	device.on_status = go_on;
	ck_assert_int_eq(run(&top_command, "top --once --interval 10ms"), EXIT_OK);
	ck_assert_msg(!strncmp(out, "bareflank runs on 2 of 2 CPUs, 3.0 MiB: ", 40), "%s", out);
	assert_has(out, " exits/s in "); /* which time that was is the machine's affair */
	assert_has(out, " s, by rate\n\n");
	assert_has(out, "  2 \"mine\"?[2J\\ ");
	ck_assert_ptr_null(strchr(out, '\033'));
	/* Both orders: MSR has more in all, but nothing in between. */
	ck_assert(strstr(out, "CPUID") < strstr(out, "MSR"));
	begin();
	device.on_status = go_on;
	device.cpus[0].pp.exit_count[SVM_EXIT_MSR] = 70000;
	ck_assert_int_eq(run(&top_command, "top --once --interval 10ms --sort total"), EXIT_OK);
	ck_assert(strstr(out, "CPUID") > strstr(out, "MSR"));
	ck_assert_int_eq(run(&top_command, "top --batch --count 2 --interval 10ms"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(strstr(out, "bareflank runs") + 1, "bareflank runs"));
	device.status.state = BF_STATE_STOPPED;
	ck_assert_int_eq(run(&top_command, "top --once --interval 10ms"), EXIT_OK);
	assert_has(out, "bareflank does not run: bfm start starts it\n");
	device.status.state = BF_STATE_FAILED;
	ck_assert_int_eq(run(&top_command, "top --once --interval 10ms"), EXIT_OK);
	assert_has(out, "bareflank has failed: see bfm status\n");
}
END_TEST

/* Keys that were pressed before it begins, in a pseudoterminal of 30 columns. */
START_TEST(top_on_a_terminal)
{
	struct winsize size = { .ws_row = 20, .ws_col = 30 };
	struct termios before, after;
	int master, slave, copies[2] = { dup(0), dup(1) };

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	ck_assert_int_eq(tcgetattr(slave, &before), 0);
	dup2(slave, 0);
	dup2(slave, 1);
	begin();
	ck_assert_int_eq(write(master, "hxtq", 4), 4);
	ck_assert_int_eq(run(&top_command, "top --interval 20ms"), EXIT_OK);
	/* In the end all is as it was: the modes, the cursor, the screen. */
	ck_assert_int_eq(tcgetattr(slave, &after), 0);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert_mem_eq(before.c_cc, after.c_cc, sizeof(before.c_cc));
	assert_has(out, "\033[?1049h\033[?25l\033[H");
	assert_has(out, "\r\n  q  quit\033[K");
	assert_has(out, "\033[K\r\n  2 \"mine\"?[2J\\               \033[K");
	ck_assert_str_eq(out + strlen(out) - 14, "\033[?25h\033[?1049l");
	/* What SIGTERM ends, is put back, too. */
	device.on_status = end_it;
	ck_assert_int_eq(run(&top_command, "top --interval 20ms"), EXIT_OK);
	ck_assert_int_eq(tcgetattr(slave, &after), 0);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert_mem_eq(before.c_cc, after.c_cc, sizeof(before.c_cc));
	dup2(copies[0], 0);
	dup2(copies[1], 1);
	close(master);
	close(slave);
}
END_TEST

TCase *stats_tests(void)
{
	TCase *tc = commands_case("stats");

	tcase_add_test(tc, totals);
	tcase_add_test(tc, rates);
	tcase_add_test(tc, texts_of_rates);
	tcase_add_test(tc, intervals);
	tcase_add_test(tc, metrics);
	tcase_add_test(tc, wrong_stats);
	tcase_add_test(tc, top_without_a_terminal);
	tcase_add_test(tc, top_on_a_terminal);
	return tc;
}
