/* SPDX-License-Identifier: GPL-2.0-only */
/* CR0 and CR4 of a guest. */
#ifndef MK_VMX_CR_H
#define MK_VMX_CR_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct vs;

/* Bits of CR0 that must be 1 in the current VS as it is. */
uint64_t vmx_cr0_forced(void);
/* Gives CR0 and CR4 as they were written the bits that must be 1. */
__cold noinline void vmx_complete_crs(struct vs *vs);

/* CR0 and CR4 as the guest reads them. */
uint64_t vmx_guest_cr0(void);
uint64_t vmx_guest_cr4(void);
/* Gives the guest this CR0 or CR4, with what VMX insists on behind its back. */
void vmx_set_guest_cr0(uint64_t value);
void vmx_set_guest_cr4(uint64_t value);

#endif
