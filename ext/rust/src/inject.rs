// SPDX-License-Identifier: MIT
//! Exceptions that Linux takes because an extension says so: with an error code, and a page fault
//! with its address; and interrupts. In hooks; invalid opcode and general protection have a shorter
//! way, [`Exit::fault`]. ext/libext/inject.h has the details.
//!
//! ```ignore
//! if let Err(why) = inject::exception(exit, &Raised::page_fault(4, gva)) {
//!     log!(Level::Warning, "no #PF: {}", why);
//!     return false;
//! }
//! true
//! ```

use crate::frame::Exit;
use crate::sys::libext::{ext_inject_exception, ext_inject_interrupt};
use crate::types::outcome_of;
use crate::watch::Raised;
use crate::Refused;

/// Linux takes this exception when it goes on, in place of the instruction at RIP; the hook returns
/// true. `Err`, and nothing has changed: another event is to be delivered, or it is none that can
/// be injected, or its error code has more than 16 bits.
pub fn exception(exit: &mut Exit, raised: &Raised) -> Result<(), Refused> {
    // SAFETY: both are C's structures, and the function checks what is in them.
    outcome_of(unsafe { ext_inject_exception(exit.as_mut_ptr(), (raised as *const Raised).cast()) })
}

/// Linux takes an interrupt with this vector, 32 to 255, as it goes on; the hook returns true, and
/// asks for no fault and no step. `Err`, and nothing has changed: Linux has interrupts off, or is
/// single-stepped, so that a later exit is to be tried, or another event is to be delivered, or the
/// vector is an exception's.
pub fn interrupt(exit: &mut Exit, vector: u8) -> Result<(), Refused> {
    // SAFETY: it is C's structure, and the function checks the vector.
    outcome_of(unsafe { ext_inject_interrupt(exit.as_mut_ptr(), vector) })
}
