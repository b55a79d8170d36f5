/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BF_CORE_CPU_H
#define BF_CORE_CPU_H

#include <abi/cpu_state.h>
#include <abi/types.h>

/*
 * Captures this CPU's state, all but the general registers, RSP, RIP and RFLAGS, which
 * bf_switch_enter saves, and decides about the CR4 that it has in root mode. Interrupts are off.
 */
void bf_cpu_capture(struct bf_switch_page *page);

/*
 * Captures the MSRs that not every CPU has, and stops what counts and traces by itself. To be
 * called right before bf_switch_enter, which stops again what an NMI has let go on in between;
 * bf_switch_leave, or the first entry as a guest, lets it go on.
 */
void bf_cpu_quiesce(struct bf_cpu_state *state);

/* Prepares the descriptor tables of a switch page; its address must be the final one. */
void bf_cpu_init_switch_page(struct bf_switch_page *page);

#endif
