// SPDX-License-Identifier: GPL-2.0-only
/* unmap_direct_broadcast: the same as unmap_direct, on every PP. */
#include "test/ext/lib/call.h"

#include "direct.h"

/* Each PP takes away what the PP before left mapped. That PP is not asked what its TLB has. */
static void test(void)
{
	static bool mapped, gone;

	if (mapped)
		GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA);
	gone = mapped;
	test_unmap();
	mapped = direct_access_faults();
	VERIFY(mapped);
	VERIFY(gone || mk1_tls_ppid() == 0);
}

const struct call_test call_test = {
	.call = CALL_vm_unmap_direct_broadcast,
	.exit = test,
	.fault = direct_fault,
	/* UNKNOWN: if another PP stays in its extension for a second, and then memory is lost */
	.maybe = "UNKNOWN",
};
