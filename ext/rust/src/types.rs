// SPDX-License-Identifier: MIT
//! The values of Mk#1 as types of their own.

use crate::sys;
use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(transparent)]
        pub struct $name(pub u16);

        impl $name {
            /// No object has this id.
            pub const INVALID: Self = Self(sys::INVALID_ID);
        }
    };
}

id! {
    /// An extension.
    ExtId
}
id! {
    /// A physical processor: a logical CPU.
    PpId
}
id! {
    /// A virtual machine.
    VmId
}
id! {
    /// A virtual processor, which belongs to a VM.
    VpId
}
id! {
    /// The state of a virtual processor: one VMCB or VMCS.
    VsId
}

impl VmId {
    /// The VM that Linux runs in.
    pub const ROOT: Self = Self(sys::ROOT_VMID);
}

impl PpId {
    /// The PP on which `_start` runs.
    pub const BOOTSTRAP: Self = Self(sys::BOOTSTRAP_PPID);
}

/// A system physical address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Spa(pub u64);

/// A guest linear address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Gla(pub u64);

/// The number of a model-specific register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Msr(pub u32);

/// The mask of the specifications that a microkernel supports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Specs(pub u64);

impl Specs {
    /// Whether Mk#1 is among them.
    pub const fn has_mk1(self) -> bool {
        self.0 & sys::SPEC_MASK != 0
    }

    /// Whether Mk#2 is among them.
    pub const fn has_mk2(self) -> bool {
        self.0 & sys::MK2_MASK != 0
    }
}

/// The status of a call that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Error(u64);

impl Error {
    /// Nothing more is known.
    pub const UNKNOWN: Self = Self(sys::FAILURE_UNKNOWN);
    /// The handle is not open.
    pub const INVALID_HANDLE: Self = Self(sys::FAILURE_INVALID_HANDLE);
    /// The microkernel has no such call, or the CPU cannot do this.
    pub const UNSUPPORTED: Self = Self(sys::FAILURE_UNSUPPORTED);
    /// Not for this extension.
    pub const PERM_DENIED: Self = Self(sys::INVALID_PERM_DENIED);

    /// The input in REGn was refused.
    pub const fn invalid_input(n: u32) -> Self {
        Self(sys::invalid_input_reg(n))
    }

    /// The output in REGn was refused.
    pub const fn invalid_output(n: u32) -> Self {
        Self(sys::invalid_output_reg(n))
    }

    /// The status as the microkernel gave it.
    pub const fn status(self) -> u64 {
        self.0
    }

    /// Its name, as docs/abi/calling.md has it: "INVALID_INPUT_REG1".
    pub fn name(self) -> &'static str {
        // SAFETY: the function knows all numbers.
        text_of(unsafe { sys::libext::mk1_status_name(self.0) })
    }

    /// Of a call that comes back only when it fails.
    pub(crate) const fn from_status(status: u64) -> Self {
        Self(status)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {:#x})", self.name(), self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text of libext's own, which ends with a NUL and stays.
pub(crate) fn text_of(at: *const u8) -> &'static str {
    // SAFETY: it is a literal in C, of ASCII.
    unsafe {
        let bytes = core::slice::from_raw_parts(at, sys::libext::bsl_strlen(at));
        core::str::from_utf8_unchecked(bytes)
    }
}

/// Why libext did not do what it was asked for, as its sentence says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused(&'static str);

impl Refused {
    /// The sentence, without a full stop.
    pub const fn why(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// NULL, or a text of libext's own that says why not.
pub(crate) fn outcome_of(why: *const u8) -> core::result::Result<(), Refused> {
    if why.is_null() {
        Ok(())
    } else {
        Err(Refused(text_of(why)))
    }
}

/// The outcome of a call.
pub type Result<T> = core::result::Result<T, Error>;

/// A page, or an allocation of the huge pool: where the extension sees it, and where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Where the extension reads and writes it.
    pub va: *mut u8,
    /// Where it lies in the machine.
    pub spa: Spa,
}

/// The first argument of the fail callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Fault(u64);

impl Fault {
    /// The vector of the exception.
    pub const fn vector(self) -> u32 {
        self.0 as u32
    }

    /// Its error code, 0 if it has none.
    pub const fn error_code(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Called once on each PP.
pub type Bootstrap = extern "C" fn(PpId) -> !;
/// Called at each exit, with the reason as the CPU gives it.
pub type Vmexit = extern "C" fn(VsId, u64) -> !;
/// Called after a fault in the extension, with its address.
pub type Fail = extern "C" fn(Fault, u64) -> !;

/// A register of a VS: an [`AmdReg`](crate::AmdReg) or an [`IntelReg`](crate::IntelReg). The
/// numbers mean different registers on the two vendors.
pub trait Register: Copy {
    /// The number that Mk#1 gives it.
    fn number(self) -> u64;
}

impl Register for sys::AmdReg {
    fn number(self) -> u64 {
        self as u64
    }
}

impl Register for sys::IntelReg {
    fn number(self) -> u64 {
        self as u64
    }
}
