/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of the outer hypervisor: hypercall.S. */
#ifndef MK_HYPERCALL_H
#define MK_HYPERCALL_H

#include <abi/types.h>

/*
 * The instruction with all general registers (but RSP) as in gpr, which is in the order of enum
 * bf_gpr and receives them back. false, and nothing changed: #UD, or VMfail (SDM vol. 3 §33.2).
 */
bool hypercall_vmcall(uint64_t *gpr);
bool hypercall_vmmcall(uint64_t *gpr);

#endif
