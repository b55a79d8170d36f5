/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of test_bfm.c share: a device that answers as told, and how to run a command. */
#ifndef TEST_BFM_COMMANDS_H
#define TEST_BFM_COMMANDS_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bfm/bfm.h"

struct device {
	int open_errno;
	int call_errno; /* of start, stop, dump and check; status always answers */
	uint32_t error;
	uint32_t image;
	uint64_t detail;
	struct bf_ioctl_status status;
	struct bf_cpu_status *cpus;
	struct bf_guest_status guests[BF_MAX_GUESTS];
	struct bf_report report;
	struct bf_ended ended[BF_MAX_EXTS];
	struct bf_image_id ids[1 + BF_MAX_EXTS];
	struct bf_ioctl_check check;
	struct bf_register_value values[2];
	struct bf_ioctl_start started; /* what start was given */
	struct bf_file args[BF_MAX_EXTS]; /* with that */
	char arg_text[BF_MAX_EXTS][MK2_ARGS_MAX];
	struct bf_ioctl_stop stopped; /* what stop was given */
	int (*on_trace)(struct bf_ioctl_trace *call); /* returns an errno */
	const char *text; /* of the ring */
	uint64_t text_position; /* of its first byte */
	bool endless; /* each dump makes more of it */
	struct bf_line lines[4]; /* of that text */
	uint32_t nr_lines;
	unsigned int polls_to_run; /* status answers "running" so often */
	void (*on_status)(void); /* what happens after each answer of status; NULL: nothing */
};

extern struct device device;

/* What the last command printed. */
extern char *out, *err;

/* A case whose tests begin with a device of zeros. */
TCase *commands_case(const char *name);

/* Runs the command with the words of line. */
int run(const struct command *command, const char *line);

unsigned int lines(const char *text);

/* A failure says what and what to do, each in a line. */
void assert_failure(const char *what, const char *sentence);

void assert_has(const char *text, const char *part);

/* It is one JSON value. */
void assert_json(const char *text);

TCase *options_tests(void);
TCase *start_tests(void);
TCase *dump_tests(void);
TCase *status_tests(void);
TCase *stats_tests(void);
TCase *trace_tests(void);
TCase *failure_tests(void);
TCase *hint_tests(void);
TCase *channel_tests(void);
TCase *message_tests(void);
TCase *check_tests(void);
TCase *efi_tests(void);

#endif
