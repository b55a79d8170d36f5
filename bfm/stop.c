// SPDX-License-Identifier: GPL-2.0-only
/* bfm stop. */
#include <errno.h>
#include <getopt.h>

#include "bfm.h"

static const struct option long_options[] = { { "force", no_argument, NULL, 'f' }, COMMON_OPTIONS };

static int run(int argc, char **argv)
{
	struct bf_ioctl_stop call = { .size = sizeof(call) };
	struct bf_ioctl_status status = { .size = sizeof(status) };
	int c, code, fd;

	while ((c = next_option(argc, argv, &stop_command)) != -1) {
		if (c != 'f')
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
		call.flags |= BF_STOP_FORCE;
	}
	code = finish_options(argc, argv, &stop_command);
	if (code >= 0)
		return code;
	fd = device_open();
	if (fd < 0)
		return fail_device("stop", errno);
	if (device_call(fd, BF_IOC_STOP, &call) < 0) {
		code = fail_call("stop", errno, call.error, call.detail);
	} else {
		code = EXIT_OK;
		if (device_call(fd, BF_IOC_STATUS, &status) == 0)
			printf("stopped in %.1f ms\n", (double)status.stop_ns / 1e6);
		else
			printf("stopped\n");
		/* It has stopped, so this is a warning and not a failure. */
		if (call.error)
			fail_call("stop", 0, call.error, call.detail);
	}
	device_close(fd);
	return code;
}

const struct command stop_command = {
	.name = "stop",
	.summary = "Stop the hypervisor; Linux gets the bare CPUs back",
	.arguments = "[--force]",
	.help = "  --force  also if there are guests: they end, and their processes get an error\n"
		"  --help   show this text\n",
	.examples = "  bfm stop            give the CPUs back\n"
		    "  bfm stop --force    although a guest is running\n",
	.options = long_options,
	.run = run,
};
