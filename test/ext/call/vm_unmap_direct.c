// SPDX-License-Identifier: GPL-2.0-only
/* unmap_direct: what is mapped in that VM disappears, and this PP forgets it. */
#include "test/ext/lib/call.h"

#include "direct.h"

const struct call_test call_test = {
	.call = CALL_vm_unmap_direct,
	.exit = test_unmap,
	.fault = direct_fault,
};
