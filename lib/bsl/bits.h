/* SPDX-License-Identifier: MIT */
/* Bits, fields, alignment and checked arithmetic on 64-bit values. */
#ifndef BSL_BITS_H
#define BSL_BITS_H

#include <abi/types.h>

#define BSL_BIT(n) ((uint64_t)1 << (n))

/* The lowest width bits set; width may be 0..64. */
static inline uint64_t bsl_mask(unsigned int width)
{
	return width >= 64 ? ~(uint64_t)0 : BSL_BIT(width) - 1;
}

/* Bits [low + width - 1 : low] of value. low is 0..63. */
static inline uint64_t bsl_field_get(uint64_t value, unsigned int low, unsigned int width)
{
	return (value >> low) & bsl_mask(width);
}

/* value with bits [low + width - 1 : low] replaced by the lowest width bits of field. */
static inline uint64_t bsl_field_set(uint64_t value, unsigned int low, unsigned int width,
				     uint64_t field)
{
	uint64_t mask = bsl_mask(width);

	return (value & ~(mask << low)) | ((field & mask) << low);
}

/* The functions below take an alignment that is a power of two. */
static inline uint64_t bsl_align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

static inline bool bsl_is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

/* Checked arithmetic: true and a result, or false on overflow, when *result must not be used. */
static inline bool bsl_add(uint64_t a, uint64_t b, uint64_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

static inline bool bsl_mul(uint64_t a, uint64_t b, uint64_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

static inline bool bsl_align_up(uint64_t value, uint64_t align, uint64_t *result)
{
	if (!bsl_add(value, align - 1, result))
		return false;
	*result = bsl_align_down(*result, align);
	return true;
}

/* Whether [start, start + size) lies in [base, base + length); never overflows. */
static inline bool bsl_range_within(uint64_t start, uint64_t size, uint64_t base, uint64_t length)
{
	return start >= base && start - base <= length && size <= length - (start - base);
}

/* Whether [a, a + a_size) and [b, b + b_size) share a byte; never overflows. */
static inline bool bsl_ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	if (!a_size || !b_size)
		return false;
	return a <= b ? b - a < a_size : a - b < b_size;
}

#endif
