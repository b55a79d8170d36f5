// SPDX-License-Identifier: GPL-2.0-only
/* dump_vp: a line on a VP. */
#include "test/ext/lib/call.h"

static void test(void)
{
	struct second s = make_second();

	EXPECT_PRINTED("vp %u: vm 0, 1 VSs, active on 1 PPs\n", mk1_tls_vpid());
	GIVES(MK1_SUCCESS, HIGH16 | mk1_tls_vpid());
	EXPECT_PRINTED("vp %u: vm %u, 1 VSs, active on 0 PPs\n", (unsigned int)s.vpid,
		       (unsigned int)s.vmid);
	GIVES(MK1_SUCCESS, s.vpid);
	drop_second(s);
	REFUSES_IDS(0, 0);
	GIVES(MK1_INVALID_INPUT_REG(0), s.vpid);
}

static void nothing_yet(void)
{
	GIVES(MK1_INVALID_INPUT_REG(0), 0);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_vp,
	.started = nothing_yet,
	.exit = test,
};
