// SPDX-License-Identifier: GPL-2.0-only
/* What a PP was doing when it failed, for people and for programs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backtrace.h"
#include "bfm.h"

/* Exceptions (SDM vol. 3 §7.15, APM vol. 2 §8.2). */
static const char *const exceptions[] = {
	[0] = "#DE",  [1] = "#DB",  [3] = "#BP",  [4] = "#OF",  [5] = "#BR",  [6] = "#UD",
	[7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS", [13] = "#GP",
	[14] = "#PF", [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XM", [21] = "#CP"
};

static const char *exception_name(uint64_t vector)
{
	const char *name = NULL;

	if (vector < sizeof(exceptions) / sizeof(exceptions[0]))
		name = exceptions[vector];
	return name ? name : "no exception";
}

/*
 * Names come from files: nothing in them controls a terminal, or looks like another line. name: at
 * most BF_PATH_SIZE bytes; valid until the next call.
 */
static const char *clean(const char *name)
{
	static char out[BF_PATH_SIZE + 3 * ESCAPE_SEQUENCE];
	struct escape escape = { .terminal = true };
	size_t length = escape_text(&escape, name, strnlen(name, BF_PATH_SIZE), out);

	length += escape_end(&escape, out + length);
	out[length] = '\0';
	for (char *p = out; *p; p++) {
		if (*p == '\n' || *p == '\t')
			*p = '?';
	}
	return out;
}

/* The image that the place of a report is in; NULL: it is not known. */
static const struct bf_image_id *image_of(const struct status *status)
{
	const struct bf_report *r = &status->explanation->report;
	uint32_t index = r->cs & 3 ? r->image : 0;

	if (!(r->flags & BF_REPORT_PLACE) || (r->cs & 3 && !index) ||
	    index >= status->machine.nr_image_ids || index > BF_MAX_EXTS)
		return NULL;
	return &status->explanation->ids[index];
}

/* NULL: there is none, and *problem says why unless there cannot be one. */
static struct backtrace *trace_of(const struct status *status, const char **problem)
{
	const struct bf_image_id *id = image_of(status);
	struct backtrace *trace;
	size_t size = 0;
	void *data;

	*problem = NULL;
	if (!id)
		return NULL;
	data = status->image ? image_find_as(id, status->image, &size, problem) :
			       image_find(id, &size, problem);
	if (!data)
		return NULL;
	trace = backtrace_make(&status->explanation->report, data, size);
	free(data);
	if (!trace)
		*problem = "not enough memory";
	else if (trace->broken)
		*problem = "its debug information is damaged";
	else if (!trace->debug)
		*problem = "it has no debug information; build it with -g and do not strip it";
	return trace;
}

bool failure_is_known(const struct status *status)
{
	return status->explanation->report.error != BF_ERR_OK;
}

static void print_registers(FILE *file, const struct bf_report *r)
{
	static const char names[BF_NR_GPRS][4] = BF_GPR_NAMES;

	fprintf(file, "  rip %016" PRIx64 "  rsp %016" PRIx64 "  rflags %" PRIx64 "\n", r->rip,
		r->rsp, r->rflags);
	for (unsigned int i = 0; i < BF_NR_GPRS && r->flags & BF_REPORT_GPRS; i++)
		fprintf(file, "  %-3s %016" PRIx64 "%s", names[i], r->gpr[i],
			i % 3 == 2 ? "\n" : "");
	if (!(r->cs & 3))
		fprintf(file,
			"  cr0 %016" PRIx64 "  cr2 %016" PRIx64 "\n  cr3 %016" PRIx64
			"  cr4 %016" PRIx64 "\n",
			r->cr0, r->cr2, r->cr3, r->cr4);
}

static void print_frame(FILE *file, uint32_t number, const struct frame *f)
{
	fprintf(file, "  #%-2" PRIu32 " 0x%016" PRIx64, number, f->address);
	if (*f->function)
		fprintf(file, " %s", clean(f->function));
	if (*f->file && f->line)
		fprintf(file, " (%s:%" PRIu32 ")", clean(f->file), f->line);
	else if (*f->function && !f->inlined)
		fprintf(file, "+0x%" PRIx64, f->offset);
	fputs(f->inlined ? ", inlined\n" : "\n", file);
}

/* Without frames, the place itself is one. */
static void print_trace(FILE *file, const struct status *status)
{
	const struct bf_report *r = &status->explanation->report;
	const struct frame place = { .address = r->rip };
	const char *problem;
	struct backtrace *trace = trace_of(status, &problem);

	if (!trace || !trace->count)
		print_frame(file, 0, &place);
	for (uint32_t i = 0; trace && i < trace->count; i++)
		print_frame(file, i, &trace->frames[i]);
	if (trace && trace->cut)
		fputs("  the report holds no more of the stack\n", file);
	if (problem)
		fprintf(file, "  no functions and lines of this image: %s\n", problem);
	if (trace)
		backtrace_free(trace);
}

/* The line of the extension's before it gave up: most say why. */
static void copy_said(char said[BF_REPORT_SAID], const struct bf_report *r)
{
	memcpy(said, r->said, BF_REPORT_SAID);
	said[BF_REPORT_SAID - 1] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

static void print_said(FILE *file, const struct bf_report *r)
{
	char said[BF_REPORT_SAID];

	copy_said(said, r);
	if (*said)
		fprintf(file, "  it had said: %s\n", clean(said));
}

void failure_text(FILE *file, const struct status *status)
{
	const struct bf_report *r = &status->explanation->report;
	const struct bf_image_id *id = image_of(status);
	const struct error_text *text = error_text(r->error);

	fprintf(file, "\nlast failure: CPU %" PRIu32, r->cpu);
	if (r->image)
		fprintf(file, ", extension %u", r->image);
	if (id)
		fprintf(file, ", %s", clean(id->path));
	fprintf(file, ", in %s\n  %s\n", callback_name(r->callback), text->sentence);
	print_said(file, r);
	if (r->flags & BF_REPORT_FAULT)
		fprintf(file,
			"  %s (vector %" PRIu64 "), error code 0x%" PRIx64 ", address 0x%" PRIx64
			"\n",
			exception_name(r->vector), r->vector, r->error_code, r->address);
	if (!(r->flags & BF_REPORT_PLACE))
		return;
	print_trace(file, status);
	print_registers(file, r);
}

static void json_frames(FILE *file, const struct backtrace *trace)
{
	for (uint32_t i = 0; trace && i < trace->count; i++) {
		const struct frame *f = &trace->frames[i];

		fprintf(file,
			"%s\n    {\"address\": \"0x%" PRIx64 "\", \"function\": ", i ? "," : "",
			f->address);
		json_string(file, clean(f->function));
		fprintf(file, ", \"offset\": %" PRIu64 ", \"file\": ", f->offset);
		json_string(file, clean(f->file));
		fprintf(file, ", \"line\": %" PRIu32 ", \"inlined\": %s}", f->line,
			f->inlined ? "true" : "false");
	}
}

void failure_json(FILE *file, const struct status *status)
{
	const struct bf_report *r = &status->explanation->report;
	const struct bf_image_id *id = image_of(status);
	const char *problem;
	struct backtrace *trace = trace_of(status, &problem);
	char said[BF_REPORT_SAID];

	fprintf(file, "{\"cpu\": %" PRIu32 ", \"image\": %u, \"path\": ", r->cpu, r->image);
	json_string(file, id ? clean(id->path) : "");
	fputs(", \"callback\": ", file);
	json_string(file, callback_name(r->callback));
	if (r->flags & BF_REPORT_FAULT)
		fprintf(file,
			", \"vector\": %" PRIu64 ", \"error_code\": \"0x%" PRIx64
			"\", \"address\": \"0x%" PRIx64 "\"",
			r->vector, r->error_code, r->address);
	if (r->flags & BF_REPORT_PLACE)
		fprintf(file, ", \"rip\": \"0x%" PRIx64 "\", \"rsp\": \"0x%" PRIx64 "\"", r->rip,
			r->rsp);
	copy_said(said, r);
	fputs(", \"said\": ", file);
	json_string(file, clean(said));
	fputs(", \"problem\": ", file);
	json_string(file, problem ? problem : "");
	fputs(", \"backtrace\": [", file);
	json_frames(file, trace);
	fputs("]}", file);
	if (trace)
		backtrace_free(trace);
}
