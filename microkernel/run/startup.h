/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that stay in the hypervisor (BF_HANDOFF_KEEP_CPUS): none of them ever gets an INIT or a
 * start-up IPI of Linux's. On Intel both are exits. On AMD nothing stops an INIT once it is sent,
 * so writes to the interrupt command register exit instead (svm/startup.h): what they would do to a
 * CPU in the hypervisor is noted for its PP, which is fetched by an NMI (mem/tlb.h) and carries it
 * out. Everything here is AMD's, but for startup_init and startup_join.
 */
#ifndef MK_STARTUP_H
#define MK_STARTUP_H

#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;

/* Once, on PP 0. MK_KEEP_CPUS, after a message: what the handoff asks for cannot be. */
enum bf_error startup_init(void);

/* When a PP comes in, whose local APIC is in use: likewise. */
enum bf_error startup_join(struct pp *pp);

/*
 * Linux writes to the interrupt command register, in the mode that its local APIC is in. false: the
 * local APIC is to see it. Else it was about CPUs in the hypervisor, or nobody, and is done.
 */
bool startup_icr(struct pp *pp, uint64_t icr, bool x2apic);

/* Linux writes to this register of an xAPIC: by some of them others address it. */
void startup_follow(struct pp *pp, unsigned int offset, uint32_t value);

/* Whether there is something that startup_take would say. Any context. */
bool startup_is_pending(const struct pp *pp);

enum startup { STARTUP_NONE, STARTUP_INIT, STARTUP_WAIT, STARTUP_IPI };

/* What the PP has to do next; of STARTUP_IPI also the vector. WAIT: nothing before the next NMI. */
enum startup startup_take(struct pp *pp, uint8_t *vector);

/* Halts in root mode, with NMIs coming here, until there may be something else than WAIT. */
void startup_await(struct pp *pp);

/* What the PP has not taken is lost, and it waits for nothing. */
void startup_forget(struct pp *pp);

#endif
