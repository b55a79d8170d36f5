// SPDX-License-Identifier: MIT
//! What of Linux's exits beside what always does: memory and ports, for the hooks `nested_fault`
//! and `io` of [`frame`](crate::frame). ext/libext/watch.h says when each call fails; a call that
//! does has said why in the debug ring.
//!
//! ```ignore
//! fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
//!     print!("{:?} at {:#x}, by {:#x}\n", fault.access, fault.gpa.0, exit.read(Reg::rip));
//!     true
//! }
//!
//! fn start(specs: Specs) -> mk1::Result<()> {
//!     frame::run_linux::<Mine>(specs)?;
//!     watch::watch(Gpa(0x1234_5000), 0x1000, Rights::WRITE | Rights::EXECUTE)
//! }
//! ```

use crate::arg::outcome;
use crate::mk2::Gpa;
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::{Error, Gla, Result};
use core::ops::{BitOr, RangeInclusive};

/// Kinds of accesses to memory, put together by `|`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Rights(u32);

impl Rights {
    /// Reads data.
    pub const READ: Self = Self(READ as u32);
    /// Writes data.
    pub const WRITE: Self = Self(WRITE as u32);
    /// Fetches an instruction.
    pub const EXECUTE: Self = Self(EXECUTE as u32);

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// As `bfm` and ls write rights: `-w-`.
impl core::fmt::Debug for Rights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (right, letter) in [(Self::READ, 'r'), (Self::WRITE, 'w'), (Self::EXECUTE, 'x')] {
            core::fmt::Write::write_char(f, if self.has(right) { letter } else { '-' })?;
        }
        Ok(())
    }
}

/// An access of Linux's to memory that is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Fault {
    /// The guest-physical address.
    pub gpa: Gpa,
    gva: u64,
    /// What kind of access it is.
    pub access: Rights,
    /// In a walk through Linux's own page tables.
    pub walk: bool,
}

impl Fault {
    /// The linear address; only Intel's CPUs tell it, and not always.
    pub fn gva(&self) -> Option<Gla> {
        (self.gva != 0).then_some(Gla(self.gva))
    }
}

/// An IN or OUT of Linux's that is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Io {
    /// The port.
    pub port: u16,
    /// Bytes: 1, 2 or 4.
    pub size: u8,
    /// IN, not OUT.
    pub is_in: bool,
    /// INS or OUTS, with or without REP: only to be let through.
    pub is_string: bool,
}

// As C has them.
const _: () = assert!(
    ACCESS_GPA == 0
        && ACCESS_GVA == 8
        && ACCESS_KIND == 16
        && ACCESS_WALK == 20
        && IO_PORT == 0
        && IO_SIZE == 2
        && IO_IN == 3
        && IO_STRING == 4
);

/// From now on these accesses of Linux's to `size` bytes from `gpa` on, whole pages, lead to the
/// hook `nested_fault`. After [`run_linux`](crate::frame::run_linux), or later.
pub fn watch(gpa: Gpa, size: u64, access: Rights) -> Result<()> {
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_watch(gpa.0, size, access.0) })
}

/// What is watched there is not any more; other PPs may still exit.
pub fn unwatch(gpa: Gpa, size: u64) -> Result<()> {
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_unwatch(gpa.0, size) })
}

/// From now on IN and OUT of these ports lead to the hook `io`, on all PPs. At the start, after
/// [`run_linux`](crate::frame::run_linux). An empty range is refused.
pub fn watch_io(ports: RangeInclusive<u16>) -> Result<()> {
    if ports.is_empty() {
        return Err(Error::invalid_input(1));
    }
    let first = u32::from(*ports.start());
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_watch_io(first, u32::from(*ports.end()) - first + 1) })
}
