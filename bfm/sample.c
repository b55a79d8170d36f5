// SPDX-License-Identifier: GPL-2.0-only
#include "sample.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool sample_take(int fd, struct sample *sample)
{
	struct timespec now;

	if (!status_read(fd, &sample->status)) {
		status_free(&sample->status);
		return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	return true;
}

void sample_free(struct sample *sample)
{
	status_free(&sample->status);
}

const char *group_name(enum group group)
{
	static const char *const names[] = { "reason", "cpu", "extension", "guest" };

	return names[group];
}

const char *sort_name(enum sort sort)
{
	static const char *const names[] = { "rate", "total", "name" };

	return names[sort];
}

const char *sample_ext_name(const struct sample *sample, unsigned int n)
{
	const struct explanation *e = sample->status.explanation;
	const char *path, *slash;

	if (n + 1 >= sample->status.machine.nr_image_ids || n >= BF_MAX_EXTS)
		return "";
	path = e->ids[n + 1].path;
	if (!memchr(path, '\0', sizeof(e->ids[n + 1].path)))
		return "";
	slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* --- counters --------------------------------------------------------------------------------- */

static const struct bf_cpu_status *find_cpu(const struct sample *sample, uint32_t cpu)
{
	for (uint32_t i = 0; i < sample->status.machine.nr_cpus; i++) {
		if (sample->status.cpus[i].cpu == cpu)
			return &sample->status.cpus[i];
	}
	return NULL;
}

static uint64_t count_of_cpu(const struct sample *sample, uint32_t cpu)
{
	const struct bf_cpu_status *c = find_cpu(sample, cpu);

	return c ? c->pp.exits : 0;
}

static uint64_t count_of_guest(const struct sample *sample, uint32_t pid)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < sample->status.machine.nr_guests; i++) {
		const struct bf_guest_status *g = &sample->status.guests[i];

		for (unsigned int kind = 0; g->pid == pid && kind < BF_NR_GUEST_EXITS; kind++)
			count += g->exits[kind];
	}
	return count;
}

/*
 * Each CPU begins at 0 again when it comes in, after a start, or a time offline: what is less than
 * before has begun anew.
 */
static uint64_t difference(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}

static double rate_of(const struct sample *before, const struct sample *now, uint64_t exits)
{
	double seconds = before ? now->time - before->time : 0;

	return seconds > 0 ? (double)exits / seconds : 0;
}

/* Of the counter in each CPU's status at this offset. */
static void add_cpus(const struct sample *before, const struct sample *now, size_t offset,
		     struct count_row *row)
{
	uint64_t exits = 0;

	for (uint32_t i = 0; i < now->status.machine.nr_cpus; i++) {
		const struct bf_cpu_status *c = &now->status.cpus[i];
		const struct bf_cpu_status *old = before ? find_cpu(before, c->cpu) : NULL;
		uint64_t count, old_count = 0;

		memcpy(&count, (const char *)&c->pp + offset, sizeof(count));
		if (old)
			memcpy(&old_count, (const char *)&old->pp + offset, sizeof(old_count));
		row->total += count;
		exits += difference(old_count, count);
	}
	row->rate = rate_of(before, now, exits);
}

struct count_row sample_total(const struct sample *before, const struct sample *now)
{
	struct count_row row = { .name = "all" };

	add_cpus(before, now, offsetof(struct bf_pp_status, exits), &row);
	return row;
}

/* --- rows ------------------------------------------------------------------------------------- */

static size_t rows_of_reasons(const struct sample *before, const struct sample *now,
			      struct count_row *rows)
{
	size_t count = 0;

	for (unsigned int slot = 0; slot < BF_NR_EXIT_SLOTS; slot++) {
		struct count_row row = { .number = 0 };

		add_cpus(before, now,
			 offsetof(struct bf_pp_status, exit_count) + slot * sizeof(uint64_t), &row);
		if (!row.total)
			continue;
		exit_name((enum bf_vendor)now->status.machine.vendor, slot, row.name);
		rows[count++] = row;
	}
	return count;
}

static size_t rows_of_cpus(const struct sample *before, const struct sample *now,
			   struct count_row *rows)
{
	size_t count = 0;

	for (uint32_t i = 0; i < now->status.machine.nr_cpus; i++) {
		uint32_t cpu = now->status.cpus[i].cpu;
		struct count_row row = { .number = cpu, .total = now->status.cpus[i].pp.exits };
		uint64_t old = before ? count_of_cpu(before, cpu) : 0;

		if (!row.total)
			continue;
		snprintf(row.name, sizeof(row.name), "%" PRIu32, cpu);
		row.rate = rate_of(before, now, difference(old, row.total));
		rows[count++] = row;
	}
	return count;
}

/* And the microkernel, which answers some exits itself. */
static size_t rows_of_exts(const struct sample *before, const struct sample *now,
			   struct count_row *rows)
{
	struct count_row rest = sample_total(before, now);
	size_t count = 0;

	for (unsigned int i = 0; i < BF_MAX_EXTS; i++) {
		struct count_row row = { .number = i + 1 };

		add_cpus(before, now,
			 offsetof(struct bf_pp_status, ext_exits) + i * sizeof(uint64_t), &row);
		if (!row.total)
			continue;
		snprintf(row.name, sizeof(row.name), "%u %s", i + 1, sample_ext_name(now, i));
		rows[count++] = row;
		/* An exit that is in one of the counters only, as yet, is in no row. */
		rest.total -= row.total < rest.total ? row.total : rest.total;
		rest.rate -= row.rate < rest.rate ? row.rate : rest.rate;
	}
	if (rest.total) {
		snprintf(rest.name, sizeof(rest.name), "microkernel");
		rows[count++] = rest;
	}
	return count;
}

/* By process: all of its VMs together. */
static size_t rows_of_guests(const struct sample *before, const struct sample *now,
			     struct count_row *rows)
{
	size_t count = 0;

	for (uint32_t i = 0; i < now->status.machine.nr_guests; i++) {
		const struct bf_guest_status *g = &now->status.guests[i];
		struct count_row row = { .number = g->pid, .total = count_of_guest(now, g->pid) };
		uint64_t old = before ? count_of_guest(before, g->pid) : 0;
		size_t n = 0;

		while (n < count && rows[n].number != g->pid)
			n++;
		if (n < count)
			continue;
		snprintf(row.name, sizeof(row.name), "%.*s (%" PRIu32 ")", (int)sizeof(g->name),
			 g->name, g->pid);
		row.rate = rate_of(before, now, difference(old, row.total));
		rows[count++] = row;
	}
	return count;
}

static int by_name(const struct count_row *a, const struct count_row *b)
{
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int by_total(const void *a, const void *b)
{
	const struct count_row *x = a, *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return by_name(x, y);
}

static int by_rate(const void *a, const void *b)
{
	const struct count_row *x = a, *y = b;

	if (x->rate > y->rate || x->rate < y->rate)
		return x->rate > y->rate ? -1 : 1;
	return by_total(x, y);
}

static int only_by_name(const void *a, const void *b)
{
	return by_name(a, b);
}

size_t sample_rows(const struct sample *before, const struct sample *now, enum group group,
		   enum sort sort, struct count_row *rows)
{
	static size_t (*const makers[])(const struct sample *, const struct sample *,
					struct count_row *) = { rows_of_reasons, rows_of_cpus,
								rows_of_exts, rows_of_guests };
	static int (*const orders[])(const void *, const void *) = { by_rate, by_total,
								     only_by_name };
	size_t count = makers[group](before, now, rows);

	qsort(rows, count, sizeof(*rows), orders[sort]);
	return count;
}
