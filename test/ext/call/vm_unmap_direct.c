/* SPDX-License-Identifier: GPL-2.0-only */
/* unmap_direct: what is mapped in that VM disappears, and this PP forgets it. */
#define CALL vm_unmap_direct
#include "call.h"

#include "direct.h"

static const struct hooks hooks = {
	.exit = test_unmap,
	.fault = direct_fault,
};
