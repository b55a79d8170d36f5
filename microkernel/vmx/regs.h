/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers of a VS by their Mk#1 numbers. */
#ifndef MK_VMX_REGS_H
#define MK_VMX_REGS_H

#include <abi/types.h>

struct vs;

uint64_t vmx_vs_read(struct vs *vs, uint64_t reg, uint64_t *value);
uint64_t vmx_vs_write(struct vs *vs, uint64_t reg, uint64_t value);

#endif
