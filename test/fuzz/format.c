// SPDX-License-Identifier: GPL-2.0-only
/*
 * bsl_format with any format: it stays within its buffer, and says what the C library says wherever
 * both know the conversions. The first bytes of an input are the size and the arguments.
 */
#include <bsl/format.h>

#include "fuzz.h"

#define MAX_FORMAT 256
#define MAX_ARGUMENTS 8
#define MAX_SIZE 600

/* How many arguments a format can take at most. */
static size_t arguments(const char *format)
{
	size_t n = 0;

	for (; *format; format++)
		n += *format == '%' || *format == '*';
	return n;
}

/* Whether both have every conversion of the format, and for the same types. */
static bool is_shared(const char *format)
{
	for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
		size_t flags = strspn(++p, "-0");
		bool zero = memchr(p, '0', flags), left = memchr(p, '-', flags), is_long = false;

		p += flags;
		/* The C library takes seconds to pad to billions. */
		if (strspn(p, "0123456789") > 6)
			return false;
		p += strspn(p, "0123456789");
		if (zero && left)
			return false;
		if (*p == '.')
			return false;
		if (p[0] == 'l' || p[0] == 'z') {
			is_long = true;
			p += p[0] == 'l' && p[1] == 'l' ? 2 : 1;
		}
		if (!*p || !strchr("duxXsc%", *p))
			return false;
		/* Flags and widths of these mean nothing, or are not defined. */
		if (*p == '%' && p[-1] != '%')
			return false;
		if (strchr("sc", *p) && (is_long || zero))
			return false;
		p++;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "some text\twith \xC3\xA9";
	struct fuzz_input in = { data, size };
	size_t room = fuzz_take(&in, 2) % MAX_SIZE;
	uint64_t argument[MAX_ARGUMENTS];
	char format[MAX_FORMAT], expected[MAX_SIZE];
	char *buffer = malloc(room + 1), *end = buffer + room;
	bool pointers = fuzz_take(&in, 1) & 1;
	size_t length;

	if (!buffer)
		abort();
	/* Where the format may ask for a string, each argument is one; as a number it is any. */
	for (size_t i = 0; i < MAX_ARGUMENTS; i++)
		argument[i] = pointers ? (uintptr_t)text : fuzz_take(&in, 8);
	length = in.left < sizeof(format) - 1 ? in.left : sizeof(format) - 1;
	memcpy(format, in.data, length);
	format[length] = '\0';
	if (arguments(format) > MAX_ARGUMENTS || (!pointers && strchr(format, 's')))
		goto out;
	*end = '!';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	length = bsl_format(buffer, room, format, argument[0], argument[1], argument[2],
			    argument[3], argument[4], argument[5], argument[6], argument[7]);
	FUZZ_CHECK(*end == '!', "wrote beyond %zu bytes", room);
	FUZZ_CHECK(room ? length < room && strlen(buffer) <= length : !length, "%zu", length);
	if (room && is_shared(format) && strlen(format) < 16) {
		int all = snprintf(expected, room, format, argument[0], argument[1], argument[2],
				   argument[3], argument[4], argument[5], argument[6], argument[7]);

		FUZZ_CHECK(all < 0 || (length == ((size_t)all < room ? (size_t)all : room - 1) &&
				       !memcmp(buffer, expected, length + 1)),
			   "\"%s\" gives \"%s\", not \"%s\"", format, buffer, expected);
	}
#pragma GCC diagnostic pop
out:
	free(buffer);
	return 0;
}
