// SPDX-License-Identifier: GPL-2.0-only
/* wait: it ends _start, as anybody sees who is a guest then. In a callback it is a failure. */
#include "test/ext/lib/call.h"

static void end(void)
{
	GIVES(MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_control_wait,
	.end = end,
};
