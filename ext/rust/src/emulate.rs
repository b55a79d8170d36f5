// SPDX-License-Identifier: MIT
//! Executes one instruction of a guest in software, because an operand of it is not memory but a
//! device, for guests with memory of their own kind: ext/libext/emulate.h. For Linux there is
//! [`device::emulate`](crate::device::emulate), which does all of it.
//!
//! ```ignore
//! let mut emulation = Emulation::new(memory);
//! let mut status = emulation.begin(regs, &bytes);
//! loop {
//!     match status {
//!         Status::More => {}
//!         Status::Pending(Mmio { gpa, bytes, write: None }) => emulation.answer(port(gpa, bytes)),
//!         Status::Pending(Mmio { gpa, bytes, write: Some(data) }) => out(gpa, bytes, data),
//!         _ => break,
//!     }
//!     status = emulation.run(1);
//! }
//! ```

use crate::insn::{Op, LENGTH_MAX};
use crate::mk2::Gpa;
use crate::raw::{words, Raw};
use crate::sys::layout::*;
use crate::sys::libext::*;
use core::mem::size_of;
use core::slice;

/// A segment register, as a VMCB has it. One that is unusable is not present in its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct SegmentRegister {
    pub selector: u16,
    pub attributes: u16,
    pub limit: u32,
    pub base: u64,
}

/// What of a virtual CPU's state decides what an instruction does, and is changed by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Regs {
    /// By their numbers in the encoding: 0 is RAX, 4 RSP, 15 R15.
    pub gpr: [u64; 16],
    pub rip: u64,
    pub rflags: u64,
    pub cr0: u64,
    pub cr4: u64,
    pub efer: u64,
    /// ES, CS, SS, DS, FS, GS.
    pub segments: [SegmentRegister; 6],
    pub cpl: u8,
}

// As C has them.
const _: () = assert!(
    size_of::<SegmentRegister>() == SEGMENT_SIZE
        && SEGMENT_SELECTOR == 0
        && SEGMENT_ATTRIB == 2
        && SEGMENT_LIMIT == 4
        && SEGMENT_BASE == 8
        && size_of::<Regs>() == EMULATE_REGS_SIZE
        && EMULATE_REGS_GPR == 0
        && EMULATE_REGS_RIP == 128
        && EMULATE_REGS_RFLAGS == 136
        && EMULATE_REGS_CR0 == 144
        && EMULATE_REGS_CR4 == 152
        && EMULATE_REGS_EFER == 160
        && EMULATE_REGS_SEGMENT == 168
        && EMULATE_REGS_CPL == 264
        && INSN_NR_SEGMENTS == 6
        && INSN_ES == 0
        && INSN_CS == 1
        && INSN_SS == 2
        && INSN_FS == 4
        && INSN_GS == 5
);

/// Why an address is none in guest memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAddress {
    /// A #PF with this error code.
    Fault(u32),
    /// Page tables changed meanwhile: [`Status::Retry`].
    Changed,
    /// It cannot be found out: [`Status::Unsupported`].
    Unsupported,
}

/// Why an access was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAccess {
    /// A device has to do it: [`Status::Pending`].
    Pending,
    /// A write: memory was not as expected. [`Status::Retry`].
    Changed,
    /// It cannot be done: [`Status::Unsupported`].
    Unsupported,
}

/// How guest memory is reached. No access crosses a page. All addresses of an instruction, or of an
/// iteration, are translated before the first of them is accessed.
pub trait Memory {
    /// Whether it has the two functions for SSE registers. Without them, such instructions are not
    /// supported.
    const SSE: bool = false;

    /// The address of linear address `la`, with the rights of the CPL.
    fn translate(&mut self, la: u64, write: bool) -> Result<Gpa, NoAddress>;

    /// Reads 1 to 8 bytes. An operand of 16 bytes is accessed in two parts or more.
    fn read(&mut self, gpa: Gpa, data: &mut [u8]) -> Result<(), NoAccess>;

    /// Writes 1 to 8 bytes. With `expected`, of a locked instruction, memory must still hold that,
    /// and the comparison and the write are one atomic step. Devices ignore it.
    fn write(&mut self, gpa: Gpa, data: &[u8], expected: Option<&[u8]>) -> Result<(), NoAccess>;

    /// The content of an SSE register in the guest's extended state.
    fn read_xmm(&mut self, _register: u32) -> [u8; 16] {
        [0; 16]
    }

    /// Changes it.
    fn write_xmm(&mut self, _register: u32, _data: [u8; 16]) {}
}

/// A struct emulate_ops.
#[repr(C)]
struct Ops {
    translate: extern "C" fn(*mut u8, u64, bool, *mut u64, *mut u32) -> u32,
    read: extern "C" fn(*mut u8, u64, *mut u8, u32) -> u32,
    write: extern "C" fn(*mut u8, u64, *const u8, u32, *const u8) -> u32,
    read_xmm: Option<extern "C" fn(*mut u8, u32, *mut [u8; 16])>,
    write_xmm: Option<extern "C" fn(*mut u8, u32, *const [u8; 16])>,
}

const _: () = assert!(
    size_of::<Ops>() == EMULATE_OPS_SIZE
        && EMULATE_OPS_TRANSLATE == 0
        && EMULATE_OPS_READ == 8
        && EMULATE_OPS_WRITE == 16
        && EMULATE_OPS_READ_XMM == 24
        && EMULATE_OPS_WRITE_XMM == 32
);

fn outcome(done: Result<(), NoAccess>) -> u32 {
    (match done {
        Ok(()) => EMULATE_ACCESS_DONE,
        Err(NoAccess::Pending) => EMULATE_ACCESS_PENDING,
        Err(NoAccess::Changed) => EMULATE_ACCESS_CHANGED,
        Err(NoAccess::Unsupported) => EMULATE_ACCESS_UNSUPPORTED,
    }) as u32
}

// In all of them, ctx is the Memory of an Emulation, which its run has said; nothing else refers to
// it until C returns. The other pointers are C's own, for so many bytes.

extern "C" fn on_translate<M: Memory>(
    ctx: *mut u8,
    la: u64,
    write: bool,
    gpa: *mut u64,
    error: *mut u32,
) -> u32 {
    // SAFETY: see above.
    let found = unsafe { (*ctx.cast::<M>()).translate(la, write) };
    (match found {
        Ok(Gpa(address)) => {
            // SAFETY: see above.
            unsafe { *gpa = address };
            EMULATE_ACCESS_DONE
        }
        Err(NoAddress::Fault(code)) => {
            // SAFETY: see above.
            unsafe { *error = code };
            EMULATE_ACCESS_FAULT
        }
        Err(NoAddress::Changed) => EMULATE_ACCESS_CHANGED,
        Err(NoAddress::Unsupported) => EMULATE_ACCESS_UNSUPPORTED,
    }) as u32
}

extern "C" fn on_read<M: Memory>(ctx: *mut u8, gpa: u64, data: *mut u8, bytes: u32) -> u32 {
    // SAFETY: see above; C has zeros there, or what it has read.
    outcome(unsafe {
        (*ctx.cast::<M>()).read(Gpa(gpa), slice::from_raw_parts_mut(data, bytes as usize))
    })
}

extern "C" fn on_write<M: Memory>(
    ctx: *mut u8,
    gpa: u64,
    data: *const u8,
    bytes: u32,
    expected: *const u8,
) -> u32 {
    let bytes = bytes as usize;
    // SAFETY: see above; expected has as many bytes, or is NULL.
    outcome(unsafe {
        let expected = (!expected.is_null()).then(|| slice::from_raw_parts(expected, bytes));
        (*ctx.cast::<M>()).write(Gpa(gpa), slice::from_raw_parts(data, bytes), expected)
    })
}

extern "C" fn on_read_xmm<M: Memory>(ctx: *mut u8, register: u32, data: *mut [u8; 16]) {
    // SAFETY: see above.
    unsafe { *data = (*ctx.cast::<M>()).read_xmm(register) };
}

extern "C" fn on_write_xmm<M: Memory>(ctx: *mut u8, register: u32, data: *const [u8; 16]) {
    // SAFETY: see above.
    unsafe { (*ctx.cast::<M>()).write_xmm(register, *data) };
}

/// What a device has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mmio {
    /// Where.
    pub gpa: Gpa,
    /// 1 to 8.
    pub bytes: u8,
    /// What is written, in the first bytes. None: [`Emulation::answer`] says what was read.
    pub write: Option<u64>,
}

/// An exception that the instruction raises. In real mode there is no error code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Exception {
    pub vector: u8,
    pub error_code: u32,
    /// Of a #PF.
    pub cr2: u64,
}

/// How far an instruction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It is complete.
    Done,
    /// It is ready to be run; or iterations of a string instruction are left. The registers are
    /// those between two iterations, as an interrupt would find them, so that the guest may also go
    /// on from here by itself.
    More,
    /// A device has to do something. The next [`Emulation::run`] goes on.
    Pending(Mmio),
    /// Another CPU changed the operand of a locked instruction, or page tables. Nothing has been
    /// written: run it again, or let the guest execute it.
    Retry,
    /// The exception is to be injected; the registers are as before the instruction, or iteration.
    Fault(Exception),
    /// More bytes of the instruction are needed.
    Short,
    /// The bytes are no instruction that this can execute.
    Unsupported,
}

/// An instruction that is emulated, and the registers and the memory of its guest.
pub struct Emulation<M: Memory> {
    state: Raw<{ words(EMULATE_SIZE) }>,
    regs: Regs,
    memory: M,
    begun: bool,
}

impl<M: Memory> Emulation<M> {
    const OPS: &'static Ops = &Ops {
        translate: on_translate::<M>,
        read: on_read::<M>,
        write: on_write::<M>,
        read_xmm: if M::SSE { Some(on_read_xmm::<M>) } else { None },
        write_xmm: if M::SSE {
            Some(on_write_xmm::<M>)
        } else {
            None
        },
    };

    /// Nothing is emulated yet.
    pub fn new(memory: M) -> Self {
        Self {
            state: Raw::new(),
            regs: Regs::default(),
            memory,
            begun: false,
        }
    }

    /// Begins to emulate the instruction at RIP, which `bytes` begin with; 15 are always enough.
    /// [`Status::More`], a fault, [`Status::Short`] or [`Status::Unsupported`].
    pub fn begin(&mut self, regs: Regs, bytes: &[u8]) -> Status {
        self.regs = regs;
        // SAFETY: it writes the structure, and reads as many bytes as there are.
        let status = unsafe {
            emulate_begin(
                self.state.as_mut_ptr(),
                (&mut self.regs as *mut Regs).cast(),
                (Self::OPS as *const Ops).cast(),
                (&mut self.memory as *mut M).cast(),
                bytes.as_ptr(),
                bytes.len().min(LENGTH_MAX),
            )
        };
        self.status(status)
    }

    /// Runs the instruction, or goes on after [`Status::Pending`] or [`Status::More`]; at most so
    /// many iterations (1 or more) of a string instruction, and one if RFLAGS.TF is set. With that
    /// flag a #DB is due after [`Status::Done`], and after [`Status::More`] from here. If none has
    /// begun, [`Status::Unsupported`].
    pub fn run(&mut self, iterations: u32) -> Status {
        if !self.begun {
            return Status::Unsupported;
        }
        // This may have been moved since C wrote them.
        let regs: *mut Regs = &mut self.regs;
        let memory: *mut M = &mut self.memory;
        self.state.set_u64(EMULATE_REGS, regs as u64);
        self.state.set_u64(EMULATE_CTX, memory as u64);
        // SAFETY: it changes the structure, and what that refers to.
        let status = unsafe { emulate_run(self.state.as_mut_ptr(), iterations.max(1)) };
        self.status(status)
    }

    fn status(&mut self, number: u32) -> Status {
        let status = match number as usize {
            EMULATE_DONE => Status::Done,
            EMULATE_MORE => Status::More,
            EMULATE_PENDING => Status::Pending(Mmio {
                gpa: Gpa(self.state.u64(EMULATE_MMIO_GPA)),
                bytes: self.state.u8(EMULATE_MMIO_BYTES),
                write: self
                    .state
                    .flag(EMULATE_MMIO_WRITE)
                    .then(|| self.state.u64(EMULATE_MMIO_DATA)),
            }),
            EMULATE_RETRY => Status::Retry,
            EMULATE_FAULT => Status::Fault(Exception {
                vector: self.state.u8(EMULATE_FAULT_VECTOR),
                error_code: self.state.u32(EMULATE_FAULT_ERROR),
                cr2: self.state.u64(EMULATE_FAULT_CR2),
            }),
            EMULATE_SHORT => Status::Short,
            _ => Status::Unsupported,
        };
        self.begun = matches!(status, Status::More | Status::Pending(_) | Status::Retry);
        status
    }

    /// What a device has read, in the first bytes; 0 where nothing is said.
    pub fn answer(&mut self, data: u64) {
        self.state.set_u64(EMULATE_MMIO_DATA, data);
    }

    /// After [`Status::Pending`]: whether the device is written to, and that is the last access of
    /// the instruction, or iteration. No answer is needed then: the next [`run`](Self::run) with
    /// one iteration changes the registers.
    pub fn ends_with_write(&self) -> bool {
        // SAFETY: it reads the structure.
        unsafe { emulate_ends_with_write(self.state.as_ptr()) }
    }

    /// After [`Status::More`], whether a [`run`](Self::run) has begun: the registers are the
    /// guest's own.
    pub fn between_iterations(&self) -> bool {
        // SAFETY: it reads the structure.
        unsafe { emulate_between_iterations(self.state.as_ptr()) }
    }

    /// They change only when an instruction, or one iteration of a string instruction, is complete.
    pub fn regs(&self) -> &Regs {
        &self.regs
    }

    /// What was given.
    pub fn memory(&mut self) -> &mut M {
        &mut self.memory
    }
}

/// The result of an operation of arithmetic, logic or a bit test ([`Op::ADD`] to [`Op::BTC`]) on
/// operands of `size` bytes, zero-extended, and the flags afterwards: ext/libext/alu.h. None: it is
/// another one, or there are no such operands.
pub fn compute(op: Op, size: u32, to: u64, from: u64, rflags: u64) -> Option<(u64, u64)> {
    let mut after = rflags;
    if !(Op::ADD as u32..=Op::BTC as u32).contains(&(op as u32)) || !matches!(size, 1 | 2 | 4 | 8) {
        return None;
    }
    // SAFETY: the function knows these, and changes the flags.
    let result = unsafe { alu_compute(op as u32, size, to, from, &mut after) };
    Some((result, after))
}
