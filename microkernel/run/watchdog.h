/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of callbacks that do not come to an end by themselves. Nothing but an NMI reaches a PP in
 * root mode. Each one counts, whoever sent it: the driver, on another CPU, sends them to a CPU that
 * makes no progress.
 */
#ifndef MK_WATCHDOG_H
#define MK_WATCHDOG_H

#include <abi/types.h>
#include <bsl/compiler.h>

#include "arch/trap.h"
#include "pp.h"

/*
 * In the NMI handler. If the callback has taken too long, the PP fails: behind this NMI, if it
 * interrupted ring 3, or else with the next syscall.
 */
void watchdog_nmi(struct pp *pp, struct trap_frame *frame);

/* Where such an NMI goes on, on the PP's stack. */
__noreturn void watchdog_expired(void);

/* A syscall after such an NMI. If it returns, the callback has ended in time after all. */
void watchdog_syscall(const struct syscall_frame *f);

/*
 * A call into another extension, which has the limit for itself. The caller's time goes on in
 * pp->crossing. false: the caller has none left, and there is no call.
 */
bool watchdog_cross(struct pp *pp);

/*
 * The callback may take so much longer. false: in all, it would have got more than
 * BF_MORE_TIME_MAX_NS.
 */
bool watchdog_more_time(struct pp *pp, uint64_t ns);

#endif
