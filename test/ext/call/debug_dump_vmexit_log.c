// SPDX-License-Identifier: GPL-2.0-only
/* dump_vmexit_log: the last exits of a PP. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vsid = mk1_tls_vsid();
	unsigned int ppid = mk1_tls_ppid();

	EXPECT_PRINTED("pp %u exit [0-9]*: vs %u, reason 0x%x, rip 0x%llx\n", ppid,
		       (unsigned int)vsid, is_svm ? SVM_EXIT_CPUID : VMX_EXIT_CPUID,
		       (unsigned long long)read_reg(vsid, REG(rip)));
	GIVES(MK1_SUCCESS, HIGH16 | ppid);
	for (uint64_t other = 0; other < mk1_tls_online_pps(); other++)
		GIVES(MK1_SUCCESS, other);
	GIVES(MK1_INVALID_INPUT_REG(0), mk1_tls_online_pps());
	REFUSES_IDS(0, 0);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_vmexit_log,
	.exit = test,
};
