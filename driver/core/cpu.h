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

/* Prepares the descriptor tables of a switch page; its address must be the final one. */
void bf_cpu_init_switch_page(struct bf_switch_page *page);

#endif
