// SPDX-License-Identifier: MIT
//! Linux's memory, by the addresses that its kernel and programs use, or by physical ones. In the
//! hooks of [`frame`](crate::frame), on the PP whose Linux it is about. Other CPUs may change what
//! is read. ext/libext/memory.h has the details; it takes the right `physical`.
//!
//! ```ignore
//! let mut name = [0; 16];
//! match memory::string(exit.vs(), task, &mut name) {
//!     Ok(text) => log!(Level::Info, "{}", core::str::from_utf8(text).unwrap_or("?")),
//!     Err(failed) => log!(Level::Warning, "no name at {:#x}: {}", task.0, failed),
//! }
//! ```

use crate::mk2::Gpa;
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::sys::MEMORY_ERRORS;
use crate::types::text_of;
use crate::{Gla, VsId};
use core::fmt;

pub use crate::paging::Access;
pub use crate::sys::MemoryError;

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the function knows all numbers.
        f.write_str(text_of(unsafe { ext_mem_why(*self as u32 + 1) }))
    }
}

/// Why bytes could not be copied, and how many of them were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// Why the first that was not copied could not be.
    pub error: MemoryError,
    /// How many bytes before it were.
    pub done: usize,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

/// What was copied, or why not.
pub type Result<T> = core::result::Result<T, Failed>;

/// The most bytes of an instruction.
pub const CODE_MAX: usize = MEM_CODE_MAX;

fn check(status: u32) -> core::result::Result<(), MemoryError> {
    match status as usize {
        MEM_OK => Ok(()),
        status => Err(MEMORY_ERRORS[status - 1]),
    }
}

fn copied(status: u32, done: usize) -> Result<()> {
    check(status).map_err(|error| Failed { error, done })
}

/// Where the address space that is the current one on this PP has `gva`: any paging mode. It may be
/// anything, a device, too. Leaves no accessed bits.
pub fn translate(vs: VsId, gva: Gla, access: Access) -> core::result::Result<Gpa, MemoryError> {
    let mut gpa = 0;
    // SAFETY: it writes the address only.
    check(unsafe { ext_mem_translate(vs.0.into(), gva.0, access.0, &mut gpa) })?;
    Ok(Gpa(gpa))
}

/// Copies as many bytes as `data` has from `gva`, over the ends of pages. Rights are not looked at,
/// and no accessed bits are set.
pub fn read(vs: VsId, gva: Gla, data: &mut [u8]) -> Result<()> {
    let mut done = 0;
    // SAFETY: it writes to data, as many bytes as it has.
    let status =
        unsafe { ext_mem_read(vs.0.into(), gva.0, data.as_mut_ptr(), data.len(), &mut done) };
    copied(status, done)
}

/// The same in the address space of this CR3, as another process has it, or the kernel while it
/// still has a program's page tables (page-table isolation). Of CR3 only the address counts.
pub fn read_as(vs: VsId, cr3: u64, gva: Gla, data: &mut [u8]) -> Result<()> {
    let mut done = 0;
    let (to, size) = (data.as_mut_ptr(), data.len());
    // SAFETY: it writes to data, as many bytes as it has.
    let status = unsafe { ext_mem_read_as(vs.0.into(), cr3, gva.0, to, size, &mut done) };
    copied(status, done)
}

/// Reads eight bytes, a pointer or a counter of Linux's.
pub fn read_u64(vs: VsId, gva: Gla) -> Result<u64> {
    let mut bytes = [0; 8];
    read(vs, gva, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads four bytes.
pub fn read_u32(vs: VsId, gva: Gla) -> Result<u32> {
    let mut bytes = [0; 4];
    read(vs, gva, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn write_as(vs: VsId, gva: Gla, data: &[u8], access: u32) -> Result<()> {
    let mut done = 0;
    // SAFETY: it only reads data; this changes Linux, not this program.
    let status = unsafe {
        ext_mem_write(
            vs.0.into(),
            gva.0,
            data.as_ptr(),
            data.len(),
            access,
            &mut done,
        )
    };
    copied(status, done)
}

/// Copies to `gva`, with accessed and dirty bits set as the kernel's writes set them.
pub fn write(vs: VsId, gva: Gla, data: &[u8]) -> Result<()> {
    write_as(vs, gva, data, 0)
}

/// The same to read-only pages, too. One that is not the kernel's may be shared by programs that
/// are to have a copy each when they write.
pub fn write_any(vs: VsId, gva: Gla, data: &[u8]) -> Result<()> {
    write_as(vs, gva, data, Access::ANY.0)
}

/// Copies a string, as [`read`], and returns it without its NUL. If it is longer than `text` has
/// room for with a NUL, [`MemoryError::NO_END`].
pub fn string(vs: VsId, gva: Gla, text: &mut [u8]) -> Result<&[u8]> {
    let mut length = 0;
    // SAFETY: it writes to text, as many bytes as it has.
    let status = unsafe {
        ext_mem_string(
            vs.0.into(),
            gva.0,
            text.as_mut_ptr(),
            text.len(),
            &mut length,
        )
    };
    copied(status, length)?;
    Ok(&text[..length])
}

/// The bytes at the instruction pointer: less than [`CODE_MAX`] before a page that cannot be read.
pub fn code(vs: VsId, bytes: &mut [u8; CODE_MAX]) -> Result<&[u8]> {
    let mut count = 0;
    // SAFETY: it writes to bytes, as many as there are.
    let status = unsafe { ext_mem_code(vs.0.into(), bytes.as_mut_ptr(), &mut count) };
    copied(status, count)?;
    Ok(&bytes[..count])
}

/// The same as [`read`] by guest-physical address.
pub fn read_phys(gpa: Gpa, data: &mut [u8]) -> Result<()> {
    let mut done = 0;
    // SAFETY: it writes to data, as many bytes as it has.
    let status = unsafe { ext_mem_read_phys(gpa.0, data.as_mut_ptr(), data.len(), &mut done) };
    copied(status, done)
}

/// The same as [`write()`] by guest-physical address.
pub fn write_phys(gpa: Gpa, data: &[u8]) -> Result<()> {
    let mut done = 0;
    // SAFETY: it only reads data; this changes Linux, not this program.
    let status = unsafe { ext_mem_write_phys(gpa.0, data.as_ptr(), data.len(), &mut done) };
    copied(status, done)
}
