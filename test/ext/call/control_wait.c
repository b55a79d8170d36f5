/* SPDX-License-Identifier: GPL-2.0-only */
/* wait: it ends _start, as anybody sees who is a guest then. In a callback it is a failure. */
#define CALL control_wait
#include "call.h"

static void end(void)
{
	GIVES(MK1_SUCCESS);
}

static const struct hooks hooks = {
	.end = end,
};
