// SPDX-License-Identifier: MIT
//! The ABI page of this PP. In a callback, `rax` and `set_rax` and so on are the general registers
//! of the active VS; the ids say what is active here.

use crate::sys;
use crate::types::{ExtId, PpId, VmId, VpId, VsId};

pub use sys::{r10, r11, r12, r13, r14, r15, r8, r9, rax, rbp, rbx, rcx, rdi, rdx, rsi};
pub use sys::{set_r10, set_r11, set_r12, set_r13, set_r14, set_r15, set_r8, set_r9};
pub use sys::{set_rax, set_rbp, set_rbx, set_rcx, set_rdi, set_rdx, set_rsi};

/// This extension.
pub fn ext() -> ExtId {
    ExtId(sys::extid())
}

/// The active VM.
pub fn vm() -> VmId {
    VmId(sys::vmid())
}

/// The active VP.
pub fn vp() -> VpId {
    VpId(sys::vpid())
}

/// The active VS.
pub fn vs() -> VsId {
    VsId(sys::vsid())
}

/// This PP.
pub fn pp() -> PpId {
    PpId(sys::ppid())
}

/// How many PPs are online.
pub fn online_pps() -> u16 {
    sys::online_pps()
}
