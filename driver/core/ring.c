// SPDX-License-Identifier: GPL-2.0-only
/* Reads the debug ring: see ring.h. */
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
