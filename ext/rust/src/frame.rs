// SPDX-License-Identifier: MIT
//! The frame: an extension that lets Linux run on, as the default one does, and hooks into what it
//! is interested in. The same source serves both vendors. It is libext's, in C:
//! ext/libext/frame.h says what each hook may do.
//!
//! ```ignore
//! #![no_std]
//! use mk1::frame::{self, Exit, Hook, Hooks};
//! use mk1::{print, Msr, Specs};
//!
//! mk1::name!("mine");
//! mk1::start!(start);
//!
//! struct Mine;
//!
//! impl Hooks for Mine {
//!     const ASKED: &'static [Hook] = &[Hook::Wrmsr];
//!
//!     fn wrmsr(exit: &mut Exit, msr: Msr, value: u64) -> bool {
//!         print!("mine: {:#x}, {:#x}, at {:#x}\n", msr.0, value, exit.read(frame::Reg::rip));
//!         false
//!     }
//! }
//!
//! fn start(specs: Specs) -> mk1::Result<()> {
//!     frame::run_linux::<Mine>(specs)?;
//!     frame::msr_intercept(Msr(0xC000_0082), frame::Access::Write)
//! }
//! ```

use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::watch::{Cr, Dr, Fault, Io, Raised};
use crate::{Error, Msr, Result, Specs, VsId};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

pub use crate::sys::Reg;

/// An exception that Linux takes at the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exception {
    /// Invalid opcode.
    Ud = FAULT_UD as u8,
    /// General protection, with error code 0.
    Gp = FAULT_GP as u8,
}

/// An exit of Linux on this PP: a struct ext_exit, for as long as the hook runs.
pub struct Exit<'a> {
    at: *mut u8,
    hook: PhantomData<&'a mut u8>,
}

impl Exit<'_> {
    /// For C.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.at
    }

    /// The root VS of this PP, which is active.
    pub fn vs(&self) -> VsId {
        // SAFETY: libext's structure, of which C says where the field is.
        VsId(unsafe { self.at.add(EXIT_VSID).cast::<u64>().read() } as u16)
    }

    /// EXITCODE of the VMCB, or the exit reason of VMX: [`crate::svm_exit`], [`crate::vmx_exit`].
    pub fn reason(&self) -> u64 {
        // SAFETY: as above.
        unsafe { self.at.add(EXIT_REASON).cast::<u64>().read() }
    }

    /// If the hook returns true, Linux takes this exception instead of going on. Others:
    /// [`crate::inject`].
    pub fn fault(&mut self, exception: Exception) {
        // SAFETY: as above.
        unsafe { self.at.add(EXIT_FAULT).write(exception as u8) }
    }

    /// If the hook returns true, Linux executes the instruction again.
    pub fn again(&mut self) {
        // SAFETY: as above.
        unsafe { self.at.add(EXIT_AGAIN).cast::<bool>().write(true) }
    }

    /// The same, this once with nothing watched ([`crate::watch`]).
    pub fn step(&mut self) {
        // SAFETY: as above.
        unsafe { self.at.add(EXIT_STEP).cast::<bool>().write(true) }
    }

    /// A register of Linux's.
    pub fn read(&self, reg: Reg) -> u64 {
        reg_read(self.vs(), reg)
    }

    /// Writes one. false: the microkernel refuses the value.
    #[must_use]
    pub fn write(&mut self, reg: Reg, value: u64) -> bool {
        reg_write(self.vs(), reg, value)
    }

    /// Linux's privilege level, 0 to 3.
    pub fn cpl(&self) -> u32 {
        // SAFETY: reads the state of a VS.
        unsafe { ext_cpl(self.vs().0.into()) }
    }
}

/// What CPUID returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
#[allow(missing_docs)]
pub struct CpuidRegs {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
}

// As C has it.
const _: () = assert!(
    core::mem::size_of::<CpuidRegs>() == CPUID_REGS_SIZE
        && CPUID_REGS_EBX == 4
        && CPUID_REGS_ECX == 8
        && CPUID_REGS_EDX == 12
);

/// VMCALL or VMMCALL of Linux's or of a program of its, with some of its registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Hypercall {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
}

// As C has it.
const _: () = assert!(
    core::mem::size_of::<Hypercall>() == HYPERCALL_SIZE
        && HYPERCALL_RAX == 0
        && HYPERCALL_RCX == 8
        && HYPERCALL_RDX == 16
);

/// The hooks there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Hook {
    CpuIn,
    CpuOut,
    Exit,
    Cpuid,
    Rdmsr,
    Wrmsr,
    NestedFault,
    Io,
    Cr,
    Dr,
    Hypercall,
    Exception,
}

/// The hooks of an extension. They are called on the PP that exited, with interrupts off, several
/// PPs at a time. false, or None, is "not mine", and what the default extension does is done.
pub trait Hooks: 'static {
    /// Those that are called. Each one costs time: without `Exit` and `Cpuid`, most exits take a
    /// shorter way.
    const ASKED: &'static [Hook];

    /// A PP is about to become a guest; its root VS is ready. false: the start fails.
    fn cpu_in(_vs: VsId) -> bool {
        true
    }

    /// The PP is about to be given back to Linux.
    fn cpu_out(_vs: VsId) {}

    /// Any exit, before the hooks below.
    fn exit(_exit: &mut Exit) -> bool {
        false
    }

    /// CPUID. `regs` is the default answer; true: Linux gets it as the hook has left it.
    fn cpuid(_exit: &mut Exit, _leaf: u32, _subleaf: u32, _regs: &mut CpuidRegs) -> bool {
        false
    }

    /// RDMSR of an MSR that exits. Some: what Linux gets.
    fn rdmsr(_exit: &mut Exit, _msr: Msr) -> Option<u64> {
        None
    }

    /// WRMSR. true: it is done, and the frame writes nothing.
    fn wrmsr(_exit: &mut Exit, _msr: Msr, _value: u64) -> bool {
        false
    }

    /// An access to watched memory. Whatever the hook returns, Linux executes the instruction this
    /// once as if nothing were watched; unless the hook returns true, and has said that Linux takes
    /// a fault, or executes it again.
    fn nested_fault(_exit: &mut Exit, _fault: &Fault) -> bool {
        false
    }

    /// IN or OUT of a watched port. `value` is what is written; true: it is done, with what the
    /// hook has left there for IN. Else Linux executes it this once.
    fn io(_exit: &mut Exit, _io: &Io, _value: &mut u32) -> bool {
        false
    }

    /// A write to a watched control register. true: nothing is written, and Linux goes on behind
    /// the instruction, or takes the fault that the hook has said. Else it executes it this once,
    /// with all that the CPU checks; if an interrupt comes first, the hook is called again.
    fn cr(_exit: &mut Exit, _cr: &Cr) -> bool {
        false
    }

    /// An access to a watched debug register. `value` is what is written; true: it is done, with
    /// what the hook has left there for a read. Else Linux executes it this once.
    fn dr(_exit: &mut Exit, _dr: &Dr, _value: &mut u64) -> bool {
        false
    }

    /// A hypercall, of any [privilege level](Exit::cpl), that is neither the loader's, nor routed
    /// to an extension, nor an outer hypervisor's. true: Linux gets RAX and RCX as the hook has
    /// left them. If nobody answers, Linux takes #UD.
    fn hypercall(_exit: &mut Exit, _call: &mut Hypercall) -> bool {
        false
    }

    /// A watched exception, at the instruction that has raised it. true: Linux does not get it, and
    /// executes the instruction again, or goes on where the hook has set RIP, or takes the fault
    /// that the hook has said. Else it is delivered as by the CPU.
    fn exception(_exit: &mut Exit, _raised: &Raised) -> bool {
        false
    }
}

/// Of a pointer that a hook has got.
pub(crate) fn exit_at<'a>(at: *mut u8) -> Exit<'a> {
    Exit {
        at,
        hook: PhantomData,
    }
}

extern "C" fn on_cpu_in<H: Hooks>(vsid: u64) -> bool {
    H::cpu_in(VsId(vsid as u16))
}

extern "C" fn on_cpu_out<H: Hooks>(vsid: u64) {
    H::cpu_out(VsId(vsid as u16))
}

extern "C" fn on_exit<H: Hooks>(exit: *mut u8) -> bool {
    H::exit(&mut exit_at(exit))
}

extern "C" fn on_cpuid<H: Hooks>(
    exit: *mut u8,
    leaf: u32,
    subleaf: u32,
    regs: &mut CpuidRegs,
) -> bool {
    H::cpuid(&mut exit_at(exit), leaf, subleaf, regs)
}

extern "C" fn on_rdmsr<H: Hooks>(exit: *mut u8, msr: u32, value: &mut u64) -> bool {
    H::rdmsr(&mut exit_at(exit), Msr(msr))
        .map(|read| *value = read)
        .is_some()
}

extern "C" fn on_wrmsr<H: Hooks>(exit: *mut u8, msr: u32, value: u64) -> bool {
    H::wrmsr(&mut exit_at(exit), Msr(msr), value)
}

extern "C" fn on_nested_fault<H: Hooks>(exit: *mut u8, fault: &Fault) -> bool {
    H::nested_fault(&mut exit_at(exit), fault)
}

extern "C" fn on_io<H: Hooks>(exit: *mut u8, io: &Io, value: &mut u32) -> bool {
    H::io(&mut exit_at(exit), io, value)
}

extern "C" fn on_cr<H: Hooks>(exit: *mut u8, cr: &Cr) -> bool {
    H::cr(&mut exit_at(exit), cr)
}

extern "C" fn on_dr<H: Hooks>(exit: *mut u8, dr: &Dr, value: &mut u64) -> bool {
    H::dr(&mut exit_at(exit), dr, value)
}

extern "C" fn on_hypercall<H: Hooks>(exit: *mut u8, call: &mut Hypercall) -> bool {
    H::hypercall(&mut exit_at(exit), call)
}

extern "C" fn on_exception<H: Hooks>(exit: *mut u8, raised: &Raised) -> bool {
    H::exception(&mut exit_at(exit), raised)
}

const WORD: usize = core::mem::size_of::<usize>();
const WORDS: usize = OPS_SIZE / WORD;

/// A struct ext_ops: pointers to functions, and nothing else. Those that are not asked for stay
/// NULL. run_linux writes it, before anybody reads it.
static OPS: [AtomicUsize; WORDS] = {
    #[allow(clippy::declare_interior_mutable_const)]
    const NULL: AtomicUsize = AtomicUsize::new(0);
    [NULL; WORDS]
};

/// To be called once, by the function of [`start!`](crate::start): lets Linux run, with these
/// hooks. Where several extensions are started together, the first one treats Linux, and asks the
/// hooks of the others. Fails after a message that says why.
pub fn run_linux<H: Hooks>(specs: Specs) -> Result<()> {
    for hook in H::ASKED {
        let (offset, function) = match hook {
            Hook::CpuIn => (OPS_CPU_IN, on_cpu_in::<H> as *const () as usize),
            Hook::CpuOut => (OPS_CPU_OUT, on_cpu_out::<H> as *const () as usize),
            Hook::Exit => (OPS_EXIT, on_exit::<H> as *const () as usize),
            Hook::Cpuid => (OPS_CPUID, on_cpuid::<H> as *const () as usize),
            Hook::Rdmsr => (OPS_RDMSR, on_rdmsr::<H> as *const () as usize),
            Hook::Wrmsr => (OPS_WRMSR, on_wrmsr::<H> as *const () as usize),
            Hook::NestedFault => (OPS_NESTED_FAULT, on_nested_fault::<H> as *const () as usize),
            Hook::Io => (OPS_IO, on_io::<H> as *const () as usize),
            Hook::Cr => (OPS_CR, on_cr::<H> as *const () as usize),
            Hook::Dr => (OPS_DR, on_dr::<H> as *const () as usize),
            Hook::Hypercall => (OPS_HYPERCALL, on_hypercall::<H> as *const () as usize),
            Hook::Exception => (OPS_EXCEPTION, on_exception::<H> as *const () as usize),
        };
        OPS[offset / WORD].store(function, Ordering::Relaxed);
    }
    // SAFETY: the functions have the types that the fields have, and OPS stays.
    match unsafe { ext_run_linux(specs.0, OPS.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::UNKNOWN),
    }
}

/// Which accesses to an MSR exit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Access {
    Read = MSR_READ as u32,
    Write = MSR_WRITE as u32,
    Both = (MSR_READ | MSR_WRITE) as u32,
}

/// From now on these accesses to the MSR exit, on all PPs. To be called after [`run_linux`], at the
/// start. Fails, after a message, for an MSR without a bit in the permission maps, or that no call
/// reaches.
pub fn msr_intercept(msr: Msr, access: Access) -> Result<()> {
    // SAFETY: the function checks what it gets.
    match unsafe { ext_msr_intercept(msr.0, access as u32) } {
        true => Ok(()),
        false => Err(Error::invalid_input(0)),
    }
}

/// An MSR as Linux has it. None: Linux would take #GP, or [`msr_intercept`] does not take it.
pub fn msr_read(vs: VsId, msr: Msr) -> Option<u64> {
    let mut value = 0;
    // SAFETY: the function checks what it gets, and writes the value only.
    unsafe { ext_msr_read(vs.0.into(), msr.0, &mut value) }.then_some(value)
}

/// Writes one. false: as for [`msr_read`].
#[must_use]
pub fn msr_write(vs: VsId, msr: Msr, value: u64) -> bool {
    // SAFETY: the function checks what it gets; it changes Linux, not this program.
    unsafe { ext_msr_write(vs.0.into(), msr.0, value) }
}

/// A register of a VS, as it is in the VMCB or VMCS; of the active one, too.
pub fn reg_read(vs: VsId, reg: Reg) -> u64 {
    // SAFETY: what the microkernel refuses ends the extension.
    unsafe { ext_reg_read(vs.0.into(), reg as u32) }
}

/// Writes one. false: the microkernel refuses the value.
#[must_use]
pub fn reg_write(vs: VsId, reg: Reg, value: u64) -> bool {
    // SAFETY: changes Linux, not this program.
    unsafe { ext_reg_write(vs.0.into(), reg as u32, value) }
}

/// The bytes of a name for C. For [`name!`](crate::name).
#[doc(hidden)]
pub const fn c_bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = text.as_bytes()[i];
        i += 1;
    }
    bytes
}

/// The extension's name, with which messages of the frame begin. Once in an extension with the
/// frame.
#[macro_export]
macro_rules! name {
    ($name:literal) => {
        /// What libext asks for.
        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static ext_name: [u8; concat!($name, "\0").len()] =
            $crate::frame::c_bytes(concat!($name, "\0"));
    };
}
