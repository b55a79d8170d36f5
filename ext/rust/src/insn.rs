// SPDX-License-Identifier: MIT
//! Decoder for instructions: how long one is, which memory it names, and of those with which memory
//! and devices are usually accessed, what they do. ext/libext/insn.h says which those are.
//!
//! ```ignore
//! fn nested_fault(exit: &mut Exit, _fault: &Fault) -> bool {
//!     match Insn::at(exit.vs()) {
//!         Ok(insn) => {
//!             if let (Some(access), Some(la)) = (insn.access(), insn.address(exit.vs())) {
//!                 log!(Level::Info, "{} bytes at {:#x}", access.size, la.0);
//!             }
//!         }
//!         Err(error) => log!(Level::Warning, "no instruction: {}", error),
//!     }
//!     false
//! }
//! ```

use crate::raw::{words, Raw};
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::sys::INSN_ERRORS;
use crate::types::text_of;
use crate::{Gla, VsId};
use core::fmt;

pub use crate::sys::{InsnError, Op};

impl fmt::Display for InsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the function knows all numbers.
        f.write_str(text_of(unsafe { ext_insn_why(*self as u32 + 1) }))
    }
}

/// What was decoded, or why not.
pub type Result<T> = core::result::Result<T, InsnError>;

/// An instruction has no more bytes.
pub const LENGTH_MAX: usize = INSN_LENGTH_MAX;

fn check(status: u32) -> Result<()> {
    match status as usize {
        INSN_STATUS_OK => Ok(()),
        status => Err(INSN_ERRORS[status - 1]),
    }
}

/// An enum of C's numbers; the first one is for all others.
macro_rules! numbered {
    ($(#[$doc:meta])* $type:ident: $(#[$other_doc:meta])* $other:ident;
     $($(#[$name_doc:meta])* $name:ident = $number:ident,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $type {
            $(#[$other_doc])*
            $other,
            $($(#[$name_doc])* $name,)*
        }

        impl $type {
            fn of(number: u8) -> Self {
                match usize::from(number) {
                    $($number => Self::$name,)*
                    _ => Self::$other,
                }
            }
        }
    };
}

/// The default operand and address size: CS.L and CS.D of the code segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Mode {
    Bits16 = INSN_MODE_16 as u32,
    Bits32 = INSN_MODE_32 as u32,
    Bits64 = INSN_MODE_64 as u32,
}

numbered! {
    /// How an instruction is encoded.
    Encoding:
    /// Without a prefix of the kinds below.
    Legacy;
    /// VEX.
    Vex = INSN_VEX,
    /// EVEX.
    Evex = INSN_EVEX,
    /// XOP.
    Xop = INSN_XOP,
}

numbered! {
    /// A segment register.
    #[allow(missing_docs)]
    Segment: Ds; Es = INSN_ES, Cs = INSN_CS, Ss = INSN_SS, Fs = INSN_FS, Gs = INSN_GS,
}

/// A base or an index of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Register {
    /// A general register by its number in the encoding: 0 is RAX, 4 RSP, 15 R15.
    General(u8),
    /// The address of the next instruction.
    Rip,
}

fn register(number: u8) -> Option<Register> {
    match usize::from(number) {
        INSN_NO_REG => None,
        INSN_RIP => Some(Register::Rip),
        _ => Some(Register::General(number)),
    }
}

/// Methods that read a field.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $type:ident at $at:ident,)*) => {
        $($(#[$doc])* pub fn $name(&self) -> $type { self.0.$type($at) })*
    };
}
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident at $at:ident,)*) => {
        $($(#[$doc])* pub fn $name(&self) -> bool { self.0.flag($at) })*
    };
}

/// An instruction as it is encoded.
#[derive(Clone, Copy)]
pub struct Insn(Raw<{ words(INSN_SIZE) }>);

impl Insn {
    /// The instruction that `bytes` begin with. Opcodes that the CPU answers with #UD may be `Ok`,
    /// too.
    pub fn decode(bytes: &[u8], mode: Mode) -> Result<Self> {
        let mut insn = Self(Raw::new());
        // SAFETY: it reads as many bytes as there are, and writes the structure.
        check(unsafe {
            ext_insn_decode(
                bytes.as_ptr(),
                bytes.len(),
                mode as u32,
                insn.0.as_mut_ptr(),
            )
        })?;
        Ok(insn)
    }

    /// The instruction at Linux's RIP, in the mode of CS. In a hook, on the PP that exited.
    /// [`memory`](crate::memory) says what it takes.
    pub fn at(vs: VsId) -> Result<Self> {
        let mut insn = Self(Raw::new());
        // SAFETY: it writes the structure.
        check(unsafe { ext_insn_at(vs.0.into(), insn.0.as_mut_ptr()) })?;
        Ok(insn)
    }

    fields! {
        /// Bytes.
        length: u8 at INSN_LENGTH,
        /// 0: one byte, 1: after 0F, 2: 0F 38, 3: 0F 3A; or as in VEX, EVEX or XOP.
        map: u8 at INSN_MAP,
        /// The last byte of the opcode.
        opcode: u8 at INSN_OPCODE,
        /// 0x40 with W, R, X and B in bits 3 to 0, those of VEX, too; 0: none.
        rex: u8 at INSN_REX,
        /// The last of F2 and F3, or 0; of VEX the one that it stands for.
        repeat: u8 at INSN_REPEAT,
        /// Bytes: 2, 4 or 8, by mode and prefixes alone.
        operand_size: u8 at INSN_OPERAND_SIZE,
        /// Bytes: 2, 4 or 8.
        address_size: u8 at INSN_ADDRESS_SIZE,
        /// The index is shifted by this.
        scale: u8 at INSN_SCALE,
        /// Bytes; 0: none.
        displacement_size: u8 at INSN_DISPLACEMENT_SIZE,
        /// Sign-extended.
        displacement: u64 at INSN_DISPLACEMENT,
        /// Bytes, with the second one; 0: none.
        immediate_size: u8 at INSN_IMMEDIATE_SIZE,
        /// Sign-extended; the distance of a jump, too.
        immediate: u64 at INSN_IMMEDIATE,
        /// The selector of a far pointer; the last byte of ENTER, INSERTQ.
        second: u16 at INSN_SECOND,
    }

    flags! {
        /// 66; of VEX the same.
        operand_prefix at INSN_OPERAND_PREFIX,
        /// 67.
        address_prefix at INSN_ADDRESS_PREFIX,
        /// LOCK.
        lock at INSN_LOCK,
        /// An address is in the instruction, which need not access what is there (LEA, NOP).
        names_memory at INSN_MEMORY,
    }

    /// The mode that it was decoded in.
    pub fn mode(&self) -> Mode {
        match usize::from(self.0.u8(INSN_MODE)) {
            INSN_MODE_16 => Mode::Bits16,
            INSN_MODE_32 => Mode::Bits32,
            _ => Mode::Bits64,
        }
    }

    /// How it is encoded.
    pub fn encoding(&self) -> Encoding {
        Encoding::of(self.0.u8(INSN_ENCODING))
    }

    /// The segment that a prefix says.
    pub fn segment_prefix(&self) -> Option<Segment> {
        let number = self.0.u8(INSN_OVERRIDE);
        (usize::from(number) < INSN_NR_SEGMENTS).then(|| Segment::of(number))
    }

    /// ModRM, if there is one.
    pub fn modrm(&self) -> Option<u8> {
        self.0.flag(INSN_HAS_MODRM).then(|| self.0.u8(INSN_MODRM))
    }

    /// The segment of the address.
    pub fn segment(&self) -> Segment {
        Segment::of(self.0.u8(INSN_SEGMENT))
    }

    /// The base of the address.
    pub fn base(&self) -> Option<Register> {
        register(self.0.u8(INSN_BASE))
    }

    /// The index of the address.
    pub fn index(&self) -> Option<Register> {
        register(self.0.u8(INSN_INDEX))
    }

    /// The offset in its segment of the address that is in the instruction, with these general
    /// registers, by their numbers in the encoding, and with the instruction's own RIP. None: there
    /// is no address; or several, of a vector of indices or a tile; or a displacement that EVEX
    /// scales.
    pub fn offset(&self, gpr: &[u64; 16], rip: u64) -> Option<u64> {
        let mut offset = 0;
        // SAFETY: an instruction that was decoded names registers that there are.
        unsafe { ext_insn_offset(self.0.as_ptr(), gpr.as_ptr(), rip, &mut offset) }
            .then_some(offset)
    }

    /// The linear address that is in this instruction, which is the one at Linux's RIP. Of the
    /// first extension of a start only, which has Linux's general registers. None: as for
    /// [`offset`](Self::offset).
    pub fn address(&self, vs: VsId) -> Option<Gla> {
        let mut la = 0;
        // SAFETY: as above.
        unsafe { ext_insn_address(vs.0.into(), self.0.as_ptr(), &mut la) }.then_some(Gla(la))
    }

    /// What it does with its memory operand. None: it is none of those that this knows, or accesses
    /// no memory.
    pub fn access(&self) -> Option<Access> {
        let mut access = Raw::<{ words(INSN_ACCESS_STRUCT) }>::new();
        // SAFETY: it writes the structure.
        unsafe { ext_insn_access(self.0.as_ptr(), access.as_mut_ptr()) }.then(|| Access {
            size: access.u8(INSN_ACCESS_SIZE),
            read: access.flag(INSN_ACCESS_READ),
            write: access.flag(INSN_ACCESS_WRITE),
            lock: access.flag(INSN_ACCESS_LOCK),
        })
    }

    /// What it does as a whole.
    pub fn operation(&self) -> Result<Operation> {
        let mut operation = Operation(Raw::new());
        // SAFETY: it writes the structure.
        check(unsafe { insn_operation(self.0.as_ptr(), operation.0.as_mut_ptr()) })?;
        Ok(operation)
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insn")
            .field("length", &self.length())
            .field("encoding", &self.encoding())
            .field("map", &self.map())
            .field("opcode", &self.opcode())
            .field("modrm", &self.modrm())
            .finish()
    }
}

/// What an instruction does with its memory operand. One that reads memory and writes other memory
/// does both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Bytes: 1, 2, 4, 8 or 16; of a string instruction, those of one iteration.
    pub size: u8,
    /// It reads.
    pub read: bool,
    /// It writes.
    pub write: bool,
    /// Both in one step.
    pub lock: bool,
}

impl Op {
    /// Whether the operation uses what was in its destination before.
    pub fn reads_destination(self) -> bool {
        // SAFETY: the function knows all operations.
        unsafe { insn_reads_dst(self as u32) }
    }

    /// Whether it changes its destination.
    pub fn writes_destination(self) -> bool {
        // SAFETY: the function knows all operations.
        unsafe { insn_writes_dst(self as u32) }
    }
}

numbered! {
    /// Where an operand is.
    Kind:
    /// There is none.
    None;
    /// In a general register.
    Register = INSN_KIND_REG,
    /// In an SSE register.
    Xmm = INSN_KIND_XMM,
    /// In the instruction.
    Immediate = INSN_KIND_IMM,
    /// In memory; the address is in the instruction.
    Memory = INSN_KIND_MEM,
    /// In memory at DS:rSI.
    Si = INSN_KIND_SI,
    /// In memory at ES:rDI.
    Di = INSN_KIND_DI,
    /// To be pushed, or popped.
    Stack = INSN_KIND_STACK,
}

/// An operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operand {
    /// Where it is.
    pub kind: Kind,
    /// Which register, if it is one; general ones from 16 on are AH, CH, DH and BH.
    pub register: u8,
    /// Bytes: 1, 2, 4, 8 or 16.
    pub size: u8,
}

impl Operand {
    /// Whether it is in memory.
    pub fn in_memory(&self) -> bool {
        matches!(self.kind, Kind::Memory | Kind::Si | Kind::Di | Kind::Stack)
    }
}

/// What an instruction does, of those with which memory and devices are usually accessed.
#[derive(Clone, Copy)]
pub struct Operation(Raw<{ words(OPERATION_SIZE) }>);

impl Operation {
    fields! {
        /// Bytes of the instruction.
        length: u8 at OPERATION_LENGTH,
        /// Bytes: 2, 4 or 8.
        address_size: u8 at OPERATION_ADDRESS_SIZE,
        /// The index is shifted by this.
        scale: u8 at OPERATION_SCALE,
        /// Sign-extended.
        displacement: u64 at OPERATION_DISPLACEMENT,
        /// Sign-extended.
        immediate: u64 at OPERATION_IMMEDIATE,
    }

    flags! {
        /// A LOCK prefix, or XCHG with memory, which needs none.
        lock at OPERATION_LOCK,
        /// A REP prefix, on a string instruction.
        repeat at OPERATION_REPEAT,
        /// A memory operand of 16 bytes has to be aligned: else #GP.
        aligned at OPERATION_ALIGNED,
    }

    /// What is computed. Instructions that only copy are [`Op::MOV`].
    pub fn op(&self) -> Op {
        Op::ALL[usize::from(self.0.u8(OPERATION_OP))]
    }

    fn operand(&self, at: usize) -> Operand {
        Operand {
            kind: Kind::of(self.0.u8(at + OPERAND_KIND)),
            register: self.0.u8(at + OPERAND_REG),
            size: self.0.u8(at + OPERAND_SIZE),
        }
    }

    /// The first operand, which is changed, if one is.
    pub fn destination(&self) -> Operand {
        self.operand(OPERATION_DST)
    }

    /// The other one.
    pub fn source(&self) -> Operand {
        self.operand(OPERATION_SRC)
    }

    /// The segment of the address, for [`Kind::Memory`] and [`Kind::Si`].
    pub fn segment(&self) -> Segment {
        Segment::of(self.0.u8(OPERATION_SEGMENT))
    }

    /// The base of the address.
    pub fn base(&self) -> Option<Register> {
        register(self.0.u8(OPERATION_BASE))
    }

    /// The index of the address.
    pub fn index(&self) -> Option<Register> {
        register(self.0.u8(OPERATION_INDEX))
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("op", &self.op())
            .field("destination", &self.destination())
            .field("source", &self.source())
            .finish()
    }
}
