// SPDX-License-Identifier: GPL-2.0-only
/* The output of bfm status, for people and for programs. */
#include <inttypes.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "bfm.h"

static const char *state_name(uint32_t state)
{
	static const char *const names[] = { "stopped", "running", "failed" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* A failed CPU may still run as a guest, without an extension: see enum bf_pp_state. */
const char *cpu_name(uint32_t cpu, char buf[CPU_NAME])
{
	if (cpu == BF_NO_CPU)
		return "?";
	snprintf(buf, CPU_NAME, "%" PRIu32, cpu);
	return buf;
}

static void json_cpu_number(FILE *file, uint32_t cpu)
{
	if (cpu == BF_NO_CPU)
		fputs("null", file);
	else
		fprintf(file, "%" PRIu32, cpu);
}

static const char *cpu_state_name(const struct bf_pp_status *pp)
{
	static const char *const names[] = { "bare", "guest", "failed", "halted" };

	if (pp->state == BF_PP_FAILED && pp->fallback)
		return "fallback";
	return pp->state < sizeof(names) / sizeof(names[0]) ? names[pp->state] : "unknown";
}

static const char *vendor_name(uint32_t vendor)
{
	switch (vendor) {
	case BF_VENDOR_AMD:
		return "AMD";
	case BF_VENDOR_INTEL:
		return "Intel";
	default:
		return "none";
	}
}

static void add_exits(const struct status *status, uint64_t *total)
{
	for (unsigned int slot = 0; slot < BF_NR_EXIT_SLOTS; slot++) {
		total[slot] = 0;
		for (uint32_t i = 0; i < status->machine.nr_cpus; i++)
			total[slot] += status->cpus[i].pp.exit_count[slot];
	}
}

/* The slot with the largest count, or -1 where all are 0. */
static int largest(const uint64_t *counts)
{
	int best = -1;

	for (int slot = 0; slot < BF_NR_EXIT_SLOTS; slot++) {
		if (counts[slot] && (best < 0 || counts[slot] > counts[best]))
			best = slot;
	}
	return best;
}

static void print_exits(FILE *file, const struct status *status)
{
	uint64_t counts[BF_NR_EXIT_SLOTS];
	char name[32];
	int slot;

	add_exits(status, counts);
	if (largest(counts) < 0)
		return;
	fputs("\nexits by reason:\n", file);
	while ((slot = largest(counts)) >= 0) {
		fprintf(file, "  %-22s %12" PRIu64 "\n",
			exit_name((enum bf_vendor)status->machine.vendor, (unsigned int)slot, name),
			counts[slot]);
		counts[slot] = 0;
	}
}

/* ", extension 2" if the error is about one, numbered in the order of bfm start. */
static const char *image_text(uint32_t error, uint64_t image, char *buf, size_t size)
{
	*buf = '\0';
	if (BF_ERROR_IS_EXTENSION(error) && image)
		snprintf(buf, size, ", extension %" PRIu64, image);
	return buf;
}

static void print_cpu_error(FILE *file, const struct bf_pp_status *pp)
{
	char detail[DETAIL_SIZE], image[40];

	if (!pp->error)
		return;
	describe_detail(pp->error, pp->detail, detail, sizeof(detail));
	fprintf(file, "          %s%s%s%s%s\n", error_text(pp->error)->sentence,
		*detail ? " (" : "", detail, *detail ? ")" : "",
		image_text(pp->error, pp->image, image, sizeof(image)));
	if (pp->rip)
		fprintf(file, "          at 0x%" PRIx64 ", address 0x%" PRIx64 "\n", pp->rip,
			pp->address);
}

static void print_time(FILE *file, const char *label, uint64_t ns, uint64_t paused_ns)
{
	if (ns)
		fprintf(file, "%-11s %.1f ms, of which %.3f ms with interrupts off\n", label,
			(double)ns / 1e6, (double)paused_ns / 1e6);
}

static uint32_t count_guests(const struct status *status)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < status->machine.nr_cpus; i++)
		count += status->cpus[i].pp.state == BF_PP_GUEST;
	return count;
}

/* Until the first exit of a CPU its limit is another, and only then is it there with it off. */
static void print_watchdog(FILE *file, uint64_t ns, uint32_t guests)
{
	uint64_t limit = ns / 1000000;
	uint64_t first = (ns ? ns : BF_WATCHDOG_NS) / 1000000 * BF_WATCHDOG_START_FACTOR;

	if (ns)
		fprintf(file, "%-11s %" PRIu64 " ms per callback", "watchdog", limit);
	else
		fprintf(file, "%-11s off", "watchdog");
	fprintf(file, ", %" PRIu64 " ms before the first exit", first);
	if (ns && guests == 1)
		fputs("; but no other CPU watches", file);
	else if (ns && guests)
		fputs("; other CPUs watch", file);
	fputc('\n', file);
}

static void print_repeats(FILE *file, uint64_t repeats)
{
	if (repeats)
		fprintf(file, "%-11s %" PRIu64 " exits without progress\n", "repeats", repeats);
	else
		fprintf(file, "%-11s off\n", "repeats");
}

/* A process may give itself any name. */
static const char *process_name(const struct bf_guest_status *g, char *buf, size_t size)
{
	size_t length = 0;

	while (length + 1 < size && length < sizeof(g->name) && g->name[length]) {
		unsigned char c = (unsigned char)g->name[length];

		buf[length++] = c < ' ' || c > '~' ? '?' : (char)c;
	}
	buf[length] = '\0';
	return buf;
}

static const char *guest_note(const struct bf_guest_status *g)
{
	if (g->flags & BF_GUEST_ABANDONED)
		return "  ended, pinned until the stop";
	return g->flags & BF_GUEST_ENDED ? "  ended" : "";
}

static void print_guests(FILE *file, const struct status *status)
{
	char name[sizeof(status->guests->name) + 1];

	if (!status->machine.nr_guests)
		return;
	fputs("\nguests of process         vCPUs     pinned    answered  interrupts      module"
	      "        user\n",
	      file);
	for (uint32_t i = 0; i < status->machine.nr_guests; i++) {
		const struct bf_guest_status *g = &status->guests[i];

		fprintf(file,
			"  %-15s %7" PRIu32 " %5" PRIu32 " %6.1f MiB %11" PRIu64 " %11" PRIu64
			" %11" PRIu64 " %11" PRIu64 "%s\n",
			process_name(g, name, sizeof(name)), g->pid, g->nr_vcpus,
			(double)g->pinned / (1 << 20), g->exits[BF_GUEST_EXIT_EXTENSION],
			g->exits[BF_GUEST_EXIT_INTERRUPT], g->exits[BF_GUEST_EXIT_MODULE],
			g->exits[BF_GUEST_EXIT_USER], guest_note(g));
	}
	if (status->more_guests)
		fprintf(file, "  and %" PRIu32 " more\n", status->more_guests);
}

/* Extensions that have failed, and Linux goes on without them. */
static void print_ended(FILE *file, const struct status *status)
{
	char detail[DETAIL_SIZE];

	for (unsigned int i = 0; i < BF_MAX_EXTS; i++) {
		const struct bf_ended *ended = &status->explanation->ended[i];
		const struct bf_report *r = &ended->report;

		if (!r->error)
			continue;
		describe_detail(r->error, ended->detail, detail, sizeof(detail));
		fprintf(file,
			"%-11s extension %u has failed, and its guests with it\n"
			"%-11s CPU %" PRIu32 ": %s%s%s%s\n",
			"ended", i + 1, "", r->cpu, error_text(r->error)->sentence,
			*detail ? " (" : "", detail, *detail ? ")" : "");
	}
}

void report_text(FILE *file, const struct status *status)
{
	const struct bf_ioctl_status *m = &status->machine;
	char detail[DETAIL_SIZE], image[40], hint[HINT_SIZE], cpu[CPU_NAME];

	fprintf(file, "%-11s %s\n", "state", state_name(m->state));
	if (*guard_sentence(&status->guard))
		fprintf(file, "%-11s booted without it: %s\n", "firmware",
			guard_sentence(&status->guard));
	fprintf(file, "%-11s %s\n", "vendor", vendor_name(m->vendor));
	fprintf(file, "%-11s %" PRIu32 "\n", "CPUs", m->nr_cpus);
	fprintf(file, "%-11s %.1f MiB\n", "memory", (double)m->memory / (1 << 20));
	print_watchdog(file, m->watchdog_ns, count_guests(status));
	print_repeats(file, m->repeats);
	print_time(file, "last start", m->start_ns, m->start_paused_ns);
	print_time(file, "last stop", m->stop_ns, m->stop_paused_ns);
	if (m->error) {
		const struct error_text *text = error_text(m->error);

		describe_detail(m->error, m->detail, detail, sizeof(detail));
		fprintf(file, "%-11s CPU %s%s: %s%s%s%s\n", "last error",
			cpu_name(m->error_cpu, cpu),
			image_text(m->error, m->error_image, image, sizeof(image)), text->sentence,
			*detail ? " (" : "", detail, *detail ? ")" : "");
		fprintf(file, "%-11s %s\n", "hint",
			hint_text("", m->error, m->detail, hint, sizeof(hint)));
	}
	print_ended(file, status);
	if (m->nr_cpus)
		fputs("\nCPU   PP  state            exits\n", file);
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		const struct bf_cpu_status *c = &status->cpus[i];

		fprintf(file, "%3s  %3" PRIu32 "  %-8s %12" PRIu64 "\n", cpu_name(c->cpu, cpu),
			c->ppid, cpu_state_name(&c->pp), c->pp.exits);
		print_cpu_error(file, &c->pp);
	}
	print_guests(file, status);
	print_exits(file, status);
	if (failure_is_known(status))
		failure_text(file, status);
}

/* The bytes of the UTF-8 character that text begins with; 0: it begins with none. */
static size_t character_length(const char *text, locale_t utf8)
{
	size_t rest = strlen(text);
	locale_t before = uselocale(utf8);
	size_t length = mbrlen(text, rest, &(mbstate_t){ 0 });

	uselocale(before);
	return length > rest ? 0 : length; /* (size_t)-1 or -2 */
}

/*
 * RFC 8259: quotes, backslashes and control characters are escaped, and all is UTF-8. Names of
 * files and functions may be anything.
 */
void json_string(FILE *file, const char *text)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	fputc('"', file);
	while (*text) {
		unsigned char c = (unsigned char)*text;
		size_t length = 1;

		if (c >= 0x80)
			length = utf8 ? character_length(text, utf8) : 0;
		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < ' ')
			fprintf(file, "\\u%04x", c);
		else if (length)
			fwrite(text, 1, length, file);
		else
			fputs("\\ufffd", file);
		text += length ? length : 1;
	}
	fputc('"', file);
	if (utf8)
		freelocale(utf8);
}

/* Details and addresses are strings: they may be beyond the 53 bits that many readers keep. */
static void json_error(FILE *file, uint32_t error, uint64_t image, uint64_t detail)
{
	const struct error_text *text = error_text(error);
	char hint[HINT_SIZE];

	fprintf(file, "\"number\": %" PRIu32 ", \"name\": ", error);
	json_string(file, text->name);
	fputs(", \"sentence\": ", file);
	json_string(file, text->sentence);
	fputs(", \"hint\": ", file);
	json_string(file, hint_text("", error, detail, hint, sizeof(hint)));
	fprintf(file, ", \"image\": %" PRIu64 ", \"detail\": \"0x%" PRIx64 "\"", image, detail);
}

static void json_exits(FILE *file, uint32_t vendor, const uint64_t *counts)
{
	const char *separator = "";
	char name[32];

	fputc('{', file);
	for (unsigned int slot = 0; slot < BF_NR_EXIT_SLOTS; slot++) {
		if (!counts[slot])
			continue;
		fputs(separator, file);
		json_string(file, exit_name((enum bf_vendor)vendor, slot, name));
		fprintf(file, ": %" PRIu64, counts[slot]);
		separator = ", ";
	}
	fputc('}', file);
}

static void json_cpu(FILE *file, const struct bf_cpu_status *c, uint32_t vendor)
{
	fputs("    {\"cpu\": ", file);
	json_cpu_number(file, c->cpu);
	fprintf(file, ", \"ppid\": %" PRIu32 ", \"state\": ", c->ppid);
	json_string(file, cpu_state_name(&c->pp));
	fprintf(file, ", \"exits\": %" PRIu64 ", \"reasons\": ", c->pp.exits);
	json_exits(file, vendor, c->pp.exit_count);
	fputs(", \"error\": ", file);
	if (c->pp.error) {
		fputc('{', file);
		json_error(file, c->pp.error, c->pp.image, c->pp.detail);
		fprintf(file, ", \"rip\": \"0x%" PRIx64 "\", \"address\": \"0x%" PRIx64 "\"}",
			c->pp.rip, c->pp.address);
	} else {
		fputs("null", file);
	}
	fputc('}', file);
}

static void json_guest(FILE *file, const struct bf_guest_status *g)
{
	char name[sizeof(g->name) + 1] = "";

	memcpy(name, g->name, sizeof(g->name));
	fprintf(file, "    {\"pid\": %" PRIu32 ", \"process\": ", g->pid);
	json_string(file, name);
	fprintf(file,
		", \"ended\": %s, \"vcpus\": %" PRIu32 ", \"pinned\": %" PRIu64
		", \"pinned_until_stop\": %s, \"exits\": {\"answered\": %" PRIu64
		", \"interrupts\": %" PRIu64 ", \"module\": %" PRIu64 ", \"user\": %" PRIu64 "}}",
		g->flags & BF_GUEST_ENDED ? "true" : "false", g->nr_vcpus, g->pinned,
		g->flags & BF_GUEST_ABANDONED ? "true" : "false", g->exits[BF_GUEST_EXIT_EXTENSION],
		g->exits[BF_GUEST_EXIT_INTERRUPT], g->exits[BF_GUEST_EXIT_MODULE],
		g->exits[BF_GUEST_EXIT_USER]);
}

static void json_ended(FILE *file, const struct status *status)
{
	const char *separator = "\n";

	for (unsigned int i = 0; i < BF_MAX_EXTS; i++) {
		const struct bf_ended *ended = &status->explanation->ended[i];

		if (!ended->report.error)
			continue;
		fprintf(file, "%s    {", separator);
		json_error(file, ended->report.error, i + 1, ended->detail);
		fprintf(file, ", \"cpu\": %" PRIu32 "}", ended->report.cpu);
		separator = ",\n";
	}
	fputs(*separator == ',' ? "\n  " : "", file);
}

/* What became of the last boot with bareflank.efi. */
static void json_guard(FILE *file, const struct bf_guard *guard)
{
	static const char *const states[] = { "up", "tried", "skipped", "failed" };

	if (!guard->version) {
		fputs("null", file);
		return;
	}
	fputs("{\"state\": ", file);
	json_string(file, guard->state < sizeof(states) / sizeof(states[0]) ? states[guard->state] :
									      "unknown");
	fputs(", \"reason\": ", file);
	json_string(file, guard->reason);
	fputc('}', file);
}

void report_json(FILE *file, const struct status *status)
{
	const struct bf_ioctl_status *m = &status->machine;
	uint64_t counts[BF_NR_EXIT_SLOTS];

	add_exits(status, counts);
	fprintf(file, "{\n  \"interface\": %" PRIu32 ",\n  \"state\": ", m->version);
	json_string(file, state_name(m->state));
	fputs(",\n  \"vendor\": ", file);
	json_string(file, vendor_name(m->vendor));
	fprintf(file,
		",\n  \"memory\": %" PRIu64 ",\n  \"start_ns\": %" PRIu64
		",\n  \"stop_ns\": %" PRIu64 ",\n  \"start_paused_ns\": %" PRIu64
		",\n  \"stop_paused_ns\": %" PRIu64 ",\n  \"watchdog_ns\": %" PRIu64
		",\n  \"repeats\": %" PRIu64,
		m->memory, m->start_ns, m->stop_ns, m->start_paused_ns, m->stop_paused_ns,
		m->watchdog_ns, m->repeats);
	fputs(",\n  \"error\": ", file);
	if (m->error) {
		fputc('{', file);
		json_error(file, m->error, m->error_image, m->detail);
		fputs(", \"cpu\": ", file);
		json_cpu_number(file, m->error_cpu);
		fputc('}', file);
	} else {
		fputs("null", file);
	}
	fputs(",\n  \"ended\": [", file);
	json_ended(file, status);
	fputs("],\n  \"failure\": ", file);
	if (failure_is_known(status))
		failure_json(file, status);
	else
		fputs("null", file);
	fputs(",\n  \"firmware\": ", file);
	json_guard(file, &status->guard);
	fputs(",\n  \"exits\": ", file);
	json_exits(file, m->vendor, counts);
	fputs(",\n  \"cpus\": [", file);
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		fputs(i ? ",\n" : "\n", file);
		json_cpu(file, &status->cpus[i], m->vendor);
	}
	fputs(m->nr_cpus ? "\n  ],\n" : "],\n", file);
	fputs("  \"guests\": [", file);
	for (uint32_t i = 0; i < m->nr_guests; i++) {
		fputs(i ? ",\n" : "\n", file);
		json_guest(file, &status->guests[i]);
	}
	fputs(m->nr_guests ? "\n  ]\n}\n" : "]\n}\n", file);
}
