/* SPDX-License-Identifier: MIT */
/*
 * A lock that a scope holds, for what PPs share. Interrupts are off in callbacks, so a spinlock is
 * all it takes; a callback that holds one must not run a VS, or end.
 *
 *	static Spinlock lock;
 *
 *	const Locked locked(lock);
 */
#ifndef EXT_CXX_LOCK_HPP
#define EXT_CXX_LOCK_HPP

#include <bsl/spinlock.h>

namespace bareflank::ext {

class Spinlock {
public:
	constexpr Spinlock() = default;
	Spinlock(const Spinlock &) = delete;
	Spinlock &operator=(const Spinlock &) = delete;

	void lock() { bsl_spin_lock(&lock_); }
	void unlock() { bsl_spin_unlock(&lock_); }

private:
	bsl_spinlock lock_{};
};

/* Holds a lock as long as it exists. */
class Locked {
public:
	explicit Locked(Spinlock &lock) : lock_(lock) { lock_.lock(); }
	~Locked() { lock_.unlock(); }
	Locked(const Locked &) = delete;
	Locked &operator=(const Locked &) = delete;

private:
	Spinlock &lock_;
};

} // namespace bareflank::ext

#endif
