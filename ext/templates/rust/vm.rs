// SPDX-License-Identifier: MIT
//! second-vm: a VM of its own beside Linux, which runs in turns with it. Each
//!
//!     bfm call second-vm run
//!
//! is a turn of the guest: up to its HLT, or to the next interrupt for Linux, which has the CPU
//! back at once. The answer says how it ended; what the guest prints is in bfm dump. The guest asks
//! by CPUID how far it is to count (bfm start second-vm --arg count=1000), adds up the numbers and
//! halts; the next turn does it again.
#![no_std]

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::channel::{self, Reply};
use mk1::frame::{self, Hook, Hooks};
use mk1::lock::Mutex;
use mk1::log::Level;
use mk1::vm::{Exit, Mode, Regs, Vm};
use mk1::{arg, fail, log, Specs};

mk1::name!("second-vm");
mk1::start!(start);

const MEMORY: u64 = 0x10000;
const ENTRY: usize = 0x1000;
const CONSOLE: u16 = 0xE9;
const LEAF: u32 = 0x4F00_0003;

/// In 64-bit mode, at ENTRY.
const GUEST: &[u8] = &[
    0x48, 0x8D, 0x35, 0x20, 0x00, 0x00, 0x00, // begin: lea text(%rip), %rsi
    0xAC, // next: lodsb
    0x84, 0xC0, // test %al, %al
    0x74, 0x04, // jz count
    0xE6, 0xE9, // outb %al, $CONSOLE
    0xEB, 0xF7, // jmp next
    0xB8, 0x03, 0x00, 0x00, 0x4F, // count: mov $LEAF, %eax
    0x0F, 0xA2, // cpuid
    0x89, 0xC1, // mov %eax, %ecx
    0x31, 0xC0, // xor %eax, %eax
    0x48, 0x01, 0xC8, // add: add %rcx, %rax
    0x48, 0x83, 0xE9, 0x01, // sub $1, %rcx
    0x75, 0xF7, // jnz add
    0xF4, // hlt
    0xEB, 0xD9, // jmp begin
];
const TEXT: &[u8] = b"hello from the second VM\n\0"; // behind it

struct Guest {
    vm: Vm,
    line: [u8; 80],
    length: usize,
}

/// Made by the first request: at the start there is no CPU yet that runs Linux.
static SECOND: Mutex<Option<Guest>> = Mutex::new(None);
/// Written by `start`, then only read.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Guest {
    fn new() -> mk1::Result<Self> {
        let mut vm = Vm::create(MEMORY)?;
        let behind = &mut vm.memory_mut()[ENTRY..];
        behind[..GUEST.len()].copy_from_slice(GUEST);
        behind[GUEST.len()..GUEST.len() + TEXT.len()].copy_from_slice(TEXT);
        vm.reset(Mode::Long, ENTRY as u64)?;
        Ok(Self {
            vm,
            line: [0; 80],
            length: 0,
        })
    }

    /// Up to an exit that this does not deal with.
    fn turn(&mut self) -> Exit {
        let Self { vm, line, length } = self;

        vm.run_while(|vm, exit| match *exit {
            Exit::In(port) => {
                vm.input(port, !0); // there is no device
                true
            }
            Exit::Out(port, value) => {
                if port.number == CONSOLE && port.size == 1 {
                    print(line, length, value as u8);
                }
                true
            }
            Exit::Cpuid => {
                answer(vm.regs_mut());
                true
            }
            _ => false,
        })
    }
}

fn print(line: &mut [u8; 80], length: &mut usize, byte: u8) {
    if byte != b'\n' {
        line[*length] = byte;
        *length += 1;
    }
    if byte == b'\n' || *length == line.len() {
        let text = core::str::from_utf8(&line[..*length]).unwrap_or("no text");
        log!(Level::Info, "guest: {}", text);
        *length = 0;
    }
}

fn answer(regs: &mut Regs) {
    let leaf = regs.rax as u32;
    regs.rax = if leaf == LEAF { COUNT.load(Relaxed) } else { 0 };
    regs.rbx = 0;
    regs.rcx = 0;
    regs.rdx = 0;
}

fn on_call(request: &[u8], reply: &mut Reply) -> bool {
    if request != b"run" {
        return reply.refuse("run");
    }
    let mut second = SECOND.lock();
    if second.is_none() {
        *second = Guest::new().ok();
    }
    let guest = match second.as_mut() {
        Some(guest) => guest,
        None => return reply.refuse("there is no VM: bfm dump says why"),
    };
    let exit = guest.turn();
    let regs = guest.vm.regs();
    let written = match exit {
        Exit::Interrupted => write!(reply, "preempted at {:#x}", regs.rip),
        Exit::Hlt => write!(reply, "halted, RAX = {}", regs.rax),
        _ => {
            let written = write!(reply, "unexpected exit {:?} at {:#x}", exit, regs.rip);
            *second = None; // the next request has a new one
            written
        }
    };
    written.is_ok()
}

/// Nothing of Linux's is of interest here.
struct Second;

impl Hooks for Second {
    const ASKED: &'static [Hook] = &[];
}

fn start(specs: Specs) -> mk1::Result<()> {
    arg::load()?;
    arg::known(&["count"])?;
    let count = arg::number("count", 100_000)?;
    if !(1..=u32::MAX.into()).contains(&count) {
        fail!("count is from 1 to {:#x}", u32::MAX);
    }
    COUNT.store(count, Relaxed);
    frame::run_linux::<Second>(specs)?;
    channel::on_call(on_call)
}
