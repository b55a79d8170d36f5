/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMCS of a VS. */
#ifndef MK_VMX_VS_H
#define MK_VMX_VS_H

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/types.h>

struct pp;
struct vs;

bool vmx_vs_init(struct vs *vs);
void vmx_vs_fini(struct vs *vs);
enum bf_error vmx_vs_init_as_root(struct vs *vs, const struct bf_cpu_state *state);
void vmx_vs_capture(struct vs *vs, struct bf_cpu_state *state);
/* The MSRs that a VS leaves in the CPU, for the next one. */
void vmx_note_msrs(struct pp *pp);
bool vmx_vs_load(struct vs *vs);
void vmx_vs_unload(struct vs *vs);
unsigned int vmx_vs_cpl(const struct vs *vs);
void vmx_vs_dump(struct vs *vs);

#endif
