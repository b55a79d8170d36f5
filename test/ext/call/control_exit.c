// SPDX-License-Identifier: GPL-2.0-only
/* exit, in an exit of the guest: the end of the extension, which the asker looks at. */
#include "test/ext/lib/call.h"

static void end(void)
{
	GIVES(MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_control_exit,
	.end = end,
};
