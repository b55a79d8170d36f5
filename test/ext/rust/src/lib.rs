// SPDX-License-Identifier: GPL-2.0-only
//! The crate's wrappers of libext, by what they do to Linux. Requests; numbers are hexadecimal:
//!
//!     read ADDRESS        the string there
//!     same ADDRESS        whether eight bytes there are those at its physical address
//!     name ADDRESS NAME   writes the string to ADDRESS
//!     burst               20 lines from one place
//!     levels              a line of each level
//!     long                more than a reply has room for
//!     emit                two records
//!     exit                the name of the exit that CPUID is
//!     count               how often the hook was called
//!     fail                ends the run
//!
//! With the argument at=ADDRESS, the function there is hooked. For test/kselftest/languages.sh.
#![no_std]
#![deny(warnings)]

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::channel::{self, Reply};
use mk1::frame::{self, CpuidRegs, Exit, Hook, Hooks, Reg};
use mk1::log::Level;
use mk1::{arg, emit, exits, fail, hook, log, log_ratelimited, memory, tls, Gla, Specs, VsId};

mk1::name!("rust-wrappers");
mk1::start!(start);

static AT: AtomicU64 = AtomicU64::new(0);
static CALLED: AtomicU64 = AtomicU64::new(0);
static LARGE: [u8; channel::EMIT_MAX + 1] = [0; channel::EMIT_MAX + 1];
static REASON: AtomicU64 = AtomicU64::new(0);

struct Wrappers;

impl Hooks for Wrappers {
    const ASKED: &'static [Hook] = &[Hook::CpuIn, Hook::Cpuid];

    fn cpu_in(vs: VsId) -> bool {
        let at = AT.load(Relaxed);
        at == 0
            || hook::hook(vs, Gla(at), |exit| {
                CALLED.fetch_add(1, Relaxed);
                log!(Level::Info, "called with {:#x}", exit.read(Reg::rdi));
            })
            .is_ok()
    }

    fn cpuid(exit: &mut Exit, _: u32, _: u32, _: &mut CpuidRegs) -> bool {
        REASON.store(exit.reason(), Relaxed);
        false
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
    if let Err(failed) = memory::read_phys(gpa, &mut there) {
        return write!(reply, "{}", failed).is_err();
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
    let at = words
        .next()
        .and_then(|number| u64::from_str_radix(number, 16).ok());

    match (requests.iter().find(|(name, _)| *name == word), at) {
        (Some((_, function)), Some(at)) => function(Gla(at), words.next().unwrap_or(""), reply),
        _ => simple(word, reply),
    }
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["at"])?;
    AT.store(arg::number("at", 0)?, Relaxed);
    frame::run_linux::<Wrappers>(specs)?;
    channel::on_call(on_call)
}
