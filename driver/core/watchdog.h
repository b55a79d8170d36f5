/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchdog: CPUs look whether others still get anywhere. One that is in root mode for too long,
 * in a callback that does not come to its end, is fetched by an NMI, upon which the microkernel
 * goes on without the extension. It takes another CPU to notice.
 */
#ifndef BF_CORE_WATCHDOG_H
#define BF_CORE_WATCHDOG_H

#include "loader.h"

/*
 * What a callback may take, unless said otherwise. Much less is enough on any real machine; but one
 * may print through a serial port, or be emulated.
 */
#define BF_WATCHDOG_NS 5000000000ULL

/* How often each CPU is to call bf_watchdog_tick. */
uint64_t bf_watchdog_period(const struct bf_loader *loader);

/*
 * This CPU gets somewhere; whether the next one does, is looked at. Any context, interrupts off.
 * Only while loader->state is RUNNING or a start or stop is on its way.
 */
void bf_watchdog_tick(struct bf_loader *loader, uint32_t cpu);

/*
 * Called again and again while waiting for a PP that is entering or leaving: fetches it when it is
 * overdue. Any number of CPUs at a time.
 */
void bf_watchdog_look(struct bf_pp *pp);

/* Before that: whatever was seen of the PP before does not count. */
void bf_watchdog_reset(struct bf_pp *pp);

#endif
