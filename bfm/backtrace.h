/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a program was: a stack of functions, with file and line as far as the image tells. */
#ifndef BFM_BACKTRACE_H
#define BFM_BACKTRACE_H

#include <abi/handoff.h>

#define MAX_FRAMES 64

struct frame {
	uint64_t address;
	uint64_t offset; /* from the beginning of the function; 0 if it is inlined */
	uint32_t line; /* 0: not known */
	bool inlined; /* into the function of the next frame */
	char function[160]; /* empty: not known */
	char file[256];
};

struct backtrace {
	bool debug; /* the image has debug information */
	bool cut; /* the stack goes on where the report ends */
	bool broken; /* the image could not be read to the end */
	uint32_t count;
	struct frame frames[MAX_FRAMES];
};

/*
 * The functions that were active at the place of a report, innermost first, by an image of size
 * bytes. Neither is trusted. Free with backtrace_free(); NULL: no memory.
 */
struct backtrace *backtrace_make(const struct bf_report *report, const void *image, size_t size);
void backtrace_free(struct backtrace *trace);

#endif
