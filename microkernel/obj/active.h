/* SPDX-License-Identifier: GPL-2.0-only */
/* The active VS of this PP: its registers are in the CPU and in the ABI page. */
#ifndef MK_ACTIVE_H
#define MK_ACTIVE_H

#include <abi/cpu_state.h>
#include <abi/types.h>

#include "obj/objects.h"

/* A general register of vs by its BF_GPR_* offset: in the ABI page while vs is active. */
uint64_t *gpr_of(struct vs *vs, uint64_t offset);

/*
 * Registers that the world switch leaves in the CPU. false: the CPU refuses the value. A guest's VS
 * that is not active holds it all the same, and cannot become active with it.
 */
uint64_t unswitched_read(const struct vs *vs, enum unswitched_reg reg);
bool unswitched_write(struct vs *vs, enum unswitched_reg reg, uint64_t value);

/* Gives vs, whether active or not, the registers of state that are not in its control block. */
void vs_take_registers(struct vs *vs, const struct bf_cpu_state *state);

/* What VSs leave in the CPU, as Linux was launched with it. */
void unswitched_restore(const struct bf_cpu_state *state);

/*
 * Makes vs the active one on this PP (or none with NULL), saving and loading registers. Unless it
 * is claimed it must be one that nobody destroys: the root VS. false: the CPU refused its control
 * block, and it cannot be run.
 */
bool vs_activate(struct vs *vs);

/* Finds who gets the exits of the active VS on this PP: pp->exit_ext. */
void vs_find_handler(struct pp *pp);

/* The barriers of this PP become those of the active VS: arch/barrier.h. */
void vs_keep_apart(struct pp *pp);

/* Whether the last exit on this PP was one of vs. */
bool exit_was_last(const struct pp *pp, const struct vs *vs);

#endif
