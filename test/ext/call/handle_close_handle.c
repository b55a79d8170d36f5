// SPDX-License-Identifier: GPL-2.0-only
/* close_handle: what takes a handle is refused from then on. */
#include "test/ext/lib/call.h"

static void unopened(void)
{
	uint64_t handle, va, spa;

	VERIFY_STATUS(mk1_handle_open_handle(MK1_SPEC_ID, &handle), MK1_SUCCESS);
	test_handles();
	VERIFY_STATUS(mk1_mem_alloc_page(handle, &va, &spa), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, handle);
	GIVES(MK1_FAILURE_INVALID_HANDLE, handle);
	VERIFY_STATUS(mk1_mem_free_page(handle, va), MK1_FAILURE_INVALID_HANDLE);
	VERIFY_STATUS(mk1_debug_write_c('\n'), MK1_SUCCESS);
	VERIFY_STATUS(mk1_handle_open_handle(MK1_SPEC_ID, &handle), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_page(handle, va), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, handle);
}

const struct call_test call_test = {
	.call = CALL_handle_close_handle,
	.unopened = unopened,
};
