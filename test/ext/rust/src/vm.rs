// SPDX-License-Identifier: GPL-2.0-only
//! A VM of its own by mk1::vm: its exits, one after the other, and that its memory comes back.

use mk1::lock::Mutex;
use mk1::vm::{Exit, Mode, Port, Vm, MEMORY_MAX};
use mk1::watch::Rights;

const MEMORY: u64 = 0x8000;
const ENTRY: usize = 0x1000;
const HOLE: u64 = 0xF000; // an address without memory

/// In real mode.
const CODE: &[u8] = &[
    0xE4, 0x40, // inb $0x40, %al
    0xE7, 0x80, // outw %ax, $0x80
    0x66, 0xB9, 0x1B, 0x00, 0x00, 0x00, // mov $0x1B, %ecx
    0x0F, 0x32, // rdmsr
    0x0F, 0x30, // wrmsr
    0x0F, 0xA2, // cpuid
    0xF4, // hlt
    0xA0, 0x00, 0xF0, // movb HOLE, %al
];
const HLT: usize = 17; // it ends there
const STEPS: usize = 7;

struct Guest {
    vm: Vm,
    step: usize,
}

static GUEST: Mutex<Option<Guest>> = Mutex::new(None);

fn begin() -> mk1::Result<Guest> {
    let mut vm = Vm::create(MEMORY)?;
    vm.memory_mut()[ENTRY..ENTRY + CODE.len()].copy_from_slice(CODE);
    vm.reset(Mode::Real, ENTRY as u64)?;
    Ok(Guest { vm, step: 0 })
}

/// Whether it is the exit that there must be now, which is answered.
fn answer(vm: &mut Vm, step: usize, exit: &Exit) -> bool {
    let port = |number, size| Port { number, size };

    match (step, *exit) {
        (0, Exit::In(at)) => {
            vm.input(at, 0x1A7); // of which IN takes the low byte
            at == port(0x40, 1)
        }
        (1, Exit::Out(at, 0xA7)) => at == port(0x80, 2),
        (2, Exit::Rdmsr) => {
            vm.regs_mut().rax = 0x11;
            vm.regs_mut().rdx = 0x55;
            vm.regs().rcx == 0x1B
        }
        (3, Exit::Wrmsr) => vm.regs().rax == 0x11 && vm.regs().rdx == 0x55,
        (4, Exit::Cpuid) => {
            vm.regs_mut().rax = 0xABCD;
            true
        }
        (5, Exit::Hlt) => vm.regs().rax == 0xABCD && vm.regs().rip == (ENTRY + HLT) as u64,
        (6, Exit::Memory(gpa, access)) => gpa.0 == HOLE && access == Rights::READ,
        _ => false,
    }
}

/// Up to the last exit, "done", or up to an interrupt for Linux, "more".
pub fn go() -> Result<&'static str, &'static str> {
    let mut slot = GUEST.lock();
    let mut guest = match slot.take() {
        Some(guest) => guest,
        None => begin().map_err(|_| "no VM")?,
    };
    let Guest { vm, step } = &mut guest; // on the stack, also while it runs
    let exit = vm.run_while(|vm, exit| {
        let good = answer(vm, *step, exit);
        *step += usize::from(good);
        good && *step < STEPS
    });
    if exit == Exit::Interrupted {
        *slot = Some(guest);
        return Ok("more");
    }
    if guest.step == STEPS {
        Ok("done")
    } else {
        Err("another exit")
    }
}

/// VMs come and go, more than there is memory for at a time; and what is refused.
pub fn many() -> bool {
    (0..8).all(|_| Vm::create(0x100000).is_ok())
        && (0..8).all(|_| Vm::create(0x1000).and_then(Vm::destroy).is_ok())
        && Vm::create(0x1001).is_err()
        && Vm::create(MEMORY_MAX).is_err() // the pool has 2 MiB
}
