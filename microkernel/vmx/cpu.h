/* SPDX-License-Identifier: GPL-2.0-only */
/* What the CPUs offer, and VMX on and off. */
#ifndef MK_VMX_CPU_H
#define MK_VMX_CPU_H

#include <abi/errors.h>
#include <abi/types.h>

struct pp;

void vmx_probe(void);
enum bf_error vmx_cpu_enable(struct pp *pp);
void vmx_cpu_disable(struct pp *pp);
void vmx_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base);

#endif
