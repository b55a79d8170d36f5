// SPDX-License-Identifier: MIT
//! AMD: what exits and what the answer is (APM vol. 2, chapter 15).

use crate::{cpuid, edx_eax, get, give_up, resume, resume_next, set, set_edx_eax, HANDLE, HANDLE2};
use core::sync::atomic::{AtomicU64, Ordering};
use mk1::{mk2::ListEntry, svm_exit as exit, tls, AmdReg as Reg, VsId};

/// CPUID, INVD, INVLPGA, MSR_PROT, SHUTDOWN
const INTERCEPTS1: u64 = 1 << 18 | 1 << 22 | 1 << 26 | 1 << 28 | 1 << 31;
/// The instructions of SVM; VMMCALL is left to the microkernel: #UD, or a call of an outer
/// hypervisor.
const INTERCEPTS2: u64 = 0x7D;

const MSR_EFER: u32 = 0xC000_0080;
const MSR_PATCH_LOADER: u32 = 0xC001_0020;
const MSR_VM_CR: u32 = 0xC001_0114;
const MSR_VM_HSAVE_PA: u32 = 0xC001_0117;
const EFER_SVME: u64 = 1 << 12;
/// SCE, NXE: all that Linux ever does.
const EFER_MAY_CHANGE: u64 = 1 << 0 | 1 << 11;
/// SVMDIS and LOCK, §15.30.1
const VM_CR_DISABLED: u64 = 0x18;

/// Valid, type 3
const EVENT_EXCEPTION: u64 = 0x8000_0300;
const EVENT_UD: u64 = EVENT_EXCEPTION | 6;
/// With error code 0
const EVENT_GP: u64 = EVENT_EXCEPTION | 0x800 | 13;

const MSRPM_SIZE: usize = 0x2000;

/// Where the MSR permission map lies: written by `prepare`, then only read.
static MSRPM: AtomicU64 = AtomicU64::new(0);

/// Two bits an MSR, three ranges of 0x2000 MSRs, 2 KiB each (§15.11).
fn intercept_msr(map: &mut [u8], msr: u32) {
    let range = match msr {
        0..=0x1FFF => 0,
        0xC000_0000..=0xC000_1FFF => 1,
        _ => 2,
    };
    let bit = (msr & 0x1FFF) as usize * 2;
    map[range * 0x800 + bit / 8] |= 3 << (bit % 8);
}

/// Once: the permission map that all PPs share.
pub fn prepare() -> mk1::Result<()> {
    let memory = HANDLE.mem_alloc_huge(MSRPM_SIZE)?;
    // SAFETY: it is ours, zeroed, and nobody else knows of it yet.
    let map = unsafe { core::slice::from_raw_parts_mut(memory.va, MSRPM_SIZE) };
    for msr in [MSR_EFER, MSR_PATCH_LOADER, MSR_VM_CR, MSR_VM_HSAVE_PA] {
        intercept_msr(map, msr);
    }
    MSRPM.store(memory.spa.0, Ordering::Relaxed);
    Ok(())
}

/// For each PP: the controls of a VS that has Linux's state already.
pub fn set_up(vs: VsId) -> mk1::Result<()> {
    let mut list = [
        ListEntry::of(Reg::intercept_instruction1),
        ListEntry::of(Reg::intercept_instruction2),
        ListEntry::of(Reg::efer),
    ];
    HANDLE2.vs_read_list(vs, &mut list)?;
    list[0].value |= INTERCEPTS1;
    list[1].value |= INTERCEPTS2;
    // VMRUN insists on it (§15.5.1).
    list[2].value |= EFER_SVME;
    HANDLE2.vs_write_list(vs, &list)?;
    HANDLE.vs_write(vs, Reg::guest_asid, 1)?;
    HANDLE.vs_write(vs, Reg::msrpm_base_pa, MSRPM.load(Ordering::Relaxed))
}

fn inject(vs: VsId, event: u64) -> ! {
    set(vs, Reg::eventinj, event);
    resume(vs)
}

/// The instruction had its effect, or takes #GP.
fn finish(vs: VsId, done: bool) -> ! {
    if done {
        resume_next(vs);
    }
    inject(vs, EVENT_GP)
}

fn read_msr(vs: VsId, msr: u32) -> bool {
    match msr {
        // So that KVM keeps away.
        MSR_EFER => set_edx_eax(get(vs, Reg::efer) | EFER_SVME),
        MSR_VM_CR => set_edx_eax(VM_CR_DISABLED),
        MSR_VM_HSAVE_PA => set_edx_eax(0),
        _ => return false,
    }
    true
}

fn write_msr(vs: VsId, msr: u32, value: u64) -> bool {
    match msr {
        // Linux writes that when it panics.
        MSR_VM_HSAVE_PA => value == 0,
        // Microcode is not loaded: Linux sees the revision that it had.
        MSR_PATCH_LOADER => true,
        MSR_EFER => {
            (get(vs, Reg::efer) ^ value) & !(EFER_MAY_CHANGE | EFER_SVME) == 0
                && HANDLE.vs_write(vs, Reg::efer, value | EFER_SVME).is_ok()
        }
        _ => false,
    }
}

/// The MSRs of the map, and those outside of its ranges, which no CPU has: #GP.
fn answer_msr(vs: VsId) -> ! {
    let msr = tls::rcx() as u32;
    let write = get(vs, Reg::exitinfo1) & 1 != 0;
    finish(
        vs,
        if write {
            write_msr(vs, msr, edx_eax())
        } else {
            read_msr(vs, msr)
        },
    )
}

pub extern "C" fn on_exit(vs: VsId, reason: u64) -> ! {
    let cpl = || get(vs, Reg::cpl);
    match u64::from(reason as u32) {
        exit::CPUID => cpuid::answer(vs, || get(vs, Reg::cr4), cpl),
        exit::MSR => answer_msr(vs),
        // Ignored: it throws away what other CPUs wrote.
        exit::INVD => finish(vs, cpl() == 0),
        exit::INVLPGA | exit::VMRUN..=exit::SKINIT => inject(vs, EVENT_UD),
        exit::SHUTDOWN => give_up("the guest shut down (triple fault)", vs, reason),
        _ => give_up("unexpected exit", vs, reason),
    }
}
