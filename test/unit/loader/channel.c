// SPDX-License-Identifier: GPL-2.0-only
/* channel.c: what extensions emit, as the driver makes room for it and reads it. */
#include <abi/channel.h>

#include "driver/core/channel.h"
#include "loader.h"

#define DATA_SIZE (BF_CHANNEL_MIN - sizeof(struct bf_channel))

static union {
	struct bf_channel channel;
	uint8_t bytes[BF_CHANNEL_MIN];
} ring;
static const struct bf_block block = { .va = ring.bytes, .size = sizeof(ring) };
static uint8_t buffer[BF_CHANNEL_MIN];
static struct bf_channel_counts counts;

/* As the microkernel does: a record whose bytes all are its number. */
static void emit(uint32_t size)
{
	struct bf_channel *c = &ring.channel;
	uint8_t bytes[sizeof(struct bf_record) + MK2_EMIT_MAX + 8] = { 0 };
	const struct bf_record record = { .number = c->emitted, .tsc = 1, .size = size };

	while (c->written + bf_record_span(size) - c->first > DATA_SIZE) {
		struct bf_record oldest;

		for (uint64_t i = 0; i < sizeof(oldest); i++)
			((uint8_t *)&oldest)[i] = c->data[(c->first + i) % DATA_SIZE];
		c->first += bf_record_span(oldest.size);
		c->dropped++;
	}
	memcpy(bytes, &record, sizeof(record));
	memset(bytes + sizeof(record), (int)record.number, size);
	for (uint64_t i = 0; i < bf_record_span(size); i++)
		c->data[(c->written + i) % DATA_SIZE] = bytes[i];
	c->written += bf_record_span(size);
	c->emitted++;
}

static uint64_t read_from(uint64_t *position, uint64_t length)
{
	memset(buffer, 0xAA, sizeof(buffer));
	return bf_channel_read(&block, buffer, length, position, &counts);
}

/* How many records these bytes are, the first one with this number. */
static unsigned int count_records(uint64_t length, uint64_t number)
{
	struct bf_record record;
	unsigned int n = 0;

	for (uint64_t at = 0; at < length; at += bf_record_span(record.size), n++) {
		memcpy(&record, buffer + at, sizeof(record));
		ck_assert_uint_eq(record.number, number + n);
		for (uint64_t i = 0; i < record.size; i++)
			ck_assert_uint_eq(buffer[at + sizeof(record) + i], (uint8_t)(number + n));
	}
	return n;
}

static void empty(void)
{
	memset(&ring, 0, sizeof(ring));
}

START_TEST(reads_records)
{
	uint64_t position = 0, length;

	empty();
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
	for (unsigned int i = 0; i < 10; i++)
		emit(100 + i);
	length = read_from(&position, sizeof(buffer));
	ck_assert_uint_eq(position, 0);
	ck_assert_uint_eq(count_records(length, 0), 10);
	ck_assert_uint_eq(counts.emitted, 10);
	ck_assert_uint_eq(counts.dropped, 0);
	/* whole ones only, and from where they ended on */
	length = read_from(&position, 2 * bf_record_span(100) + 60);
	ck_assert_uint_eq(count_records(length, 0), 2);
	position += length;
	length = read_from(&position, sizeof(buffer));
	ck_assert_uint_eq(count_records(length, 2), 8);
	position += length;
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
	ck_assert_uint_eq(position, ring.channel.written);
	emit(1);
	ck_assert_uint_eq(count_records(read_from(&position, sizeof(buffer)), 10), 1);
}
END_TEST

/* Around the ring, and what has been overwritten is passed over. */
START_TEST(reads_on)
{
	uint64_t position = 0, last = 0, length;

	empty();
	for (unsigned int i = 0; i < 200; i++) {
		emit(1 + i * 37 % MK2_EMIT_MAX);
		if (i % 3)
			continue;
		length = read_from(&position, sizeof(buffer));
		ck_assert_uint_ge(position, last);
		ck_assert_uint_gt(length, 0);
		(void)count_records(length, ((struct bf_record *)buffer)->number);
		last = position += length;
	}
	position = 8;
	length = read_from(&position, sizeof(buffer));
	ck_assert_uint_eq(position, ring.channel.first);
	ck_assert_uint_eq(count_records(length, counts.dropped), counts.emitted - counts.dropped);
	/* none that there can be: the oldest */
	for (uint64_t i = 1; i < 8; i++) {
		position = ring.channel.written + i;
		ck_assert_uint_eq(read_from(&position, sizeof(buffer)), length);
		ck_assert_uint_eq(position, ring.channel.first);
		position = ring.channel.first + i;
		ck_assert_uint_eq(read_from(&position, sizeof(buffer)), length);
	}
}
END_TEST

START_TEST(trusts_nothing)
{
	uint64_t position = 0;

	empty();
	emit(8);
	ring.channel.written = ~0ULL & ~7ULL;
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
	ring.channel.first = 3;
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
	ring.channel.first = 64;
	ring.channel.written = 32;
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
	empty();
	emit(8);
	emit(8);
	((struct bf_record *)(ring.channel.data + 32))->size = MK2_EMIT_MAX + 1;
	position = 0;
	ck_assert_uint_eq(count_records(read_from(&position, sizeof(buffer)), 0), 1);
	((struct bf_record *)ring.channel.data)->size = 0;
	ck_assert_uint_eq(read_from(&position, sizeof(buffer)), 0);
}
END_TEST

START_TEST(consumes_forwards)
{
	empty();
	bf_channel_consume(&block, 64);
	ck_assert_uint_eq(ring.channel.consumed, 64);
	bf_channel_consume(&block, 32);
	ck_assert_uint_eq(ring.channel.consumed, 64);
}
END_TEST

/* One for each extension, of the size that was asked for; and they stay until the next start. */
START_TEST(makes_channels)
{
	static const uint64_t bad[] = { 1, BF_CHANNEL_MIN - 1, BF_CHANNEL_MAX + 1, ~0ULL };
	uint64_t bytes;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start.channel_size = bad[i];
		assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	}
	start.nr_exts = 3;
	start.exts[1] = start.exts[2] = start.exts[0];
	start.channel_size = BF_CHANNEL_DEFAULT + 1;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.starts, 5);
	fake_show_handoff();
	for (unsigned int i = 0; i < BF_MAX_EXTS; i++) {
		const struct bf_region *region = &fake.handoff->channels[i];

		ck_assert_uint_eq(region->size, i < 3 ? 2 * BF_CHANNEL_DEFAULT : 0);
		ck_assert_uint_eq(region->spa, loader.channels[i].spa);
	}
	bytes = bf_channels_bytes(&loader);
	ck_assert_uint_eq(bytes, 3 * 2 * BF_CHANNEL_DEFAULT);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_eq(bf_channels_bytes(&loader), bytes);
	start.channel_size = 0;
	start.nr_exts = 1;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(bf_channels_bytes(&loader), BF_CHANNEL_DEFAULT);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

TCase *channel_tests(void)
{
	TCase *tc = loader_case("channel");

	tcase_add_test(tc, reads_records);
	tcase_add_test(tc, reads_on);
	tcase_add_test(tc, trusts_nothing);
	tcase_add_test(tc, consumes_forwards);
	tcase_add_test(tc, makes_channels);
	return tc;
}
