/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a guest gets on: what run/stall.c looks at. */
#ifndef MK_VMX_STALL_H
#define MK_VMX_STALL_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

/* reason: as the extension is told. vs is the current VMCS. */
__cold noinline void vmx_watch_exit(struct pp *pp, struct vs *vs, uint64_t reason);
__cold noinline void vmx_watch_entry(struct pp *pp, const struct vs *vs);

#endif
