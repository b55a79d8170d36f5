/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchdog: CPUs check whether others make progress. One that is in root mode for too long, in
 * a callback that does not end, is sent NMIs, and the microkernel, which measures the time, goes on
 * without the extension. A CPU cannot watch itself.
 */
#ifndef BF_CORE_WATCHDOG_H
#define BF_CORE_WATCHDOG_H

#include "loader.h"

/* How long a CPU may not answer: while it is in root mode. */
uint64_t bf_watchdog_patience(const struct bf_loader *loader);

/* How often each CPU is to call bf_watchdog_tick. */
uint64_t bf_watchdog_period(const struct bf_loader *loader);

/*
 * Records that this CPU makes progress, and checks the next one. Any context, interrupts off. Only
 * while loader->state is RUNNING or a start or stop is on its way. Returns whether the next one has
 * halted, which bf_loader_poll is to see.
 */
bool bf_watchdog_tick(struct bf_loader *loader, uint32_t cpu);

/*
 * Called repeatedly while waiting for a PP that is entering or leaving: sends it NMIs while it
 * makes no progress. Any number of CPUs at a time.
 */
void bf_watchdog_look(struct bf_pp *pp);

/* Called before that: starts the PP's time anew. */
void bf_watchdog_reset(struct bf_pp *pp);

#endif
