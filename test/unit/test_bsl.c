// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <bsl/bits.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>

/* The file itself, under names that leave the C library's functions alone. */
#define memcpy image_memcpy
#define memmove image_memmove
#define memset image_memset
#define memcmp image_memcmp
#include "lib/bsl/libc_mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define SIZE 64

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

START_TEST(memory_functions_agree_with_libc)
{
	unsigned char want[SIZE], got[SIZE];

	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t from = (size_t)rand() % SIZE;
		size_t to = (size_t)rand() % SIZE;
		size_t n = (size_t)rand() % (SIZE + 1 - (from > to ? from : to));
		int c = rand();

		for (size_t i = 0; i < SIZE; i++)
			want[i] = got[i] = (unsigned char)(rand() % 3);
		ck_assert_int_eq(sign(image_memcmp(want + from, got + to, n)),
				 sign(memcmp(want + from, got + to, n)));
		memmove(want + to, want + from, n);
		ck_assert_ptr_eq(image_memmove(got + to, got + from, n), got + to);
		ck_assert_mem_eq(got, want, SIZE);
		memset(want + from, c, n);
		ck_assert_ptr_eq(image_memset(got + from, c, n), got + from);
		ck_assert_mem_eq(got, want, SIZE);
		ck_assert_ptr_eq(image_memcpy(want, got, SIZE), want);
		ck_assert_mem_eq(got, want, SIZE);
	}
}
END_TEST

START_TEST(lengths)
{
	ck_assert_uint_eq(bsl_strlen(""), 0);
	ck_assert_uint_eq(bsl_strlen("abc"), 3);
	ck_assert_uint_eq(bsl_strnlen("abc", 2), 2);
	ck_assert_uint_eq(bsl_strnlen("abc", 9), 3);
	ck_assert_uint_eq(bsl_strnlen(NULL, 0), 0);
}
END_TEST

START_TEST(fields)
{
	ck_assert_uint_eq(bsl_mask(0), 0);
	ck_assert_uint_eq(bsl_mask(12), 0xFFF);
	ck_assert_uint_eq(bsl_mask(64), UINT64_MAX);
	ck_assert_uint_eq(bsl_field_get(0x123456789ABCDEF0, 8, 16), 0xBCDE);
	ck_assert_uint_eq(bsl_field_get(UINT64_MAX, 0, 64), UINT64_MAX);
	ck_assert_uint_eq(bsl_field_set(0xFFFF, 4, 8, 0xA5), 0xFA5F);
	ck_assert_uint_eq(bsl_field_set(0, 63, 1, 3), BSL_BIT(63));
}
END_TEST

START_TEST(alignment_and_checked_arithmetic)
{
	uint64_t r;

	ck_assert_uint_eq(bsl_align_down(0x1FFF, 0x1000), 0x1000);
	ck_assert(bsl_is_aligned(0, 8) && bsl_is_aligned(16, 8) && !bsl_is_aligned(17, 8));
	ck_assert(bsl_align_up(0x1001, 0x1000, &r));
	ck_assert_uint_eq(r, 0x2000);
	ck_assert(bsl_align_up(0x1000, 0x1000, &r));
	ck_assert_uint_eq(r, 0x1000);
	ck_assert(!bsl_align_up(UINT64_MAX, 0x1000, &r));
	ck_assert(bsl_add(UINT64_MAX, 0, &r) && !bsl_add(UINT64_MAX, 1, &r));
	ck_assert(bsl_mul(1ULL << 32, (1ULL << 32) - 1, &r) &&
		  !bsl_mul(1ULL << 32, 1ULL << 32, &r));
}
END_TEST

START_TEST(ranges)
{
	ck_assert(bsl_range_within(10, 5, 10, 5));
	ck_assert(bsl_range_within(15, 0, 10, 5));
	ck_assert(!bsl_range_within(9, 1, 10, 5));
	ck_assert(!bsl_range_within(14, 2, 10, 5));
	ck_assert(!bsl_range_within(11, UINT64_MAX, 10, 5));
	ck_assert(bsl_range_within(UINT64_MAX, 1, UINT64_MAX - 9, 10));
	ck_assert(bsl_ranges_overlap(0, 2, 1, 2) && bsl_ranges_overlap(1, 2, 0, 2));
	ck_assert(!bsl_ranges_overlap(0, 1, 1, 1) && !bsl_ranges_overlap(1, 1, 0, 1));
	ck_assert(!bsl_ranges_overlap(5, 0, 5, 5));
	ck_assert(bsl_ranges_overlap(UINT64_MAX, 1, 0, UINT64_MAX) == false);
}
END_TEST

#define THREADS 4
#define ROUNDS 20000

static struct bsl_spinlock lock;
static unsigned long counter;

static void *add(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			bsl_spin_lock(&lock);
		else
			while (!bsl_spin_trylock(&lock))
				sched_yield();
		counter++;
		bsl_spin_unlock(&lock);
	}
	return arg;
}

START_TEST(lock_excludes)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(counter, THREADS * ROUNDS);

	ck_assert(bsl_spin_trylock(&lock));
	ck_assert(!bsl_spin_trylock(&lock));
	bsl_spin_unlock(&lock);
	lock = (struct bsl_spinlock){ UINT32_MAX, UINT32_MAX };
	bsl_spin_lock(&lock);
	bsl_spin_unlock(&lock);
	ck_assert_uint_eq(lock.next, 0);
	ck_assert(bsl_spin_trylock(&lock));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bsl");
	TCase *tc = tcase_create("bsl");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, memory_functions_agree_with_libc);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, alignment_and_checked_arithmetic);
	tcase_add_test(tc, ranges);
	tcase_add_test(tc, lock_excludes);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
