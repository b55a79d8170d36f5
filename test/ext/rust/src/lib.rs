// SPDX-License-Identifier: GPL-2.0-only
//! The crate's wrappers of libext, by what they do to Linux. Requests; numbers are hexadecimal:
//!
//!     read ADDRESS        the string there
//!     same ADDRESS        whether eight bytes there are those at its physical address, by libext's
//!                         translation and by one with tables of this program
//!     name ADDRESS NAME   writes the string to ADDRESS
//!     burst               20 lines from one place
//!     levels              a line of each level
//!     long                more than a reply has room for
//!     emit                two records
//!     exit                the name of the exit that CPUID is
//!     count               how often the hook was called
//!     fail                ends the run
//!     seen                how often control and debug registers were accessed
//!     decode BYTES        what the instruction does, in 64-bit mode, with n * 0x1000 in register n
//!     address             whether an address is that which Linux's registers make it
//!     vm                  a VM of its own goes on: "more" or "done"
//!     vms                 whether VMs come and go
//!     emulator            whether instructions of a guest are emulated as they should, or which
//!
//! With the argument at=ADDRESS, the function there is hooked; with watch=yes, CR4 and the debug
//! registers are watched; with gpa=ADDRESS, the page there is the device of test/ext/device.c.
//! Hypercalls with RAX = HYPERCALL are answered, and UD2 with MARK behind it does nothing. For
//! test/kselftest/languages.sh and watch.sh.
#![no_std]
#![deny(warnings)]

mod device;
mod emulate;
mod translate;
mod vm;

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::channel::{self, Reply};
use mk1::frame::{self, CpuidRegs, Exit, Hook, Hooks, Hypercall, Reg};
use mk1::insn::{Insn, Mode};
use mk1::log::Level;
use mk1::watch::{self, Cr, Crs, Dr, Drs, Fault, Raised, Vectors};
use mk1::{arg, emit, exits, fail, hook, log, log_ratelimited, memory, tls, Gla, Specs, VsId};

mk1::name!("rust-wrappers");
mk1::start!(start);

static AT: AtomicU64 = AtomicU64::new(0);
static CALLED: AtomicU64 = AtomicU64::new(0);
static LARGE: [u8; channel::EMIT_MAX + 1] = [0; channel::EMIT_MAX + 1];
static REASON: AtomicU64 = AtomicU64::new(0);
static CR_WRITES: AtomicU64 = AtomicU64::new(0);
static DR_READS: AtomicU64 = AtomicU64::new(0);
static DR_WRITES: AtomicU64 = AtomicU64::new(0);

const HYPERCALL: u64 = 0x5255_5354;
const MARK: [u8; 6] = [0x0F, 0x0B, 0x0F, 0x1F, 0x40, 0x2A]; // UD2, NOP

const ALL: &[Hook] = &[
    Hook::NestedFault,
    Hook::CpuIn,
    Hook::CpuOut,
    Hook::Cpuid,
    Hook::Cr,
    Hook::Dr,
    Hook::Hypercall,
    Hook::Exception,
];

struct Wrappers<const DEVICE: bool>;

impl<const DEVICE: bool> Hooks for Wrappers<DEVICE> {
    /// Nested faults are for the device alone: who asks for them does not start on a CPU where
    /// nothing can be watched.
    const ASKED: &'static [Hook] = match ALL.split_first() {
        Some((_, others)) if !DEVICE => others,
        _ => ALL,
    };

    fn cpu_in(vs: VsId) -> bool {
        let at = AT.load(Relaxed);
        at == 0
            || hook::hook(vs, Gla(at), |exit| {
                CALLED.fetch_add(1, Relaxed);
                log!(Level::Info, "called with {:#x}", exit.read(Reg::rdi));
            })
            .is_ok()
    }

    fn cpu_out(_: VsId) {
        device::report();
    }

    fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
        device::nested_fault(exit, fault)
    }

    fn cpuid(exit: &mut Exit, _: u32, _: u32, _: &mut CpuidRegs) -> bool {
        REASON.store(exit.reason(), Relaxed);
        false
    }

    fn cr(_: &mut Exit, cr: &Cr) -> bool {
        if !Crs::CR4.has(cr.number) || cr.old == cr.value {
            fail!("not CR4, or not changed: {:?}", cr);
        }
        CR_WRITES.fetch_add(1, Relaxed);
        false
    }

    fn dr(_: &mut Exit, dr: &Dr, _: &mut u64) -> bool {
        let counter = if dr.is_write { &DR_WRITES } else { &DR_READS };
        counter.fetch_add(1, Relaxed);
        false
    }

    fn hypercall(exit: &mut Exit, call: &mut Hypercall) -> bool {
        let mine = call.rax == HYPERCALL;
        call.rax = 0x5A_0000 | u64::from(exit.cpl());
        call.rcx = call.rdx;
        mine
    }

    fn exception(exit: &mut Exit, raised: &Raised) -> bool {
        let mut code = [0; memory::CODE_MAX];
        let marked = memory::code(exit.vs(), &mut code).map_or(false, |c| c.starts_with(&MARK));
        if !marked || !raised.is(Vectors::UD) || raised.error_code().is_some() {
            return false;
        }
        match Insn::at(exit.vs()) {
            Ok(insn) => exit.write(Reg::rip, exit.read(Reg::rip) + u64::from(insn.length())),
            Err(error) => fail!("UD2: {}", error),
        }
    }
}

fn read(at: Gla, _: &str, reply: &mut Reply) -> bool {
    let mut text = [0; 400];
    match memory::string(tls::vs(), at, &mut text) {
        Ok(text) => {
            reply.push(text);
            true
        }
        Err(failed) => {
            let _ = write!(reply, "{}, after {}", failed, failed.done);
            false
        }
    }
}

fn same(at: Gla, _: &str, reply: &mut Reply) -> bool {
    let mut there = [0; 8];
    let (here, gpa) = match (
        memory::read_u64(tls::vs(), at),
        memory::translate(tls::vs(), at, memory::Access::READ),
    ) {
        (Ok(here), Ok(gpa)) => (here, gpa),
        _ => return reply.refuse("not read"),
    };
    let cr3 = frame::reg_read(tls::vs(), Reg::cr3);
    if memory::read_as(tls::vs(), cr3, at, &mut there).is_err() || here != u64::from_le_bytes(there)
    {
        return reply.refuse("not by CR3");
    }
    if let Err(failed) = memory::read_phys(gpa, &mut there) {
        return write!(reply, "{}", failed).is_err();
    }
    if !translate::agrees(at, gpa) {
        return reply.refuse("translated otherwise");
    }
    write!(
        reply,
        "{} at {:#x}",
        here == u64::from_le_bytes(there),
        gpa.0
    )
    .is_ok()
}

fn name(at: Gla, name: &str, reply: &mut Reply) -> bool {
    let mut text = [0; 65];
    if name.len() >= text.len() {
        return reply.refuse("too long");
    }
    text[..name.len()].copy_from_slice(name.as_bytes());
    match memory::write(tls::vs(), at, &text) {
        Ok(()) => write!(reply, "written").is_ok(),
        Err(failed) => write!(reply, "{}", failed).is_err(),
    }
}

/// Numbers in hexadecimal without 0x, of one byte each.
fn parse_bytes(text: &str, bytes: &mut [u8; 16]) -> Option<usize> {
    let count = text.len() / 2;
    for (i, byte) in bytes.get_mut(..count)?.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(count)
}

fn decode(text: &str, reply: &mut Reply) -> bool {
    let mut gpr = [0; 16];
    let mut bytes = [0; 16];
    let count = match parse_bytes(text, &mut bytes) {
        Some(count) => count,
        None => return reply.refuse("no bytes"),
    };
    let insn = match Insn::decode(&bytes[..count], Mode::Bits64) {
        Ok(insn) => insn,
        Err(error) => return write!(reply, "{}", error).is_err(),
    };
    (0..16).for_each(|n| gpr[n] = n as u64 * 0x1000);
    let _ = write!(reply, "{} bytes", insn.length());
    if let Ok(operation) = insn.operation() {
        let (to, from) = (operation.destination(), operation.source());
        let _ = write!(
            reply,
            ", {:?} {:?} {:?}",
            operation.op(),
            to.kind,
            from.kind
        );
    }
    if let Some(access) = insn.access() {
        let _ = write!(
            reply,
            ", {}{}{}{}",
            if access.read { "r" } else { "" },
            if access.write { "w" } else { "" },
            if access.lock { "l" } else { "" },
            access.size
        );
    }
    if let Some(offset) = insn.offset(&gpr, 0) {
        let _ = write!(reply, ", at {:#x}", offset);
    }
    true
}

/// mov 0x10(%rax), %rbx
fn address() -> bool {
    Insn::decode(&[0x48, 0x8B, 0x58, 0x10], Mode::Bits64)
        .ok()
        .and_then(|insn| insn.address(tls::vs()))
        .map_or(false, |la| la.0 == tls::rax().wrapping_add(0x10))
}

fn simple(request: &str, reply: &mut Reply) -> bool {
    match request {
        "burst" => (0..20).for_each(|i| log_ratelimited!(Level::Info, "burst {}", i)),
        "levels" => {
            log!(Level::Error, "level {}", -1);
            log!(Level::Warning, "level {:#06x}", 0xAB);
            log!(Level::Debug, "level that is not said");
        }
        "long" => (0..channel::REPLY_MAX).for_each(|_| reply.push(b"ab")),
        "emit" => {
            if let Err(error) = channel::emit(b"oooo")
                .and_then(|()| emit!("record {:#06x}", 0xAB))
                .and_then(|()| emit!(""))
                .and_then(|()| channel::emit_lossless(b"oooo"))
            {
                return write!(reply, "{}", error).is_err();
            }
            // One that is too large is refused, with its status.
            if let Err(error) = channel::emit(&LARGE) {
                return write!(reply, "{}", error).is_ok();
            }
        }
        "exit" => {
            let number = exits::number(REASON.load(Relaxed));
            return write!(reply, "{}", exits::name(number)).is_ok();
        }
        "count" => return write!(reply, "{}", CALLED.load(Relaxed)).is_ok(),
        "seen" => {
            return write!(
                reply,
                "{} {} {}",
                CR_WRITES.load(Relaxed),
                DR_READS.load(Relaxed),
                DR_WRITES.load(Relaxed)
            )
            .is_ok()
        }
        "address" => return write!(reply, "{}", address()).is_ok(),
        "vm" => {
            return match vm::go() {
                Ok(text) => write!(reply, "{}", text).is_ok(),
                Err(why) => reply.refuse(why),
            }
        }
        "emulator" => return write!(reply, "{}", emulate::check()).is_ok(),
        "vms" => return write!(reply, "{}", vm::many()).is_ok(),
        "fail" => fail!("asked to, by VS {}", tls::vs().0),
        _ => return reply.refuse("unknown request"),
    }
    true
}

type Request = fn(Gla, &str, &mut Reply) -> bool;

fn on_call(request: &[u8], reply: &mut Reply) -> bool {
    let requests: [(&str, Request); 3] = [("read", read), ("same", same), ("name", name)];
    let mut words = core::str::from_utf8(request).unwrap_or("").splitn(3, ' ');
    let word = words.next().unwrap_or("");
    let second = words.next().unwrap_or("");
    let at = Some(second).and_then(|number| u64::from_str_radix(number, 16).ok());

    if word == "decode" {
        return decode(second, reply);
    }
    match (requests.iter().find(|(name, _)| *name == word), at) {
        (Some((_, function)), Some(at)) => function(Gla(at), words.next().unwrap_or(""), reply),
        _ => simple(word, reply),
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["at", "watch", "gpa"])?;
    AT.store(arg::number("at", 0)?, Relaxed);
    let may_watch = arg::switch("watch", false)?;
    let gpa = arg::number("gpa", 0)?;
    match gpa {
        0 => frame::run_linux::<Wrappers<false>>(specs)?,
        _ => frame::run_linux::<Wrappers<true>>(specs)?,
    }
    watch::watch_exceptions(Vectors::UD)?;
    if may_watch {
        let drs = Drs::DR0 | Drs::DR1 | Drs::DR2 | Drs::DR3 | Drs::DR6 | Drs::DR7;
        watch::watch_cr(Crs::CR4)?;
        watch::watch_dr(drs)?;
    }
    if gpa != 0 {
        device::start(gpa)?;
    }
    channel::on_call(on_call)
}
