// SPDX-License-Identifier: MIT
//! CPUID: what the guest gets to see, and the loader's wish to stop.

use crate::{resume, resume_next, HANDLE};
use core::arch::x86_64::{__cpuid_count, CpuidResult};
use mk1::{print, tls, VsId};

const FEATURES: u32 = 0x1;
const STRUCTURED: u32 = 0x7;
const EXTENDED: u32 = 0x8000_0000;
const EXTENDED_FEATURES: u32 = 0x8000_0001;
const SVM_FEATURES: u32 = 0x8000_000A;

pub const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_PKE: u64 = 1 << 22;

fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    // SAFETY: every 64-bit CPU has the instruction.
    #[allow(unused_unsafe)] // newer compilers know that
    unsafe {
        __cpuid_count(leaf, subleaf)
    }
}

pub fn cpu_is_amd() -> bool {
    let id = cpuid(0, 0);
    let mut name = [0; 12];
    name[..4].copy_from_slice(&id.ebx.to_le_bytes());
    name[4..8].copy_from_slice(&id.edx.to_le_bytes());
    name[8..].copy_from_slice(&id.ecx.to_le_bytes());
    &name == b"AuthenticAMD" || &name == b"HygonGenuine"
}

fn follow(value: u32, bit: u32, on: bool) -> u32 {
    if on {
        value | bit
    } else {
        value & !bit
    }
}

/// Without the virtualisation that is in use, and with CR4 as the guest has it, not root mode.
fn filter(leaf: u32, subleaf: u32, cr4: impl Fn() -> u64, answer: &mut CpuidResult) {
    match (leaf, subleaf) {
        (FEATURES, _) => {
            answer.ecx &= !(1 << 5 | 1 << 6); // VMX, SMX
            answer.ecx = follow(answer.ecx, 1 << 27, cr4() & CR4_OSXSAVE != 0);
        }
        (STRUCTURED, 0) => answer.ecx = follow(answer.ecx, 1 << 4, cr4() & CR4_PKE != 0),
        (STRUCTURED, 1) => {
            // Instructions whose VMX controls Mk#1 has no register for, or exits no answer.
            answer.eax &= !(1 << 27); // MSRLIST
            answer.ebx &= !(1 << 1); // PBNDKB
            answer.ecx &= !(1 << 5); // MSR_IMM
            answer.edx &= !(1 << 15); // USER_MSR
        }
        (EXTENDED_FEATURES, _) => answer.ecx &= !(1 << 2 | 1 << 12), // SVM, SKINIT
        (SVM_FEATURES, _) => {
            *answer = CpuidResult {
                eax: 0,
                ebx: 0,
                ecx: 0,
                edx: 0,
            }
        }
        _ => {}
    }
}

/// The loader wants the CPU back: it goes on behind its CPUID with RAX = 0, or 1 if we cannot.
fn stop(vs: VsId) -> ! {
    tls::set_rax(0);
    if HANDLE
        .vs_advance_ip_and_set_active(tls::vm(), tls::vp(), vs)
        .is_err()
    {
        tls::set_rax(1);
        resume_next(vs);
    }
    let error = HANDLE.vs_promote(vs);
    print!("rust-example: promote failed: {}\n", error);
    tls::set_rax(1);
    resume(vs)
}

/// Answers a CPUID exit. The functions give the guest's CR4 and CPL, which few leaves ask for.
pub fn answer(vs: VsId, cr4: impl Fn() -> u64, cpl: impl Fn() -> u64) -> ! {
    let leaf = tls::rax() as u32;
    let subleaf = tls::rcx() as u32;

    // From any other privilege level this leaf is one like any other that the CPU lacks.
    if leaf == mk1::CPUID_LEAF && cpl() == 0 {
        match subleaf {
            mk1::CPUID_STOP => stop(vs),
            mk1::CPUID_REPORT_ON | mk1::CPUID_REPORT_OFF => {
                tls::set_rax(0); // there is nothing more to report
                resume_next(vs);
            }
            _ => {}
        }
    }

    let mut regs = cpuid(leaf, subleaf);
    // For an extended leaf that it lacks, a CPU may answer with the data of another leaf.
    if leaf < EXTENDED || leaf <= cpuid(EXTENDED, 0).eax {
        filter(leaf, subleaf, cr4, &mut regs);
    }
    tls::set_rax(regs.eax.into());
    tls::set_rbx(regs.ebx.into());
    tls::set_rcx(regs.ecx.into());
    tls::set_rdx(regs.edx.into());
    resume_next(vs)
}
