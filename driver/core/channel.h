/* SPDX-License-Identifier: GPL-2.0-only */
/* The channels of extensions (abi/channel.h), as the loader makes and reads them. */
#ifndef BF_CORE_CHANNEL_H
#define BF_CORE_CHANNEL_H

#include <abi/channel.h>
#include <abi/errors.h>

#include "memory.h"

struct bf_loader;
struct bf_start;

/* Whether a start can ask for channels of this size; 0: the default. */
bool bf_channel_size_is_valid(uint64_t size);

/*
 * An empty one for each extension, into the handoff. NO_MEMORY, SPA_TOO_HIGH: those that there are
 * go with bf_channels_free.
 */
enum bf_error bf_channels_make(struct bf_loader *loader, const struct bf_start *start);
void bf_channels_free(struct bf_loader *loader);

/* Bytes of memory that they take. */
uint64_t bf_channels_bytes(const struct bf_loader *loader);

/* What a reader is told beside records. */
struct bf_channel_counts {
	uint64_t emitted;
	uint64_t dropped;
};

/*
 * Copies whole records from byte *position on to a buffer of length bytes, while the microkernel
 * writes, and returns how many bytes. *position becomes that of the first: the oldest, if the
 * requested one is none. Nothing in the channel is trusted.
 */
uint64_t bf_channel_read(const struct bf_block *block, uint8_t *buffer, uint64_t length,
			 uint64_t *position, struct bf_channel_counts *counts);

/* Everybody who reads it has read what is before position; it never goes back. */
void bf_channel_consume(const struct bf_block *block, uint64_t position);

#endif
