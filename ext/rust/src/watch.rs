// SPDX-License-Identifier: MIT
//! What of Linux's exits beside what always does: memory, ports, control and debug registers, and
//! exceptions, for the hooks `nested_fault`, `io`, `cr`, `dr` and `exception` of
//! [`frame`](crate::frame). ext/libext/watch.h says when each call fails; a call that does has said
//! why in the debug ring.
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
use crate::sys::{AC, BR, DE, GP, MF, NM, NP, PF, SS, TS, UD, XM};
use crate::{Error, Gla, Result};
use core::mem::size_of;
use core::ops::{BitOr, RangeInclusive};

/// A set of numbers, put together by `|`.
macro_rules! set {
    ($(#[$doc:meta])* $type:ident: $($(#[$name_doc:meta])* $name:ident = $number:expr,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub struct $type(u32);

        #[allow(missing_docs)]
        impl $type {
            $($(#[$name_doc])* pub const $name: Self = Self(1 << $number);)*

            /// Whether the number is among these.
            pub const fn has(self, number: u32) -> bool {
                number < 32 && self.0 >> number & 1 != 0
            }
        }

        impl BitOr for $type {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        /// The numbers in it.
        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_set().entries((0..32).filter(|&n| self.has(n))).finish()
            }
        }
    };
}

set! {
    /// Control registers that can be watched.
    Crs: CR0 = 0, CR3 = 3, CR4 = 4, CR8 = 8,
}
set! {
    /// Debug registers that can be watched.
    Drs: DR0 = 0, DR1 = 1, DR2 = 2, DR3 = 3, DR6 = 6, DR7 = 7,
}
set! {
    /// Exceptions that can be watched.
    Vectors:
    /// Division.
    DE = DE,
    /// BOUND.
    BR = BR,
    /// Invalid opcode.
    UD = UD,
    /// No FPU now.
    NM = NM,
    /// A bad TSS.
    TS = TS,
    /// A segment that is not present.
    NP = NP,
    /// The stack's segment.
    SS = SS,
    /// General protection; on Intel only.
    GP = GP,
    /// A page fault.
    PF = PF,
    /// x87.
    MF = MF,
    /// Alignment.
    AC = AC,
    /// SSE.
    XM = XM,
}

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

    /// As C writes them.
    pub(crate) const fn of(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one at least is in both.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
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

/// A write of Linux's to a control register that is watched: MOV, CLTS or LMSW.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Cr {
    /// 0, 3, 4 or 8.
    pub number: u32,
    /// What Linux reads there.
    pub old: u64,
    /// What is to be written, of CR3 with bit 63 as MOV has it.
    pub value: u64,
}

/// A MOV of Linux's to or from a debug register that is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Dr {
    /// 0 to 3, 6 or 7; an access of DR4 or DR5 is one of 6 or 7.
    pub number: u32,
    /// To it, not from it.
    pub is_write: bool,
}

/// An exception that Linux or a program of its has raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Raised {
    vector: u8,
    has_error_code: bool,
    error_code: u32,
    address: u64,
}

impl Raised {
    /// One for [`inject`](crate::inject): its vector, and its error code, 0 if it has none.
    pub const fn new(vector: u8, error_code: u32) -> Self {
        Self {
            vector,
            has_error_code: error_code != 0,
            error_code,
            address: 0,
        }
    }

    /// A page fault, with what CR2 is to be.
    pub const fn page_fault(error_code: u32, address: Gla) -> Self {
        Self {
            vector: PF as u8,
            has_error_code: true,
            error_code,
            address: address.0,
        }
    }

    /// Which one: of [`Vectors`].
    pub fn vector(&self) -> u32 {
        self.vector.into()
    }

    /// Whether it is one of these.
    pub fn is(&self, vectors: Vectors) -> bool {
        vectors.has(self.vector())
    }

    /// Its error code, if it has one.
    pub fn error_code(&self) -> Option<u32> {
        self.has_error_code.then_some(self.error_code)
    }

    /// Of a page fault: what CR2 is to be.
    pub fn address(&self) -> Option<Gla> {
        self.is(Vectors::PF).then_some(Gla(self.address))
    }
}

// As C has them.
const _: () = assert!(
    size_of::<Fault>() == ACCESS_SIZE
        && size_of::<Io>() == IO_STRUCT_SIZE
        && ACCESS_GPA == 0
        && ACCESS_GVA == 8
        && ACCESS_KIND == 16
        && ACCESS_WALK == 20
        && IO_PORT == 0
        && IO_SIZE == 2
        && IO_IN == 3
        && IO_STRING == 4
);
const _: () = assert!(
    size_of::<Cr>() == CR_SIZE
        && CR_NUMBER == 0
        && CR_OLD == 8
        && CR_VALUE == 16
        && size_of::<Dr>() == DR_SIZE
        && DR_NUMBER == 0
        && DR_WRITE == 4
);
const _: () = assert!(
    size_of::<Raised>() == EXCEPTION_SIZE
        && EXCEPTION_VECTOR == 0
        && EXCEPTION_HAS_CODE == 1
        && EXCEPTION_CODE == 4
        && EXCEPTION_ADDRESS == 8
);

/// What is watched may change while Linux runs: after [`run_linux`](crate::frame::run_linux), at
/// the start. From then on, what a function here has done is so on all PPs when it returns.
pub fn watch_live() -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    outcome(unsafe { ext_watch_live() })
}

/// Whether this CPU can have memory, ports and registers watched.
pub fn can_watch() -> bool {
    // SAFETY: changes nothing that Rust relies on.
    unsafe { ext_can_watch() }
}

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

/// From now on writes of Linux's to these control registers, by MOV, CLTS and LMSW, lead to the
/// hook `cr`, on all PPs. What writes the value that is there does not count, but for CR3, nor what
/// faults for lack of privilege. Each takes two exits, which for CR3 is much. At the start, after
/// [`run_linux`](crate::frame::run_linux).
pub fn watch_cr(crs: Crs) -> Result<()> {
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_watch_cr(crs.0) })
}

/// The same about MOV to and from debug registers, and the hook `dr`.
pub fn watch_dr(drs: Drs) -> Result<()> {
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_watch_dr(drs.0) })
}

/// From now on these exceptions lead to the hook `exception`, on all PPs. At the start, after
/// [`run_linux`](crate::frame::run_linux).
pub fn watch_exceptions(vectors: Vectors) -> Result<()> {
    // SAFETY: the function checks what it gets.
    outcome(unsafe { ext_watch_exceptions(vectors.0) })
}
