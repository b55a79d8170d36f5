/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All CPUs change sides together: while one of them is a guest and another is not, no CPU runs
 * anything but this. A CPU that flushes TLBs by broadcast (bf_features_broadcast) names an address
 * space of its own side only, and would leave the other side's translations in place.
 */
#ifndef BF_CORE_RENDEZVOUS_H
#define BF_CORE_RENDEZVOUS_H

#include <abi/errors.h>

#include "loader.h"

/*
 * Launches every CPU that is online and not a guest yet; initial: no CPU has entered this
 * microkernel before, so PP 0 goes first. All CPUs or none: on an error, which is also in *failure,
 * each has left again, unless it is stuck (pp->inside). *paused_ns: how long interrupts were off,
 * at most.
 */
enum bf_error bf_enter_all(struct bf_loader *loader, bool initial, struct bf_failure *failure,
			   uint64_t *paused_ns);

/*
 * Takes every CPU back. *failure names one that did not leave: MK_FAULT; or one that does not
 * answer: CPU_STUCK, or one that cannot leave so: MK_BOOT_CPU. Nothing has changed then.
 */
enum bf_error bf_leave_all(struct bf_loader *loader, struct bf_failure *failure,
			   uint64_t *paused_ns);

#endif
