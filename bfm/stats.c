// SPDX-License-Identifier: GPL-2.0-only
/* bfm stats: exits by reason, CPU, extension and guest: how many, or how many in a second. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_OPENMETRICS };

struct stats_options {
	enum format format;
	double interval; /* seconds; 0: totals, once */
	uint64_t count; /* of intervals; 0: until interrupted */
};

static const struct option long_options[] = { { "json", no_argument, NULL, 'j' },
					      { "openmetrics", no_argument, NULL, 'o' },
					      { "interval", required_argument, NULL, 'i' },
					      { "count", required_argument, NULL, 'n' },
					      COMMON_OPTIONS };

static void print_text(const struct sample *before, const struct sample *now)
{
	const char *separator = "";

	for (enum group group = 0; group < NR_GROUPS; group++) {
		char *text;
		size_t size;
		FILE *file = open_memstream(&text, &size);

		if (!file)
			return;
		if (print_table(file, before, now, group, before ? SORT_RATE : SORT_TOTAL,
				SIZE_MAX)) {
			fflush(file);
			printf("%s%s", separator, text);
			separator = "\n";
		}
		fclose(file);
		free(text);
	}
	if (!*separator)
		puts("no exits");
	else if (before)
		putchar('\n');
}

static void json_row(const struct count_row *row, bool rates)
{
	printf("{\"name\": ");
	json_string(stdout, row->name);
	printf(", \"exits\": %" PRIu64, row->total);
	if (rates)
		printf(", \"per_second\": %.1f", row->rate);
	putchar('}');
}

/* One object in one line, so that a reader of many has each of them as soon as it is there. */
static bool print_json(const struct sample *before, const struct sample *now)
{
	static const char *const names[] = { "reasons", "cpus", "extensions", "guests" };
	struct count_row *rows = calloc(MAX_COUNT_ROWS, sizeof(*rows));
	struct count_row all = sample_total(before, now);

	if (!rows)
		return false;
	printf("{\"running\": %s, ",
	       now->status.machine.state == BF_STATE_RUNNING ? "true" : "false");
	if (before)
		printf("\"seconds\": %.3f, ", now->time - before->time);
	printf("\"all\": ");
	json_row(&all, before);
	for (enum group group = 0; group < NR_GROUPS; group++) {
		size_t count = sample_rows(before, now, group, SORT_NAME, rows);

		printf(", \"%s\": [", names[group]);
		for (size_t i = 0; i < count; i++) {
			fputs(i ? ", " : "", stdout);
			json_row(&rows[i], before);
		}
		putchar(']');
	}
	puts("}");
	free(rows);
	return true;
}

/* false with errno. */
static bool print(const struct stats_options *o, const struct sample *before,
		  const struct sample *now)
{
	if (o->format == FORMAT_TEXT)
		print_text(before, now);
	else if (o->format == FORMAT_OPENMETRICS)
		openmetrics(stdout, now);
	else if (!print_json(before, now))
		return false;
	return !fflush(stdout);
}

static bool stats(int fd, const struct stats_options *o, struct sample *before, struct sample *now)
{
	uint64_t shown = 0;

	if (!sample_take(fd, now))
		return false;
	if (o->interval == 0)
		return print(o, NULL, now);
	wait_begin();
	while (!o->count || shown < o->count) {
		wait_seconds(o->interval);
		if (wait_interrupted())
			break;
		sample_free(before);
		*before = *now;
		if (!sample_take(fd, now) || !print(o, before, now))
			return false;
		shown++;
	}
	return true;
}

static int fail(const char *sentence)
{
	fail_message("stats", "bfm stats --help", "%s", sentence);
	return EXIT_USAGE;
}

static int set_option(int c, struct stats_options *o)
{
	switch (c) {
	case 'j':
	case 'o':
		if (o->format != FORMAT_TEXT)
			return fail("--json and --openmetrics are two formats: choose one");
		o->format = c == 'j' ? FORMAT_JSON : FORMAT_OPENMETRICS;
		return -1;
	case 'i':
		return parse_interval(optarg, &o->interval) ?
			       -1 :
			       fail("--interval wants a time from 10ms to 3600s");
	case 'n':
		return parse_number(optarg, UINT64_MAX, &o->count) && o->count ?
			       -1 :
			       fail("--count wants a number from 1 on");
	default:
		return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	}
}

static int run(int argc, char **argv)
{
	struct stats_options o = { 0 };
	struct sample before = { 0 }, now = { 0 };
	int c, code, fd;

	while ((c = next_option(argc, argv, &stats_command)) != -1) {
		code = set_option(c, &o);
		if (code >= 0)
			return code;
	}
	code = finish_options(argc, argv, &stats_command);
	if (code >= 0)
		return code;
	if (o.count && o.interval == 0)
		o.interval = 1;
	if (o.format == FORMAT_OPENMETRICS && o.interval != 0)
		return fail("--openmetrics has totals: who reads them computes rates");
	fd = device_open();
	if (fd < 0)
		return fail_device("stats", errno);
	code = EXIT_OK;
	if (!stats(fd, &o, &before, &now))
		code = fail_call("stats", errno, BF_ERR_OK, 0);
	sample_free(&before);
	sample_free(&now);
	device_close(fd);
	return code;
}

const struct command stats_command = {
	.name = "stats",
	.summary = "Count exits by reason, CPU, extension and guest",
	.arguments = "[--json|--openmetrics] [--interval TIME] [--count N]",
	.help = "Without --interval: how many there have been since each CPU came in. Exits that\n"
		"no extension was asked about are the microkernel's.\n\n"
		"  --json           print JSON, one object in a line for each interval\n"
		"  --openmetrics    print what Prometheus reads; totals only\n"
		"  --interval TIME  how many in a second, again and again: 1s, 500ms, 2.5\n"
		"  --count N        end after N intervals, of 1s unless told\n"
		"  --help           show this text\n",
	.examples = "  bfm stats                           all so far\n"
		    "  bfm stats --interval 2s             what goes on, every 2 seconds\n"
		    "  bfm stats --json --count 1 | jq .all.per_second\n"
		    "  bfm stats --openmetrics >DIR/bareflank.prom     for node_exporter's DIR\n",
	.options = long_options,
	.run = run,
};
