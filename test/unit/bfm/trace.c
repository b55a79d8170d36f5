// SPDX-License-Identifier: GPL-2.0-only
/* trace.c: what is in the file, which Python checks as what the viewers want. */
#include "commands.h"

#include <errno.h>

#include <abi/hw/vmx.h>

#define KHZ 1000000 /* a tick is a nanosecond */

static bool on;
static unsigned int reads;
static uint64_t first_tsc;

static struct bf_trace_record exit_at(uint64_t tsc, uint16_t slot, uint16_t image, uint16_t vmid)
{
	return (struct bf_trace_record){ .begin = tsc,
					 .rip = 0xFFFFFFFF81000000,
					 .ticks = 1500,
					 .slot = slot,
					 .image = image,
					 .vmid = vmid,
					 .vsid = 3 };
}

/*
 * There are 100 records of PP 0 when it begins. While it is on: two more; then ten that nobody has
 * read, and another one. PP 1 has none.
 */
static int answer(struct bf_ioctl_trace *call)
{
	struct bf_trace_record *to = (void *)(uintptr_t)call->records;

	call->error = BF_ERR_OK;
	call->tsc_khz = KHZ;
	call->cpu = call->ppid ? 5 : 0;
	if (call->request == BF_TRACE_ON) {
		on = true;
		first_tsc = __builtin_ia32_rdtsc();
		return 0;
	}
	if (call->request == BF_TRACE_OFF) {
		on = false;
		return 0;
	}
	if (!on || call->ppid) {
		if (call->position > 100 && reads < 2)
			call->position = call->ppid ? 0 : 100;
		call->nr_records = 0;
		return 0;
	}
	ck_assert_uint_eq(call->nr_records, BF_TRACE_RECORDS);
	call->nr_records = 0;
	if (reads++ == 0) {
		ck_assert_uint_eq(call->position, 100);
		to[0] = exit_at(first_tsc + 1000000, VMX_EXIT_CPUID, 1, 0);
		to[1] = exit_at(first_tsc + 2000000, VMX_EXIT_EPT_VIOLATION, 0, 7);
		call->nr_records = 2;
	} else if (reads == 2) {
		ck_assert_uint_eq(call->position, 102);
		call->position = 112;
		to[0] = exit_at(first_tsc + 3000000, 999, 99, 0);
		call->nr_records = 1;
	}
	return 0;
}

static void begin(void)
{
	device.status = (struct bf_ioctl_status){ .nr_cpus = 2,
						  .vendor = BF_VENDOR_INTEL,
						  .state = BF_STATE_RUNNING,
						  .nr_image_ids = 2 };
	strcpy(device.ids[1].path, "/tmp/a\"b");
	device.on_trace = answer;
	on = false;
	reads = 0;
}

static const char checker[] =
	"/usr/bin/python3 -c '"
	"import json, sys\n"
	"events = json.load(open(sys.argv[1]))[\"traceEvents\"]\n"
	"exits = [e for e in events if e[\"ph\"] == \"X\"]\n"
	"for e in events:\n"
	"    assert e[\"ph\"] in \"MXi\" and isinstance(e[\"name\"], str), e\n"
	"    assert e[\"pid\"] == 0 and e[\"tid\"] in (0, 5), e\n"
	"    assert e[\"ph\"] == \"M\" or isinstance(e[\"ts\"], float), e\n"
	"names = [e[\"name\"] for e in exits]\n"
	"assert names == [\"CPUID\", \"EPT_VIOLATION\", \"EXIT_231\"], exits\n"
	"assert [e[\"dur\"] for e in exits] == [1.5, 1.5, 1.5], exits\n"
	"assert [e[\"cat\"] for e in exits] == [\"Linux\", \"guest\", \"Linux\"], exits\n"
	"asked = [e[\"args\"][\"asked\"] for e in exits]\n"
	"assert asked == [\"a\\\"b\", \"microkernel\", \"\"], asked\n"
	"assert abs(exits[1][\"ts\"] - exits[0][\"ts\"] - 1000) < 0.01, exits\n"
	"assert exits[0][\"args\"][\"rip\"] == \"0xffffffff81000000\", exits\n"
	"lost = [e[\"args\"][\"exits\"] for e in events if e[\"name\"] == \"lost\"]\n"
	"assert lost == [10], lost\n"
	"names = [e[\"args\"][\"name\"] for e in events if e[\"name\"] == \"thread_name\"]\n"
	"assert names == [\"CPU 0\"], names\n"
	"' /tmp/test_bfm_trace.json";

START_TEST(tracing)
{
	begin();
	ck_assert_int_eq(run(&trace_command, "trace --time 30ms /tmp/test_bfm_trace.json"),
			 EXIT_OK);
	ck_assert_str_eq(err, "3 exits, 10 lost\n");
	ck_assert(!on);
	ck_assert_int_eq(system(checker), 0);
	begin();
	ck_assert_int_eq(run(&trace_command, "trace --count 1 /tmp/test_bfm_trace.json"), EXIT_OK);
	ck_assert_str_eq(err, "1 exits, 0 lost\n");
	ck_assert(!on);
	ck_assert_int_eq(remove("/tmp/test_bfm_trace.json"), 0);
}
END_TEST

static int refuse(struct bf_ioctl_trace *call)
{
	call->error = BF_ERR_CPU_STUCK;
	return call->request == BF_TRACE_ON ? EBUSY : 0;
}

START_TEST(what_cannot_be_traced)
{
	begin();
	ck_assert_int_eq(run(&trace_command, "trace"), EXIT_USAGE);
	assert_failure("trace", "which file");
	ck_assert_int_eq(run(&trace_command, "trace a b"), EXIT_USAGE);
	ck_assert_int_eq(run(&trace_command, "trace --time 1ms a"), EXIT_USAGE);
	assert_failure("trace", "10ms");
	ck_assert_int_eq(run(&trace_command, "trace --count x a"), EXIT_USAGE);
	assert_failure("trace", "from 1 on");
	ck_assert_int_eq(run(&trace_command, "trace /nonexistent/file"), EXIT_FAILED);
	assert_failure("trace", "/nonexistent/file: No such file");
	ck_assert_int_eq(run(&trace_command, "trace --time 30ms /dev/full"), EXIT_FAILED);
	assert_failure("trace", "/dev/full: No space left");
	ck_assert(!on);
	device.on_trace = refuse;
	ck_assert_int_eq(run(&trace_command, "trace /dev/null"), EXIT_FAILED);
	assert_failure("trace", error_text(BF_ERR_CPU_STUCK)->sentence);
	device.status.state = BF_STATE_STOPPED;
	ck_assert_int_eq(run(&trace_command, "trace /dev/null"), EXIT_FAILED);
	assert_failure("trace", error_text(BF_ERR_NOT_RUNNING)->sentence);
	device.open_errno = ENOENT;
	ck_assert_int_eq(run(&trace_command, "trace /dev/null"), EXIT_NO_DEVICE);
}
END_TEST

TCase *trace_tests(void)
{
	TCase *tc = commands_case("trace");

	tcase_add_test(tc, tracing);
	tcase_add_test(tc, what_cannot_be_traced);
	return tc;
}
