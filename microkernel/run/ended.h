/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An extension that has no right to Linux's VM, and fails, ends alone: its guests end with it, and
 * Linux and the other extensions go on. Its memory and its VMs stay until the stop, because other
 * PPs may be about to come back from its guests.
 */
#ifndef MK_ENDED_H
#define MK_ENDED_H

#include <abi/errors.h>
#include <abi/types.h>

struct place;
struct pp;

/* Whether the failure of this PP ends the active extension only. */
bool ended_alone(enum bf_error error);

/* The first failure of the active extension, on whichever PP, is why it ends. */
void ended_note(enum bf_error error, uint64_t detail, const struct place *place);

/* The active extension ends, on all PPs: those that are in its guests or callbacks leave them. */
void ended_spread(void);

/* Linux, which is the active VS, waits for its answer perhaps: it has one now. */
void ended_answer(struct pp *pp);

#endif
