// SPDX-License-Identifier: MIT
//! A VM of the extension's own beside Linux, on either vendor: a piece of memory from the huge pool
//! (`bfm start --huge`), a nested table that shows it and nothing else, and one CPU in a mode of
//! the extension's choice. It runs in turns with Linux, in the hooks of [`frame`](crate::frame) or
//! of [`channel`](crate::channel). ext/libext/vm.h has the details, and what rights it takes.
//!
//! ```ignore
//! static VM: Mutex<Option<Vm>> = Mutex::new(None);
//!
//! fn turn(code: &[u8]) -> mk1::Result<Exit> {
//!     let mut vm = Vm::create(0x10000)?;
//!     vm.memory_mut()[..code.len()].copy_from_slice(code);
//!     vm.reset(Mode::Real, 0)?;
//!     let exit = vm.run_while(|vm, exit| match *exit {
//!         Exit::In(port) => {
//!             vm.input(port, !0);
//!             true
//!         }
//!         Exit::Out(..) => true,
//!         _ => false,
//!     });
//!     *VM.lock() = Some(vm); // else it is destroyed here
//!     Ok(exit)
//! }
//! ```

use crate::arg::outcome;
use crate::mk2::Gpa;
use crate::raw::{words, Raw};
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::watch::Rights;
use crate::Result;
use core::mem::{size_of, ManuallyDrop};

pub use crate::sys::VmRegs as Regs;

const _: () = assert!(size_of::<Regs>() == VM_REGS_SIZE && VM_REGS % 8 == 0 && VM_ALIGN <= 8);

/// The most memory that a VM can have, in bytes; the huge pool has 2 MiB by default.
pub const MEMORY_MAX: u64 = VM_MEMORY_MAX as u64;

/// How a CPU begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Mode {
    /// 16 bits; all segments begin at 0, vectors are at 0, as after reset.
    Real = VM_MODE_REAL as u32,
    /// 32 bits, flat, without paging.
    Protected = VM_MODE_PROTECTED as u32,
    /// 64 bits; linear addresses below 1 GiB are physical ones.
    Long = VM_MODE_LONG as u32,
}

/// A port, and how many bytes of it: 1, 2 or 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Port {
    pub number: u16,
    pub size: u8,
}

/// Why a guest has stopped. RIP is behind the instruction where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Linux has something to do: return to it, and go on another time.
    Interrupted,
    /// IN: [`Vm::input`] before the next run.
    In(Port),
    /// OUT, and what is written.
    Out(Port, u32),
    /// CPUID: RAX to RDX are to be set.
    Cpuid,
    /// RDMSR of RCX: RAX and RDX are to be set. All MSRs exit.
    Rdmsr,
    /// WRMSR.
    Wrmsr,
    /// HLT.
    Hlt,
    /// VMCALL or VMMCALL.
    Call,
    /// An access to an address where there is no memory; RIP is at the instruction.
    Memory(Gpa, Rights),
    /// A triple fault: it has to be reset.
    Shutdown,
    /// The CPU refuses the state, or the microkernel does.
    Refused,
    /// What there is no word for; INS and OUTS are among it.
    Other,
}

/// A VM. Dropping it destroys it. It may be run on any PP, by whoever has it.
pub struct Vm(Raw<{ words(VM_SIZE) }>);

impl Vm {
    /// Makes a VM with so many bytes of memory, a multiple of 4 KiB; it is zeroed. Not at the
    /// start. Fails, after a message, if the size is wrong, the pools or the ids are used up, a
    /// right is missing, or this CPU lacks nested paging (Intel: and unrestricted guests).
    pub fn create(bytes: u64) -> Result<Self> {
        let mut vm = ManuallyDrop::new(Self(Raw::new()));
        // SAFETY: it writes the structure, and keeps no pointer to it.
        outcome(unsafe { ext_vm_create(vm.0.as_mut_ptr(), bytes) })?;
        Ok(ManuallyDrop::into_inner(vm))
    }

    /// Puts the CPU into a mode, at CPL 0 with interrupts off, at this address, with the stack at
    /// the end of memory (in real mode, of 64 KiB of it), and all other registers 0. Memory stays;
    /// registers may then be changed. Fails, after a message, if the CPU is with another PP that
    /// failed.
    pub fn reset(&mut self, mode: Mode, rip: u64) -> Result<()> {
        // SAFETY: a VM that there is.
        outcome(unsafe { ext_vm_reset(self.0.as_mut_ptr(), mode as u32, rip) })
    }

    /// Runs the guest up to its next exit. Every interrupt for Linux ends a run, maybe before the
    /// first instruction: then return to Linux.
    pub fn run(&mut self) -> Exit {
        let mut raw = Raw::<{ words(VM_EXIT_SIZE) }>::new();
        // SAFETY: a VM that there is, which nobody else runs; it writes the exit.
        unsafe { ext_vm_run(self.0.as_mut_ptr(), raw.as_mut_ptr()) }
        let port = Port {
            number: raw.u16(VM_EXIT_PORT),
            size: raw.u8(VM_EXIT_IO_SIZE),
        };
        match raw.u32(VM_EXIT_KIND) as usize {
            VM_INTERRUPTED => Exit::Interrupted,
            VM_IO if raw.flag(VM_EXIT_IN) => Exit::In(port),
            VM_IO => Exit::Out(port, low_bytes(self.regs().rax, port.size)),
            VM_CPUID => Exit::Cpuid,
            VM_RDMSR => Exit::Rdmsr,
            VM_WRMSR => Exit::Wrmsr,
            VM_HLT => Exit::Hlt,
            VM_CALL => Exit::Call,
            VM_MEMORY => Exit::Memory(
                Gpa(raw.u64(VM_EXIT_GPA)),
                Rights::of(raw.u32(VM_EXIT_ACCESS)),
            ),
            VM_SHUTDOWN => Exit::Shutdown,
            VM_REFUSED => Exit::Refused,
            _ => Exit::Other,
        }
    }

    /// Runs it on after each exit that `goes_on` has dealt with, and returns the first of which
    /// that says false. Not asked for [`Exit::Interrupted`], [`Exit::Shutdown`] and
    /// [`Exit::Refused`], after which no guest can go on now.
    pub fn run_while(&mut self, mut goes_on: impl FnMut(&mut Self, &Exit) -> bool) -> Exit {
        loop {
            let exit = self.run();
            let at_end = matches!(exit, Exit::Interrupted | Exit::Shutdown | Exit::Refused);
            if at_end || !goes_on(self, &exit) {
                return exit;
            }
        }
    }

    /// EXITCODE or the exit reason of the last run, which [`exits`](crate::exits) can name; if the
    /// microkernel has refused it, its status.
    pub fn reason(&self) -> u64 {
        self.0.u64(VM_EXIT + VM_EXIT_REASON)
    }

    /// What IN has read: the low bytes of `value`, as many as it has asked for.
    pub fn input(&mut self, port: Port, value: u32) {
        let mut raw = Raw::<{ words(VM_EXIT_SIZE) }>::new();
        raw.set_u8(VM_EXIT_IO_SIZE, port.size);
        // SAFETY: it changes RAX in the structure.
        unsafe { ext_vm_input(self.0.as_mut_ptr(), raw.as_ptr(), value) }
    }

    /// The registers between runs.
    pub fn regs(&self) -> &Regs {
        // SAFETY: they are words of the structure, as many as asserted above.
        unsafe { &*self.0.as_ptr().add(VM_REGS).cast() }
    }

    /// The same, to be changed.
    pub fn regs_mut(&mut self) -> &mut Regs {
        // SAFETY: as above.
        unsafe { &mut *self.0.as_mut_ptr().add(VM_REGS).cast() }
    }

    /// Guest-physical 0 and so on. The guest changes it only while it runs.
    pub fn memory(&self) -> &[u8] {
        let size = self.0.u64(VM_BYTES) as usize;
        // SAFETY: it is this VM's alone, and so many bytes.
        unsafe { core::slice::from_raw_parts(self.0.u64(VM_MEMORY_AT) as *const u8, size) }
    }

    /// The same, to be changed.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        let size = self.0.u64(VM_BYTES) as usize;
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.0.u64(VM_MEMORY_AT) as *mut u8, size) }
    }

    /// The VM is no more, and its memory the pool's. Fails, after a message, if it is leaked.
    pub fn destroy(self) -> Result<()> {
        outcome(ManuallyDrop::new(self).end())
    }

    fn end(&mut self) -> bool {
        // SAFETY: a VM that there is, for the last time.
        unsafe { ext_vm_destroy(self.0.as_mut_ptr()) }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.end(); // it has said why not
    }
}

fn low_bytes(value: u64, size: u8) -> u32 {
    match size {
        1 => (value as u8).into(),
        2 => (value as u16).into(),
        _ => value as u32,
    }
}
