/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept and printed about a failure, so that somebody can find its cause. */
#ifndef MK_REPORT_H
#define MK_REPORT_H

#include <abi/errors.h>
#include <abi/types.h>

struct bf_report;
struct pp;
struct trap_frame;

/* Where a PP failed. */
struct place {
	const struct trap_frame *frame; /* NULL: not known */
	uint8_t flags; /* BF_REPORT_*: what is known of it */
	uint64_t address; /* of a page fault */
};

/* Writes the report of bfm. image: as in struct bf_pp_status. */
void report_save(struct pp *pp, struct bf_report *r, enum bf_error error, uint64_t image,
		 const struct place *place);

/* Prints registers, the return addresses on the stack and the last exits. */
void report_print(const struct pp *pp, const struct place *place);

#endif
