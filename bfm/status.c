// SPDX-License-Identifier: GPL-2.0-only
/* bfm status: reads the state; report.c prints it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "bfm.h"

static const struct option long_options[] = { { "json", no_argument, NULL, 'j' },
					      { "image", required_argument, NULL, 'i' },
					      COMMON_OPTIONS };

bool status_read(int fd, struct status *status)
{
	struct bf_ioctl_status *m = &status->machine;

	*status = (struct status){ 0 };
	status->cpus = calloc(BF_MAX_PPS, sizeof(*status->cpus));
	status->explanation = calloc(1, sizeof(*status->explanation));
	status->guests = calloc(BF_MAX_GUESTS, sizeof(*status->guests));
	if (!status->cpus || !status->explanation || !status->guests) {
		errno = ENOMEM;
		return false;
	}
	m->size = sizeof(*m);
	m->cpus = (uintptr_t)status->cpus;
	m->nr_cpus = BF_MAX_PPS;
	m->guests = (uintptr_t)status->guests;
	m->nr_guests = BF_MAX_GUESTS;
	m->report = (uintptr_t)&status->explanation->report;
	m->ended = (uintptr_t)status->explanation->ended;
	m->image_ids = (uintptr_t)status->explanation->ids;
	if (device_call(fd, BF_IOC_STATUS, m) < 0)
		return false;
	/* There may be more of them than there was room for. */
	if (m->nr_cpus > BF_MAX_PPS)
		m->nr_cpus = BF_MAX_PPS;
	status->more_guests = m->nr_guests > BF_MAX_GUESTS ? m->nr_guests - BF_MAX_GUESTS : 0;
	m->nr_guests -= status->more_guests;
	(void)guard_read("", &status->guard);
	return true;
}

void status_free(struct status *status)
{
	free(status->cpus);
	free(status->guests);
	free(status->explanation);
	*status = (struct status){ 0 };
}

static int exit_code(uint32_t state)
{
	switch (state) {
	case BF_STATE_RUNNING:
		return EXIT_OK;
	case BF_STATE_STOPPED:
		return EXIT_NOT_RUNNING;
	default:
		return EXIT_FAILED;
	}
}

static int run(int argc, char **argv)
{
	struct status status;
	const char *image = NULL;
	bool json = false;
	int c, fd, code;

	while ((c = next_option(argc, argv, &status_command)) != -1) {
		if (c != 'j' && c != 'i')
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
		json |= c == 'j';
		image = c == 'i' ? optarg : image;
	}
	code = finish_options(argc, argv, &status_command);
	if (code >= 0)
		return code;
	fd = device_open();
	if (fd < 0)
		return fail_device("status", errno);
	if (status_read(fd, &status)) {
		status.image = image;
		if (json)
			report_json(stdout, &status);
		else
			report_text(stdout, &status);
		code = exit_code(status.machine.state);
	} else {
		code = fail_call("status", errno, BF_ERR_OK, 0);
	}
	status_free(&status);
	device_close(fd);
	return code;
}

const struct command status_command = {
	.name = "status",
	.summary = "Show the state of the hypervisor, of every CPU and of guests",
	.arguments = "[--json] [--image FILE]",
	.help = "Exit codes: 0 running, 5 not running, 1 failed.\n\n"
		"The last failure is shown until the next start, with a backtrace: with functions\n"
		"and lines if the image has debug information and is still there.\n\n"
		"  --json        print one JSON object\n"
		"  --image FILE  functions and lines of the last failure are in FILE: the image\n"
		"                as it was before it was stripped or moved\n"
		"  --help        show this text\n",
	.examples = "  bfm status                          the state, for people\n"
		    "  bfm status --json | jq .cpus        for programs\n"
		    "  watch -n 1 bfm status               while something goes on\n",
	.options = long_options,
	.run = run,
};
