// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an extension wrote, in any pieces, on its way to a terminal: nothing but text and colours
 * comes out, it does not matter where pieces end, and the buffer suffices.
 */
#include "bfm/bfm.h"
#include "fuzz.h"

/* Runs all of the text in pieces of at most step bytes; the output's length, at *out. */
static size_t filter(struct escape e, const uint8_t *data, size_t size, size_t step, char **out)
{
	size_t done = 0, pieces = size / step + 2;
	char *all = malloc(size + pieces * ESCAPE_SEQUENCE * 2);

	if (!all)
		abort();
	for (size_t i = 0; i < size; i += step) {
		size_t length = size - i < step ? size - i : step;
		char *in = fuzz_copy(data + i, length), *piece = malloc(length + ESCAPE_SEQUENCE);
		size_t n;

		if (!piece)
			abort();
		n = escape_text(&e, in, length, piece);
		FUZZ_CHECK(n <= length + ESCAPE_SEQUENCE, "%zu of %zu bytes", n, length);
		memcpy(all + done, piece, n);
		done += n;
		free(piece);
		free(in);
	}
	done += escape_end(&e, all + done);
	*out = all;
	return done;
}

/* ESC [ numbers m at text: its length, else 0. */
static size_t colour_length(const char *text, size_t left)
{
	size_t i = 2;

	if (left < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < left && text[i] && strchr("0123456789;:", text[i]))
		i++;
	return i < left && text[i] == 'm' ? i + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint64_t options = fuzz_take(&in, 1);
	struct escape e = { .terminal = options & 1, .colours = options & 2 };
	char *whole, *pieces;
	size_t length = filter(e, in.data, in.left, in.left + 1, &whole);
	size_t length2 = filter(e, in.data, in.left, (options >> 2) + 1, &pieces);
	bool coloured = false;

	FUZZ_CHECK(length == length2 && !memcmp(whole, pieces, length), "pieces matter");
	for (size_t i = 0; e.terminal && i < length; i++) {
		unsigned char c = (unsigned char)whole[i];
		size_t n = colour_length(whole + i, length - i);

		FUZZ_CHECK(!n || e.colours, "colours, unasked");
		if (n) {
			coloured = n != 3 && !(n == 4 && whole[i + 2] == '0');
			i += n - 1;
			continue;
		}
		FUZZ_CHECK((c >= ' ' || c == '\n' || c == '\t') && c != 0x7F, "0x%x at %zu", c, i);
		FUZZ_CHECK(!i || (unsigned char)whole[i - 1] != 0xC2 || c < 0x80 || c > 0x9F,
			   "a control character of two bytes");
	}
	FUZZ_CHECK(!coloured, "the colours stay");
	free(whole);
	free(pieces);
	return 0;
}
