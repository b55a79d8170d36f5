/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings without a C library. Same arguments and results as the standard functions of
 * the same names. Only string instructions and general registers are used, so that they are safe
 * where the extended state belongs to a guest.
 */
#ifndef BSL_STRING_H
#define BSL_STRING_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

void bsl_memcpy(void *dst, const void *src, size_t n);
void bsl_memmove(void *dst, const void *src, size_t n);
void bsl_memset(void *dst, int c, size_t n);
int bsl_memcmp(const void *a, const void *b, size_t n);
size_t bsl_strlen(const char *s);

/* The length of s, of which at most max bytes are looked at. */
size_t bsl_strnlen(const char *s, size_t max);

#ifdef __cplusplus
}
#endif

#endif
