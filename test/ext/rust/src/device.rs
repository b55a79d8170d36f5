// SPDX-License-Identifier: GPL-2.0-only
//! The device of test/ext/device.c, by the crate's wrappers.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use mk1::device::{self, Device};
use mk1::frame::{Exit, Reg};
use mk1::lock::Mutex;
use mk1::mk2::Gpa;
use mk1::watch::{self, Fault, Raised, Rights};
use mk1::{inject, print, tls, Gla};

const PAGE: usize = 4096;
const FAULTS: u64 = 4095;
const INTERRUPTS: u64 = 4094;
const VECTOR: u8 = 0xF2;

struct Page {
    gpa: AtomicU64,
    content: Mutex<[u8; PAGE]>,
}

static DEVICE: Page = Page {
    gpa: AtomicU64::new(0),
    content: Mutex::new([0; PAGE]),
};
static EMULATED: AtomicU64 = AtomicU64::new(0);
static INJECTED: AtomicU64 = AtomicU64::new(0);
static INTERRUPTED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static LAST: Mutex<&str> = Mutex::new("none");

impl Device for Page {
    fn gpa(&self) -> Gpa {
        Gpa(self.gpa.load(Relaxed))
    }

    fn size(&self) -> u64 {
        PAGE as u64
    }

    fn read(&self, offset: u64, data: &mut [u8]) {
        let at = offset as usize;
        data.copy_from_slice(&self.content.lock()[at..at + data.len()]);
    }

    fn write(&self, offset: u64, data: &[u8], expected: Option<&[u8]>) -> bool {
        let at = offset as usize;
        let mut content = self.content.lock();
        let place = &mut content[at..at + data.len()];
        let same = expected.map_or(true, |old| *place == *old);
        if same && at < PAGE / 2 {
            place.copy_from_slice(data);
        }
        same
    }
}

/// A page that may not be accessed, though Linux says that it may.
fn raise(exit: &mut Exit, fault: &Fault) -> bool {
    let error_code = if fault.access.has(Rights::WRITE) {
        7
    } else {
        5
    };
    let page_fault = Raised::page_fault(error_code, Gla(exit.read(Reg::rbx)));

    // There is no exception 32.
    if inject::exception(exit, &Raised::new(32, 0)).is_ok()
        || inject::exception(exit, &page_fault).is_err()
    {
        return false;
    }
    INJECTED.fetch_add(1, Relaxed);
    true
}

/// For the hook of this name.
pub fn nested_fault(exit: &mut Exit, fault: &Fault) -> bool {
    if !device::has(&DEVICE, fault.gpa) {
        return false;
    }
    if fault.gpa.0 - DEVICE.gpa().0 == FAULTS && exit.cpl() == 3 {
        return raise(exit, fault);
    }
    match device::emulate(exit, &DEVICE) {
        Ok(()) => {
            EMULATED.fetch_add(1, Relaxed);
            if fault.gpa.0 - DEVICE.gpa().0 == INTERRUPTS
                && inject::interrupt(exit, 14).is_err()
                && inject::interrupt(exit, VECTOR).is_ok()
            {
                INTERRUPTED.fetch_add(1, Relaxed);
            }
            true
        }
        Err(why) => {
            *LAST.lock() = why.why();
            REFUSED.fetch_add(1, Relaxed);
            false
        }
    }
}

/// Counts what was not counted yet.
pub fn report() {
    let counts = [&EMULATED, &INJECTED, &INTERRUPTED, &REFUSED].map(|count| count.swap(0, Relaxed));
    if counts != [0; 4] {
        print!(
            "device: PP {}: {} emulated, {} injected, {} interrupts, {} refused, the last: {}\n",
            tls::pp().0,
            counts[0],
            counts[1],
            counts[2],
            counts[3],
            *LAST.lock()
        );
    }
}

/// From now on the device is there.
pub fn start(gpa: u64) -> mk1::Result<()> {
    DEVICE.gpa.store(gpa, Relaxed);
    for (i, byte) in DEVICE.content.lock().iter_mut().enumerate() {
        *byte = (i * 7 + 1) as u8;
    }
    watch::watch(Gpa(gpa), PAGE as u64, Rights::READ)
}
