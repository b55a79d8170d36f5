// SPDX-License-Identifier: MIT
//! tracer: who writes the MSRs that lead into the kernel. Rootkits do, and Linux when a CPU comes
//! online. Each write is a line with the MSR, the old value, the new one, and where it came from:
//!
//!     bfm start tracer
//!     bfm dump --follow
#![no_std]

use mk1::frame::{self, Access, Exit, Hook, Hooks, Reg};
use mk1::log::Level;
use mk1::{log, Msr, Specs};

mk1::name!("tracer");
mk1::start!(start);

/// SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP, STAR, LSTAR, CSTAR, FMASK, EFER.
const TRACED: [Msr; 8] = [
    Msr(0x174),
    Msr(0x175),
    Msr(0x176),
    Msr(0xC000_0081),
    Msr(0xC000_0082),
    Msr(0xC000_0083),
    Msr(0xC000_0084),
    Msr(0xC000_0080),
];

struct Tracer;

impl Hooks for Tracer {
    const ASKED: &'static [Hook] = &[Hook::Wrmsr];

    /// Says so, and lets the frame do it.
    fn wrmsr(exit: &mut Exit, msr: Msr, value: u64) -> bool {
        if let Some(old) = frame::msr_read(exit.vs(), msr) {
            log!(
                Level::Info,
                "MSR {:#x}: {:#x}, then {:#x}, by RIP {:#x}",
                msr.0,
                old,
                value,
                exit.read(Reg::rip)
            );
        }
        false
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    frame::run_linux::<Tracer>(specs)?;
    for msr in TRACED {
        frame::msr_intercept(msr, Access::Write)?;
    }
    Ok(())
}
