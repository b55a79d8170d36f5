// SPDX-License-Identifier: MIT
/* What of string.h needs no instruction of its own: the rest is in x86/mem.c. */
#include <bsl/string.h>

int bsl_memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a;
	const uint8_t *y = b;

	for (size_t i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t bsl_strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n]) {
		/* Or the compiler makes this loop a call of strlen, which would be this one. */
		__asm__("" : "+r"(n));
		n++;
	}
	return n;
}

size_t bsl_strlen(const char *s)
{
	return bsl_strnlen(s, ~(size_t)0);
}
