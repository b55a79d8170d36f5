// SPDX-License-Identifier: GPL-2.0-only
/* ext/libext/heap.h, over pools that end. */
#include <check.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <abi/mk2.h>

/* libext's stubs and TLS accessors are what this replaces. */
#define LIBEXT_MK1_SYS_H
#define LIBEXT_MK1_TLS_H

#define POOL 0x100000UL

static struct {
	uint8_t *memory; /* both pools: pages from the beginning, pieces from the end */
	uint64_t pages, huge; /* bytes given out */
	unsigned int calls;
	bool closed;
	jmp_buf end;
} fake;

static uint64_t mk1_mem_alloc_page(uint64_t h, uint64_t *va, uint64_t *spa)
{
	fake.calls++;
	if (fake.closed)
		return MK1_FAILURE_INVALID_HANDLE;
	ck_assert_uint_eq(h, MK1_HANDLE);
	if (fake.pages + fake.huge + 0x1000 > POOL)
		return MK1_FAILURE_UNKNOWN;
	*va = *spa = (uint64_t)fake.memory + fake.pages;
	fake.pages += 0x1000;
	return MK1_SUCCESS;
}

static uint64_t mk1_mem_alloc_huge(uint64_t h, uint64_t bytes, uint64_t *va, uint64_t *spa)
{
	fake.calls++;
	if (fake.closed)
		return MK1_FAILURE_INVALID_HANDLE;
	ck_assert_uint_eq(h, MK1_HANDLE);
	ck_assert_uint_eq(bytes % 0x1000, 0);
	if (bytes > POOL - fake.pages - fake.huge)
		return MK1_FAILURE_UNKNOWN;
	fake.huge += bytes;
	*va = *spa = (uint64_t)fake.memory + POOL - fake.huge;
	return MK1_SUCCESS;
}

static uint64_t mk1_handle_open_handle(uint32_t spec, uint64_t *handle)
{
	ck_assert_uint_eq(spec, MK1_SPEC_ID);
	ck_assert(fake.closed);
	fake.closed = false;
	*handle = MK1_HANDLE;
	return MK1_SUCCESS;
}

static uint64_t mk1_handle_close_handle(uint64_t handle)
{
	ck_assert_uint_eq(handle, MK1_HANDLE);
	fake.closed = true;
	return MK1_SUCCESS;
}

static inline uint64_t mk1_control_exit(void)
{
	longjmp(fake.end, 1);
}

static inline uint64_t mk1_callback_register(uint64_t h, uint64_t fn)
{
	(void)h, (void)fn;
	return MK1_SUCCESS;
}

#define mk1_callback_register_bootstrap mk1_callback_register
#define mk1_callback_register_vmexit mk1_callback_register
#define mk1_callback_register_fail mk1_callback_register

#include "ext/libext/heap.c"

uint64_t ext_print(const char *fmt, ...)
{
	ck_assert_ptr_nonnull(strstr(fmt, "no block"));
	return MK1_SUCCESS;
}

static void set_up(void)
{
	free(fake.memory);
	memset(&fake, 0, sizeof(fake));
	fake.memory = aligned_alloc(0x1000, POOL);
	ck_assert_ptr_nonnull(fake.memory);
	memset(small, 0, sizeof(small));
	memset(&lock, 0, sizeof(lock));
	sorted = NULL;
}

/* Bytes that can be had again, in all lists. */
static uint64_t free_bytes(void)
{
	uint64_t sum = 0;

	for (struct block *b = sorted; b; b = b->next) {
		ck_assert(!b->next || (uint64_t)b + b->size < (uint64_t)b->next);
		sum += b->size;
	}
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		for (struct block *b = small[i]; b; b = b->next) {
			ck_assert_uint_eq(b->size, i * EXT_HEAP_ALIGN);
			sum += b->size;
		}
	}
	return sum;
}

START_TEST(blocks)
{
	uint8_t *a = ext_alloc(1), *b = ext_alloc(100);

	ck_assert_uint_eq(fake.calls, 1);
	ck_assert_uint_eq((uint64_t)a % EXT_HEAP_ALIGN, 0);
	ck_assert_uint_ge(ext_alloc_size(b), 100);
	memset(a, 1, 1);
	memset(b, 2, 100);
	ext_free(a);
	ext_free(NULL);
	ck_assert_ptr_eq(ext_alloc(0), a);
	ck_assert_uint_eq(b[0], 2);
	ck_assert_uint_eq(b[99], 2);
}
END_TEST

START_TEST(all_comes_back)
{
	void *block[40];

	for (unsigned int i = 0; i < 40; i++) {
		block[i] = ext_alloc_aligned(16u << i % 9, i * 271);
		ck_assert_ptr_nonnull(block[i]);
		ck_assert_uint_eq((uint64_t)block[i] % (16u << i % 9), 0);
		memset(block[i], (int)i, i * 271);
	}
	for (unsigned int i = 0; i < 40; i++) {
		for (unsigned int n = 0; n < i * 271; n++)
			ck_assert_uint_eq(((uint8_t *)block[i])[n], i);
	}
	for (unsigned int i = 0; i < 40; i++)
		ext_free(block[i * 7 % 40]);
	ck_assert_uint_eq(free_bytes(), fake.pages + fake.huge);
}
END_TEST

START_TEST(neighbours_are_one)
{
	void *a = ext_alloc(30000), *b = ext_alloc(30000);

	ck_assert_uint_eq(fake.huge, GROWTH);
	ext_free(a);
	ext_free(b);
	ck_assert_ptr_nonnull(ext_alloc(60000));
	ck_assert_uint_eq(fake.huge, GROWTH);
}
END_TEST

START_TEST(grows_and_shrinks)
{
	uint8_t *a = ext_realloc(NULL, 100), *b;

	for (unsigned int i = 0; i < 100; i++)
		a[i] = (uint8_t)i;
	b = ext_realloc(a, 5000);
	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(ext_realloc(b, 4000), b);
	a = ext_realloc(b, 50);
	ck_assert_ptr_ne(a, b);
	for (unsigned int i = 0; i < 50; i++)
		ck_assert_uint_eq(a[i], i);
	ck_assert_ptr_null(ext_realloc(a, POOL));
	ck_assert_uint_eq(a[49], 49);
}
END_TEST

START_TEST(pools_end)
{
	unsigned int n = 0;

	ck_assert_ptr_null(ext_alloc(POOL));
	ck_assert_ptr_null(ext_alloc((size_t)-1));
	ck_assert_ptr_null(ext_alloc(LARGEST + 1));
	ck_assert_ptr_null(ext_alloc_aligned(0, 1));
	ck_assert_ptr_null(ext_alloc_aligned(24, 1));
	ck_assert_ptr_null(ext_alloc_aligned(1UL << 63, 1));
	ck_assert_uint_eq(free_bytes(), 0);
	while (ext_alloc(1000))
		n++;
	ck_assert_uint_ge(n, POOL / 1024);
	ck_assert_uint_eq(fake.pages, POOL);
}
END_TEST

/* Constructors of C++ run before ext_start has opened the handle, which is then as it was. */
START_TEST(handle_is_closed)
{
	fake.closed = true;
	ck_assert_ptr_nonnull(ext_alloc(10));
	ck_assert(fake.closed);
	ck_assert_ptr_nonnull(ext_alloc(10000));
	ck_assert(fake.closed);
}
END_TEST

/* Given back twice, and what is within a block, or between the alignments. */
START_TEST(no_block)
{
	uint8_t *a = ext_alloc(200);

	if (_i == 0) {
		memset(a, 0, 200);
		ext_free(a);
	}
	if (!setjmp(fake.end)) {
		ext_free(_i == 0 ? a : _i == 1 ? a + 16 : a + 1);
		ck_abort_msg("it was taken back");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tcase = tcase_create("heap");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, blocks);
	tcase_add_test(tcase, all_comes_back);
	tcase_add_test(tcase, neighbours_are_one);
	tcase_add_test(tcase, grows_and_shrinks);
	tcase_add_test(tcase, pools_end);
	tcase_add_test(tcase, handle_is_closed);
	tcase_add_loop_test(tcase, no_block, 0, 3);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
