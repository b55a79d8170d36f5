// SPDX-License-Identifier: MIT
/* Copying and filling by string instructions, which leave all extended state alone. */
#include <bsl/string.h>

/* Both: eight bytes at a time, also fast on CPUs and emulators without fast short REP. */
void bsl_memcpy(void *dst, const void *src, size_t n)
{
	size_t words = n / 8;
	size_t rest = n % 8;
	void *d = dst;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(rest) : : "memory");
}

void bsl_memmove(void *dst, const void *src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	/* Unsigned: a destination below the source wraps to a large distance; forward then. */
	if ((uintptr_t)d - (uintptr_t)s >= n) {
		bsl_memcpy(dst, src, n);
		return;
	}
	d += n - 1;
	s += n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory", "cc");
}

void bsl_memset(void *dst, int c, size_t n)
{
	uint64_t word = (uint8_t)c * 0x0101010101010101U;
	size_t words = n / 8;
	size_t rest = n % 8;
	void *d = dst;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(word) : "memory");
}
