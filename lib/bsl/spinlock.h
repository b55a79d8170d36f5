/* SPDX-License-Identifier: MIT */
/*
 * A fair lock for code that cannot sleep: CPUs get it in the order in which they request it. It is
 * not recursive, so a context that can interrupt a holder (NMI, #MC) may only try. Zero is
 * unlocked.
 */
#ifndef BSL_SPINLOCK_H
#define BSL_SPINLOCK_H

#include <abi/types.h>

struct bsl_spinlock {
	uint32_t next; /* the next ticket */
	uint32_t owner; /* ticket that holds the lock, or may take it next */
};

static inline void bsl_spin_lock(struct bsl_spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		__asm__ volatile("pause");
}

/* Takes the lock if it is free; returns whether it did. */
static inline bool bsl_spin_trylock(struct bsl_spinlock *lock)
{
	uint32_t ticket = __atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE);

	return __atomic_compare_exchange_n(&lock->next, &ticket, ticket + 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void bsl_spin_unlock(struct bsl_spinlock *lock)
{
	/* Only the holder writes owner. */
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

#endif
