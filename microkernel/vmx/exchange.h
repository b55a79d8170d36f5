/* SPDX-License-Identifier: GPL-2.0-only */
/* State beyond what every VMCS exchanges. */
#ifndef MK_VMX_EXCHANGE_H
#define MK_VMX_EXCHANGE_H

#include <abi/cpu_state.h>
#include <abi/types.h>

struct vs;

/* On this PP, after VMXON. */
void vmx_exchange_enable(void);
/* In a new VS, whose VMCS is the current one. */
bool vmx_exchange_init(struct vs *vs);
/* From and to the captured state; to the CPU, after VMXOFF. */
void vmx_exchange_load(struct vs *vs, const struct bf_cpu_state *state);
void vmx_exchange_save(struct vs *vs, struct bf_cpu_state *state);
void vmx_exchange_leave(const struct bf_cpu_state *state);

#endif
