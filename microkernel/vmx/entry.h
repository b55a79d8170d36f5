/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.S: the world switch, and where it goes on. */
#ifndef MK_VMX_ENTRY_H
#define MK_VMX_ENTRY_H

#include <abi/types.h>
#include <bsl/compiler.h>

__noreturn void vmx_enter(bool launched);
__noreturn void vmx_resume(void);
void vmx_exit_entry(void);

/* exit.c: on the PP's stack, with the general registers in the ABI page. */
__noreturn void vmx_exit(void);
__noreturn void vmx_entry_failed(uint64_t rflags);

#endif
