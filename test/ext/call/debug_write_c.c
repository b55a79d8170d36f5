// SPDX-License-Identifier: GPL-2.0-only
/* write_c: the low 8 bits, as a character. */
#include "test/ext/lib/call.h"

static void print(void)
{
	static const char text[] = "one by one\n";

	EXPECT_PRINTED("%s", text);
	for (unsigned int i = 0; i < sizeof(text) - 1; i++)
		GIVES(MK1_SUCCESS, (uint8_t)text[i] | 0xFEDCBA9876543200);
}

const struct call_test call_test = {
	.call = CALL_debug_write_c,
	.unopened = print,
	.exit = print,
};
