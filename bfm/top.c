// SPDX-License-Identifier: GPL-2.0-only
/* bfm top: what exits most, on a terminal, until somebody presses q. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sample.h"

#define HEAD_LINES 2
#define NO_LIMIT 0x10000

struct top {
	int fd;
	double interval;
	uint64_t count; /* of screens; 0: until told to end */
	enum sort sort;
	bool batch; /* one sample below the other, and no keys */
	bool help; /* the keys are shown */
	bool quit;
	struct sample before, now;
};

static const struct option long_options[] = {
	{ "interval", required_argument, NULL, 'i' }, { "count", required_argument, NULL, 'n' },
	{ "sort", required_argument, NULL, 's' },     { "batch", no_argument, NULL, 'b' },
	{ "once", no_argument, NULL, '1' },           COMMON_OPTIONS
};

/* --- what is shown ---------------------------------------------------------------------------- */

static void print_head(FILE *file, const struct top *t)
{
	const struct bf_ioctl_status *m = &t->now.status.machine;
	struct count_row all = sample_total(&t->before, &t->now);
	uint32_t inside = 0;
	char rate[16];

	for (uint32_t i = 0; i < m->nr_cpus; i++)
		inside += t->now.status.cpus[i].pp.state == BF_PP_GUEST;
	if (m->state == BF_STATE_RUNNING)
		fprintf(file,
			"bareflank runs on %" PRIu32 " of %" PRIu32 " CPUs, %.1f MiB: %s exits/s "
			"in %.1f s, by %s\n\n",
			inside, m->nr_cpus, (double)m->memory / (1 << 20),
			rate_text(all.rate, rate), t->now.time - t->before.time,
			sort_name(t->sort));
	else
		fprintf(file, "bareflank %s: %s\n\n",
			m->state == BF_STATE_FAILED ? "has failed" : "does not run",
			m->state == BF_STATE_FAILED ? "see bfm status" : "bfm start starts it");
}

static void print_keys(FILE *file)
{
	fputs("  r  sort by exits in a second\n"
	      "  t  by exits in all\n"
	      "  n  by name\n"
	      "  q  quit\n"
	      "  any other key: back\n",
	      file);
}

/* Reasons first, which are what is looked at; but each group gets its share of the lines. */
static void print_screen(FILE *file, const struct top *t, size_t lines)
{
	size_t left = lines > HEAD_LINES ? lines - HEAD_LINES : 0;

	print_head(file, t);
	if (t->help) {
		print_keys(file);
		return;
	}
	for (enum group group = 0; group < NR_GROUPS && left; group++) {
		size_t share = left / (NR_GROUPS - group);
		size_t used;

		if (group == GROUP_REASON)
			share = left / 2;
		used = print_table(file, &t->before, &t->now, group, t->sort, share);
		if (used)
			fputc('\n', file);
		left -= used < left ? used + (used && left > used) : left;
	}
}

/* --- the terminal ----------------------------------------------------------------------------- */

static struct termios old_terminal;

static bool terminal_begin(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &old_terminal))
		return false;
	raw = old_terminal;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return false;
	fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
	return true;
}

static void terminal_end(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &old_terminal);
}

static void screen_size(size_t *lines, size_t *columns)
{
	struct winsize size;

	*lines = 24;
	*columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		*lines = size.ws_row;
		*columns = size.ws_col;
	}
}

/* From the upper left corner, each line cut at the edge, and what was there before erased. */
static void draw(const char *text, size_t lines, size_t columns)
{
	fputs("\033[H", stdout);
	while (lines && *text) {
		size_t length = strcspn(text, "\n");
		bool title = !strncmp(text, "  ", 2) &&
			     strstr(text, "share\n") == text + length - 5;

		printf("%s%.*s%s\033[K%s", title && use_colour(stdout) ? "\033[1m" : "",
		       (int)(length < columns ? length : columns), text,
		       title && use_colour(stdout) ? "\033[0m" : "", lines > 1 ? "\r\n" : "");
		text += length + (text[length] == '\n');
		lines--;
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static bool show(const struct top *t)
{
	size_t lines = NO_LIMIT, columns, size;
	FILE *file;
	char *text;

	if (t->batch) {
		print_screen(stdout, t, lines);
		return !fflush(stdout);
	}
	screen_size(&lines, &columns);
	file = open_memstream(&text, &size);
	if (!file)
		return false;
	print_screen(file, t, lines);
	if (fclose(file))
		return false;
	draw(text, lines, columns);
	free(text);
	return true;
}

static void press(struct top *t, char key)
{
	static const char sorts[] = { [SORT_RATE] = 'r', [SORT_TOTAL] = 't', [SORT_NAME] = 'n' };

	if (key == 'q')
		t->quit = true;
	t->help = !t->help && (key == 'h' || key == '?');
	for (enum sort sort = 0; sort < NR_SORTS; sort++) {
		if (key == sorts[sort])
			t->sort = sort;
	}
}

static double clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until the next sample is due. Keys take effect at once. */
static void wait_with_keys(struct top *t, double until)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	double left;
	char key;

	while (!t->quit && !wait_interrupted() && (left = until - clock_now()) > 0) {
		if (poll(&in, 1, (int)(left * 1000) + 1) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1) {
			t->quit = true; /* the terminal has gone */
			break;
		}
		press(t, key);
		(void)show(t);
	}
}

/* --- the command ------------------------------------------------------------------------------ */

/* false with errno. */
static bool watch(struct top *t)
{
	uint64_t shown = 0;

	while (!t->quit && !wait_interrupted() && (!t->count || shown < t->count)) {
		if (t->batch || !shown)
			wait_seconds(t->interval);
		else
			wait_with_keys(t, t->now.time + t->interval);
		if (t->quit || wait_interrupted())
			break;
		sample_free(&t->before);
		t->before = t->now;
		t->now = (struct sample){ 0 };
		if (!sample_take(t->fd, &t->now) || !show(t))
			return false;
		shown++;
	}
	return true;
}

static bool top(struct top *t)
{
	bool ok;

	wait_begin();
	if (!sample_take(t->fd, &t->now))
		return false;
	if (!t->batch && !terminal_begin())
		return false;
	ok = watch(t);
	if (!t->batch) {
		int err = errno;

		terminal_end();
		errno = err;
	}
	return ok;
}

static int fail(const char *sentence)
{
	fail_message("top", "bfm top --help", "%s", sentence);
	return EXIT_USAGE;
}

static bool parse_sort(const char *text, enum sort *sort)
{
	for (*sort = 0; *sort < NR_SORTS; (*sort)++) {
		if (!strcmp(text, sort_name(*sort)))
			return true;
	}
	return false;
}

static int set_option(int c, struct top *t)
{
	switch (c) {
	case 'i':
		return parse_interval(optarg, &t->interval) ?
			       -1 :
			       fail("--interval wants a time from 10ms to 3600s");
	case 'n':
		return parse_number(optarg, UINT64_MAX, &t->count) && t->count ?
			       -1 :
			       fail("--count wants a number from 1 on");
	case 's':
		return parse_sort(optarg, &t->sort) ? -1 : fail("--sort wants rate, total or name");
	case '1':
		t->count = 1;
		/* fallthrough */
	case 'b':
		t->batch = true;
		return -1;
	default:
		return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	}
}

static int run(int argc, char **argv)
{
	struct top t = { .interval = 1 };
	int c, code;

	while ((c = next_option(argc, argv, &top_command)) != -1) {
		code = set_option(c, &t);
		if (code >= 0)
			return code;
	}
	code = finish_options(argc, argv, &top_command);
	if (code >= 0)
		return code;
	if (!t.batch && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return fail("no terminal: use --once or --batch");
	t.fd = device_open();
	if (t.fd < 0)
		return fail_device("top", errno);
	code = EXIT_OK;
	if (!top(&t))
		code = fail_call("top", errno, BF_ERR_OK, 0);
	sample_free(&t.before);
	sample_free(&t.now);
	device_close(t.fd);
	return code;
}

const struct command top_command = {
	.name = "top",
	.summary = "Show what exits most, by reason, CPU, extension and guest",
	.arguments = "[--interval TIME] [--sort KEY] [--once|--batch] [--count N]",
	.help = "Exits in a second, and in all. Keys: r, t and n sort by rate, total and name, h\n"
		"shows the keys, q quits.\n\n"
		"  --interval TIME  between two looks: 1s, 500ms, 2.5; the default is 1s\n"
		"  --sort KEY       rate, total or name\n"
		"  --once           wait for one interval, print, and end; needs no terminal\n"
		"  --batch          print one below the other; needs no terminal\n"
		"  --count N        end after N intervals\n"
		"  --help           show this text\n",
	.examples = "  bfm top                             until q is pressed\n"
		    "  bfm top --once --interval 5s        what has gone on in five seconds\n"
		    "  bfm top --batch --count 60 >log     a minute of it\n",
	.options = long_options,
	.run = run,
};
