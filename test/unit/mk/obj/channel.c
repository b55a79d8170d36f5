// SPDX-License-Identifier: GPL-2.0-only
/* obj/channel.c, and ext_emit of call/sys_mk2_ext.c: what extensions tell Linux. */
#include <string.h>

#include "../several.h"
#include "../suites.h"

#include <abi/channel.h>

#define EMIT(va, size, flags) SYS2(ext_emit, HANDLE2, va, size, flags)
#define LOSSLESS MK2_EMIT_LOSSLESS
#define DATA_SIZE (BF_CHANNEL_MIN - sizeof(struct bf_channel))
#define SIZE 1000
#define SPAN 1024
#define FITS (DATA_SIZE / SPAN) /* so many such records */

static struct bf_channel *channel(unsigned int ext)
{
	return phys_at(m.handoff->channels[ext].spa);
}

static void fill(int value)
{
	memset(mmu_user(EXT_DATA, true, false), value, PAGE);
}

/* Copies from the ring, as Linux reads it. */
static void ring_copy(unsigned int ext, uint64_t position, void *to, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = channel(ext)->data[(position + i) % DATA_SIZE];
}

/* The record at a position, whose bytes are all value; returns where the next one is. */
static uint64_t check_record(unsigned int ext, uint64_t position, uint64_t number, uint32_t size,
			     int value)
{
	uint8_t bytes[MK2_EMIT_MAX], wanted[MK2_EMIT_MAX];
	struct bf_record record;

	ring_copy(ext, position, &record, sizeof(record));
	ck_assert_uint_eq(record.number, number);
	ck_assert_uint_eq(record.size, size);
	ck_assert_uint_eq(record.ppid, 0);
	ck_assert_uint_ne(record.tsc, 0);
	ring_copy(ext, position + sizeof(record), bytes, size);
	memset(wanted, value, size);
	ck_assert_mem_eq(bytes, wanted, size);
	return position + bf_record_span(size);
}

static void check_counts(unsigned int ext, uint64_t first, uint64_t written, uint64_t emitted,
			 uint64_t dropped)
{
	ck_assert_uint_eq(channel(ext)->first, first);
	ck_assert_uint_eq(channel(ext)->written, written);
	ck_assert_uint_eq(channel(ext)->emitted, emitted);
	ck_assert_uint_eq(channel(ext)->dropped, dropped);
}

/* Each extension has its own, without any right. */
START_TEST(records)
{
	uint64_t position;

	start_two(_i, GUEST_RIGHTS & ~BF_RIGHT_debug);
	(void)launch();
	guest_exit(cpuid_reason());
	check_counts(0, 0, 0, 0, 0);
	fill(1);
	ck_assert_uint_eq(EMIT(EXT_DATA, 5, 0), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0);
	fill(2);
	ck_assert_uint_eq(EMIT(EXT_DATA + 3, 8, LOSSLESS), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 1);
	fill(3);
	ck_assert_uint_eq(EMIT(EXT_DATA, MK2_EMIT_MAX, 0), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 2);
	position = check_record(0, 0, 0, 5, 1);
	ck_assert_uint_eq(position, 32);
	position = check_record(0, position, 1, 8, 2);
	position = check_record(0, position, 2, MK2_EMIT_MAX, 3);
	check_counts(0, 0, position, 3, 0);
	check_counts(1, 0, 0, 0, 0);
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(ext_id(), 1);
	fill(4);
	ck_assert_uint_eq(EMIT(EXT_DATA, 1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0);
	(void)check_record(1, 0, 0, 1, 4);
	check_counts(0, 0, position, 3, 0);
}
END_TEST

/* The oldest give way, and count as dropped if nobody has read them. */
START_TEST(overwrites)
{
	start_two(_i, BF_ALL_RIGHTS);
	for (uint64_t n = 0; n < FITS; n++) {
		fill((int)n);
		ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS);
	}
	check_counts(0, 0, FITS * SPAN, FITS, 0);
	fill(0x55);
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS); /* in two parts */
	check_counts(0, SPAN, (FITS + 1) * SPAN, FITS + 1, 1);
	(void)check_record(0, FITS * SPAN, FITS, SIZE, 0x55);
	(void)check_record(0, SPAN, 1, SIZE, 1);
	channel(0)->consumed = 3 * SPAN;
	ck_assert_uint_eq(EMIT(EXT_DATA, 2 * SIZE, 0), MK1_SUCCESS);
	check_counts(0, 3 * SPAN, (FITS + 1) * SPAN + bf_record_span(2 * SIZE), FITS + 2, 1);
	/* many times around */
	for (uint64_t n = FITS + 2; n < 20 * FITS; n++) {
		fill((int)n & 0xFF);
		ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], n);
		(void)check_record(0, channel(0)->written - SPAN, n, SIZE, (int)n & 0xFF);
		ck_assert_uint_le(channel(0)->written - channel(0)->first, DATA_SIZE);
	}
	ck_assert_uint_eq(channel(0)->emitted, 20 * FITS);
}
END_TEST

/* What nobody has read stays, and what is refused has a number, too. */
START_TEST(lossless)
{
	start_two(_i, BF_ALL_RIGHTS);
	fill(7);
	for (uint64_t n = 0; n < FITS; n++)
		ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK1_SUCCESS);
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	check_counts(0, 0, FITS * SPAN, FITS + 1, 1);
	channel(0)->consumed = FITS * SPAN + SPAN - DATA_SIZE - 8;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	channel(0)->consumed = SPAN;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], FITS + 2);
	check_counts(0, SPAN, (FITS + 1) * SPAN, FITS + 3, 2);
	(void)check_record(0, FITS * SPAN, FITS + 2, SIZE, 7);
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	/* none of these is a position that there is */
	channel(0)->consumed = 0;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	channel(0)->consumed = (FITS + 2) * SPAN;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	channel(0)->consumed = ~0ULL;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK2_FAILURE_BUSY);
	channel(0)->consumed = (FITS + 1) * SPAN;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK1_SUCCESS);
}
END_TEST

/* Whatever Linux writes there, the microkernel writes to the ring alone. */
START_TEST(spoilt_by_linux)
{
	uint8_t *behind, before[PAGE];

	start_two(_i, BF_ALL_RIGHTS);
	behind = (uint8_t *)channel(0) + BF_CHANNEL_MIN;
	memcpy(before, behind, PAGE);
	fill(9);
	for (unsigned int round = 0; round < 8; round++) {
		for (uint64_t n = 0; n < FITS + 3; n++)
			ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS);
		memset(channel(0), (int)(0x3F * round), BF_CHANNEL_MIN);
	}
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(channel(0)->written, (8 * (FITS + 3) + 1) * SPAN);
	(void)check_record(0, channel(0)->written - SPAN, 8 * (FITS + 3), SIZE, 9);
	ck_assert_mem_eq(before, behind, PAGE);
}
END_TEST

/* The lowest register that is wrong; nothing is written then. */
START_TEST(arguments_of_records)
{
	start_two(_i, BF_ALL_RIGHTS);
	ck_assert_uint_eq(SYS2(ext_emit, HANDLE2 + 1, 0, 0, 2), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(EMIT(0, 1, 2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(0, 0, 2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(EXT_DATA + 1, PAGE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(~0ULL, 1, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(~0ULL, 2, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(1ULL << 47, 1, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT((uint64_t)m.handoff, 8, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(EMIT(EXT_DATA, 0, 2), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(EMIT(EXT_DATA, MK2_EMIT_MAX + 1, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(EMIT(EXT_DATA, ~0ULL, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(EMIT(EXT_DATA, 1, 2), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(EMIT(EXT_DATA, 1, ~0ULL), MK1_INVALID_INPUT_REG(3));
	check_counts(0, 0, 0, 0, 0);
	ck_assert_uint_eq(EMIT(EXT_RODATA, 1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(EMIT(EXT_DATA + PAGE - 1, 1, 1), MK1_SUCCESS);
}
END_TEST

/* Another PP unmaps the page while a part of it, counted from the last one on, is copied. */
static unsigned int parts_before;

static void unmap_meanwhile(enum insn insn, uint64_t arg)
{
	(void)arg;
	if (insn == INSN_STAC && !parts_before--)
		ck_assert(ext_unmap_pool(host_pp->ext, EXT_DATA - MK1_PAGE_POOL_BASE, PAGE));
}

/* There is no record then, and the next one takes its number and its place. _i / 2: the part. */
START_TEST(a_page_that_goes_away)
{
	const uint64_t before = _i / 2 ? FITS : 0;

	start_two(_i % 2, BF_ALL_RIGHTS);
	fill(0x66);
	for (uint64_t n = 0; n < before; n++)
		ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, 0), MK1_SUCCESS);
	channel(0)->consumed = before * SPAN;
	parts_before = (unsigned int)_i / 2;
	cpu_watch = unmap_meanwhile;
	ck_assert_uint_eq(EMIT(EXT_DATA, SIZE, LOSSLESS), MK1_INVALID_INPUT_REG(1));
	cpu_watch = NULL;
	ck_assert(!cpu->ac);
	ck_assert_uint_eq(channel(0)->written, before * SPAN);
	ck_assert_uint_eq(channel(0)->emitted, before);
	ck_assert_uint_eq(channel(0)->dropped, 0);
	ck_assert_uint_eq(EMIT(EXT_RODATA, 1, LOSSLESS), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], before);
	ck_assert_uint_eq(channel(0)->written, before * SPAN + bf_record_span(1));
}
END_TEST

TCase *obj_channel_tests(void)
{
	TCase *tc = tcase_create("obj_channel");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, records, 0, 2);
	tcase_add_loop_test(tc, overwrites, 0, 2);
	tcase_add_loop_test(tc, lossless, 0, 2);
	tcase_add_loop_test(tc, spoilt_by_linux, 0, 2);
	tcase_add_loop_test(tc, arguments_of_records, 0, 2);
	tcase_add_loop_test(tc, a_page_that_goes_away, 0, 4);
	return tc;
}
