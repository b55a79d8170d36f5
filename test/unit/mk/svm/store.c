// SPDX-License-Identifier: GPL-2.0-only
/* svm/store.c: what an instruction stores. */
#include "microkernel/svm/store.h"
#include "../suites.h"

static const struct {
	uint8_t bytes[15];
	enum decode_mode mode;
	struct store store; /* length 0: it is none */
} stores[] = {
	/* mov %eax, 0xff5fd300: as Linux does it */
	{ { 0x89, 0x04, 0x25, 0x00, 0xD3, 0x5F, 0xFF }, DECODE_64, { .length = 7 } },
	{ { 0x89, 0x8F, 0x00, 0xD3, 0x5F, 0xFF }, DECODE_64, { .length = 6, .reg = 1 } },
	{ { 0x44, 0x89, 0x3F }, DECODE_64, { .length = 3, .reg = 15 } },
	{ { 0x41, 0x89, 0x27 }, DECODE_64, { .length = 3, .reg = 4 } },
	{ { 0x3E, 0x67, 0x89, 0x37 }, DECODE_64, { .length = 4, .reg = 6 } },
	/* a REX that is not right before the opcode does not count */
	{ { 0x44, 0x3E, 0x89, 0x37 }, DECODE_64, { .length = 4, .reg = 6 } },
	{ { 0xC7, 0x00, 0x78, 0x56, 0x34, 0x12 },
	  DECODE_64,
	  { .length = 6, .immediate = true, .value = 0x12345678 } },
	{ { 0xC7, 0x40, 0x10, 0xFF, 0, 0, 0 },
	  DECODE_32,
	  { .length = 7, .immediate = true, .value = 0xFF } },
	{ { 0x87, 0x17 }, DECODE_64, { .length = 2, .exchange = true, .reg = 2 } },
	{ { 0xA3, 0x00, 0x03, 0xE0, 0xFE }, DECODE_32, { .length = 5 } },
	{ { 0x66, 0x67, 0x89, 0x05, 0, 3, 0xE0, 0xFE }, DECODE_16, { .length = 8 } },
	{ { 0x66, 0xA3, 0x00, 0x03 }, DECODE_16, { .length = 4 } },
	/* not 32 bits, not to memory, not stores, not there */
	{ { 0x48, 0x89, 0x37 }, DECODE_64, { 0 } },
	{ { 0x66, 0x89, 0x37 }, DECODE_64, { 0 } },
	{ { 0x89, 0x37 }, DECODE_16, { 0 } },
	{ { 0x88, 0x37 }, DECODE_64, { 0 } },
	{ { 0x89, 0xC1 }, DECODE_64, { 0 } },
	{ { 0xC7, 0x48, 0x10, 0xFF, 0, 0, 0 }, DECODE_64, { 0 } },
	{ { 0x8B, 0x37 }, DECODE_64, { 0 } },
	{ { 0x83, 0x08, 0x01 }, DECODE_64, { 0 } },
	{ { 0x0F, 0xC3, 0x37 }, DECODE_64, { 0 } },
	{ { 0x90 }, DECODE_64, { 0 } },
	{ { 0x0F, 0x0B }, DECODE_64, { 0 } },
};

START_TEST(tells_what_is_stored)
{
	const struct store *want = &stores[_i].store;
	struct store got = { 0 };
	size_t n = sizeof(stores[0].bytes);

	ck_assert_int_eq(svm_decode_store(stores[_i].bytes, n, stores[_i].mode, &got),
			 want->length != 0);
	if (!want->length)
		return;
	ck_assert_uint_eq(got.length, want->length);
	ck_assert_int_eq(got.immediate, want->immediate);
	ck_assert_int_eq(got.exchange, want->exchange);
	ck_assert_uint_eq(got.reg, want->reg);
	ck_assert_uint_eq(got.value, want->value);
	/* nothing beyond the instruction is looked at, and nothing less is enough */
	ck_assert(svm_decode_store(stores[_i].bytes, want->length, stores[_i].mode, &got));
	ck_assert(!svm_decode_store(stores[_i].bytes, want->length - 1U, stores[_i].mode, &got));
}
END_TEST

TCase *svm_store_tests(void)
{
	TCase *tc = tcase_create("svm_store");

	tcase_add_loop_test(tc, tells_what_is_stored, 0, sizeof(stores) / sizeof(stores[0]));
	return tc;
}
