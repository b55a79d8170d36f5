// SPDX-License-Identifier: MIT
//! Intel: what exits and what the answer is (SDM vol. 3, chapters 25 to 28).

use crate::cpuid::{self, CR4_OSXSAVE};
use crate::{edx_eax, get, give_up, resume, resume_next, set, set_edx_eax, HANDLE, HANDLE2};
use core::sync::atomic::{AtomicU64, Ordering};
use mk1::{mk2::ListEntry, tls, vmx_exit as exit, IntelReg as Reg, Msr, VsId};

const PRIMARY_MSR_BITMAPS: u64 = 1 << 28;
const PRIMARY_SECONDARY: u64 = 1 << 31;
const SECONDARY_VPID: u64 = 1 << 5;
/// RDTSCP, VPID, INVPCID, XSAVES, user wait, PCONFIG: #UD without, and the TLB kept.
const SECONDARY_WANTED: u64 = 1 << 3 | SECONDARY_VPID | 1 << 12 | 1 << 20 | 1 << 26 | 1 << 27;

const MSR_FEATURE_CONTROL: u32 = 0x3A;
const MSR_VMX_FIRST: u32 = 0x480; // VMX_BASIC
const MSR_VMX_PROCBASED: u32 = 0x482;
const MSR_VMX_PROCBASED2: u32 = 0x48B;
const MSR_VMX_LAST: u32 = 0x493;
const MSR_MICROCODE: u32 = 0x79;
const FEATURE_CONTROL_LOCK: u64 = 1;
const FEATURE_CONTROL_VMX: u64 = 6; // inside and outside of SMX

/// Writes that exit beside: microcode, and the MTRRs, which the microkernel's EPT follows.
const WATCHED_WRITES: [core::ops::RangeInclusive<u32>; 6] = [
    MSR_MICROCODE..=MSR_MICROCODE,
    0x200..=0x23F,
    0x250..=0x250,
    0x258..=0x259,
    0x268..=0x26F,
    0x2FF..=0x2FF,
];

/// The bits of CR4 that Linux may have (abi/features.h, BF_CR4_KNOWN): another one cannot be set.
const CR4_KNOWN: u64 = 0x1BFF_3FFF;
/// In force as long as Linux is in long mode.
const CR4_PAE: u64 = 1 << 5;

/// Valid, type 3
const EVENT_EXCEPTION: u64 = 0x8000_0300;
const EVENT_UD: u64 = EVENT_EXCEPTION | 6;
/// With an error code
const EVENT_GP: u64 = EVENT_EXCEPTION | 0x800 | 13;

const BITMAP_SIZE: usize = 0x1000;
/// Low MSRs: reads in the first quarter of the page, writes in the third (§27.6.9).
const BITMAP_READS: usize = 0;
const BITMAP_WRITES: usize = 0x800;

/// Where the MSR bitmap lies: written by `prepare`, then only read.
static BITMAP: AtomicU64 = AtomicU64::new(0);

fn intercept_msr(quarter: &mut [u8], msr: u32) {
    quarter[msr as usize / 8] |= 1 << (msr % 8);
}

/// Once: the MSR bitmap that all PPs share.
pub fn prepare() -> mk1::Result<()> {
    let memory = HANDLE.mem_alloc_page()?;
    // SAFETY: it is ours, zeroed, and nobody else knows of it yet.
    let map = unsafe { core::slice::from_raw_parts_mut(memory.va, BITMAP_SIZE) };
    intercept_msr(&mut map[BITMAP_READS..], MSR_FEATURE_CONTROL);
    intercept_msr(&mut map[BITMAP_WRITES..], MSR_FEATURE_CONTROL);
    for msr in MSR_VMX_FIRST..=MSR_VMX_LAST {
        intercept_msr(&mut map[BITMAP_READS..], msr);
    }
    for msr in WATCHED_WRITES.into_iter().flatten() {
        intercept_msr(&mut map[BITMAP_WRITES..], msr);
    }
    BITMAP.store(memory.spa.0, Ordering::Relaxed);
    Ok(())
}

/// Turns those of the wanted controls on that the CPU has (appendix A.3). Returns the new value.
fn add_controls(vs: VsId, field: Reg, capability: u32, wanted: u64) -> mk1::Result<u64> {
    let may = HANDLE.intrinsic_rdmsr(Msr(capability))? >> 32;
    let value = HANDLE.vs_read(vs, field)? | (wanted & may);
    HANDLE.vs_write(vs, field, value)?;
    Ok(value)
}

/// For each PP. init_as_root has set what the CPU and the microkernel insist on.
pub fn set_up(vs: VsId) -> mk1::Result<()> {
    let bitmap = BITMAP.load(Ordering::Relaxed);
    let mask = HANDLE.vs_read(vs, Reg::cr4_guest_host_mask)? | !CR4_KNOWN;
    HANDLE2.vs_write_list(
        vs,
        &[
            ListEntry::new(Reg::vmcs_link_pointer, u64::MAX),
            ListEntry::new(Reg::address_of_msr_bitmaps, bitmap),
            ListEntry::new(Reg::cr4_guest_host_mask, mask),
        ],
    )?;
    let primary = add_controls(
        vs,
        Reg::primary_proc_based_vm_execution_ctls,
        MSR_VMX_PROCBASED,
        PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY,
    )?;
    if primary & PRIMARY_MSR_BITMAPS == 0 {
        give_up("this CPU has no MSR bitmaps", vs, primary);
    }
    if primary & PRIMARY_SECONDARY == 0 {
        return Ok(());
    }
    // A VPID has to be there before its control, or the VS is invalid in between.
    HANDLE.vs_write(vs, Reg::virtual_processor_identifier, 1)?;
    let secondary = add_controls(
        vs,
        Reg::secondary_proc_based_vm_execution_ctls,
        MSR_VMX_PROCBASED2,
        SECONDARY_WANTED,
    )?;
    if secondary & SECONDARY_VPID == 0 {
        HANDLE.vs_write(vs, Reg::virtual_processor_identifier, 0)?;
    }
    Ok(())
}

/// CR4 as the guest reads it: the bits of the mask come from the shadow (§27.6.6).
fn guest_cr4(vs: VsId) -> u64 {
    let mask = get(vs, Reg::cr4_guest_host_mask);
    (get(vs, Reg::cr4) & !mask) | (get(vs, Reg::cr4_read_shadow) & mask)
}

/// DPL of SS, §27.4.1
fn guest_cpl(vs: VsId) -> u64 {
    get(vs, Reg::ss_attrib) >> 5 & 3
}

fn inject(vs: VsId, event: u64) -> ! {
    set(vs, Reg::vmentry_exception_error_code, 0);
    set(vs, Reg::vmentry_interrupt_information_field, event);
    resume(vs)
}

/// MOV to CR4 exits when it changes a bit that VMX forces (VMXE, which Linux sets to say that VMX
/// is in use, and which a crash kernel clears with most others), or one that is not known (table
/// 28-3).
fn write_cr(vs: VsId) -> bool {
    const OPERANDS: [Reg; 16] = [
        Reg::rax,
        Reg::rcx,
        Reg::rdx,
        Reg::rbx,
        Reg::rsp,
        Reg::rbp,
        Reg::rsi,
        Reg::rdi,
        Reg::r8,
        Reg::r9,
        Reg::r10,
        Reg::r11,
        Reg::r12,
        Reg::r13,
        Reg::r14,
        Reg::r15,
    ];
    let qualification = get(vs, Reg::exit_qualification);
    let value = get(vs, OPERANDS[(qualification >> 8 & 0xF) as usize]);
    if qualification & 0x3F != 4 || value & !CR4_KNOWN != 0 || value & CR4_PAE == 0 {
        return false;
    }
    set(vs, Reg::cr4_read_shadow, value);
    // The microkernel adds what VMX forces.
    set(vs, Reg::cr4, value);
    HANDLE.vm_tlb_flush(tls::vm()).is_ok()
}

/// The instruction had its effect, or takes #GP.
fn finish(vs: VsId, done: bool) -> ! {
    if done {
        resume_next(vs);
    }
    inject(vs, EVENT_GP)
}

/// VT-x looks disabled by firmware; what is outside of the bitmap's ranges, no CPU has.
fn read_msr(msr: u32) -> bool {
    if msr != MSR_FEATURE_CONTROL {
        return false;
    }
    match HANDLE.intrinsic_rdmsr(Msr(msr)) {
        Ok(value) => set_edx_eax((value & !FEATURE_CONTROL_VMX) | FEATURE_CONTROL_LOCK),
        Err(_) => return false,
    }
    true
}

/// FEATURE_CONTROL is locked. Microcode is not loaded, as if the CPU had refused it: Linux sees the
/// revision that it had. What is left is for the microkernel to check.
fn write_msr(msr: u32, value: u64) -> bool {
    match msr {
        MSR_FEATURE_CONTROL => false,
        MSR_MICROCODE => true,
        _ => HANDLE.intrinsic_wrmsr(Msr(msr), value).is_ok(),
    }
}

/// XCR0 is all there is (SDM vol. 1 §13.3). Faults for the lack of privilege come before exits
/// (§28.1.1), but not on every implementation: nothing may depend on that.
fn answer_xsetbv(vs: VsId) -> ! {
    if get(vs, Reg::cr4) & CR4_OSXSAVE == 0 {
        inject(vs, EVENT_UD);
    }
    let done = guest_cpl(vs) == 0
        && tls::rcx() as u32 == 0
        && HANDLE.vs_write(vs, Reg::xcr0, edx_eax()).is_ok();
    finish(vs, done)
}

pub extern "C" fn on_exit(vs: VsId, reason: u64) -> ! {
    match reason {
        exit::CPUID => cpuid::answer(vs, || guest_cr4(vs), || guest_cpl(vs)),
        exit::RDMSR => finish(vs, read_msr(tls::rcx() as u32)),
        exit::XSETBV => answer_xsetbv(vs),
        exit::WRMSR => finish(vs, write_msr(tls::rcx() as u32, edx_eax())),
        exit::CR_ACCESS => finish(vs, write_cr(vs)),
        // Ignored: it throws away what other CPUs wrote.
        exit::INVD => finish(vs, guest_cpl(vs) == 0),
        exit::GETSEC | exit::VMCALL..=exit::VMXON | exit::INVEPT | exit::INVVPID | exit::VMFUNC => {
            inject(vs, EVENT_UD)
        }
        exit::TRIPLE_FAULT => give_up("the guest shut down (triple fault)", vs, reason),
        _ => give_up("unexpected exit", vs, reason),
    }
}
