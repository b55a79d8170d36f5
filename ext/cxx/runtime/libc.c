// SPDX-License-Identifier: MIT
/*
 * What libstdc++, libsupc++ and libgcc_eh use of a C library, and little more: an extension that
 * needs another function does not link. memcpy and its like are libext's own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsl/format.h>
#include <bsl/string.h>
#include <ext/cxx/runtime/runtime.h>
#include <ext/libext/heap.h>
#include <ext/libext/mk1_tls.h>

/* --- memory ---------------------------------------------------------------------------------- */

void *malloc(size_t size)
{
	return ext_alloc(size);
}

void *calloc(size_t count, size_t size)
{
	size_t bytes;
	void *block = NULL;

	if (!__builtin_mul_overflow(count, size, &bytes))
		block = ext_alloc(bytes);
	if (block)
		bsl_memset(block, 0, bytes);
	return block;
}

void *realloc(void *block, size_t size)
{
	return ext_realloc(block, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return ext_alloc_aligned(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
	void *got = ext_alloc_aligned(align, size);

	if (!got)
		return ENOMEM;
	*block = got;
	return 0;
}

void free(void *block)
{
	ext_free(block);
}

/* --- strings --------------------------------------------------------------------------------- */

size_t strlen(const char *s)
{
	return bsl_strlen(s);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

/* What clang makes of a memcmp that is compared with 0. */
int bcmp(const void *a, const void *b, size_t n)
{
	return bsl_memcmp(a, b, n);
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

void *memchr(const void *s, int c, size_t n)
{
	for (const unsigned char *p = s; n; p++, n--) {
		if (*p == (unsigned char)c)
			return (void *)(uint64_t)p;
	}
	return NULL;
}

char *strchr(const char *s, int c)
{
	return memchr(s, c, bsl_strlen(s) + 1);
}

char *strrchr(const char *s, int c)
{
	for (const char *p = s + bsl_strlen(s);; p--) {
		if (*p == (char)c)
			return (char *)(uint64_t)p;
		if (p == s)
			return NULL;
	}
}

char *strstr(const char *s, const char *part)
{
	size_t length = bsl_strlen(part);

	for (; strncmp(s, part, length); s++) {
		if (!*s)
			return NULL;
	}
	return (char *)(uint64_t)s;
}

/* Of the demangler's, whose buffers are as large as a number may be. */
int sprintf(char *text, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = bsl_vformat(text, 32, format, args);
	va_end(args);
	return (int)length;
}

/* Messages are as they are. */
char *gettext(const char *message);
char *gettext(const char *message)
{
	return (char *)(uint64_t)message;
}

/* --- threads: the PPs ------------------------------------------------------------------------ */

/* 0: atomics are what they say, and locks are taken. */
char __libc_single_threaded;

/* A mutex of the library's, zero when it is free: what lies in it is the holder, a PP, plus 1. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int *holder = &mutex->__data.__lock;
	int me = mk1_tls_ppid() + 1, free_one = 0;

	while (!__atomic_compare_exchange_n(holder, &free_one, me, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		free_one = 0;
		__builtin_ia32_pause();
	}
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	__atomic_store_n(&mutex->__data.__lock, 0, __ATOMIC_RELEASE);
	return 0;
}

/* 0: not yet; 1: a PP is at it; 2: done. */
int pthread_once(pthread_once_t *once, void (*function)(void))
{
	int state = 0;

	if (__atomic_compare_exchange_n(once, &state, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_ACQUIRE)) {
		function();
		__atomic_store_n(once, 2, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(once, __ATOMIC_ACQUIRE) != 2)
		__builtin_ia32_pause();
	return 0;
}

int *__errno_location(void)
{
	static __thread int number;

	return &number;
}

/* --- the end --------------------------------------------------------------------------------- */

/*
 * Objects are destroyed where their scope ends. Global ones stay: a stop does not ask an extension
 * as a whole, and takes its memory away.
 */
int __cxa_atexit(void (*function)(void *), void *argument, void *object);
int __cxa_atexit(void (*function)(void *), void *argument, void *object)
{
	(void)function, (void)argument, (void)object;
	return 0;
}

int __cxa_thread_atexit(void (*function)(void *), void *argument, void *object);
int __cxa_thread_atexit(void (*function)(void *), void *argument, void *object)
{
	return __cxa_atexit(function, argument, object);
}

void *__dso_handle;

void abort(void)
{
	ext_cxx_abort("abort was called");
}

void __assert_fail(const char *expression, const char *file, unsigned int line,
		   const char *function);
void __assert_fail(const char *expression, const char *file, unsigned int line,
		   const char *function)
{
	char why[100];

	(void)function;
	bsl_format(why, sizeof(why), "%s:%u: %s is not so", file, line, expression);
	ext_cxx_abort(why);
}
