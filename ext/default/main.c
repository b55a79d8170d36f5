// SPDX-License-Identifier: MIT
/* The default extension: Linux as the root VM, and nothing else: the frame without hooks. */
#include <ext/libext/frame.h>

const char ext_name[] = "default";

int ext_start(uint64_t specs)
{
	return ext_run_linux(specs, NULL);
}
