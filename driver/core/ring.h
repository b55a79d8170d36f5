/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the debug ring, and traces, while the microkernel writes them. */
#ifndef BF_CORE_RING_H
#define BF_CORE_RING_H

#include <abi/handoff.h>
#include <abi/types.h>

/*
 * Copies the text from byte *position on to a buffer of BF_RING_DATA bytes, and returns how many
 * bytes. *position becomes the number of the first: later than requested if the text there has been
 * overwritten, earlier if there never was one. Nothing in the ring is trusted.
 */
uint64_t bf_ring_read(const struct bf_ring *ring, uint8_t *buffer, uint64_t *position);

/*
 * The same of records, from number *position on: at most max of them, and returns how many. Those
 * of a trace, and of the lines of the debug ring.
 */
uint32_t bf_trace_read(const struct bf_trace *trace, struct bf_trace_record *records, uint32_t max,
		       uint64_t *position);
uint32_t bf_lines_read(const struct bf_ring *ring, struct bf_line *lines, uint32_t max,
		       uint64_t *position);

#endif
