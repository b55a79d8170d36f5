/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchdog: CPUs check whether others make progress. One that is in root mode for too long, in
 * a callback that does not end, is sent an NMI, upon which the microkernel goes on without the
 * extension. A CPU cannot watch itself.
 */
#ifndef BF_CORE_WATCHDOG_H
#define BF_CORE_WATCHDOG_H

#include "loader.h"

/*
 * The default limit of a callback. Any real machine needs much less, but it may print through a
 * serial port, or be emulated.
 */
#define BF_WATCHDOG_NS 5000000000ULL

/* How often each CPU is to call bf_watchdog_tick. */
uint64_t bf_watchdog_period(const struct bf_loader *loader);

/*
 * Records that this CPU makes progress, and checks the next one. Any context, interrupts off. Only
 * while loader->state is RUNNING or a start or stop is on its way.
 */
void bf_watchdog_tick(struct bf_loader *loader, uint32_t cpu);

/*
 * Called repeatedly while waiting for a PP that is entering or leaving: sends it an NMI when it is
 * overdue. Any number of CPUs at a time.
 */
void bf_watchdog_look(struct bf_pp *pp);

/* Called before that: starts the PP's time anew. */
void bf_watchdog_reset(struct bf_pp *pp);

#endif
