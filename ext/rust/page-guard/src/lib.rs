// SPDX-License-Identifier: MIT
//! rust-page-guard: who writes to a range of memory that nobody should write to, as
//! ext/examples/page-guard.c does. Each access is a line with the address, the instruction that did
//! it with its bytes, and the CR3 of its process. With deny=yes Linux takes #GP instead.
//!
//!     bfm start rust-page-guard --arg start=0x12345000 --arg access=w && bfm dump --follow
#![no_std]
#![deny(warnings)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use mk1::frame::{self, Exception, Exit, Hook, Hooks, Reg};
use mk1::lock::Mutex;
use mk1::log::Level;
use mk1::mk2::Gpa;
use mk1::watch::{self, Fault, Rights};
use mk1::{arg, fail, log, memory, Specs};

mk1::name!("rust-page-guard");
mk1::start!(start);

/// Written by `start`, then only read.
static START: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);
static ASKED: Mutex<Rights> = Mutex::new(Rights::WRITE);
static DENY: AtomicBool = AtomicBool::new(false);

struct Guard;

impl Hooks for Guard {
    const ASKED: &'static [Hook] = &[Hook::NestedFault];

    fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
        if fault.gpa.0.wrapping_sub(START.load(Relaxed)) >= SIZE.load(Relaxed) {
            return false;
        }
        let mut code = [0; memory::CODE_MAX];
        log!(
            Level::Info,
            "{:#x} {} by RIP {:#x}, {:02x?}, CPL {}, CR3 {:#x}{}",
            fault.gpa.0,
            name_of(fault.access),
            exit.read(Reg::rip),
            memory::code(exit.vs(), &mut code).unwrap_or_default(),
            exit.cpl(),
            exit.read(Reg::cr3),
            if fault.walk {
                ", in a walk through page tables"
            } else {
                ""
            }
        );
        let asked = fault.access.intersects(*ASKED.lock());
        if DENY.load(Relaxed) && asked && !fault.walk {
            exit.fault(Exception::Gp);
        }
        true
    }
}

fn name_of(access: Rights) -> &'static str {
    match access {
        a if a.has(Rights::EXECUTE) => "executed",
        a if a.has(Rights::WRITE) => "written",
        _ => "read",
    }
}

/// Of "rwx", one or some.
fn parse(text: &str) -> Option<Rights> {
    text.chars()
        .map(|letter| match letter {
            'r' => Some(Rights::READ),
            'w' => Some(Rights::WRITE),
            'x' => Some(Rights::EXECUTE),
            _ => None,
        })
        .reduce(|all, one| Some(all? | one?))?
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["start", "size", "access", "deny"])?;
    START.store(arg::number("start", 0)?, Relaxed);
    SIZE.store(arg::number("size", 0x1000)?, Relaxed);
    DENY.store(arg::switch("deny", false)?, Relaxed);
    let access = match parse(arg::text("access")?.unwrap_or("w")) {
        Some(access) if START.load(Relaxed) != 0 => access,
        _ => fail!("which pages is not said: start=ADDRESS, access=r, w or x"),
    };
    *ASKED.lock() = access;
    frame::run_linux::<Guard>(specs)?;
    watch::watch(Gpa(START.load(Relaxed)), SIZE.load(Relaxed), access)
}
