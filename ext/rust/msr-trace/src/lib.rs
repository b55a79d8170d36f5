// SPDX-License-Identifier: MIT
//! rust-msr-trace: who writes the MSRs that lead into the kernel, as ext/examples/msr-trace.c does,
//! and how often: each writer is a line once, and again with every power of two.
//!
//!     bfm start rust-msr-trace --arg panic-at=0xc0000102 && bfm dump --follow
//!
//! `panic-at` is an MSR whose write is a bug of this extension, to see how one ends.
#![no_std]
#![deny(warnings)]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mk1::frame::{self, Access, Exit, Hook, Hooks, Reg};
use mk1::{arg, print, tls, Msr, Specs};

mk1::name!("rust-msr-trace");
mk1::start!(start);

const TRACED: [(u32, &str); 4] = [
    (0x176, "SYSENTER_EIP"),
    (0xC000_0080, "EFER"),
    (0xC000_0081, "STAR"),
    (0xC000_0082, "LSTAR"),
];

/// Written by `start`, then only read.
static PANIC_AT: AtomicU64 = AtomicU64::new(u64::MAX);

/// How often an MSR was written by a RIP. PPs come here at the same time.
struct Writers {
    locked: AtomicBool,
    count: UnsafeCell<BTreeMap<(u32, u64), u64>>,
}

// SAFETY: count is used by the one that has set locked.
unsafe impl Sync for Writers {}

static WRITERS: Writers = Writers {
    locked: AtomicBool::new(false),
    count: UnsafeCell::new(BTreeMap::new()),
};

impl Writers {
    fn add(&self, msr: u32, rip: u64) -> u64 {
        while self.locked.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: nobody else has it.
        let count = unsafe { &mut *self.count.get() };
        let n = count.entry((msr, rip)).or_insert(0);
        *n += 1;
        let n = *n;
        self.locked.store(false, Ordering::Release);
        n
    }
}

struct Trace;

impl Hooks for Trace {
    const ASKED: &'static [Hook] = &[Hook::Wrmsr];

    fn wrmsr(exit: &mut Exit, msr: Msr, value: u64) -> bool {
        let rip = exit.read(Reg::rip);
        let n = WRITERS.add(msr.0, rip);

        if u64::from(msr.0) == PANIC_AT.load(Ordering::Relaxed) {
            panic!("MSR {:#x} was written", msr.0);
        }
        if n.is_power_of_two() {
            let mut line = String::from(
                TRACED
                    .iter()
                    .find(|(number, _)| *number == msr.0)
                    .map_or("", |(_, name)| name),
            );
            if let Some(old) = frame::msr_read(exit.vs(), msr) {
                line += &alloc::format!(": {:#x}, then {:#x}", old, value);
            }
            print!(
                "rust-msr-trace: PP {}: {}, by RIP {:#x}, {} times\n",
                tls::pp().0,
                line,
                rip,
                n
            );
        }
        false
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["panic-at"])?;
    PANIC_AT.store(arg::number("panic-at", u64::MAX)?, Ordering::Relaxed);
    frame::run_linux::<Trace>(specs)?;
    for (number, _) in TRACED {
        frame::msr_intercept(Msr(number), Access::Write)?;
    }
    Ok(())
}
