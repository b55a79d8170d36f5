// SPDX-License-Identifier: MIT
//! An extension in Rust that does what one needs at least: it takes Linux as the root VM on every
//! CPU, answers CPUID without VMX and SVM, and gives the CPUs back. Everything else passes through.
#![no_std]
#![deny(warnings)]

mod cpuid;
mod svm;
mod vmx;

use core::sync::atomic::{AtomicBool, Ordering};
use mk1::{mk2, print, tls, Fault, Handle, PpId, Register, Specs, VmId, VsId};

/// Open as soon as `start` has been through.
const HANDLE: Handle = Handle::PROMISED;
const HANDLE2: mk2::Handle = mk2::Handle::PROMISED;

/// Which vendor's VSs these are: written by `start`, then only read.
static IS_SVM: AtomicBool = AtomicBool::new(false);

mk1::start!(start);

fn start(specs: Specs) -> mk1::Result<()> {
    if !specs.has_mk1() {
        print!("rust-example: the microkernel does not speak Mk#1\n");
        return Err(mk1::Error::UNSUPPORTED);
    }
    if !specs.has_mk2() {
        print!("rust-example: the microkernel does not speak Mk#2\n");
        return Err(mk1::Error::UNSUPPORTED);
    }
    let handle = mk1::handle_open_handle()?;
    mk2::handle_open_handle()?;
    let is_svm = cpuid::cpu_is_amd();
    IS_SVM.store(is_svm, Ordering::Relaxed);
    if is_svm {
        svm::prepare()?;
    } else {
        vmx::prepare()?;
    }
    handle.callback_register_bootstrap(on_bootstrap)?;
    handle.callback_register_vmexit(if is_svm { svm::on_exit } else { vmx::on_exit })?;
    handle.callback_register_fail(on_fail)
}

/// A root VS for this PP, active and ready to run.
fn bootstrap(pp: PpId) -> mk1::Result<VsId> {
    let vp = HANDLE.vp_create_vp(VmId::ROOT)?;
    let vs = HANDLE.vs_create_vs(vp, pp)?;
    HANDLE.vs_init_as_root(vs)?;
    if IS_SVM.load(Ordering::Relaxed) {
        svm::set_up(vs)?;
    } else {
        vmx::set_up(vs)?;
    }
    HANDLE.vs_set_active(VmId::ROOT, vp, vs)?;
    // What an earlier run left in the TLB under the ASID or VPID that every PP uses.
    HANDLE.vm_tlb_flush(VmId::ROOT)?;
    Ok(vs)
}

/// On every PP at the start, and again on one that comes back (CPU hotplug, resume).
extern "C" fn on_bootstrap(pp: PpId) -> ! {
    match bootstrap(pp) {
        Ok(vs) => resume(vs),
        Err(error) => give_up("bootstrap failed", VsId::INVALID, error.status()),
    }
}

/// A bug in this extension: the microkernel takes the PP, Linux goes on.
extern "C" fn on_fail(fault: Fault, address: u64) -> ! {
    print!(
        "rust-example: PP {}: vector {}, error code {:#x}, address {:#x}\n",
        tls::pp().0,
        fault.vector(),
        fault.error_code(),
        address
    );
    mk1::fast_fail()
}

/// Prints what happened and the state of the VS, then hands this PP to the microkernel.
fn give_up(what: &str, vs: VsId, detail: u64) -> ! {
    print!(
        "rust-example: PP {}: {} ({:#x})\n",
        tls::pp().0,
        what,
        detail
    );
    if vs != VsId::INVALID {
        // Nothing is left to be done about an error here.
        let _ = mk1::debug_dump_vs(vs);
    }
    mk1::fast_fail()
}

/// The guest goes on at the instruction that exited.
fn resume(vs: VsId) -> ! {
    give_up("run_current failed", vs, HANDLE.vs_run_current().status())
}

/// The guest goes on behind the instruction that exited.
fn resume_next(vs: VsId) -> ! {
    let error = HANDLE.vs_advance_ip_and_run_current();
    give_up("advance_ip_and_run_current failed", vs, error.status())
}

/// A register that a correct microkernel always has.
fn get(vs: VsId, reg: impl Register) -> u64 {
    match HANDLE.vs_read(vs, reg) {
        Ok(value) => value,
        Err(_) => give_up("register not readable", vs, reg.number()),
    }
}

fn set(vs: VsId, reg: impl Register, value: u64) {
    if HANDLE.vs_write(vs, reg, value).is_err() {
        give_up("register not writable", vs, reg.number());
    }
}

/// EDX:EAX of the guest.
fn edx_eax() -> u64 {
    tls::rdx() << 32 | u64::from(tls::rax() as u32)
}

fn set_edx_eax(value: u64) {
    tls::set_rax(u64::from(value as u32));
    tls::set_rdx(value >> 32);
}
