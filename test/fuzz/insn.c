// SPDX-License-Identifier: GPL-2.0-only
/* The decoder of ext/libext/insn.h: the first byte of an input is the mode. */
#include "fuzz.h"
#include "insn_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ext_insn insn;
	struct insn_access access;
	char text[ORACLE_TEXT];
	unsigned int length;
	enum insn_mode mode;
	const char *what;
	uint8_t *copy;

	if (size < 2)
		return 0;
	mode = (enum insn_mode)(data[0] % 3);
	copy = fuzz_copy(data + 1, size - 1);
	what = oracle_compare(copy, size - 1, mode, text, &length);
	FUZZ_CHECK(!what, "%s", what);
	free(copy);
	if (!length)
		return 0;
	copy = fuzz_copy(data + 1, length - 1);
	FUZZ_CHECK(ext_insn_decode(copy, length - 1, mode, &insn) == INSN_SHORT,
		   "complete when cut off");
	free(copy);
	FUZZ_CHECK(ext_insn_decode(data + 1, length, mode, &insn) == INSN_OK, "not without more");
	if (ext_insn_access(&insn, &access))
		FUZZ_CHECK(access.size && access.size <= 16 && (access.read || access.write),
			   "%u bytes", access.size);
	return 0;
}
