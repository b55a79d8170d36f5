// SPDX-License-Identifier: GPL-2.0-only
/* The counters as OpenMetrics text: what is in the specification 1.0 of CNCF, and no more. */
#include <inttypes.h>
#include <string.h>

#include "sample.h"

/* A name of bytes has them as its unit. */
static void family(FILE *file, const char *name, const char *type, const char *help)
{
	size_t length = strlen(name);

	fprintf(file, "# TYPE bareflank_%s %s\n", name, type);
	if (length > 6 && !strcmp(name + length - 6, "_bytes"))
		fprintf(file, "# UNIT bareflank_%s bytes\n", name);
	fprintf(file, "# HELP bareflank_%s %s\n", name, help);
}

/* A value is UTF-8, in which a backslash, a quote and a line feed are escaped. */
static void label(FILE *file, const char *name, const char *value, size_t size)
{
	fprintf(file, "%s=\"", name);
	for (size_t i = 0; i < size && value[i]; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\\' || c == '"')
			fprintf(file, "\\%c", c);
		else
			fputc(c < ' ' || c > '~' ? '?' : c, file);
	}
	fputc('"', file);
}

static void gauge(FILE *file, const char *name, const char *help, uint64_t value)
{
	family(file, name, "gauge", help);
	fprintf(file, "bareflank_%s %" PRIu64 "\n", name, value);
}

static void exits(FILE *file, const struct sample *sample)
{
	const struct bf_ioctl_status *m = &sample->status.machine;
	char name[32], cpu[CPU_NAME];

	family(file, "exits", "counter", "VM exits since the CPU came in.");
	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		const struct bf_cpu_status *c = &sample->status.cpus[i];

		for (unsigned int slot = 0; slot < BF_NR_EXIT_SLOTS; slot++) {
			if (!c->pp.exit_count[slot])
				continue;
			exit_name((enum bf_vendor)m->vendor, slot, name);
			fprintf(file, "bareflank_exits_total{cpu=\"%s\",", cpu_name(c->cpu, cpu));
			label(file, "reason", name, sizeof(name));
			fprintf(file, "} %" PRIu64 "\n", c->pp.exit_count[slot]);
		}
	}
}

static void ext_exits(FILE *file, const struct sample *sample)
{
	char cpu[CPU_NAME];

	family(file, "extension_exits", "counter",
	       "VM exits that an extension was asked about, since the CPU came in.");
	for (uint32_t i = 0; i < sample->status.machine.nr_cpus; i++) {
		const struct bf_cpu_status *c = &sample->status.cpus[i];

		for (unsigned int n = 0; n < BF_MAX_EXTS; n++) {
			if (!c->pp.ext_exits[n])
				continue;
			fprintf(file,
				"bareflank_extension_exits_total{cpu=\"%s\",extension=\"%u\",",
				cpu_name(c->cpu, cpu), n + 1);
			label(file, "name", sample_ext_name(sample, n), SIZE_MAX);
			fprintf(file, "} %" PRIu64 "\n", c->pp.ext_exits[n]);
		}
	}
}

static void guest_labels(FILE *file, const struct bf_guest_status *g)
{
	fprintf(file, "{pid=\"%" PRIu32 "\",", g->pid);
	label(file, "process", g->name, sizeof(g->name));
}

/*
 * No two samples of a family have the same labels, so what VMs of one process have is added up; and
 * a process may have got a new name between two of them. false: it has been told.
 */
static bool add_process(const struct sample *sample, uint32_t first, struct bf_guest_status *sum)
{
	const struct bf_guest_status *guests = sample->status.guests;

	*sum = guests[first];
	for (uint32_t i = 0; i < sample->status.machine.nr_guests; i++) {
		if (i == first || guests[i].pid != sum->pid)
			continue;
		if (i < first)
			return false;
		sum->pinned += guests[i].pinned;
		sum->nr_vcpus += guests[i].nr_vcpus;
		for (unsigned int kind = 0; kind < BF_NR_GUEST_EXITS; kind++)
			sum->exits[kind] += guests[i].exits[kind];
	}
	return true;
}

static void guests(FILE *file, const struct sample *sample)
{
	static const char *const kinds[] = { "extension", "interrupt", "module", "user" };
	uint32_t count = sample->status.machine.nr_guests;
	struct bf_guest_status g;

	family(file, "guest_exits", "counter",
	       "VM exits of the guests of a process, by who went on with them.");
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned int kind = 0; add_process(sample, i, &g) && kind < BF_NR_GUEST_EXITS;
		     kind++) {
			fputs("bareflank_guest_exits_total", file);
			guest_labels(file, &g);
			fprintf(file, ",by=\"%s\"} %" PRIu64 "\n", kinds[kind], g.exits[kind]);
		}
	}
	family(file, "guest_vcpus", "gauge", "vCPUs of the guests of a process.");
	for (uint32_t i = 0; i < count; i++) {
		if (!add_process(sample, i, &g))
			continue;
		fputs("bareflank_guest_vcpus", file);
		guest_labels(file, &g);
		fprintf(file, "} %" PRIu32 "\n", g.nr_vcpus);
	}
	family(file, "guest_pinned_bytes", "gauge", "Memory of a process pinned for its guests.");
	for (uint32_t i = 0; i < count; i++) {
		if (!add_process(sample, i, &g))
			continue;
		fputs("bareflank_guest_pinned_bytes", file);
		guest_labels(file, &g);
		fprintf(file, "} %" PRIu64 "\n", g.pinned);
	}
}

void openmetrics(FILE *file, const struct sample *sample)
{
	const struct bf_ioctl_status *m = &sample->status.machine;
	uint64_t inside = 0, failed = 0;

	for (uint32_t i = 0; i < m->nr_cpus; i++) {
		inside += sample->status.cpus[i].pp.state == BF_PP_GUEST;
		failed += sample->status.cpus[i].pp.state == BF_PP_FAILED ||
			  sample->status.cpus[i].pp.state == BF_PP_HALTED;
	}
	gauge(file, "running", "Whether the hypervisor runs.", m->state == BF_STATE_RUNNING);
	gauge(file, "failed", "Whether it has failed since the last start.",
	      m->state == BF_STATE_FAILED);
	gauge(file, "cpus_inside", "CPUs that run Linux as a guest.", inside);
	gauge(file, "cpus_failed", "CPUs that have failed.", failed);
	gauge(file, "memory_bytes", "Memory that the hypervisor holds.", m->memory);
	exits(file, sample);
	ext_exits(file, sample);
	guests(file, sample);
	fputs("# EOF\n", file);
}
