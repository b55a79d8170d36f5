// SPDX-License-Identifier: MIT
//! A device that is not there: Linux's accesses to watched memory ([`watch`](crate::watch)) are
//! answered by the extension. ext/libext/device.h says what is executed in this way.
//!
//! ```ignore
//! fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
//!     if !device::has(&DEVICE, fault.gpa) {
//!         return false;
//!     }
//!     match device::emulate(exit, &DEVICE) {
//!         Ok(()) => true,
//!         Err(why) => {
//!             log!(Level::Warning, "{:#x} is not emulated: {}", fault.gpa.0, why);
//!             false
//!         }
//!     }
//! }
//! ```

use crate::frame::Exit;
use crate::mk2::Gpa;
use crate::sys::layout::*;
use crate::sys::libext::ext_emulate;
use crate::types::outcome_of;
use crate::Refused;
use core::mem::size_of;
use core::slice;

/// The device. Its functions are called in [`emulate`], on the PP that exited, several PPs at a
/// time. An access has 1 to 8 bytes, all in the device and in one page; one of Linux's that is
/// larger, or crosses a page, comes in several.
pub trait Device: Sync {
    /// Its first byte.
    fn gpa(&self) -> Gpa;
    /// Bytes.
    fn size(&self) -> u64;
    /// Fills `data` with what Linux reads at this offset.
    fn read(&self, offset: u64, data: &mut [u8]);
    /// Gets what Linux writes at this offset. `expected`, of a locked instruction, is what it read
    /// there: the comparison with it and the write are to be one step then; false: something else
    /// is there by now, nothing was written, and Linux executes the instruction again.
    fn write(&self, offset: u64, data: &[u8], expected: Option<&[u8]>) -> bool;
}

/// A struct ext_device.
#[repr(C)]
struct Raw {
    gpa: u64,
    size: u64,
    read: extern "C" fn(*const u8, u64, *mut u8, u32),
    write: extern "C" fn(*const u8, u64, *const u8, *const u8, u32) -> bool,
    ctx: *const u8,
}

// As C has it.
const _: () = assert!(
    size_of::<Raw>() == DEVICE_SIZE
        && DEVICE_GPA == 0
        && DEVICE_BYTES == 8
        && DEVICE_READ == 16
        && DEVICE_WRITE == 24
        && DEVICE_CTX == 32
);

extern "C" fn on_read<D: Device>(ctx: *const u8, offset: u64, data: *mut u8, bytes: u32) {
    // SAFETY: emulate() has said ctx, and its caller has it borrowed; C has as many bytes at data,
    // which it has written.
    unsafe {
        (*ctx.cast::<D>()).read(offset, slice::from_raw_parts_mut(data, bytes as usize));
    }
}

extern "C" fn on_write<D: Device>(
    ctx: *const u8,
    offset: u64,
    data: *const u8,
    expected: *const u8,
    bytes: u32,
) -> bool {
    let bytes = bytes as usize;
    // SAFETY: as above; expected has as many bytes, or is NULL.
    unsafe {
        let expected = (!expected.is_null()).then(|| slice::from_raw_parts(expected, bytes));
        (*ctx.cast::<D>()).write(offset, slice::from_raw_parts(data, bytes), expected)
    }
}

/// Whether the address is one of the device's.
pub fn has<D: Device>(device: &D, gpa: Gpa) -> bool {
    gpa.0.wrapping_sub(device.gpa().0) < device.size()
}

/// In the hook `nested_fault`: executes Linux's instruction in software, with the device where it
/// accesses that, and with memory elsewhere. `Ok`: that is done, the hook returns true. `Err`, and
/// nothing has changed: if the hook returns false, Linux executes the instruction itself, with the
/// memory that is there. Of the first extension of a start only.
pub fn emulate<D: Device>(exit: &mut Exit, device: &D) -> Result<(), Refused> {
    let raw = Raw {
        gpa: device.gpa().0,
        size: device.size(),
        read: on_read::<D>,
        write: on_write::<D>,
        ctx: (device as *const D).cast(),
    };
    // SAFETY: both are C's structures, and nothing of them is used afterwards.
    outcome_of(unsafe { ext_emulate(exit.as_mut_ptr(), (&raw as *const Raw).cast()) })
}
