// SPDX-License-Identifier: MIT
//! Mk#1 for extensions in Rust: see README.md, and example/ for an extension that is made with it.
#![no_std]
#![deny(warnings, missing_docs)]

pub mod arg;
mod calls;
pub mod channel;
pub mod device;
pub mod emulate;
pub mod exits;
pub mod frame;
#[cfg(feature = "alloc")]
mod heap;
pub mod hook;
pub mod inject;
pub mod insn;
pub mod lock;
pub mod log;
pub mod memory;
pub mod mk2;
pub mod paging;
#[doc(hidden)]
pub mod print;
mod raw;
// Names and constants are as the contracts write them.
#[allow(missing_docs, unused_parens, clippy::identity_op)]
mod sys;
pub mod tls;
mod types;
pub mod vm;
pub mod watch;

pub use calls::*;
pub use sys::{
    svm_exit, vmx_exit, AmdReg, IntelReg, CPUID_LEAF, CPUID_REPORT_OFF, CPUID_REPORT_ON, CPUID_STOP,
};
pub use types::*;

/// `control_exit`, for a place from which nothing can come back: the microkernel takes this PP.
pub fn fast_fail() -> ! {
    loop {
        control_exit();
    }
}

/// What [`start!`] calls.
#[doc(hidden)]
pub fn run_start(start: fn(Specs) -> Result<()>, specs: u64) -> ! {
    if start(Specs(specs)).is_ok() {
        control_wait();
    }
    fast_fail()
}

/// Names the function that starts the extension, a `fn(Specs) -> Result<()>`: called once, on PP 0,
/// before any callback. `Ok` goes on, the extension then waits for its callbacks; `Err` fails the
/// start. Used once in an extension.
#[macro_export]
macro_rules! start {
    ($start:path) => {
        /// Called by libext's crt0.
        #[no_mangle]
        pub extern "C" fn libext_start(specs: u64) -> ! {
            $crate::run_start($start, specs)
        }
    };
}

extern "C" {
    fn memcmp(a: *const u8, b: *const u8, size: usize) -> i32;
}

/// What the compiler calls where slices are compared; libext has only what C's compilers call.
///
/// # Safety
/// Both have so many bytes.
#[doc(hidden)]
#[no_mangle]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, size: usize) -> i32 {
    memcmp(a, b, size)
}

/// A bug in the extension: the microkernel takes this PP, Linux goes on. Where it was, and
/// what, are in the report.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    print::print_line(tls::pp(), info);
    fast_fail()
}
