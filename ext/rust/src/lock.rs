// SPDX-License-Identifier: MIT
//! A lock around what PPs share. Interrupts are off in callbacks, so it spins.
//!
//! ```ignore
//! static NAMES: Mutex<[u32; 16]> = Mutex::new([0; 16]);
//!
//! NAMES.lock()[0] += 1;
//! ```

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// What one PP at a time can reach.
pub struct Mutex<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: whoever holds the lock is the only one that has the value.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Nobody holds it.
    pub const fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for it. Whoever holds it already on this PP waits until the watchdog comes. A callback
    /// that holds it must not end by a call that does not return.
    pub fn lock(&self) -> Guard<'_, T> {
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            while self.held.load(Ordering::Relaxed) {
                core::hint::spin_loop();
            }
        }
    }

    /// None: another one holds it.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let was = self.held.swap(true, Ordering::Acquire);
        (!was).then(|| Guard {
            mutex: self,
            here: PhantomData,
        })
    }
}

/// Holds a lock as long as it exists, on this PP.
pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
    here: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.mutex.held.store(false, Ordering::Release);
    }
}
