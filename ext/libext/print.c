// SPDX-License-Identifier: MIT
#include <bsl/format.h>
#include <ext/libext/libext.h>

uint64_t ext_print(const char *fmt, ...)
{
	char text[EXT_PRINT_SIZE];
	__builtin_va_list args;
	size_t length;

	__builtin_va_start(args, fmt);
	length = bsl_vformat(text, sizeof(text), fmt, args);
	__builtin_va_end(args);
	return mk1_debug_write_str((uint64_t)text, length);
}
