// SPDX-License-Identifier: MIT
/* The default extension: Linux as the root VM, and nothing else (ext/linux). */
#include <ext/linux/linux.h>

const char ext_name[] = "default";

int ext_start(uint64_t specs)
{
	if (!linux_start(specs))
		return 1;
	if (mk1_register_bootstrap(MK1_HANDLE, linux_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(MK1_HANDLE, linux_vmexit()) != MK1_SUCCESS ||
	    mk1_register_fail(MK1_HANDLE, linux_fail) != MK1_SUCCESS) {
		ext_print("%s: the microkernel refuses the callbacks\n", ext_name);
		return 1;
	}
	return 0;
}
