/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the three calls that register a callback share. */
#ifndef TEST_EXT_CALL_REGISTER_H
#define TEST_EXT_CALL_REGISTER_H

#include "test/ext/lib/call.h"

/* Only what the extension may execute can be a callback; that comes before anything else. */
static inline void refuses_what_is_no_code(void)
{
	static const uint64_t bad[] = { 0,
					1,
					BF_WINDOW_BASE,
					MK1_PAGE_POOL_BASE,
					MK1_EXT_STACK_BASE,
					MK1_EXT_CODE_BASE - 1,
					MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE - 1,
					MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE,
					MK1_EXT_TLS_BASE,
					MK1_DIRECT_MAP_BASE,
					0x7FFFFFFFFFFF,
					0x800000000000,
					BF_MK_BASE,
					BF_PP_BASE,
					0xFFFFFFFF81000000,
					~0ULL };
	static uint64_t data = 1;
	uint64_t local = 0, code = (uint64_t)hooked_vmexit;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, bad[i]);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, (uint64_t)&data);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, (uint64_t)&bad);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, (uint64_t)&local);
	/* right in the low bits */
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, code | 1ULL << 63);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, code & 0xFFFFFFFF);
}

/* Once, and not again. */
static inline void registers_once(uint64_t fn)
{
	refuses_what_is_no_code();
	GIVES(MK1_SUCCESS, MK1_HANDLE, fn);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, fn);
	refuses_what_is_no_code();
}

#endif
