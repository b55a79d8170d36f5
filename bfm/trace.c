// SPDX-License-Identifier: GPL-2.0-only
/* bfm trace: each exit with its time and what it took, in the format of Chrome's and Perfetto's. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "sample.h"

#define POLL_SECONDS 0.005

struct trace {
	int fd;
	double seconds;
	uint64_t count; /* exits; 0: any number */
	const char *path;
	FILE *file;
	struct sample sample; /* of the beginning: vendor, extensions */
	uint64_t began; /* TSC */
	uint64_t position[BF_MAX_PPS]; /* by PP */
	bool named[BF_MAX_PPS]; /* there is a line of it */
	uint64_t written; /* exits */
	uint64_t lost;
	struct bf_trace_record *records; /* BF_TRACE_RECORDS */
};

static const struct option long_options[] = { { "time", required_argument, NULL, 't' },
					      { "count", required_argument, NULL, 'n' },
					      COMMON_OPTIONS };

/* --- the file --------------------------------------------------------------------------------- */

/* In microseconds, as the format wants it. */
static double microseconds(uint64_t ticks, uint32_t tsc_khz)
{
	/* Before the beginning it is negative: of another CPU, whose TSC is behind. */
	return (double)(int64_t)ticks * 1000 / (tsc_khz ? tsc_khz : 1);
}

static void begin_event(struct trace *t, const char *name, const char *phase, uint32_t cpu)
{
	fprintf(t->file, ",\n{\"name\":");
	json_string(t->file, name);
	fprintf(t->file, ",\"ph\":\"%s\",\"pid\":0,\"tid\":%" PRIu32, phase, cpu);
}

/* Each CPU is a thread of one process. */
static void name_cpu(struct trace *t, uint32_t cpu)
{
	begin_event(t, "thread_name", "M", cpu);
	fprintf(t->file, ",\"args\":{\"name\":\"CPU %" PRIu32 "\"}}", cpu);
	begin_event(t, "thread_sort_index", "M", cpu);
	fprintf(t->file, ",\"args\":{\"sort_index\":%" PRIu32 "}}", cpu);
}

static void write_record(struct trace *t, const struct bf_ioctl_trace *call,
			 const struct bf_trace_record *r)
{
	const char *ext = r->image ? sample_ext_name(&t->sample, r->image - 1U) : "microkernel";
	enum bf_vendor vendor = (enum bf_vendor)t->sample.status.machine.vendor;
	char name[32];

	begin_event(t, exit_name(vendor, r->slot % BF_NR_EXIT_SLOTS, name), "X", call->cpu);
	fprintf(t->file, ",\"ts\":%.3f,\"dur\":%.3f,\"cat\":",
		microseconds(r->begin - t->began, call->tsc_khz),
		microseconds(r->ticks, call->tsc_khz));
	json_string(t->file, r->vmid ? "guest" : "Linux");
	fprintf(t->file,
		",\"args\":{\"rip\":\"0x%" PRIx64 "\",\"vm\":%u,\"vs\":%u,\"asked\":", r->rip,
		r->vmid, r->vsid);
	json_string(t->file, ext);
	fputs("}}", t->file);
}

static void write_loss(struct trace *t, const struct bf_ioctl_trace *call, uint64_t lost)
{
	begin_event(t, "lost", "i", call->cpu);
	fprintf(t->file, ",\"s\":\"t\",\"ts\":%.3f,\"args\":{\"exits\":%" PRIu64 "}}",
		microseconds(call->nr_records ? t->records[0].begin - t->began : 0, call->tsc_khz),
		lost);
	t->lost += lost;
}

static void begin_file(struct trace *t)
{
	fprintf(t->file, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"version\":");
	json_string(t->file, config_version);
	fprintf(t->file,
		"},\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":0,\"tid\":0,"
		"\"args\":{\"name\":\"bareflank\"}}");
}

/* false with errno: the disk is full, for one. */
static bool end_file(struct trace *t)
{
	bool ok;

	fputs("\n]}\n", t->file);
	ok = !ferror(t->file);
	return !fclose(t->file) && ok;
}

/* --- the device ------------------------------------------------------------------------------- */

static bool request(struct trace *t, enum bf_trace_request what, struct bf_ioctl_trace *call)
{
	call->size = sizeof(*call);
	call->request = what;
	return device_call(t->fd, BF_IOC_TRACE, call) == 0;
}

/* The position from which on records are those of this trace. */
static bool find_begin(struct trace *t, uint32_t ppid)
{
	struct bf_ioctl_trace call = { .ppid = ppid,
				       .position = UINT64_MAX,
				       .records = (uintptr_t)t->records };

	if (!request(t, BF_TRACE_READ, &call))
		return false;
	t->position[ppid] = call.position;
	return true;
}

static bool read_pp(struct trace *t, uint32_t ppid)
{
	struct bf_ioctl_trace call = { .ppid = ppid,
				       .position = t->position[ppid],
				       .records = (uintptr_t)t->records,
				       .nr_records = BF_TRACE_RECORDS };

	if (!request(t, BF_TRACE_READ, &call))
		return false;
	if (call.nr_records > BF_TRACE_RECORDS) {
		errno = EPROTO;
		return false;
	}
	if (call.nr_records && !t->named[ppid])
		name_cpu(t, call.cpu);
	t->named[ppid] |= call.nr_records;
	/* A position before the wanted one: there has been another start. */
	if (call.position > t->position[ppid])
		write_loss(t, &call, call.position - t->position[ppid]);
	for (uint32_t i = 0; i < call.nr_records && (!t->count || t->written < t->count); i++) {
		write_record(t, &call, &t->records[i]);
		t->written++;
	}
	t->position[ppid] = call.position + call.nr_records;
	return true;
}

/* false with errno. */
static bool each_pp(struct trace *t, bool (*read)(struct trace *, uint32_t))
{
	for (uint32_t i = 0; i < t->sample.status.machine.nr_cpus; i++) {
		if (!read(t, i))
			return false;
	}
	return true;
}

static double clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* false with errno, and *error if the module has said more. */
static bool record(struct trace *t, uint32_t *error)
{
	struct bf_ioctl_trace on = { 0 }, off = { 0 };
	double end = clock_now() + t->seconds;
	bool ok = true;

	wait_begin();
	t->began = __rdtsc();
	if (!request(t, BF_TRACE_ON, &on)) {
		*error = on.error;
		return false;
	}
	while (ok && !ferror(t->file) && !wait_interrupted() && clock_now() < end &&
	       (!t->count || t->written < t->count)) {
		wait_seconds(POLL_SECONDS);
		ok = each_pp(t, read_pp);
	}
	/* What has come in since the last look. */
	return request(t, BF_TRACE_OFF, &off) && ok && each_pp(t, read_pp);
}

static int trace(struct trace *t)
{
	uint32_t error = BF_ERR_OK;
	bool ok;

	t->file = strcmp(t->path, "-") != 0 ? fopen(t->path, "we") : fdopen(dup(1), "w");
	if (!t->file) {
		fail_message("trace", "write elsewhere", "%s: %s", t->path, strerror(errno));
		return EXIT_FAILED;
	}
	begin_file(t);
	ok = record(t, &error);
	if (!ok) {
		int err = errno;

		fclose(t->file);
		return fail_call("trace", err, error, 0);
	}
	if (!end_file(t)) {
		fail_message("trace", "free some space or write elsewhere", "%s: %s", t->path,
			     strerror(errno));
		return EXIT_FAILED;
	}
	fprintf(stderr, "%" PRIu64 " exits, %" PRIu64 " lost\n", t->written, t->lost);
	return EXIT_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

static int fail(const char *sentence)
{
	fail_message("trace", "bfm trace --help", "%s", sentence);
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct trace *t)
{
	int c;

	t->seconds = 1;
	while ((c = next_option(argc, argv, &trace_command)) != -1) {
		if (c == 't' && !parse_interval(optarg, &t->seconds))
			return fail("--time wants a time from 10ms to 3600s");
		if (c == 'n' && (!parse_number(optarg, UINT64_MAX, &t->count) || !t->count))
			return fail("--count wants a number from 1 on");
		if (c != 't' && c != 'n')
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	}
	if (optind == argc)
		return fail("which file shall it write?");
	t->path = argv[optind++];
	return finish_options(argc, argv, &trace_command);
}

static int run(int argc, char **argv)
{
	struct trace *t = calloc(1, sizeof(*t));
	int code;

	if (!t)
		return fail_call("trace", errno, BF_ERR_OK, 0);
	code = parse(argc, argv, t);
	if (code >= 0)
		goto out;
	t->fd = device_open();
	if (t->fd < 0) {
		code = fail_device("trace", errno);
		goto out;
	}
	t->records = calloc(BF_TRACE_RECORDS, sizeof(*t->records));
	if (!t->records || !sample_take(t->fd, &t->sample) || !each_pp(t, find_begin))
		code = fail_call("trace", errno, BF_ERR_OK, 0);
	else if (t->sample.status.machine.state != BF_STATE_RUNNING)
		code = fail_call("trace", 0, BF_ERR_NOT_RUNNING, 0);
	else
		code = trace(t);
	sample_free(&t->sample);
	free(t->records);
	device_close(t->fd);
out:
	free(t);
	return code;
}

const struct command trace_command = {
	.name = "trace",
	.summary = "Record each exit with its time, for Perfetto or Chrome",
	.arguments = "[--time TIME] [--count N] FILE",
	.help = "Writes a JSON file for ui.perfetto.dev and chrome://tracing: a row for each\n"
		"CPU, and in it when each exit came, its reason, how long it took until the next\n"
		"entry, the guest's RIP and VM, and which extension was asked. Exits are slower\n"
		"meanwhile; those that come faster than they can be read are counted as lost.\n\n"
		"  --time TIME  for so long: 500ms, 2s; the default is 1s\n"
		"  --count N    no more than so many exits\n"
		"  --help       show this text\n"
		"  FILE         where to; - is the standard output\n",
	.examples = "  bfm trace exits.json                    a second of it\n"
		    "  bfm trace --time 100ms --count 5000 exits.json\n"
		    "  bfm trace - | jq '.traceEvents[] | select(.ph == \"X\")'\n",
	.options = long_options,
	.run = run,
};
