// SPDX-License-Identifier: GPL-2.0-only
/* The commands of bfm, against a device of this test's own. */
#include "bfm/commands.h"

#include <errno.h>
#include <getopt.h>

#define FD 1000

const char *const config_libdir = "/nonexistent";
const char *const config_version = "test";

/* --- the device: config.c and device.c of bfm are not linked --------------------------------- */

struct device device;

int device_open(void)
{
	errno = device.open_errno;
	return errno ? -1 : FD;
}

void device_close(int fd)
{
	ck_assert_int_eq(fd, FD);
}

static int answer_status(struct bf_ioctl_status *call)
{
	struct bf_ioctl_status in = *call;
	uint32_t room = in.nr_cpus < device.status.nr_cpus ? in.nr_cpus : device.status.nr_cpus;

	*call = device.status;
	call->size = in.size;
	if (in.cpus)
		memcpy((void *)(uintptr_t)in.cpus, device.cpus, room * sizeof(*device.cpus));
	if (in.guests)
		memcpy((void *)(uintptr_t)in.guests, device.guests,
		       (in.nr_guests < device.status.nr_guests ? in.nr_guests :
								 device.status.nr_guests) *
			       sizeof(*device.guests));
	if (in.report)
		memcpy((void *)(uintptr_t)in.report, &device.report, sizeof(device.report));
	if (in.ended)
		memcpy((void *)(uintptr_t)in.ended, device.ended, sizeof(device.ended));
	if (in.image_ids)
		memcpy((void *)(uintptr_t)in.image_ids, device.ids, sizeof(device.ids));
	if (device.polls_to_run) {
		device.polls_to_run--;
		call->state = BF_STATE_RUNNING;
	}
	if (device.on_status)
		device.on_status();
	return 0;
}

static int answer_dump(struct bf_ioctl_dump *call)
{
	uint64_t end = device.text_position + strlen(device.text);

	if (call->position < device.text_position)
		call->position = device.text_position;
	if (device.endless) {
		memset((void *)(uintptr_t)call->data, 'x', call->length);
		return 0;
	}
	/* At most three bytes at once, so that the caller has to come again. */
	call->length = end - call->position < 3 ? end - call->position : 3;
	memcpy((void *)(uintptr_t)call->data, device.text + (call->position - device.text_position),
	       call->length);
	return 0;
}

static int answer_lines(struct bf_ioctl_lines *call)
{
	ck_assert_uint_eq(call->nr_lines, BF_RING_LINES);
	memcpy((void *)(uintptr_t)call->lines, device.lines, sizeof(device.lines));
	call->nr_lines = device.nr_lines;
	call->tsc_khz = 1000;
	return 0;
}

int device_call(int fd, unsigned long request, void *argument)
{
	struct bf_ioctl_start *start = argument;
	struct bf_ioctl_stop *stop = argument;

	ck_assert_int_eq(fd, FD);
	ck_assert_uint_eq(*(uint32_t *)argument, _IOC_SIZE(request));
	if (request == BF_IOC_STATUS)
		return answer_status(argument);
	if (request == BF_IOC_LINES)
		return answer_lines(argument);
	if (request == BF_IOC_TRACE) {
		errno = device.on_trace(argument);
		return errno ? -1 : 0;
	}
	if (request == BF_IOC_START) {
		device.started = *start;
		ck_assert_uint_ne(start->args, 0);
		memcpy(device.args, (void *)(uintptr_t)start->args,
		       start->nr_exts * sizeof(device.args[0]));
		for (uint32_t i = 0; i < start->nr_exts; i++)
			memcpy(device.arg_text[i], (void *)(uintptr_t)device.args[i].data,
			       device.args[i].size);
		start->error = device.error;
		start->image = device.image;
		start->detail = device.detail;
	} else if (request == BF_IOC_STOP) {
		device.stopped = *stop;
		stop->error = device.error;
		stop->detail = device.detail;
	} else if (request == BF_IOC_DUMP && !device.call_errno) {
		return answer_dump(argument);
	} else if (request == BF_IOC_CHECK) {
		struct bf_ioctl_check *call = argument;
		uint64_t values = call->values;

		if (values && device.check.nr_values) {
			ck_assert_uint_ge(call->nr_values, 2);
			memcpy((void *)(uintptr_t)values, device.values, sizeof(device.values));
		}
		*call = device.check;
	}
	errno = device.call_errno;
	return errno ? -1 : 0;
}

/* --- running a command ----------------------------------------------------------------------- */

char *out, *err;
static size_t out_size, err_size;

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	device.text = "";
	device.cpus = calloc(BF_MAX_PPS, sizeof(*device.cpus));
	unsetenv("BAREFLANK_LIBDIR");
}

static void teardown(void)
{
	free(device.cpus);
	free(out);
	free(err);
	out = err = NULL;
}

int run(const struct command *command, const char *line)
{
	FILE *real_out = stdout, *real_err = stderr;
	char *words = strdup(line), *argv[48] = { NULL };
	int argc = 0, code;

	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	free(out);
	free(err);
	stdout = open_memstream(&out, &out_size);
	stderr = open_memstream(&err, &err_size);
	optind = 0;
	code = command->run(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	free(words);
	return code;
}

unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

void assert_failure(const char *what, const char *sentence)
{
	ck_assert_msg(!strncmp(err, "bfm: ", 5) && !strncmp(err + 5, what, strlen(what)), "%s",
		      err);
	ck_assert_msg(strstr(err, sentence) != NULL, "%s", err);
	ck_assert_msg(strstr(err, "\nhint: ") != NULL && lines(err) == 2, "%s", err);
	ck_assert_msg(!strchr(err, '\033'), "colour without a terminal");
}

void assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
}

TCase *commands_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("bfm");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, options_tests());
	suite_add_tcase(suite, start_tests());
	suite_add_tcase(suite, dump_tests());
	suite_add_tcase(suite, status_tests());
	suite_add_tcase(suite, stats_tests());
	suite_add_tcase(suite, trace_tests());
	suite_add_tcase(suite, failure_tests());
	suite_add_tcase(suite, channel_tests());
	suite_add_tcase(suite, message_tests());
	suite_add_tcase(suite, hint_tests());
	suite_add_tcase(suite, check_tests());
	suite_add_tcase(suite, efi_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
