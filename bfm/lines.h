/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of the debug ring: of which level each is, when it was printed, and by whom. */
#ifndef BFM_LINES_H
#define BFM_LINES_H

#include "bfm.h"

/* As in ext/libext/log.h: a line without a word for it is information. */
enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG, NR_LEVELS };

/* false: no level has this name. */
bool level_parse(const char *name, enum level *level);

/*
 * The level of a line of length bytes. Its word stands behind who says it, as in "watch: PP 2:
 * warning: ..."; and what the microkernel says of its faults is an error.
 */
enum level line_level(const char *line, size_t length);

/*
 * Text comes in pieces of any size. Whole lines go out, through the filter: those of a level up to
 * max, each in the colour of its level if the filter lets colours pass, and with what is known of
 * it in front. What is not named here begins as 0.
 */
#define LINE_SIZE 512
struct lines {
	FILE *file;
	struct escape *escape;
	enum level max;
	bool stamps; /* print them */
	uint64_t position; /* of the next byte in the text of the ring */
	struct bf_line *known; /* ascending by position: BF_RING_LINES of them */
	size_t nr_known;
	uint32_t tsc_khz;
	/* of the line that has begun */
	uint64_t begin; /* its position */
	char line[LINE_SIZE];
	size_t length;
	bool continued; /* a part of it has been dealt with: shown tells how */
	bool shown;
};

/* position: of the first byte, which is not that of the next one if text has been lost. */
void lines_text(struct lines *lines, uint64_t position, const char *text, size_t length);

/* What there is of a line that has no end yet: it may not get one for long. */
void lines_flush(struct lines *lines);

#endif
