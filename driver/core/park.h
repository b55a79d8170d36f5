/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that stay in the hypervisor while they are offline (loader->keep_cpus). Such a CPU is
 * parked: a guest that executes nothing of the system's, until that starts it by INIT, which the
 * hypervisor carries out for the guest.
 */
#ifndef BF_CORE_PARK_H
#define BF_CORE_PARK_H

#include <abi/errors.h>

#include "loader.h"

/* Notes whether the CPU of a PP is parked, for the microkernel, too. */
void bf_park(struct bf_pp *pp, bool parked);

/*
 * The system is about to start the CPU of this PP, if it is parked: on Intel it waits for the
 * start-up IPI from now on. INIT would have it do so, too, but not at once where it sleeps deeply,
 * and Linux sends the IPI right behind, on CPUs of today: in root mode that is lost.
 */
void bf_ready_parked(struct bf_pp *pp);

/*
 * The CPU of a PP that was parked is online again, and calls this. CPU_ESCAPED: it is bare, because
 * something has reset it.
 */
enum bf_error bf_unpark(struct bf_pp *pp);

/*
 * Whether bf_evict_parked can do what it is to do. MK_BOOT_CPU: after a reset the boot processor
 * would start the firmware; *failure names it.
 */
enum bf_error bf_may_evict(const struct bf_loader *loader, struct bf_failure *failure);

/*
 * Takes all CPUs that are parked, or strangers, out of the hypervisor, by a reset of each, after
 * which it waits for the system to start it. All others are bare. MK_FAULT: one does not leave;
 * *failure names it.
 */
enum bf_error bf_evict_parked(struct bf_loader *loader, struct bf_failure *failure);

#endif
