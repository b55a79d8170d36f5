// SPDX-License-Identifier: MIT
/* A bounded printf: see format.h. */
#include <bsl/format.h>
#include <bsl/string.h>

struct output {
	char *buf;
	size_t room; /* for text, without the NUL */
	size_t length;
};

struct spec {
	bool left;
	bool zero;
	size_t width;
	size_t precision;
	bool is_64;
	char conversion;
};

#define MAX_DIGITS 20 /* of 2^64 - 1 in decimal */
#define MAX_NUMBER 0x10000 /* larger widths and precisions are no different */

static void put(struct output *out, char c)
{
	if (out->length < out->room)
		out->buf[out->length++] = c;
}

static void put_bytes(struct output *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(out, s[i]);
}

static void pad(struct output *out, char c, size_t width, size_t used)
{
	for (size_t i = used; i < width && out->length < out->room; i++)
		put(out, c);
}

static void put_text(struct output *out, const struct spec *spec, const char *s, size_t n)
{
	if (!spec->left)
		pad(out, ' ', spec->width, n);
	put_bytes(out, s, n);
	if (spec->left)
		pad(out, ' ', spec->width, n);
}

/* prefix is "", "-" or "0x"; zeroes go between it and the digits, blanks before it. */
static void put_number(struct output *out, const struct spec *spec, const char *prefix,
		       uint64_t value, unsigned int base)
{
	const char *set = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t prefix_length = bsl_strlen(prefix);
	char digits[MAX_DIGITS];
	size_t first = MAX_DIGITS;
	bool zero = spec->zero && !spec->left;
	size_t used;

	do {
		digits[--first] = set[value % base];
		value /= base;
	} while (value);

	used = prefix_length + MAX_DIGITS - first;
	if (!spec->left && !zero)
		pad(out, ' ', spec->width, used);
	put_bytes(out, prefix, prefix_length);
	if (zero)
		pad(out, '0', spec->width, used);
	put_bytes(out, digits + first, MAX_DIGITS - first);
	if (spec->left)
		pad(out, ' ', spec->width, used);
}

static const char *parse_number(const char *p, size_t *value)
{
	*value = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (*value < MAX_NUMBER)
			*value = *value * 10 + (size_t)(*p - '0');
	}
	return p;
}

struct arguments {
	__builtin_va_list list;
};

/* Reads a specification after its '%'; returns the address of the character after it. */
static const char *parse_spec(const char *p, struct spec *spec, struct arguments *args)
{
	*spec = (struct spec){ .precision = ~(size_t)0 };
	for (; *p == '-' || *p == '0'; p++) {
		if (*p == '-')
			spec->left = true;
		else
			spec->zero = true;
	}
	if (*p == '*') {
		int width = __builtin_va_arg(args->list, int);

		spec->left |= width < 0;
		spec->width = width < 0 ? (size_t)0 - (size_t)width : (size_t)width;
		p++;
	} else {
		p = parse_number(p, &spec->width);
	}
	if (*p == '.') {
		p++;
		if (*p == '*') {
			int precision = __builtin_va_arg(args->list, int);

			if (precision >= 0)
				spec->precision = (size_t)precision;
			p++;
		} else {
			p = parse_number(p, &spec->precision);
		}
	}
	/* A long may have 32 bits, a long long and a size_t never do. */
	for (; *p == 'l' || *p == 'z'; p++)
		spec->is_64 |= *p == 'z' || p[1] == 'l' || sizeof(long) == sizeof(uint64_t);
	spec->conversion = *p;
	return *p ? p + 1 : p;
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	if (value < 0)
		put_number(out, spec, "-", (uint64_t)0 - (uint64_t)value, 10);
	else
		put_number(out, spec, "", (uint64_t)value, 10);
}

static uint64_t next_unsigned(const struct spec *spec, struct arguments *args)
{
	return spec->is_64 ? __builtin_va_arg(args->list, uint64_t) :
			     __builtin_va_arg(args->list, uint32_t);
}

static int64_t next_signed(const struct spec *spec, struct arguments *args)
{
	return spec->is_64 ? __builtin_va_arg(args->list, int64_t) :
			     __builtin_va_arg(args->list, int32_t);
}

/* Returns false for a conversion that does not exist. */
static bool convert(struct output *out, struct spec *spec, struct arguments *args)
{
	const char *s;
	char c;

	switch (spec->conversion) {
	case 's':
		s = __builtin_va_arg(args->list, const char *);
		if (!s)
			s = "(null)";
		put_text(out, spec, s, bsl_strnlen(s, spec->precision));
		return true;
	case 'c':
		c = (char)__builtin_va_arg(args->list, int);
		put_text(out, spec, &c, 1);
		return true;
	case 'd':
		put_signed(out, spec, next_signed(spec, args));
		return true;
	case 'u':
		put_number(out, spec, "", next_unsigned(spec, args), 10);
		return true;
	case 'x':
	case 'X':
		put_number(out, spec, "", next_unsigned(spec, args), 16);
		return true;
	case 'p':
		spec->zero = true;
		spec->left = false;
		spec->width = 18;
		put_number(out, spec, "0x", (uintptr_t)__builtin_va_arg(args->list, void *), 16);
		return true;
	case '%':
		put(out, '%');
		return true;
	default:
		return false;
	}
}

size_t bsl_vformat(char *buf, size_t size, const char *fmt, __builtin_va_list list)
{
	struct output out = { buf, size - 1, 0 };
	struct arguments args;
	struct spec spec;

	if (!size)
		return 0;
	__builtin_va_copy(args.list, list);
	for (const char *p = fmt; *p;) {
		const char *start = p;

		if (*p++ != '%') {
			put(&out, *start);
			continue;
		}
		p = parse_spec(p, &spec, &args);
		if (!convert(&out, &spec, &args)) {
			put_bytes(&out, start, bsl_strlen(start));
			break;
		}
	}
	__builtin_va_end(args.list);
	buf[out.length] = '\0';
	return out.length;
}

size_t bsl_format(char *buf, size_t size, const char *fmt, ...)
{
	__builtin_va_list args;
	size_t length;

	__builtin_va_start(args, fmt);
	length = bsl_vformat(buf, size, fmt, args);
	__builtin_va_end(args);
	return length;
}
