// SPDX-License-Identifier: GPL-2.0-only
/* create_vs: of a VP, for a PP, lowest id first, as long as there is memory. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t ppid = mk1_tls_ppid(), vpid, vsid, first, pages, other;

	REFUSES_IDS(1, MK1_HANDLE, 0, ppid);
	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &vpid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vpid, mk1_tls_online_pps());
	REFUSES_IDS(2, MK1_HANDLE, vpid);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vpid, HIGH16 | ppid);
	first = out[0];
	GIVES(MK1_SUCCESS, MK1_HANDLE, vpid, ppid);
	VERIFY(out[0] == first + 1);
	/* each is its own */
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, first, REG(rsp), 0x1111), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, first + 1, REG(rsp), 0x2222), MK1_SUCCESS);
	VERIFY(read_reg(first, REG(rsp)) == 0x1111);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, first), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vpid, ppid);
	VERIFY(out[0] == first);
	VERIFY(read_reg(first, REG(rsp)) == 0);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, first), MK1_SUCCESS);
	/* it is the PP that it was made for which has it */
	if (other_pp(&other)) {
		GIVES(MK1_SUCCESS, MK1_HANDLE, vpid, other);
		VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, out[0]), MK1_INVALID_INPUT_REG(1));
		VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, out[0]), MK1_SUCCESS);
	}
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, first + 1), MK1_SUCCESS);
	pages = drain_pool();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, vpid, ppid);
	refill_pool(pages);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vpid, ppid, &vsid), MK1_SUCCESS);
	VERIFY(vsid == first);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, vpid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vpid, ppid);
}

const struct call_test call_test = {
	.call = CALL_vs_create_vs,
	.bootstrap = test,
	.exit = test,
};
