// SPDX-License-Identifier: MIT
//! Exits by name and by number, for whoever counts or prints them, on either vendor.

use crate::sys::layout::*;
use crate::sys::libext::*;

/// [`number`] is less than this.
pub const COUNT: usize = NR_EXITS;

/// A number for the [reason](crate::frame::Exit::reason) of an exit: one for each that there is,
/// and the last one for all others. After [`run_linux`](crate::frame::run_linux).
pub fn number(reason: u64) -> usize {
    // SAFETY: the function takes all numbers.
    unsafe { ext_exit_number(reason) as usize }
}

/// A name.
#[derive(Clone, Copy)]
pub struct Name([u8; EXIT_NAME_SIZE]);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let length = self.0.iter().position(|&c| c == 0).unwrap_or(self.0.len());
        f.pad(core::str::from_utf8(&self.0[..length]).unwrap_or_default())
    }
}

/// The name that a number has, as `bfm status` shows it: "CPUID", "CR3_WRITE", "OTHER".
pub fn name(number: usize) -> Name {
    let mut name = Name([0; EXIT_NAME_SIZE]);
    // SAFETY: it writes a text of at most this size.
    unsafe { ext_exit_name(number.min(COUNT - 1) as u32, name.0.as_mut_ptr()) };
    name
}
