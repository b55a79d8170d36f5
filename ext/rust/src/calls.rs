// SPDX-License-Identifier: MIT
//! Every call of Mk#1 under its own name: those that take a handle are methods of [`Handle`].
//!
//! The control, run and promote calls come back only when they fail, and return why. docs/abi says
//! what each call does and when it fails.

use crate::sys;
use crate::types::*;

pub(crate) fn check(status: u64) -> Result<()> {
    if status == sys::SUCCESS {
        Ok(())
    } else {
        Err(Error::from_status(status))
    }
}

pub(crate) fn value((status, out): (u64, u64)) -> Result<u64> {
    check(status).map(|()| out)
}

fn memory((status, va, spa): (u64, u64, u64)) -> Result<Memory> {
    check(status).map(|()| Memory {
        va: va as *mut u8,
        spa: Spa(spa),
    })
}

/// Ends the run of this extension on this PP: the microkernel takes over.
pub fn control_exit() -> Error {
    // SAFETY: changes nothing that Rust relies on.
    Error::from_status(unsafe { sys::control_exit() })
}

/// Ends `_start`: the callbacks do the rest.
pub fn control_wait() -> Error {
    // SAFETY: changes nothing that Rust relies on.
    Error::from_status(unsafe { sys::control_wait() })
}

/// Ends the fail callback: the instruction that faulted is executed again.
pub fn control_again() -> Error {
    // SAFETY: changes nothing that Rust relies on.
    Error::from_status(unsafe { sys::control_again() })
}

/// This callback may take longer than the watchdog's limit, by so many ns: a call beyond Mk#1.
pub fn more_time(ns: u64) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::more_time(ns) })
}

/// Prints two values in hex.
pub fn debug_out(val1: u64, val2: u64) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_out(val1, val2) })
}

/// Prints the state of a VM.
pub fn debug_dump_vm(vm: VmId) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_vm(vm.0.into()) })
}

/// Prints the state of a VP.
pub fn debug_dump_vp(vp: VpId) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_vp(vp.0.into()) })
}

/// Prints the state of a VS.
pub fn debug_dump_vs(vs: VsId) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_vs(vs.0.into()) })
}

/// Prints the last exits on a PP, oldest first.
pub fn debug_dump_vmexit_log(pp: PpId) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_vmexit_log(pp.0.into()) })
}

/// Prints one character.
pub fn debug_write_c(c: u8) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_write_c(c.into()) })
}

/// Prints a text, up to its first NUL. See [`print!`](crate::print).
pub fn debug_write_str(text: &str) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_write_str(text.as_ptr() as u64, text.len() as u64) })
}

/// Prints the state of an extension.
pub fn debug_dump_ext(ext: ExtId) -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_ext(ext.0.into()) })
}

/// Prints the state of the page pool.
pub fn debug_dump_page_pool() -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_page_pool() })
}

/// Prints the state of the huge pool.
pub fn debug_dump_huge_pool() -> Result<()> {
    // SAFETY: changes nothing that Rust relies on.
    check(unsafe { sys::debug_dump_huge_pool() })
}

/// A handle: what most calls ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Handle(u64);

/// `handle_open_handle` for Mk#1.
pub fn handle_open_handle() -> Result<Handle> {
    // SAFETY: changes nothing that Rust relies on.
    value(unsafe { sys::handle_open_handle(sys::SPEC_ID.into()) }).map(Handle)
}

impl Handle {
    /// The handle that Mk#1 promises to hand out; an extension may rely on it in its callbacks.
    pub const PROMISED: Self = Self(sys::HANDLE);

    /// Closes the handle.
    pub fn handle_close_handle(self) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::handle_close_handle(self.0) })
    }

    /// Registers the function that is called once on each PP.
    pub fn callback_register_bootstrap(self, function: Bootstrap) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::callback_register_bootstrap(self.0, function as usize as u64) })
    }

    /// Registers the function that answers exits.
    pub fn callback_register_vmexit(self, function: Vmexit) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::callback_register_vmexit(self.0, function as usize as u64) })
    }

    /// Registers the function that is called after a fault in the extension.
    pub fn callback_register_fail(self, function: Fail) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::callback_register_fail(self.0, function as usize as u64) })
    }

    /// A new VM.
    pub fn vm_create_vm(self) -> Result<VmId> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_create_vm(self.0) }).map(|id| VmId(id as u16))
    }

    /// Destroys a VM that is not active and has no VPs.
    pub fn vm_destroy_vm(self, vm: VmId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vm_destroy_vm(self.0, vm.0.into()) })
    }

    /// Maps a page of the machine in the direct map of a VM.
    pub fn vm_map_direct(self, vm: VmId, spa: Spa) -> Result<*mut u8> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_map_direct(self.0, vm.0.into(), spa.0) }).map(|va| va as *mut u8)
    }

    /// Takes a page out of the direct map again, and out of the TLB of this PP.
    ///
    /// # Safety
    /// Nothing refers to the page any more.
    pub unsafe fn vm_unmap_direct(self, vm: VmId, va: *mut u8) -> Result<()> {
        check(sys::vm_unmap_direct(self.0, vm.0.into(), va as u64))
    }

    /// Takes a page out of the direct map again, and out of the TLB of every PP.
    ///
    /// # Safety
    /// Nothing refers to the page any more.
    pub unsafe fn vm_unmap_direct_broadcast(self, vm: VmId, va: *mut u8) -> Result<()> {
        check(sys::vm_unmap_direct_broadcast(
            self.0,
            vm.0.into(),
            va as u64,
        ))
    }

    /// Drops the translations that this PP has of a VM.
    pub fn vm_tlb_flush(self, vm: VmId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vm_tlb_flush(self.0, vm.0.into()) })
    }

    /// A new VP of a VM.
    pub fn vp_create_vp(self, vm: VmId) -> Result<VpId> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vp_create_vp(self.0, vm.0.into()) }).map(|id| VpId(id as u16))
    }

    /// Destroys a VP that is not active and has no VSs.
    pub fn vp_destroy_vp(self, vp: VpId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vp_destroy_vp(self.0, vp.0.into()) })
    }

    /// A new VS of a VP, assigned to a PP.
    pub fn vs_create_vs(self, vp: VpId, pp: PpId) -> Result<VsId> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vs_create_vs(self.0, vp.0.into(), pp.0.into()) })
            .map(|id| VsId(id as u16))
    }

    /// Destroys a VS that is not active.
    pub fn vs_destroy_vs(self, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_destroy_vs(self.0, vs.0.into()) })
    }

    /// Gives a VS the state in which the loader found its PP.
    pub fn vs_init_as_root(self, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_init_as_root(self.0, vs.0.into()) })
    }

    /// Reads a register.
    pub fn vs_read(self, vs: VsId, reg: impl Register) -> Result<u64> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vs_read(self.0, vs.0.into(), reg.number()) })
    }

    /// Writes a register.
    pub fn vs_write(self, vs: VsId, reg: impl Register, value: u64) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_write(self.0, vs.0.into(), reg.number(), value) })
    }

    /// Makes a VS active and runs it.
    pub fn vs_run(self, vm: VmId, vp: VpId, vs: VsId) -> Error {
        // SAFETY: changes nothing that Rust relies on.
        Error::from_status(unsafe { sys::vs_run(self.0, vm.0.into(), vp.0.into(), vs.0.into()) })
    }

    /// Runs the active VS.
    pub fn vs_run_current(self) -> Error {
        // SAFETY: changes nothing that Rust relies on.
        Error::from_status(unsafe { sys::vs_run_current(self.0) })
    }

    /// Takes the active VS past its instruction, then runs a VS.
    pub fn vs_advance_ip_and_run(self, vm: VmId, vp: VpId, vs: VsId) -> Error {
        // SAFETY: changes nothing that Rust relies on.
        Error::from_status(unsafe {
            sys::vs_advance_ip_and_run(self.0, vm.0.into(), vp.0.into(), vs.0.into())
        })
    }

    /// Runs the active VS behind the instruction that exited.
    pub fn vs_advance_ip_and_run_current(self) -> Error {
        // SAFETY: changes nothing that Rust relies on.
        Error::from_status(unsafe { sys::vs_advance_ip_and_run_current(self.0) })
    }

    /// Leaves the hypervisor on this PP, which continues as this VS.
    pub fn vs_promote(self, vs: VsId) -> Error {
        // SAFETY: changes nothing that Rust relies on.
        Error::from_status(unsafe { sys::vs_promote(self.0, vs.0.into()) })
    }

    /// Drops what the hardware caches of a VS.
    pub fn vs_clear(self, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_clear(self.0, vs.0.into()) })
    }

    /// Assigns a VS that is not active to another PP.
    pub fn vs_migrate(self, vs: VsId, pp: PpId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_migrate(self.0, vs.0.into(), pp.0.into()) })
    }

    /// Makes a VS active.
    pub fn vs_set_active(self, vm: VmId, vp: VpId, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_set_active(self.0, vm.0.into(), vp.0.into(), vs.0.into()) })
    }

    /// Takes the active VS past its instruction, then makes a VS active.
    pub fn vs_advance_ip_and_set_active(self, vm: VmId, vp: VpId, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe {
            sys::vs_advance_ip_and_set_active(self.0, vm.0.into(), vp.0.into(), vs.0.into())
        })
    }

    /// Drops the translations that this PP has of one page.
    pub fn vs_tlb_flush(self, vs: VsId, gla: Gla) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_tlb_flush(self.0, vs.0.into(), gla.0) })
    }

    /// Reads an MSR of this PP.
    pub fn intrinsic_rdmsr(self, msr: Msr) -> Result<u64> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::intrinsic_rdmsr(self.0, msr.0.into()) })
    }

    /// Writes an MSR of this PP.
    pub fn intrinsic_wrmsr(self, msr: Msr, value: u64) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::intrinsic_wrmsr(self.0, msr.0.into(), value) })
    }

    /// One zeroed page of 4 KiB.
    pub fn mem_alloc_page(self) -> Result<Memory> {
        // SAFETY: changes nothing that Rust relies on.
        memory(unsafe { sys::mem_alloc_page(self.0) })
    }

    /// Gives a page back.
    ///
    /// # Safety
    /// Nothing refers to the page any more.
    pub unsafe fn mem_free_page(self, va: *mut u8) -> Result<()> {
        check(sys::mem_free_page(self.0, va as u64))
    }

    /// Contiguous memory, rounded up to whole pages.
    pub fn mem_alloc_huge(self, bytes: usize) -> Result<Memory> {
        // SAFETY: changes nothing that Rust relies on.
        memory(unsafe { sys::mem_alloc_huge(self.0, bytes as u64) })
    }

    /// Gives contiguous memory back.
    ///
    /// # Safety
    /// Nothing refers to the memory any more.
    pub unsafe fn mem_free_huge(self, va: *mut u8) -> Result<()> {
        check(sys::mem_free_huge(self.0, va as u64))
    }
}
