/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks that a PP holds when it fails are given up for it, so that the others can go on: each PP
 * keeps a list of them. They are taken in this order: objects, then an extension's or the direct
 * maps', then a pool's or the nested table's, then that of printing; and released in the reverse
 * order.
 */
#ifndef MK_LOCK_H
#define MK_LOCK_H

#include <bsl/spinlock.h>

#include "pp.h"

static inline void mk_lock(struct bsl_spinlock *lock)
{
	struct pp *pp = this_pp();

	bsl_spin_lock(lock);
	pp->locks[pp->nr_locks++] = lock;
}

static inline void mk_unlock(struct bsl_spinlock *lock)
{
	this_pp()->nr_locks--;
	bsl_spin_unlock(lock);
}

/* This PP fails, in the middle of whatever it did with these locks. */
static inline void locks_abandon(void)
{
	struct pp *pp = this_pp();

	while (pp->nr_locks)
		bsl_spin_unlock(pp->locks[--pp->nr_locks]);
}

#endif
