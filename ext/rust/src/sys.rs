// SPDX-License-Identifier: MIT
//! Mk#1 and Mk#2 as they are: numbers, and one function for each call and for each field of the ABI
//! page. They are made from the lists in abi/ by the macros below.
//!
//! `SYSCALL` loses RCX and R11; every register that is not an output keeps its value, and the
//! operands say exactly that. Nothing promises that memory stays as it was: a call may change the
//! ABI page. A call in the lists that [`crate::calls`] and [`crate::mk2`] make no use of does not
//! compile.

use core::arch::asm;

/// The function of one call: its name, RAX, how many inputs and outputs. Returns RAX, then the
/// outputs.
macro_rules! stub {
    // Which registers the inputs are in; outputs come back in the first of them.
    ($name:ident, $rax:expr, 0, 0) => { stub!(@plain $name, $rax); };
    ($name:ident, $rax:expr, 1, 0) => { stub!(@plain $name, $rax, "rdi" a); };
    ($name:ident, $rax:expr, 2, 0) => { stub!(@plain $name, $rax, "rdi" a, "rsi" b); };
    ($name:ident, $rax:expr, 3, 0) => { stub!(@plain $name, $rax, "rdi" a, "rsi" b, "rdx" c); };
    ($name:ident, $rax:expr, 4, 0) => {
        stub!(@plain $name, $rax, "rdi" a, "rsi" b, "rdx" c, "r10" d);
    };
    ($name:ident, $rax:expr, 5, 0) => {
        stub!(@plain $name, $rax, "rdi" a, "rsi" b, "rdx" c, "r10" d, "r8" e);
    };
    ($name:ident, $rax:expr, 6, 0) => {
        stub!(@plain $name, $rax, "rdi" a, "rsi" b, "rdx" c, "r10" d, "r8" e, "r9" f);
    };
    ($name:ident, $rax:expr, 1, 1) => { stub!(@one $name, $rax); };
    ($name:ident, $rax:expr, 2, 1) => { stub!(@one $name, $rax, "rsi" b); };
    ($name:ident, $rax:expr, 3, 1) => { stub!(@one $name, $rax, "rsi" b, "rdx" c); };
    ($name:ident, $rax:expr, 4, 1) => { stub!(@one $name, $rax, "rsi" b, "rdx" c, "r10" d); };
    ($name:ident, $rax:expr, 5, 1) => {
        stub!(@one $name, $rax, "rsi" b, "rdx" c, "r10" d, "r8" e);
    };
    ($name:ident, $rax:expr, 1, 2) => { stub!(@two $name, $rax, 0u64, ,); };
    ($name:ident, $rax:expr, 2, 2) => { stub!(@two $name, $rax, b, b,); };
    ($name:ident, $rax:expr, 3, 2) => { stub!(@two $name, $rax, b, b, "rdx" c); };

    ($name:ident, $rax:expr, 6, 4) => {
        #[inline(always)]
        pub unsafe fn $name(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> (u64, [u64; 4]) {
            const RAX: u64 = $rax;
            let status: u64;
            let mut out = [a, b, c, d];
            asm!("syscall", inlateout("rax") RAX => status, inlateout("rdi") out[0],
                 inlateout("rsi") out[1], inlateout("rdx") out[2], inlateout("r10") out[3],
                 in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
            (status, out)
        }
    };

    (@plain $name:ident, $rax:expr $(, $reg:tt $arg:ident)*) => {
        #[inline(always)]
        pub unsafe fn $name($($arg: u64),*) -> u64 {
            const RAX: u64 = $rax;
            let status: u64;
            asm!("syscall", inlateout("rax") RAX => status, $(in($reg) $arg,)*
                 lateout("rcx") _, lateout("r11") _, options(nostack));
            status
        }
    };
    (@one $name:ident, $rax:expr $(, $reg:tt $arg:ident)*) => {
        #[inline(always)]
        pub unsafe fn $name(a: u64 $(, $arg: u64)*) -> (u64, u64) {
            const RAX: u64 = $rax;
            let (status, out): (u64, u64);
            asm!("syscall", inlateout("rax") RAX => status, inlateout("rdi") a => out,
                 $(in($reg) $arg,)* lateout("rcx") _, lateout("r11") _, options(nostack));
            (status, out)
        }
    };
    (@two $name:ident, $rax:expr, $second:tt, $($arg:ident)?, $($reg:tt $more:ident)?) => {
        #[inline(always)]
        pub unsafe fn $name(a: u64 $(, $arg: u64)? $(, $more: u64)?) -> (u64, u64, u64) {
            const RAX: u64 = $rax;
            let (status, first, second): (u64, u64, u64);
            asm!("syscall", inlateout("rax") RAX => status, inlateout("rdi") a => first,
                 inlateout("rsi") $second => second, $(in($reg) $more,)?
                 lateout("rcx") _, lateout("r11") _, options(nostack));
            (status, first, second)
        }
    };
}

/// The registers of a VS, an enum for each vendor.
macro_rules! registers {
    ($type:ident, $($name:ident = $number:literal,)*) => {
        #[allow(non_camel_case_types, missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u64)]
        pub enum $type { $($name = $number,)* }
    };
}

/// Those that a VS has on both vendors, in the order of enum ext_reg.
macro_rules! frame_registers {
    ($($name:ident,)*) => {
        /// A register of a VS that is called the same on both vendors.
        #[allow(non_camel_case_types, missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum Reg { $($name,)* }
    };
}

/// Why memory could not be accessed: all but the first of enum ext_mem_status, in its order.
macro_rules! memory_errors {
    (OK, $($name:ident,)*) => {
        /// Why memory could not be accessed. As a text, it is the sentence of ext_mem_why.
        #[allow(non_camel_case_types, missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum MemoryError { $($name,)* }

        /// In the order of their numbers, from 1 on.
        pub const MEMORY_ERRORS: &[MemoryError] = &[$(MemoryError::$name,)*];
    };
}

/// Why an instruction could not be decoded: all but the first of enum insn_status, in its order.
macro_rules! insn_errors {
    (OK, $($name:ident,)*) => {
        /// Why an instruction could not be decoded. As a text, it is the sentence of ext_insn_why.
        #[allow(non_camel_case_types, missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum InsnError { $($name,)* }

        /// In the order of their numbers, from 1 on.
        pub const INSN_ERRORS: &[InsnError] = &[$(InsnError::$name,)*];
    };
}

/// What an instruction computes, in the order of enum insn_op.
macro_rules! insn_ops {
    ($($name:ident,)*) => {
        /// What an instruction computes. Those that only copy are `MOV`.
        #[allow(non_camel_case_types, missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum Op { $($name,)* }

        impl Op {
            /// In the order of their numbers.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

/// The registers of a VM of the extension's own, as struct ext_vm_regs.
macro_rules! vm_registers {
    ($($name:ident,)*) => {
        /// The registers of a guest.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[repr(C)]
        pub struct VmRegs { $(pub $name: u64,)* }
    };
}

/// A general register of the active VS in the ABI page.
macro_rules! gpr {
    ($get:ident, $set:ident, $block:literal, $offset:literal) => {
        #[inline(always)]
        pub fn $get() -> u64 {
            let value: u64;
            // SAFETY: the ABI page is mapped wherever an extension runs.
            unsafe {
                asm!(concat!("mov {0}, qword ptr fs:[", $block, " + ", $offset, "]"),
                     out(reg) value, options(nostack, preserves_flags, readonly));
            }
            value
        }
        #[inline(always)]
        pub fn $set(value: u64) {
            // SAFETY: as above; nothing else of this extension lies there.
            unsafe {
                asm!(concat!("mov qword ptr fs:[", $block, " + ", $offset, "], {0}"),
                     in(reg) value, options(nostack, preserves_flags));
            }
        }
    };
}

/// A 16-bit number in the ABI page.
macro_rules! tls_id {
    ($name:ident, $offset:literal) => {
        #[inline(always)]
        pub fn $name() -> u16 {
            let value: u16;
            // SAFETY: the ABI page is mapped wherever an extension runs.
            unsafe {
                asm!(concat!("mov {0:x}, word ptr fs:[", $offset, "]"),
                     out(reg) value, options(nostack, preserves_flags, readonly));
            }
            value
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// The functions of libext's that libext.rs has.
pub mod libext {
    include!(concat!(env!("OUT_DIR"), "/functions.rs"));
}

/// Constants of libext's headers, and where fields of its structures lie: see libext.rs. Some are
/// for assertions only.
#[allow(dead_code)]
pub mod layout {
    include!(concat!(env!("OUT_DIR"), "/layout.rs"));
}
