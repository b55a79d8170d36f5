/* SPDX-License-Identifier: MIT */
/*
 * Bounded formatting without a C library and without floating point.
 *
 *   %[-0][width][.precision][l|ll|z]conversion
 *
 * conversion: s c d u x X p %. width and precision are numbers or '*'; precision is for %s: at most
 * that many bytes are read. %p is 0x and 16 digits. A null string prints as (null). A conversion
 * that is not listed is copied as it stands and takes no argument; the rest of the format is then
 * copied too, because the arguments can no longer be told apart.
 */
#ifndef BSL_FORMAT_H
#define BSL_FORMAT_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes at most size bytes, the terminating NUL included, and always terminates (unless size is
 * 0). Returns the number of bytes written without the NUL: less than size, longer text is cut off.
 */
size_t bsl_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
size_t bsl_vformat(char *buf, size_t size, const char *fmt, __builtin_va_list args)
	__attribute__((format(printf, 3, 0)));

#ifdef __cplusplus
}
#endif

#endif
