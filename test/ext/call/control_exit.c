/* SPDX-License-Identifier: GPL-2.0-only */
/* exit, in an exit of the guest: the end of the extension, which the asker looks at. */
#define CALL control_exit
#include "call.h"

static void end(void)
{
	GIVES(MK1_SUCCESS);
}

static const struct hooks hooks = {
	.end = end,
};
