/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest that has no extension any more. */
#ifndef MK_VMX_FALLBACK_H
#define MK_VMX_FALLBACK_H

#include <abi/types.h>

struct vs;

/* Nothing exits any more but what VMX forces to. */
void vmx_fallback_init(struct vs *vs);
/* Handles an exit that nobody else has handled. */
void vmx_fallback_exit(struct vs *vs, uint64_t reason);

#endif
