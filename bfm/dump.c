// SPDX-License-Identifier: GPL-2.0-only
/* bfm dump: what the microkernel and the extensions have printed. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lines.h"

#define CHUNK 0x10000
#define POLL_MS 100

/* Whether to print something; AUTO: if it goes to a terminal. */
enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

struct dump_options {
	bool follow;
	enum level level;
	enum when colour, stamps;
	const char *image; /* see struct status */
};

static const struct option long_options[] = {
	{ "follow", no_argument, NULL, 'f' },      { "level", required_argument, NULL, 'l' },
	{ "color", required_argument, NULL, 'c' }, { "stamps", required_argument, NULL, 's' },
	{ "image", required_argument, NULL, 'i' }, COMMON_OPTIONS
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/*
 * What is known of the lines of the ring, all of it: after the text was read, so that there is
 * something of each line in it. false with errno.
 */
static bool read_stamps(int fd, struct lines *lines)
{
	struct bf_ioctl_lines call = { .size = sizeof(call),
				       .nr_lines = BF_RING_LINES,
				       .lines = (uintptr_t)lines->known };

	if (!lines->stamps)
		return true;
	if (device_call(fd, BF_IOC_LINES, &call) < 0)
		return false;
	lines->nr_known = call.nr_lines < BF_RING_LINES ? call.nr_lines : BF_RING_LINES;
	lines->tsc_khz = call.tsc_khz;
	return true;
}

/*
 * Prints all text from *position on; without follow not what is printed meanwhile, which may be
 * because of what this does. false with errno.
 */
static bool print_text(int fd, uint64_t *position, bool follow, struct lines *lines)
{
	static char data[CHUNK];
	struct bf_ioctl_dump call;
	uint64_t end = 0;

	do {
		call = (struct bf_ioctl_dump){ .size = sizeof(call),
					       .position = *position,
					       .data = (uintptr_t)data,
					       .length = sizeof(data) };
		if (device_call(fd, BF_IOC_DUMP, &call) < 0)
			return false;
		if (call.length > sizeof(data)) {
			errno = EPROTO;
			return false;
		}
		if (call.position > *position) {
			fflush(stdout);
			fprintf(stderr,
				"bfm: dump: %llu bytes of older text have been overwritten\n",
				(unsigned long long)(call.position - *position));
		}
		if (!end)
			end = follow ? UINT64_MAX : call.position + BF_RING_DATA;
		if (call.length && !read_stamps(fd, lines))
			return false;
		lines_text(lines, call.position, data, call.length);
		/* A position before the wanted one: the module has been reloaded. */
		*position = call.position + call.length;
	} while (call.length && *position < end && !interrupted);
	lines_flush(lines);
	return !fflush(stdout);
}

static bool is_running(int fd)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };

	return device_call(fd, BF_IOC_STATUS, &status) == 0 && status.state == BF_STATE_RUNNING;
}

/* What the last failure was, after all that was printed before it. */
static void print_failure(int fd, const char *image)
{
	struct status status;

	if (status_read(fd, &status) && failure_is_known(&status)) {
		status.image = image;
		failure_text(stdout, &status);
	}
	status_free(&status);
}

/* false with errno. */
static bool dump_text(int fd, bool follow, struct lines *lines)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	uint64_t position = 0;
	bool again;

	do {
		/* Before the text is read, so that the last text before a stop is not missed. */
		again = follow && is_running(fd);
		if (!print_text(fd, &position, follow, lines))
			return false;
		if (again && !interrupted)
			nanosleep(&pause, NULL);
	} while (again && !interrupted);
	return true;
}

static bool is_on(enum when when, bool by_itself)
{
	return when == WHEN_AUTO ? by_itself : when == WHEN_ALWAYS;
}

static int dump(int fd, const struct dump_options *o)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	struct escape escape = { .terminal = isatty(STDOUT_FILENO),
				 .colours = is_on(o->colour, use_colour(stdout)) };
	struct lines lines = { .file = stdout,
			       .escape = &escape,
			       .max = o->level,
			       .stamps = is_on(o->stamps, escape.terminal) };
	char rest[2 * ESCAPE_SEQUENCE];
	bool ok;

	if (o->follow) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	lines.known = calloc(BF_RING_LINES, sizeof(*lines.known));
	ok = lines.known && dump_text(fd, o->follow, &lines);
	if (ok)
		fwrite(rest, 1, escape_end(&escape, rest), stdout);
	free(lines.known);
	if (!ok || fflush(stdout))
		return fail_call("dump", errno, BF_ERR_OK, 0);
	print_failure(fd, o->image);
	return EXIT_OK;
}

static bool parse_when(const char *text, enum when *when)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (*when = 0; *when < sizeof(names) / sizeof(names[0]); (*when)++) {
		if (!strcmp(text, names[*when]))
			return true;
	}
	return false;
}

static int fail(const char *sentence)
{
	fail_message("dump", "bfm dump --help", "%s", sentence);
	return EXIT_USAGE;
}

static int set_option(int c, struct dump_options *o)
{
	switch (c) {
	case 'f':
		o->follow = true;
		return -1;
	case 'l':
		return level_parse(optarg, &o->level) ?
			       -1 :
			       fail("--level wants error, warning, info or debug");
	case 'c':
		return parse_when(optarg, &o->colour) ? -1 :
							fail("--color wants auto, always or never");
	case 'i':
		o->image = optarg;
		return -1;
	case 's':
		return parse_when(optarg, &o->stamps) ?
			       -1 :
			       fail("--stamps wants auto, always or never");
	default:
		return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	}
}

static int run(int argc, char **argv)
{
	struct dump_options o = { .level = LEVEL_DEBUG };
	int c, fd, code;

	while ((c = next_option(argc, argv, &dump_command)) != -1) {
		code = set_option(c, &o);
		if (code >= 0)
			return code;
	}
	code = finish_options(argc, argv, &dump_command);
	if (code >= 0)
		return code;
	fd = device_open();
	if (fd < 0)
		return fail_device("dump", errno);
	code = dump(fd, &o);
	device_close(fd);
	return code;
}

const struct command dump_command = {
	.name = "dump",
	.summary = "Print the output of the microkernel and the extensions",
	.arguments = "[--follow] [--level LEVEL] [--stamps WHEN] [--color WHEN] [--image FILE]",
	.help = "Works while the hypervisor runs, and after a stop or a failure, until the\n"
		"module is unloaded. Ends with the last failure, as bfm status shows it.\n\n"
		"  --follow       keep printing new text, until interrupted or until the\n"
		"                 hypervisor stops\n"
		"  --level LEVEL  error, warning, info or debug: no lines beyond it\n"
		"  --stamps WHEN  auto, always or never: when each line was begun, in seconds of\n"
		"                 the TSC, on which CPU, and by which extension; auto: on a\n"
		"                 terminal\n"
		"  --color WHEN   the same for colours\n"
		"  --image FILE   functions and lines of the last failure: see bfm status\n"
		"  --help         show this text\n",
	.examples = "  bfm dump                    what has been printed so far\n"
		    "  bfm dump --follow | tee log     what is being printed, and keep it\n"
		    "  bfm dump --level warning --stamps always        what went wrong, and when\n",
	.options = long_options,
	.run = run,
};
