// SPDX-License-Identifier: GPL-2.0-only
/* Text of extensions on its way to a terminal: colours pass, other control characters do not. */
#include <string.h>

#include "bfm.h"

#define ESC '\033'

/* Filters what extensions print, so that they cannot control the terminal. */
static char printable(const struct escape *e, char c)
{
	unsigned char byte = (unsigned char)c;

	if (!e->terminal || byte == '\n' || byte == '\t')
		return c;
	if (byte < ' ' || byte == 0x7F)
		return '?';
	/* U+0080 to U+009F, which are control characters, too */
	return (unsigned char)e->last == 0xC2 && byte >= 0x80 && byte <= 0x9F ? '?' : c;
}

static void emit(struct escape *e, char c, char **out)
{
	c = printable(e, c);
	*(*out)++ = c;
	e->last = c;
}

static void give_up(struct escape *e, char **out)
{
	for (size_t i = 0; i < e->length; i++)
		emit(e, e->sequence[i], out);
	e->length = 0;
}

/* ESC [ NUMBERS m (ECMA-48 §8.3.117). An empty or a zero number ends all colours. */
static void colour(struct escape *e, char **out)
{
	if (e->colours) {
		memcpy(*out, e->sequence, e->length);
		*out += e->length;
		*(*out)++ = 'm';
		e->coloured = !(e->length == 2 || (e->length == 3 && e->sequence[2] == '0'));
		e->last = 'm';
	}
	e->length = 0;
}

size_t escape_text(struct escape *e, const char *in, size_t length, char *out)
{
	char *p = out;

	for (size_t i = 0; i < length; i++) {
		char c = in[i];
		bool fits = e->length < sizeof(e->sequence);

		if (e->length >= 2 && c == 'm') {
			colour(e, &p);
		} else if ((e->length == 1 && c == '[') ||
			   (e->length >= 2 && fits && strchr("0123456789;:", c) && c)) {
			e->sequence[e->length++] = c;
		} else {
			give_up(e, &p);
			if (c == ESC)
				e->sequence[e->length++] = c;
			else
				emit(e, c, &p);
		}
	}
	return (size_t)(p - out);
}

size_t escape_end(struct escape *e, char *out)
{
	static const char reset[] = "\033[0m";
	char *p = out;

	give_up(e, &p);
	if (e->coloured) {
		memcpy(p, reset, sizeof(reset) - 1);
		p += sizeof(reset) - 1;
	}
	e->coloured = false;
	return (size_t)(p - out);
}
