// SPDX-License-Identifier: MIT
//! Virtual addresses, translated as the CPU does it, by the registers of a virtual CPU and whatever
//! reaches its page tables: for guests of one's own. For Linux's there is
//! [`memory::translate`](crate::memory::translate). ext/libext/paging.h has the details.
//!
//! ```ignore
//! impl Tables for Guest {
//!     fn read(&self, gpa: Gpa, bytes: usize) -> Option<u64> {
//!         let mut entry = [0; 8];
//!         entry[..bytes].copy_from_slice(self.memory(gpa, bytes)?);
//!         Some(u64::from_le_bytes(entry))
//!     }
//! }
//!
//! match paging::translate(&regs, &guest, Gla(rip), Access::FETCH) {
//!     Ok(gpa) => guest.at(gpa),
//!     Err(Error::Fault(code)) => guest.page_fault(rip, code),
//!     Err(Error::Changed | Error::Unreachable) => return,
//! }
//! ```

use crate::mk2::Gpa;
use crate::sys::layout::*;
use crate::sys::libext::paging_translate;
use crate::Gla;
use core::mem::size_of;
use core::ops::BitOr;
use core::ptr;

/// What of a virtual CPU decides how it translates.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // registers have their names
pub struct Regs {
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
    pub rflags: u64,
    pub pkru: u32,
    /// IA32_PKRS
    pub pkrs: u32,
    /// PAE: the four entries that the CPU loaded with CR3, which are registers on Intel. None: they
    /// are read from memory, as AMD does with nested paging.
    pub pdptes: Option<[u64; 4]>,
    /// MAXPHYADDR, at most 52
    pub physical_bits: u8,
    /// CPUID_80000001_EDX_PAGE_1G
    pub has_1gib_pages: bool,
    /// Some bits are reserved on AMD only.
    pub is_amd: bool,
}

/// The kind of an access, put together by `|`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(pub(crate) u32);

impl Access {
    /// Reads, from CPL 0.
    pub const READ: Self = Self(0);
    /// Writes.
    pub const WRITE: Self = Self(PAGING_WRITE as u32);
    /// Fetches an instruction.
    pub const FETCH: Self = Self(PAGING_FETCH as u32);
    /// From CPL 3.
    pub const USER: Self = Self(PAGING_USER as u32);
    /// The CPU's own, to a descriptor table or a TSS.
    pub const IMPLICIT: Self = Self(PAGING_IMPLICIT as u32);
    /// Rights are not looked at: whatever is present may be accessed.
    pub const ANY: Self = Self(PAGING_ANY as u32);
}

impl BitOr for Access {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What became of an entry that was to be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exchanged {
    /// It is.
    Done,
    /// Another one is there by now.
    Changed,
    /// It is not in memory that can be accessed.
    Unreachable,
}

/// How page tables are accessed. Entries have 4 or 8 bytes, and are aligned.
pub trait Tables {
    /// Whether accessed and dirty bits are to be set, by `exchange`.
    const SETS_BITS: bool = false;

    /// Reads an entry, in one access, zero-extended; None: it cannot be read.
    fn read(&self, gpa: Gpa, bytes: usize) -> Option<u64>;

    /// Replaces an entry that still is as expected, in one atomic step.
    fn exchange(&self, gpa: Gpa, bytes: usize, expected: u64, value: u64) -> Exchanged {
        let _ = (gpa, bytes, expected, value);
        Exchanged::Unreachable
    }
}

/// Why an address is not translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// By a page fault, with this error code.
    Fault(u32),
    /// Another CPU changed an entry meanwhile: to be tried again.
    Changed,
    /// A page table is not in memory that can be accessed.
    Unreachable,
}

/// A struct paging_regs.
#[repr(C)]
struct RawRegs {
    cr0: u64,
    cr3: u64,
    cr4: u64,
    efer: u64,
    rflags: u64,
    pkru: u32,
    pkrs: u32,
    pdptes: *const u64,
    physical_bits: u8,
    has_1gib_pages: bool,
    is_amd: bool,
}

/// A struct paging_ops.
#[repr(C)]
struct RawOps {
    read: extern "C" fn(*const u8, u64, u32, *mut u64) -> bool,
    exchange: Option<extern "C" fn(*const u8, u64, u32, u64, u64) -> u32>,
}

// As C has them.
const _: () = assert!(
    size_of::<RawRegs>() == PAGING_REGS_SIZE
        && PAGING_REGS_CR0 == 0
        && PAGING_REGS_CR3 == 8
        && PAGING_REGS_CR4 == 16
        && PAGING_REGS_EFER == 24
        && PAGING_REGS_RFLAGS == 32
        && PAGING_REGS_PKRU == 40
        && PAGING_REGS_PKRS == 44
        && PAGING_REGS_PDPTES == 48
        && PAGING_REGS_BITS == 56
        && PAGING_REGS_1GIB == 57
        && PAGING_REGS_AMD == 58
        && size_of::<RawOps>() == PAGING_OPS_SIZE
        && PAGING_OPS_EXCHANGE == 8
);

extern "C" fn on_read<T: Tables>(ctx: *const u8, gpa: u64, bytes: u32, entry: *mut u64) -> bool {
    // SAFETY: translate() has said ctx, and its caller has it borrowed; C has an entry there.
    unsafe {
        match (*ctx.cast::<T>()).read(Gpa(gpa), bytes as usize) {
            Some(value) => {
                *entry = value;
                true
            }
            None => false,
        }
    }
}

extern "C" fn on_exchange<T: Tables>(
    ctx: *const u8,
    gpa: u64,
    bytes: u32,
    expected: u64,
    value: u64,
) -> u32 {
    // SAFETY: as above.
    let tables = unsafe { &*ctx.cast::<T>() };

    (match tables.exchange(Gpa(gpa), bytes as usize, expected, value) {
        Exchanged::Done => PAGING_OK,
        Exchanged::Changed => PAGING_CHANGED,
        Exchanged::Unreachable => PAGING_UNREACHABLE,
    }) as u32
}

/// Translates an address, which is canonical or has 32 bits, for an access of this kind.
pub fn translate<T: Tables>(
    regs: &Regs,
    tables: &T,
    at: Gla,
    access: Access,
) -> Result<Gpa, Error> {
    let raw = RawRegs {
        cr0: regs.cr0,
        cr3: regs.cr3,
        cr4: regs.cr4,
        efer: regs.efer,
        rflags: regs.rflags,
        pkru: regs.pkru,
        pkrs: regs.pkrs,
        pdptes: regs.pdptes.as_ref().map_or(ptr::null(), |p| p.as_ptr()),
        physical_bits: regs.physical_bits,
        has_1gib_pages: regs.has_1gib_pages,
        is_amd: regs.is_amd,
    };
    let ops = RawOps {
        read: on_read::<T>,
        exchange: T::SETS_BITS.then_some(on_exchange::<T>),
    };
    let (mut gpa, mut code) = (0, 0);
    // SAFETY: these are C's structures, and nothing of them is used afterwards.
    let status = unsafe {
        paging_translate(
            (&raw as *const RawRegs).cast(),
            (&ops as *const RawOps).cast(),
            (tables as *const T as *mut T).cast(),
            at.0,
            access.0,
            &mut gpa,
            &mut code,
        )
    };

    match status as usize {
        PAGING_OK => Ok(Gpa(gpa)),
        PAGING_FAULT => Err(Error::Fault(code)),
        PAGING_CHANGED => Err(Error::Changed),
        _ => Err(Error::Unreachable),
    }
}
