/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin locks. Those that a PP holds when it fails are released for it, so the others can go on:
 * each PP keeps a list of them. They are released in the reverse order of taking them.
 */
#ifndef MK_LOCK_H
#define MK_LOCK_H

#include <bsl/spinlock.h>

#include "pp.h"

/* The lock order: who holds a lock may take those of higher rank only. */
enum lock_rank {
	LOCK_CHANNEL, /* what an extension tells Linux; with it, its memory is read */
	LOCK_OBJECTS, /* VMs, VPs and VSs */
	LOCK_HIDDEN, /* what Linux finds the decoy in place of */
	LOCK_TABLES, /* of an extension, of the direct maps, of nested paging */
	LOCK_OWNERS, /* who maps what of Linux's memory */
	LOCK_POOL, /* the page pool, the huge pool */
	LOCK_DEBUG /* printing */
};

struct mk_lock {
	struct bsl_spinlock spin;
	enum lock_rank rank;
};

#define MK_LOCK(lock_rank) { .rank = (lock_rank) }

/* Unit tests and debug builds (make DEBUG=1) stop at what does not hold; in root mode it is #UD. */
#if __STDC_HOSTED__ || defined(MK_DEBUG)
static inline void mk_assert(bool holds)
{
	if (!holds)
		__builtin_trap();
}
#define MK_ASSERT(condition) mk_assert(condition)
#else
#define MK_ASSERT(condition) ((void)sizeof(condition))
#endif
#define ASSERT_LOCKED(lock) MK_ASSERT(holds_lock(lock))

/* Whether this PP has taken it. */
static inline bool holds_lock(const struct mk_lock *lock)
{
	const struct pp *pp = this_pp();
	unsigned int i = 0;

	while (i < pp->nr_locks && pp->locks[i] != lock)
		i++;
	return i < pp->nr_locks;
}

static inline void mk_lock(struct mk_lock *lock)
{
	struct pp *pp = this_pp();

	MK_ASSERT(!pp->nr_locks || pp->locks[pp->nr_locks - 1]->rank < lock->rank);
	bsl_spin_lock(&lock->spin);
	pp->locks[pp->nr_locks++] = lock;
}

static inline void mk_unlock(struct mk_lock *lock)
{
	struct pp *pp = this_pp();

	MK_ASSERT(pp->locks[pp->nr_locks - 1] == lock);
	pp->nr_locks--;
	bsl_spin_unlock(&lock->spin);
}

/* This PP fails, in the middle of whatever it did with these locks. */
static inline void locks_abandon(void)
{
	struct pp *pp = this_pp();

	while (pp->nr_locks)
		bsl_spin_unlock(&pp->locks[--pp->nr_locks]->spin);
}

#endif
