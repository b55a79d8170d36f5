// SPDX-License-Identifier: GPL-2.0-only
/* dump_vs: what a VS is, and the state of one that is this PP's. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vsid = mk1_tls_vsid();
	struct second s = make_second();
	unsigned int ppid = mk1_tls_ppid();
	uint64_t other;

	EXPECT_PRINTED("vs %u: vp %u, assigned to pp %u, root, active here\n", (unsigned int)vsid,
		       mk1_tls_vpid(), ppid);
	EXPECT_PRINTED("  .*rip 0x%llx.*\n", (unsigned long long)read_reg(vsid, REG(rip)));
	GIVES(MK1_SUCCESS, HIGH16 | vsid);
	EXPECT_PRINTED("vs %u: vp %u, assigned to pp %u\n", (unsigned int)s.vsid,
		       (unsigned int)s.vpid, ppid);
	GIVES(MK1_SUCCESS, s.vsid);
	if (other_pp(&other)) {
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		EXPECT_PRINTED("vs %u: vp %u, assigned to pp %u\n", (unsigned int)s.vsid,
			       (unsigned int)s.vpid, (unsigned int)other);
		GIVES(MK1_SUCCESS, s.vsid);
	}
	drop_second(s);
	REFUSES_IDS(0, 0);
	GIVES(MK1_INVALID_INPUT_REG(0), s.vsid);
}

static void nothing_yet(void)
{
	GIVES(MK1_INVALID_INPUT_REG(0), 0);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_vs,
	.started = nothing_yet,
	.exit = test,
};
