// SPDX-License-Identifier: MIT
/* The default extension: Linux as the root VM, and nothing else: the frame without hooks. */
#include <abi/mk2.h>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>

const char ext_name[] = "default";

int ext_start(uint64_t specs)
{
	static const char *const none[] = { NULL };

	/* It takes no arguments, and says so if there are some. */
	if (specs & MK2_SPEC_MASK && (!ext_args_load() || !ext_args_known(none)))
		return 1;
	return ext_run_linux(specs, NULL);
}
