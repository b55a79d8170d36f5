// SPDX-License-Identifier: GPL-2.0-only
/* destroy_vs: not while it is active. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), again, other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE);
	if (other_pp(&other)) {
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid);
		VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &s.vsid),
			      MK1_SUCCESS);
	}
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, HIGH16 | vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	/* Linux's is needed for as long as it runs on this PP, and on another one */
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	if (other_pp(&other))
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, s.vsid), MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &again), MK1_SUCCESS);
	VERIFY(again == s.vsid);
	drop_second(s);
}

/* Before it has been active, too. */
static void bootstrap(void)
{
	struct second s = make_second();

	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &s.vsid), MK1_SUCCESS);
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_destroy_vs,
	.bootstrap = bootstrap,
	.exit = test,
};
