// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into QEMU, whose cpu_clear_ignne() any CPU calls that loads the x87 state. It clears a
 * flag of CPU 0's, IGNNE#, among flags that CPU 0 itself changes meanwhile with its own thread and
 * no lock: GIF, and whether nested paging is on. What VMRUN, #VMEXIT, STGI or CLGI have just
 * changed there may be undone. Only FPU errors as of DOS need the flag, so that function returns
 * at once here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define RET 0xC3

__attribute__((constructor)) static void fix_qemu(void)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, "cpu_clear_ignne");
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)code & -size);

	if (!code || mprotect(page, size, PROT_READ | PROT_WRITE)) {
		fputs("qemu_fix: no cpu_clear_ignne() that could be mended\n", stderr);
		return;
	}
	*code = RET;
	if (mprotect(page, size, PROT_READ | PROT_EXEC))
		_exit(1);
}
