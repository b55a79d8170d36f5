// SPDX-License-Identifier: MIT
//! Hidden breakpoints in Linux's kernel: an exit before an instruction is executed, of which nobody
//! sees anything who reads the code. ext/libext/hook.h says how, and what it takes.

use crate::arg::outcome;
use crate::frame::{exit_at, Exit};
use crate::sys::libext::ext_hook;
use crate::{Gla, Result, VsId};
use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr::NonNull;

/// A function without data, of which C has an address: one by name, or a closure that captures
/// nothing. Its value has no bytes, so it can be made out of nothing again.
pub(crate) struct Bare<F>(PhantomData<F>);

impl<F: Copy> Bare<F> {
    const HAS_NO_DATA: () = assert!(
        size_of::<F>() == 0,
        "a function by its name, or a closure that captures nothing"
    );

    /// The value itself says that there is one.
    pub(crate) fn check(_function: F) {
        #[allow(clippy::let_unit_value)]
        let () = Self::HAS_NO_DATA;
    }

    /// # Safety
    /// [`check`](Self::check) was called with a value of this type.
    pub(crate) unsafe fn value() -> F {
        // Any aligned address has a value of no bytes; and it is Copy.
        NonNull::<F>::dangling().as_ptr().read()
    }
}

extern "C" fn on_hook<F: Fn(&mut Exit) + Copy>(exit: *mut u8) {
    // SAFETY: hook() has got one.
    let function = unsafe { Bare::<F>::value() };
    function(&mut exit_at(exit))
}

/// From now on `function` is called, on this PP, whenever Linux is about to execute the instruction
/// at `gva`: a function by its name, or a closure that captures nothing. To be called for each PP,
/// in the hook `cpu_in`; of the first extension of a start only. Linux executes the instruction
/// afterwards, unless the function has written RIP.
///
/// Fails, after a message, if there is no code at `gva`, there are too many hooks, this CPU cannot
/// do it, or the extension lacks a right.
pub fn hook<F>(vs: VsId, gva: Gla, function: F) -> Result<()>
where
    F: Fn(&mut Exit) + Copy + Sync + 'static,
{
    Bare::check(function);
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_hook(vs.0.into(), gva.0, on_hook::<F>) })
}
