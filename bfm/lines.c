// SPDX-License-Identifier: GPL-2.0-only
#include "lines.h"

#include <inttypes.h>
#include <string.h>

static const char *const names[NR_LEVELS] = { "error", "warning", "info", "debug" };

bool level_parse(const char *name, enum level *level)
{
	for (*level = 0; *level < NR_LEVELS; (*level)++) {
		if (!strcmp(name, names[*level]))
			return true;
	}
	return false;
}

static bool begins_with(const char *text, size_t length, const char *word)
{
	size_t n = strlen(word);

	return length >= n && !memcmp(text, word, n);
}

/* What is behind the next ": "; NULL: there is none. */
static const char *next_part(const char *line, size_t length)
{
	const char *colon = memmem(line, length, ": ", 2);

	return colon ? colon + 2 : NULL;
}

enum level line_level(const char *line, size_t length)
{
	const char *end = line + length;
	const char *part = next_part(line, length);

	if (begins_with(line, length, "microkernel: exception "))
		return LEVEL_ERROR;
	if (part && begins_with(part, (size_t)(end - part), "PP "))
		part = next_part(part, (size_t)(end - part));
	for (enum level level = 0; part && level < NR_LEVELS; level++) {
		size_t n = strlen(names[level]);

		if (begins_with(part, (size_t)(end - part), names[level]) &&
		    begins_with(part + n, (size_t)(end - part) - n, ": "))
			return level;
	}
	return LEVEL_INFO;
}

/* --- output ----------------------------------------------------------------------------------- */

static void put(struct lines *lines, const char *text, size_t length)
{
	char out[LINE_SIZE + ESCAPE_SEQUENCE];

	fwrite(out, 1, escape_text(lines->escape, text, length, out), lines->file);
}

static const struct bf_line *find_stamp(const struct lines *lines)
{
	size_t low = 0, high = lines->nr_known;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lines->known[middle].position < lines->begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low < lines->nr_known && lines->known[low].position == lines->begin ?
		       &lines->known[low] :
		       NULL;
}

/* Seconds of the TSC, which begins with the machine, as the kernel log counts them, about. */
static void put_stamp(const struct lines *lines)
{
	const struct bf_line *stamp = find_stamp(lines);
	char source[16] = "mk";

	if (!stamp || !lines->tsc_khz) {
		fprintf(lines->file, "[%26s] ", "");
		return;
	}
	if (stamp->image)
		snprintf(source, sizeof(source), "ext %u", stamp->image);
	fprintf(lines->file, "[%12.6f CPU %-3" PRIu32 " %-5s] ",
		(double)stamp->tsc / lines->tsc_khz / 1000, stamp->cpu, source);
}

/* A part of a line: up to its end, or all that there is room for, or that there is. */
static void deal_with_part(struct lines *lines)
{
	static const char *const colours[NR_LEVELS] = { "\033[1;31m", "\033[33m", "", "\033[2m" };
	enum level level = line_level(lines->line, lines->length);
	bool colour = lines->escape->colours && *colours[level];

	if (!lines->continued) {
		lines->shown = level <= lines->max;
		if (lines->shown && lines->stamps)
			put_stamp(lines);
	}
	if (lines->shown && colour && !lines->continued) {
		fputs(colours[level], lines->file);
		put(lines, lines->line, lines->length);
		fputs("\033[0m", lines->file);
	} else if (lines->shown) {
		put(lines, lines->line, lines->length);
	}
	lines->length = 0;
	lines->continued = true;
}

void lines_text(struct lines *lines, uint64_t position, const char *text, size_t length)
{
	/* What follows a gap is no part of the line before it. */
	if (position != lines->position) {
		lines_flush(lines);
		lines->continued = false;
	}
	for (size_t i = 0; i < length; i++) {
		if (!lines->length && !lines->continued)
			lines->begin = position + i;
		if (lines->length == sizeof(lines->line))
			deal_with_part(lines);
		if (text[i] != '\n') {
			lines->line[lines->length++] = text[i];
			continue;
		}
		if (lines->length || !lines->continued)
			deal_with_part(lines);
		if (lines->shown)
			put(lines, "\n", 1);
		lines->continued = false;
	}
	lines->position = position + length;
}

void lines_flush(struct lines *lines)
{
	if (lines->length)
		deal_with_part(lines);
}
