// SPDX-License-Identifier: GPL-2.0-only
/* Reads rings: see ring.h. */
#include <bsl/string.h>

#include "loader.h"
#include "ring.h"

/* The number of the first byte that is not overwritten when so many have been written. */
static uint64_t oldest(uint64_t written)
{
	return written > BF_RING_DATA ? written - BF_RING_DATA : 0;
}

uint64_t bf_ring_read(const struct bf_ring *ring, uint8_t *buffer, uint64_t *position)
{
	uint64_t end = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
	uint64_t begin = *position;
	uint64_t first;
	uint64_t at;

	if (begin > end)
		begin = end;
	if (begin < oldest(end))
		begin = oldest(end);
	for (at = begin; at < end; at++)
		buffer[at - begin] =
			__atomic_load_n(&ring->data[at % BF_RING_DATA], __ATOMIC_RELAXED);
	/*
	 * What was overwritten during the copy is dropped, with the byte that may be being written:
	 * it is counted only afterwards.
	 */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	first = oldest(__atomic_load_n(&ring->written, __ATOMIC_RELAXED) + 1);
	if (first > end)
		first = end;
	if (first > begin) {
		bsl_memmove(buffer, buffer + (first - begin), end - first);
		begin = first;
	}
	*position = begin;
	return end - begin;
}

/* --- records ---------------------------------------------------------------------------------- */

struct records {
	const uint64_t *written; /* records ever written */
	const uint8_t *first;
	uint32_t count; /* in the ring */
	uint32_t size; /* of one, in bytes */
};

static uint64_t oldest_record(const struct records *r, uint64_t written)
{
	return written > r->count ? written - r->count : 0;
}

static uint32_t read_records(const struct records *r, uint8_t *to, uint32_t max, uint64_t *position)
{
	uint64_t end = __atomic_load_n(r->written, __ATOMIC_ACQUIRE);
	uint64_t begin = *position, first, n;

	if (begin > end)
		begin = end;
	if (begin < oldest_record(r, end))
		begin = oldest_record(r, end);
	if (end - begin > max)
		end = begin + max;
	for (n = begin; n < end; n++)
		bsl_memcpy(to + (n - begin) * r->size, r->first + n % r->count * r->size, r->size);
	/* As above: with the record that may be being written. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	first = oldest_record(r, __atomic_load_n(r->written, __ATOMIC_RELAXED) + 1);
	if (first > end)
		first = end;
	if (first > begin) {
		bsl_memmove(to, to + (first - begin) * r->size, (end - first) * r->size);
		begin = first;
	}
	*position = begin;
	return (uint32_t)(end - begin);
}

uint32_t bf_trace_read(const struct bf_trace *trace, struct bf_trace_record *records, uint32_t max,
		       uint64_t *position)
{
	const struct records r = { &trace->written, (const uint8_t *)trace->records,
				   BF_TRACE_RECORDS, sizeof(*records) };

	return read_records(&r, (uint8_t *)records, max, position);
}

uint32_t bf_lines_read(const struct bf_ring *ring, struct bf_line *lines, uint32_t max,
		       uint64_t *position)
{
	const struct records r = { &ring->lines, ring->data + BF_RING_DATA, BF_RING_LINES,
				   sizeof(*lines) };

	return read_records(&r, (uint8_t *)lines, max, position);
}
