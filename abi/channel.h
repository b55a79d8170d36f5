/* SPDX-License-Identifier: MIT */
/*
 * The channel of an extension: a ring of records that ext_emit of Mk#2 writes and the driver reads.
 * It lies in memory of Linux's that the microkernel maps, too, one block for each extension. Only
 * the microkernel writes to it, but for one word; it keeps the positions that it goes by itself, so
 * whatever Linux writes there spoils nothing but what is read.
 *
 * A position is a number of bytes since the start: that at position p lies at data[p % size], size
 * being that of the block less the header's. A record begins at a multiple of 8.
 */
#ifndef BF_ABI_CHANNEL_H
#define BF_ABI_CHANNEL_H

#include <abi/mk2.h>
#include <abi/types.h>

struct bf_channel {
	uint64_t first; /* where the oldest record begins that is still there */
	uint64_t written; /* behind the newest */
	uint64_t emitted; /* records, those that were dropped included */
	uint64_t dropped; /* records that were refused, or overwritten before they were read */
	uint64_t consumed; /* the driver's: what is before this has been read */
	uint64_t pad[3];
	uint8_t data[];
};

/* Its bytes follow, and then as many as a multiple of 8 takes. */
struct bf_record {
	uint64_t number; /* from 0 on; numbers that are missing are those of dropped records */
	uint64_t tsc; /* when it was emitted */
	uint32_t size; /* of its bytes: 1 to MK2_EMIT_MAX */
	uint32_t ppid; /* the PP that emitted it */
};

BF_STATIC_ASSERT(sizeof(struct bf_channel) == 64, "the header");
BF_STATIC_ASSERT(sizeof(struct bf_record) == 24, "of a record");

/* The size of a channel's block, a power of two. */
#define BF_CHANNEL_DEFAULT 0x10000
#define BF_CHANNEL_MIN 0x4000
#define BF_CHANNEL_MAX 0x400000

/* What a record of this many bytes takes. */
static inline uint64_t bf_record_span(uint64_t size)
{
	return sizeof(struct bf_record) + ((size + 7) & ~(uint64_t)7);
}

#endif
