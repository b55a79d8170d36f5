// SPDX-License-Identifier: GPL-2.0-only
/* The channels of extensions: see channel.h. */
#include "channel.h"

#include <bsl/string.h>

#include "loader.h"

#define READ_TRIES 4

bool bf_channel_size_is_valid(uint64_t size)
{
	return !size || (size >= BF_CHANNEL_MIN && size <= BF_CHANNEL_MAX);
}

enum bf_error bf_channels_make(struct bf_loader *loader, const struct bf_start *start)
{
	uint64_t size = start->channel_size ? start->channel_size : BF_CHANNEL_DEFAULT;
	uint32_t i;

	for (i = 0; i < start->nr_exts; i++) {
		struct bf_block *block = &loader->channels[i];
		enum bf_error error = bf_block_alloc(block, size);

		if (error)
			return error;
		loader->handoff->channels[i].spa = block->spa;
		loader->handoff->channels[i].size = block->size;
	}
	return BF_ERR_OK;
}

void bf_channels_free(struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < BF_MAX_EXTS; i++)
		bf_block_free(&loader->channels[i]);
}

uint64_t bf_channels_bytes(const struct bf_loader *loader)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < BF_MAX_EXTS; i++)
		bytes += loader->channels[i].size;
	return bytes;
}

/* Of positions first to last there is this one. */
static bool is_between(uint64_t position, uint64_t first, uint64_t last)
{
	return position >= first && position <= last && !(position & 7);
}

/* Copies [position, position + length) of the ring. */
static void copy(const struct bf_block *block, uint64_t position, uint64_t length, uint8_t *buffer)
{
	const struct bf_channel *channel = (const void *)block->va;
	uint64_t size = block->size - sizeof(*channel);
	uint64_t at = position % size;
	uint64_t part = length < size - at ? length : size - at;

	bsl_memcpy(buffer, channel->data + at, part);
	bsl_memcpy(buffer + part, channel->data, length - part);
}

/* The bytes of the whole records that begin at the first of length bytes. */
static uint64_t whole_records(const uint8_t *data, uint64_t length)
{
	struct bf_record record;
	uint64_t at = 0;

	while (length - at >= sizeof(record)) {
		bsl_memcpy(&record, data + at, sizeof(record));
		if (!record.size || record.size > MK2_EMIT_MAX ||
		    bf_record_span(record.size) > length - at)
			break;
		at += bf_record_span(record.size);
	}
	return at;
}

uint64_t bf_channel_read(const struct bf_block *block, uint8_t *buffer, uint64_t length,
			 uint64_t *position, struct bf_channel_counts *counts)
{
	const struct bf_channel *channel = (const void *)block->va;
	uint64_t size = block->size - sizeof(*channel);
	uint64_t first = __atomic_load_n(&channel->first, __ATOMIC_ACQUIRE);
	uint64_t written = __atomic_load_n(&channel->written, __ATOMIC_ACQUIRE);
	uint64_t begin = *position;
	unsigned int i;

	counts->emitted = __atomic_load_n(&channel->emitted, __ATOMIC_RELAXED);
	counts->dropped = __atomic_load_n(&channel->dropped, __ATOMIC_RELAXED);
	length &= ~(uint64_t)7;
	/* Who writes faster than this reads has it read less at a time, and ends it at last. */
	for (i = 0; i < READ_TRIES; i++, length = length / 2 & ~(uint64_t)7) {
		if (!is_between(begin, first, written))
			begin = first;
		*position = begin;
		if (!is_between(begin, first, written) || written - begin > size)
			return 0;
		if (length > written - begin)
			length = written - begin;
		copy(block, begin, length, buffer);
		/* What has been overwritten during the copy is none of it. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		first = __atomic_load_n(&channel->first, __ATOMIC_RELAXED);
		if (begin >= first)
			return whole_records(buffer, length);
		written = __atomic_load_n(&channel->written, __ATOMIC_ACQUIRE);
	}
	return 0;
}

void bf_channel_consume(const struct bf_block *block, uint64_t position)
{
	struct bf_channel *channel = (void *)block->va;

	if (position > channel->consumed)
		__atomic_store_n(&channel->consumed, position, __ATOMIC_RELEASE);
}
