/* SPDX-License-Identifier: GPL-2.0-only */
/* Events for the guest, and what is owed to Linux: NMIs and machine checks. */
#ifndef MK_VMX_EVENT_H
#define MK_VMX_EVENT_H

#include <abi/types.h>

struct pp;
struct vs;

/* With the next entry, at the instruction that exited. */
void vmx_inject(uint64_t event);
void vmx_inject_ud(void);
void vmx_inject_gp(void);
/* Again the event whose delivery the exit interrupted. */
void vmx_reinject(void);

/* What blocks an NMI goes, so that one can be injected. */
void vmx_unblock_for_nmi(void);
void vmx_set_nmi_window(bool open);
/* An NMI or a machine check arrived in root mode: the operation owe. */
void vmx_owe(struct pp *pp);
void vmx_take_machine_check(struct pp *pp);

/* The root VS, which is current, waits for a start-up IPI. */
void vmx_await_startup(struct pp *pp);

/* The exit has another reason than the CPU's, or none of the CPU's: it reads like this. */
void vmx_tell(struct pp *pp, struct vs *vs, uint64_t reason);
void vmx_tell_interrupt(struct pp *pp, struct vs *vs);

#endif
