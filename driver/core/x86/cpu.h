/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of bf_cpu_enter: capture of a CPU, and its switch page. */
#ifndef BF_CORE_CPU_H
#define BF_CORE_CPU_H

#include <abi/cpu_state.h>
#include <abi/types.h>

/*
 * Captures this CPU's state, all but the general registers, RSP, RIP and RFLAGS, which
 * bf_switch_enter saves, and computes the CR4 of root mode. Interrupts are off.
 */
void bf_cpu_capture(struct bf_switch_page *page);

/*
 * Captures the MSRs that not every CPU has, and stops counters and trace. Called right before
 * bf_switch_enter, which stops again what an NMI has restarted in between; bf_switch_leave, or the
 * first entry as a guest, restarts them.
 */
void bf_cpu_quiesce(struct bf_cpu_state *state);

/* Prepares the descriptor tables of a switch page; its address must be the final one. */
void bf_cpu_init_switch_page(struct bf_switch_page *page);

#endif
