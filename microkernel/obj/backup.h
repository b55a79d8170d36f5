/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux's state as of its last exit, kept so that an extension that fails half-way leaves nothing
 * half-done behind.
 */
#ifndef MK_BACKUP_H
#define MK_BACKUP_H

#include <abi/types.h>
#include <bsl/compiler.h>

#include "pp.h"

/* To be called before an extension changes the state of vs: keeps it, if vs is Linux. */
void backup_take(struct vs *vs);

/* To be called before another VS than the PP's active one, or none, becomes active. */
void backup_follow(struct pp *pp, const struct vs *next);

/* Whether Linux has not run since the backup was taken. */
bool backup_is_good(const struct pp *pp);

/* Whether backup_take has nothing to do for the active VS; true at the cost of one comparison. */
static __always_inline bool backup_is_taken(const struct pp *pp)
{
	return pp->backup_exits == pp->exits;
}

#endif
