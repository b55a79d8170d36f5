// SPDX-License-Identifier: MIT
//! watcher: what Linux and its programs do with ports, by default those of the real-time clock, and
//! who writes to pages of memory, if some are named. Each access is a line; Linux finds nothing
//! changed.
//!
//!     bfm start watcher --arg first=0x70 --arg last=0x71 --arg start=0x12345000 --arg size=0x1000
//!     bfm dump --follow
//!
//! `start` is a physical address, as Linux calls it.
#![no_std]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::frame::{self, Exit, Hook, Hooks, Reg};
use mk1::log::Level;
use mk1::mk2::Gpa;
use mk1::watch::{self, Fault, Io, Rights};
use mk1::{arg, fail, log, Specs};

mk1::name!("watcher");
mk1::start!(start);

/// Written by `start`, then only read.
static FIRST: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);
static START: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);

struct Watcher;

/// Hooks are asked for what other extensions of the same start watch, too: false for that.
impl Hooks for Watcher {
    const ASKED: &'static [Hook] = &[Hook::Io, Hook::NestedFault];

    fn io(exit: &mut Exit, io: &Io, value: &mut u32) -> bool {
        let (port, rip) = (io.port, exit.read(Reg::rip));

        if !(FIRST.load(Relaxed)..=LAST.load(Relaxed)).contains(&port.into()) {
            return false;
        }
        if io.is_in || io.is_string {
            let name = if io.is_in { "in" } else { "out" };
            log!(Level::Info, "{} {:#x}, by RIP {:#x}", name, port, rip);
        } else {
            log!(
                Level::Info,
                "out {:#x}, {:#x}, by RIP {:#x}",
                port,
                *value,
                rip
            );
        }
        false // Linux executes it; true would answer it here, with value
    }

    fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
        if fault.gpa.0.wrapping_sub(START.load(Relaxed)) >= SIZE.load(Relaxed) {
            return false;
        }
        log!(
            Level::Info,
            "{:#x} written by RIP {:#x}, CPL {}, CR3 {:#x}",
            fault.gpa.0,
            exit.read(Reg::rip),
            exit.cpl(),
            exit.read(Reg::cr3)
        );
        true
    }
}

fn port(key: &str, otherwise: u64) -> mk1::Result<u16> {
    match arg::number(key, otherwise)?.try_into() {
        Ok(port) => Ok(port),
        Err(_) => fail!("{}: ports are 0 to 0xffff", key),
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["first", "last", "start", "size"])?;
    let ports = port("first", 0x70)?..=port("last", 0x71)?;
    let (start, size) = (arg::number("start", 0)?, arg::number("size", 0x1000)?);
    if ports.is_empty() {
        fail!("the last port is before the first one");
    }
    FIRST.store((*ports.start()).into(), Relaxed);
    LAST.store((*ports.end()).into(), Relaxed);
    START.store(start, Relaxed);
    SIZE.store(size, Relaxed);
    frame::run_linux::<Watcher>(specs)?;
    watch::watch_io(ports)?;
    if start != 0 {
        watch::watch(Gpa(start), size, Rights::WRITE)?;
    }
    Ok(())
}
