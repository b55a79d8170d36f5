// SPDX-License-Identifier: GPL-2.0-only
/* open_handle: one specification, one handle. */
#include "test/ext/lib/call.h"

static void refuses_other_specifications(void)
{
	static const uint64_t specs[] = { 0,
					  MK1_SPEC_MASK,
					  MK1_SPEC_ID - 1,
					  MK1_SPEC_ID + 1,
					  MK1_SPEC_ID & 0xFFFF,
					  MK1_SPEC_ID | 1ULL << 31,
					  (uint64_t)MK1_SPEC_ID << 32,
					  0xFFFFFFFF,
					  ~0ULL };

	for (unsigned int i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		GIVES(MK1_FAILURE_UNSUPPORTED, specs[i]);
}

static void opened(void)
{
	refuses_other_specifications();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_SPEC_ID);
	GIVES(MK1_FAILURE_UNKNOWN, HIGH32 | MK1_SPEC_ID);
}

static void unopened(void)
{
	refuses_other_specifications();
	GIVES(MK1_SUCCESS, HIGH32 | MK1_SPEC_ID);
	VERIFY(out[0] == MK1_HANDLE);
	opened();
	VERIFY_STATUS(mk1_handle_close_handle(MK1_HANDLE), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_SPEC_ID);
	VERIFY(out[0] == MK1_HANDLE);
	VERIFY_STATUS(mk1_handle_close_handle(MK1_HANDLE), MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_handle_open_handle,
	.unopened = unopened,
	.started = opened,
	.exit = opened,
};
