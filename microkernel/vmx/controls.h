/* SPDX-License-Identifier: GPL-2.0-only */
/* The five control fields: what an extension writes, what is needed, what the CPU insists on. */
#ifndef MK_VMX_CONTROLS_H
#define MK_VMX_CONTROLS_H

#include <abi/types.h>

struct vs;

/* Whether the CPUs have the controls that are needed. */
bool vmx_controls_offered(void);
/*
 * Completes a value for a control field by what the hypervisor needs, and takes away what the CPU
 * lacks; false: refused.
 */
bool vmx_sanitize_controls(const struct vs *vs, uint64_t field, uint64_t *value);
bool vmx_init_controls(const struct vs *vs);

#endif
