// SPDX-License-Identifier: MIT
#include <ext/libext/libext.h>

__attribute__((noreturn)) void libext_start(uint64_t specs);

/* Called by crt0.S: a start that went well ends with wait, one that did not with exit. */
void libext_start(uint64_t specs)
{
	if (ext_start(specs) == 0)
		mk1_control_wait();
	ext_exit();
}
