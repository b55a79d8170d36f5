// SPDX-License-Identifier: GPL-2.0-only
/* dump_ext: a line on an extension. */
#include "test/ext/lib/call.h"

static void unopened(void)
{
	EXPECT_PRINTED("ext 0: handle closed, bootstrap 0x0, vmexit 0x0, fail 0x0\n");
	GIVES(MK1_SUCCESS, mk1_tls_extid());
}

static void started(void)
{
	EXPECT_PRINTED("ext 0: handle open, bootstrap 0x%llx, vmexit 0x%llx, fail 0x%llx\n",
		       (unsigned long long)(uint64_t)hooked_bootstrap,
		       (unsigned long long)(uint64_t)hooked_vmexit,
		       (unsigned long long)(uint64_t)ext_hooks.fail);
	GIVES(MK1_SUCCESS, HIGH16 | mk1_tls_extid());
	GIVES(MK1_INVALID_INPUT_REG(0), 1);
	REFUSES_IDS(0, 0);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_ext,
	.unopened = unopened,
	.started = started,
	.exit = started,
};
