/* SPDX-License-Identifier: GPL-2.0-only */
/* CR8 of a guest that is not Linux, and what a MOV to a control register moves. */
#ifndef MK_VMX_CR8_H
#define MK_VMX_CR8_H

#include <abi/types.h>

struct vs;

/* What a MOV to a control register moves, by the exit qualification. */
uint64_t vmx_cr_operand(uint64_t qualification);
/* An access of CR8 that has exited unasked is handled; false: it is something else. */
bool vmx_handle_cr8(struct vs *vs);

#endif
