// SPDX-License-Identifier: GPL-2.0-only
//! Linux's addresses, translated as those of any guest.

use core::arch::x86_64::{__cpuid, CpuidResult};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::frame::{reg_read, Reg};
use mk1::mk2::Gpa;
use mk1::paging::{self, Access, Error, Exchanged, Regs, Tables};
use mk1::{memory, tls, Gla};

/// What Linux has in memory.
struct Linux;

impl Tables for Linux {
    fn read(&self, gpa: Gpa, bytes: usize) -> Option<u64> {
        let mut entry = [0; 8];
        memory::read_phys(gpa, &mut entry[..bytes]).ok()?;
        Some(u64::from_le_bytes(entry))
    }
}

/// One table, whose entries all lead to itself; they have not been accessed yet.
struct Own {
    entry: AtomicU64,
}

const TABLE: u64 = 0x5000;
const ACCESSED: u64 = 0x20;

impl Tables for Own {
    const SETS_BITS: bool = true;

    fn read(&self, gpa: Gpa, bytes: usize) -> Option<u64> {
        (bytes == 8 && gpa.0 & !0xFFF == TABLE).then(|| self.entry.load(Relaxed))
    }

    fn exchange(&self, gpa: Gpa, bytes: usize, expected: u64, value: u64) -> Exchanged {
        if bytes != 8 || gpa.0 & !0xFFF != TABLE {
            return Exchanged::Unreachable;
        }
        match self
            .entry
            .compare_exchange(expected, value, Relaxed, Relaxed)
        {
            Ok(_) => Exchanged::Done,
            Err(_) => Exchanged::Changed,
        }
    }
}

fn own_tables(regs: &Regs) -> bool {
    let table = Own {
        entry: AtomicU64::new(TABLE | 1),
    };
    let regs = Regs {
        cr3: TABLE,
        ..*regs
    };
    let nowhere = Regs {
        cr3: 2 * TABLE,
        ..regs
    };

    // The entry of the first level gets its bit, and is that of the second, which has changed then.
    paging::translate(&regs, &table, Gla(0x123), Access::READ) == Err(Error::Changed)
        && paging::translate(&regs, &table, Gla(0x123), Access::READ) == Ok(Gpa(TABLE | 0x123))
        && table.entry.load(Relaxed) == TABLE | 1 | ACCESSED
        && paging::translate(&regs, &table, Gla(0x123), Access::READ | Access::USER)
            == Err(Error::Fault(5))
        && paging::translate(&nowhere, &table, Gla(0x123), Access::READ) == Err(Error::Unreachable)
}

fn cpuid(leaf: u32) -> CpuidResult {
    // SAFETY: every CPU that this runs on has the leaves.
    #[allow(unused_unsafe)] // newer compilers know that
    unsafe {
        __cpuid(leaf)
    }
}

/// Whether that leads to the address that libext says; and faults come as they should.
pub fn agrees(at: Gla, gpa: Gpa) -> bool {
    let vs = tls::vs();
    let (sizes, features, maker) = (cpuid(0x8000_0008), cpuid(0x8000_0001), cpuid(0));
    let regs = Regs {
        cr0: reg_read(vs, Reg::cr0),
        cr3: reg_read(vs, Reg::cr3),
        cr4: reg_read(vs, Reg::cr4),
        efer: reg_read(vs, Reg::efer),
        rflags: reg_read(vs, Reg::rflags),
        physical_bits: sizes.eax as u8,
        has_1gib_pages: features.edx & 1 << 26 != 0,
        is_amd: maker.ebx == u32::from_le_bytes(*b"Auth"),
        ..Regs::default()
    };
    let read = |at, access| paging::translate(&regs, &Linux, Gla(at), access);

    // Nothing is at address 0.
    read(at.0, Access::READ) == Ok(gpa)
        && read(at.0, Access::READ | Access::USER) == Err(Error::Fault(5))
        && read(0, Access::WRITE) == Err(Error::Fault(2))
        && own_tables(&regs)
}
