// SPDX-License-Identifier: GPL-2.0-only
/* Counters as tables for people. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

#define NAME_WIDTH 32

const char *rate_text(double rate, char *buf)
{
	static const char units[] = " kMG";
	unsigned int unit = 0;

	while (rate >= 999.5 && units[unit + 1]) {
		rate /= 1000;
		unit++;
	}
	if (!unit)
		snprintf(buf, 16, "%.*f", rate > 0 && rate < 9.95, rate);
	else
		snprintf(buf, 16, "%.*f%c", rate < 9.995 ? 2 : rate < 99.95, rate, units[unit]);
	return buf;
}

/* What a process or a file is called may be anything: only what is printable is printed. */
static void print_name(FILE *file, const char *name)
{
	unsigned int width = 0;

	for (; *name && width < NAME_WIDTH; name++, width++)
		fputc(*name < ' ' || *name > '~' ? '?' : *name, file);
	fprintf(file, "%*s", (int)(NAME_WIDTH - width), "");
}

static void print_row(FILE *file, const struct count_row *row, const struct count_row *all)
{
	bool rates = all->rate > 0;
	double share = rates ? row->rate / all->rate : (double)row->total / (double)all->total;
	char rate[16];

	fputs("  ", file);
	print_name(file, row->name);
	if (rates)
		fprintf(file, " %9s", rate_text(row->rate, rate));
	fprintf(file, " %15" PRIu64 " %5.1f%%\n", row->total, 100 * share);
}

size_t print_table(FILE *file, const struct sample *before, const struct sample *now,
		   enum group group, enum sort sort, size_t max)
{
	static const char *const titles[] = { "reason", "CPU", "asked", "guests of process" };
	struct count_row *rows = calloc(MAX_COUNT_ROWS, sizeof(*rows));
	struct count_row all = sample_total(before, now);
	size_t count = rows ? sample_rows(before, now, group, sort, rows) : 0;
	size_t shown = count;

	if (max < 2)
		shown = 0;
	else if (count > max - 1)
		shown = max - 1;
	if (rows && shown) {
		fprintf(file, "  %-*s%s %15s  share\n", NAME_WIDTH, titles[group],
			all.rate > 0 ? "   exits/s" : "", "exits");
		for (size_t i = 0; i < shown; i++)
			print_row(file, &rows[i], &all);
	}
	free(rows);
	return shown ? shown + 1 : 0;
}
