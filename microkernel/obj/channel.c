// SPDX-License-Identifier: GPL-2.0-only
#include "obj/channel.h"

#include <abi/channel.h>
#include <abi/mk2.h>

#include "arch/intrinsics.h"
#include "arch/phys.h"
#include "lock.h"
#include "mk.h"
#include "obj/ext.h"
#include "pp.h"

static struct channel {
	struct mk_lock lock;
	struct bf_channel *shared;
	uint64_t size; /* of its data */
	/* As in the shared header, which Linux can write to. */
	uint64_t first, written, emitted, dropped;
} channels[BF_MAX_EXTS];

void channels_init(void)
{
	for (unsigned int i = 0; i < mk.handoff->nr_exts; i++) {
		const struct bf_region *region = &mk.handoff->channels[i];

		channels[i] = (struct channel){ .lock = MK_LOCK(LOCK_CHANNEL),
						.shared = phys_to_virt(region->spa),
						.size = region->size - sizeof(struct bf_channel) };
	}
}

/* The two parts of [position, position + size) in the ring: how much is in the first one. */
static uint64_t first_part(const struct channel *c, uint64_t position, uint64_t size)
{
	uint64_t rest = c->size - position % c->size;

	return size < rest ? size : rest;
}

/* What a record takes that has been written; that Linux may have spoilt it ends the ring there. */
static uint64_t span_at(const struct channel *c, uint64_t position)
{
	uint64_t at = (position + __builtin_offsetof(struct bf_record, size)) % c->size;
	uint32_t size = __atomic_load_n((const uint32_t *)(const void *)&c->shared->data[at],
					__ATOMIC_RELAXED);
	uint64_t left = c->written - position;

	if (!size || size > MK2_EMIT_MAX || bf_record_span(size) > left)
		return left;
	return bf_record_span(size);
}

/* The oldest records go until there is room. Readers see that before anything is overwritten. */
static void make_room(struct channel *c, uint64_t span)
{
	uint64_t consumed = __atomic_load_n(&c->shared->consumed, __ATOMIC_RELAXED);

	while (c->written + span - c->first > c->size) {
		if (c->first >= consumed)
			c->dropped++;
		c->first += span_at(c, c->first);
	}
	__atomic_store_n(&c->shared->first, c->first, __ATOMIC_RELAXED);
	__atomic_store_n(&c->shared->dropped, c->dropped, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A consumed position that there cannot be is none: then everything is unread. */
static bool has_room(const struct channel *c, uint64_t span)
{
	uint64_t consumed = __atomic_load_n(&c->shared->consumed, __ATOMIC_RELAXED);

	if (consumed < c->first || consumed > c->written)
		consumed = c->first;
	return c->written + span - consumed <= c->size;
}

/* Positions and sizes are multiples of 8, so a word is never in two parts. */
static void put_head(struct channel *c, const struct bf_record *record)
{
	const uint64_t *from = (const uint64_t *)(const void *)record;

	for (uint64_t i = 0; i < sizeof(*record) / sizeof(*from); i++) {
		uint64_t at = (c->written + i * sizeof(*from)) % c->size;

		*(uint64_t *)(void *)&c->shared->data[at] = from[i];
	}
}

static bool put_bytes(struct pp *pp, struct channel *c, uint64_t va, uint64_t size)
{
	uint64_t position = c->written + sizeof(struct bf_record);
	uint64_t part = first_part(c, position, size);

	return ext_read(pp, &c->shared->data[position % c->size], va, part) &&
	       (part == size || ext_read(pp, c->shared->data, va + part, size - part));
}

static uint64_t put(struct pp *pp, struct channel *c, uint64_t va, const struct bf_record *record)
{
	uint64_t span = bf_record_span(record->size);

	make_room(c, span);
	put_head(c, record);
	if (!put_bytes(pp, c, va, record->size))
		return MK1_INVALID_INPUT_REG(1);
	c->written += span;
	c->emitted++;
	__atomic_store_n(&c->shared->emitted, c->emitted, __ATOMIC_RELAXED);
	__atomic_store_n(&c->shared->written, c->written, __ATOMIC_RELEASE);
	return MK1_SUCCESS;
}

static uint64_t refuse(struct channel *c)
{
	c->emitted++;
	c->dropped++;
	__atomic_store_n(&c->shared->emitted, c->emitted, __ATOMIC_RELAXED);
	__atomic_store_n(&c->shared->dropped, c->dropped, __ATOMIC_RELAXED);
	return MK2_FAILURE_BUSY;
}

uint64_t channel_emit(struct pp *pp, uint64_t va, uint64_t size, bool lossless, uint64_t *number)
{
	struct channel *c = &channels[pp->ext->id];
	struct bf_record record = { .size = (uint32_t)size, .ppid = pp->handoff.ppid };
	uint64_t status;

	mk_lock(&c->lock);
	record.number = c->emitted;
	record.tsc = rdtsc();
	if (lossless && !has_room(c, bf_record_span(size)))
		status = refuse(c);
	else
		status = put(pp, c, va, &record);
	mk_unlock(&c->lock);
	if (status == MK1_SUCCESS)
		*number = record.number;
	return status;
}
