// SPDX-License-Identifier: MIT
/*
 * The four symbols that compilers call on their own even in freestanding code (GCC manual,
 * "Standards"). For images that are linked without a C library; never linked on the host or in
 * Linux.
 */
#include <bsl/string.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *dst, const void *src, size_t n)
{
	bsl_memcpy(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	bsl_memmove(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	bsl_memset(dst, c, n);
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	return bsl_memcmp(a, b, n);
}
