// SPDX-License-Identifier: GPL-2.0-only
/* bfm dump: what the microkernel and the extensions have printed. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bfm.h"

#define CHUNK 0x10000
#define POLL_MS 100

static const struct option long_options[] = { { "follow", no_argument, NULL, 'f' },
					      COMMON_OPTIONS };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static int print(const char *text, size_t length)
{
	return fwrite(text, 1, length, stdout) != length || fflush(stdout) ? -1 : 0;
}

/* Prints all text from *position on. Returns 0, or -1 with errno. */
static int print_text(int fd, uint64_t *position, struct escape *escape)
{
	static char data[CHUNK], text[CHUNK + ESCAPE_SEQUENCE];
	struct bf_ioctl_dump call;

	do {
		call = (struct bf_ioctl_dump){ .size = sizeof(call),
					       .position = *position,
					       .data = (uintptr_t)data,
					       .length = sizeof(data) };
		if (device_call(fd, BF_IOC_DUMP, &call) < 0)
			return -1;
		if (call.length > sizeof(data)) {
			errno = EPROTO;
			return -1;
		}
		if (call.position > *position) {
			fflush(stdout);
			fprintf(stderr,
				"bfm: dump: %llu bytes of older text have been overwritten\n",
				(unsigned long long)(call.position - *position));
		}
		if (print(text, escape_text(escape, data, call.length, text)))
			return -1;
		/* A position before the wanted one: the module has been reloaded. */
		*position = call.position + call.length;
	} while (call.length && !interrupted);
	return 0;
}

static bool is_running(int fd)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };

	return device_call(fd, BF_IOC_STATUS, &status) == 0 && status.state == BF_STATE_RUNNING;
}

/* What the last failure was, after all that was printed before it. */
static void print_failure(int fd)
{
	struct status status;

	if (status_read(fd, &status) && failure_is_known(&status))
		failure_text(stdout, &status);
	status_free(&status);
}

static int dump(int fd, bool follow)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	struct sigaction action = { .sa_handler = on_interrupt };
	struct escape escape = { .terminal = isatty(STDOUT_FILENO), .colours = use_colour(stdout) };
	char rest[2 * ESCAPE_SEQUENCE];
	uint64_t position = 0;
	bool again;

	if (follow) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	do {
		/* Before the text is read, so that the last text before a stop is not missed. */
		again = follow && is_running(fd);
		if (print_text(fd, &position, &escape) < 0)
			return fail_call("dump", errno, BF_ERR_OK, 0);
		if (again && !interrupted)
			nanosleep(&pause, NULL);
	} while (again && !interrupted);
	if (print(rest, escape_end(&escape, rest)))
		return fail_call("dump", errno, BF_ERR_OK, 0);
	print_failure(fd);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	bool follow = false;
	int c, fd, code;

	while ((c = next_option(argc, argv, &dump_command)) != -1) {
		if (c != 'f')
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
		follow = true;
	}
	code = finish_options(argc, argv, &dump_command);
	if (code >= 0)
		return code;
	fd = device_open();
	if (fd < 0)
		return fail_device("dump", errno);
	code = dump(fd, follow);
	device_close(fd);
	return code;
}

const struct command dump_command = {
	.name = "dump",
	.summary = "Print the output of the microkernel and the extensions",
	.arguments = "[--follow]",
	.help = "Works while the hypervisor runs, and after a stop or a failure, until the\n"
		"module is unloaded. Ends with the last failure, as bfm status shows it.\n\n"
		"  --follow  keep printing new text, until interrupted or until the hypervisor\n"
		"            stops\n"
		"  --help    show this text\n",
	.examples = "  bfm dump                    what has been printed so far\n"
		    "  bfm dump --follow | tee log     what is being printed, and keep it\n",
	.options = long_options,
	.run = run,
};
