// SPDX-License-Identifier: GPL-2.0-only
//! Instructions of a guest that is nowhere but here, by the crate's emulator. `check` says which
//! expectation failed.

use mk1::emulate::*;
use mk1::insn::Op;
use mk1::mk2::Gpa;

/// RAM at physical addresses below this, a device from here on; linear addresses are the same, but
/// for the page that is not there.
const RAM: usize = 64;
const DEVICE: u64 = 0x1000;
const NOWHERE: u64 = 0x2000;
/// The code segment of 64-bit mode (L, P and code), and what else is.
const LONG_CODE: u16 = 0x29B;
const LMA: u64 = 1 << 10;
const PE: u64 = 1;
const OSFXSR: u64 = 1 << 9;

const RAX: usize = 0;
const RCX: usize = 1;
const RBX: usize = 3;
const RDI: usize = 7;

struct Guest {
    ram: [u8; RAM],
    xmm: [u8; 16],
    /// Another CPU writes this before the next write.
    other: Option<u8>,
}

/// One without SSE registers, and without memory.
struct Bare;

impl Memory for Bare {
    fn translate(&mut self, _: u64, _: bool) -> Result<Gpa, NoAddress> {
        Err(NoAddress::Changed)
    }

    fn read(&mut self, _: Gpa, _: &mut [u8]) -> Result<(), NoAccess> {
        Err(NoAccess::Unsupported)
    }

    fn write(&mut self, _: Gpa, _: &[u8], _: Option<&[u8]>) -> Result<(), NoAccess> {
        Err(NoAccess::Unsupported)
    }
}

impl Memory for Guest {
    const SSE: bool = true;

    fn translate(&mut self, la: u64, write: bool) -> Result<Gpa, NoAddress> {
        match la {
            NOWHERE..=0x2FFF => Err(NoAddress::Fault(u32::from(write) << 1)),
            0..=0x1FFF => Ok(Gpa(la)),
            _ => Err(NoAddress::Unsupported),
        }
    }

    fn read(&mut self, gpa: Gpa, data: &mut [u8]) -> Result<(), NoAccess> {
        if gpa.0 >= DEVICE {
            return Err(NoAccess::Pending);
        }
        let at = gpa.0 as usize;
        let place = self.ram.get(at..at + data.len());
        data.copy_from_slice(place.ok_or(NoAccess::Unsupported)?);
        Ok(())
    }

    fn write(&mut self, gpa: Gpa, data: &[u8], expected: Option<&[u8]>) -> Result<(), NoAccess> {
        if gpa.0 >= DEVICE {
            return Err(NoAccess::Pending);
        }
        let at = gpa.0 as usize;
        let place = self.ram.get_mut(at..at + data.len());
        let place = place.ok_or(NoAccess::Unsupported)?;
        if let Some(byte) = self.other.take() {
            place[0] = byte;
        }
        if expected.map_or(false, |old| *place != *old) {
            return Err(NoAccess::Changed);
        }
        place.copy_from_slice(data);
        Ok(())
    }

    fn read_xmm(&mut self, _: u32) -> [u8; 16] {
        self.xmm
    }

    fn write_xmm(&mut self, _: u32, data: [u8; 16]) {
        self.xmm = data;
    }
}

fn regs() -> Regs {
    let mut regs = Regs {
        cr0: PE,
        cr4: OSFXSR,
        efer: LMA,
        rip: 0x100,
        rflags: 2,
        ..Regs::default()
    };
    regs.segments[1].attributes = LONG_CODE;
    regs.gpr[RAX] = 0x1122_3344_5566_7788;
    regs.gpr[RBX] = DEVICE + 8;
    regs
}

/// The instruction up to where it stops.
fn begin(regs: Regs, bytes: &[u8]) -> (Emulation<Guest>, Status) {
    let mut emulation = Emulation::new(Guest {
        ram: [0; RAM],
        xmm: [0x5A; 16],
        other: None,
    });
    let status = emulation.begin(regs, bytes);
    (emulation, status)
}

fn writes_device() -> bool {
    let (mut emulation, begun) = begin(regs(), &[0x89, 0x03]); // mov %eax, (%rbx)
    let pending = Status::Pending(Mmio {
        gpa: Gpa(DEVICE + 8),
        bytes: 4,
        write: Some(0x5566_7788),
    });
    let written = emulation.run(1);
    let ends = emulation.ends_with_write();
    // Where it lies does not matter.
    let mut moved = emulation;
    begun == Status::More
        && written == pending
        && ends
        && moved.regs().rip == 0x100
        && moved.run(1) == Status::Done
        && moved.regs().rip == 0x102
        && moved.run(1) == Status::Unsupported
}

fn reads_device() -> bool {
    let (mut emulation, _) = begin(regs(), &[0x0F, 0xBE, 0x0B]); // movsbl (%rbx), %ecx
    let pending = Status::Pending(Mmio {
        gpa: Gpa(DEVICE + 8),
        bytes: 1,
        write: None,
    });
    let read = emulation.run(1);
    let ends = emulation.ends_with_write();
    emulation.answer(0x80);
    read == pending
        && !ends
        && emulation.run(1) == Status::Done
        && emulation.regs().gpr[RCX] == 0xFFFF_FF80
}

fn repeats() -> bool {
    let mut regs = regs();
    regs.gpr[RCX] = 3;
    regs.gpr[RDI] = 8;
    let (mut emulation, _) = begin(regs, &[0xF3, 0xAA]); // rep stosb
    let first = emulation.run(1);
    let (between, left) = (emulation.between_iterations(), emulation.regs().gpr[RCX]);
    let last = emulation.run(0xFFFF);
    let ram = emulation.memory().ram;
    first == Status::More
        && between
        && left == 2
        && last == Status::Done
        && emulation.regs().gpr[RDI] == 11
        && ram[7..12] == [0, 0x88, 0x88, 0x88, 0]
}

fn locks() -> bool {
    let mut regs = regs();
    regs.gpr[RBX] = 4;
    let (mut emulation, _) = begin(regs, &[0xF0, 0xFE, 0x03]); // lock incb (%rbx)
    emulation.memory().other = Some(7);
    let lost = emulation.run(1);
    let there = emulation.memory().ram[4];
    lost == Status::Retry
        && there == 7
        && emulation.run(1) == Status::Done
        && emulation.memory().ram[4] == 8
}

fn faults() -> bool {
    let mut regs = regs();
    regs.gpr[RBX] = NOWHERE;
    let (mut emulation, _) = begin(regs, &[0x89, 0x03]);
    let fault = Status::Fault(Exception {
        vector: 14,
        error_code: 2,
        cr2: NOWHERE,
    });
    let mut elsewhere = regs;
    elsewhere.gpr[RBX] = 0x9000;
    emulation.run(1) == fault
        && *emulation.regs() == regs
        && begin(elsewhere, &[0x89, 0x03]).0.run(1) == Status::Unsupported
        && begin(regs, &[0x89]).1 == Status::Short
        && begin(regs, &[]).1 == Status::Short
        && begin(regs, &[0x0F, 0xA2]).1 == Status::Unsupported // cpuid
        && begin(regs, &[0x0F, 0xA2]).0.run(1) == Status::Unsupported
}

fn moves_sse() -> bool {
    let mut regs = regs();
    regs.gpr[RBX] = 16;
    let (mut emulation, _) = begin(regs, &[0x0F, 0x29, 0x0B]); // movaps %xmm1, (%rbx)
    let mut odd = regs;
    odd.gpr[RBX] = 17;
    let general = Status::Fault(Exception {
        vector: 13,
        error_code: 0,
        cr2: 0,
    });
    emulation.run(1) == Status::Done
        && emulation.memory().ram[15..33] == {
            let mut expected = [0x5A; 18];
            expected[0] = 0;
            expected[17] = 0;
            expected
        }
        && begin(odd, &[0x0F, 0x29, 0x0B]).0.run(1) == general
        && loads_sse(regs)
}

fn loads_sse(regs: Regs) -> bool {
    let (mut emulation, _) = begin(regs, &[0x0F, 0x28, 0x0B]); // movaps (%rbx), %xmm1
    emulation.memory().ram[16] = 1;
    emulation.memory().ram[31] = 2;
    let mut bare = Emulation::new(Bare);
    emulation.run(1) == Status::Done
        && emulation.memory().xmm == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
        && bare.begin(regs, &[0x0F, 0x28, 0x0B]) == Status::Unsupported
        && bare.begin(regs, &[0x89, 0x03]) == Status::More
        && bare.run(1) == Status::Retry
}

fn computes() -> bool {
    const CF: u64 = 1;
    const ZF: u64 = 1 << 6;
    let sum = compute(Op::ADD, 1, 0xFF, 1, 2);
    sum.map_or(false, |(result, flags)| {
        result == 0 && flags & (CF | ZF) == CF | ZF
    }) && compute(Op::MOV, 1, 1, 1, 2).is_none()
        && compute(Op::ADD, 3, 1, 1, 2).is_none()
        && compute(Op::NONE, 1, 1, 1, 2).is_none()
}

/// The name of what failed, or "true".
pub fn check() -> &'static str {
    let checks: [(&str, fn() -> bool); 7] = [
        ("a write to a device", writes_device),
        ("a read of a device", reads_device),
        ("a string instruction", repeats),
        ("a locked instruction", locks),
        ("faults and what is not supported", faults),
        ("SSE", moves_sse),
        ("arithmetic", computes),
    ];
    checks
        .iter()
        .find(|(_, holds)| !holds())
        .map_or("true", |(name, _)| name)
}
