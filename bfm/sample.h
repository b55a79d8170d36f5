/* SPDX-License-Identifier: GPL-2.0-only */
/* Two looks at the counters of the hypervisor, and what has happened between them. */
#ifndef BFM_SAMPLE_H
#define BFM_SAMPLE_H

#include "bfm.h"

struct sample {
	double time; /* seconds, of a clock that only runs forward */
	struct status status;
};

/* false with errno. Free with sample_free(). */
bool sample_take(int fd, struct sample *sample);
void sample_free(struct sample *sample);

/* What exits are counted by. */
enum group { GROUP_REASON, GROUP_CPU, GROUP_EXT, GROUP_GUEST, NR_GROUPS };

/* In the singular, for titles and for programs. */
const char *group_name(enum group group);

enum sort { SORT_RATE, SORT_TOTAL, SORT_NAME, NR_SORTS };

const char *sort_name(enum sort sort);

struct count_row {
	char name[64]; /* may be what an extension or a process is called: to be escaped */
	uint32_t number; /* what it is sorted by, by name: of a CPU, or an extension */
	uint64_t total; /* exits */
	double rate; /* in a second, since the sample before */
};

/* All exits of all CPUs. before: NULL: nothing has a rate. */
struct count_row sample_total(const struct sample *before, const struct sample *now);

/*
 * The rows of a group that have any exits, sorted. Returns how many; rows has room for
 * MAX_COUNT_ROWS.
 */
#define MAX_COUNT_ROWS BF_MAX_PPS
size_t sample_rows(const struct sample *before, const struct sample *now, enum group group,
		   enum sort sort, struct count_row *rows);

/* The file of extension number n, from 0 on, without its directories; "" if it is not known. */
const char *sample_ext_name(const struct sample *sample, unsigned int n);

/* --- table.c ---------------------------------------------------------------------------------- */

/* A number in at most five places: "0.4", "12", "12.3k", "4.56M"; buf has 16 bytes. */
const char *rate_text(double rate, char *buf);

/*
 * A title and the first rows of a group, at most max lines: nothing if there are no exits. before:
 * as above. Returns how many lines.
 */
size_t print_table(FILE *file, const struct sample *before, const struct sample *now,
		   enum group group, enum sort sort, size_t max);

/* --- wait.c ----------------------------------------------------------------------------------- */

/* A time like 1s, 500ms or 2.5 (seconds), from 10 ms to an hour; false for anything else. */
bool parse_interval(const char *text, double *seconds);

/* From now on SIGINT and SIGTERM end a wait, instead of the process, and all waits to come. */
void wait_begin(void);
bool wait_interrupted(void); /* one of them has come */
void wait_seconds(double seconds);

/* --- openmetrics.c ---------------------------------------------------------------------------- */

/* The totals as text that Prometheus and others read (OpenMetrics 1.0). */
void openmetrics(FILE *file, const struct sample *sample);

#endif
