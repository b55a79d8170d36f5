// SPDX-License-Identifier: MIT
//! Every call of Mk#2 under its own name: methods of its [`Handle`]. docs/abi/mk2.md says what each
//! call does and when it fails.

use crate::calls::{check, value};
use crate::sys;
use crate::types::*;

/// What a page of guest-physical memory may be: rights, memory type and size, put together by `|`.
pub mod nested {
    use crate::sys;

    /// Readable: always.
    pub const R: u64 = sys::NESTED_R;
    /// Writable.
    pub const W: u64 = sys::NESTED_W;
    /// Executable.
    pub const X: u64 = sys::NESTED_X;
    /// Other VMs may have it, too.
    pub const SHARED: u64 = sys::NESTED_SHARED;
    /// Write-back.
    pub const WB: u64 = sys::NESTED_WB;
    /// Uncacheable.
    pub const UC: u64 = sys::NESTED_UC;
    /// Write-through.
    pub const WT: u64 = sys::NESTED_WT;
    /// Pages of 4 KiB.
    pub const SIZE_4K: u64 = sys::NESTED_4K;
    /// Pages of 2 MiB.
    pub const SIZE_2M: u64 = sys::NESTED_2M;
    /// Pages of 1 GiB.
    pub const SIZE_1G: u64 = sys::NESTED_1G;
    /// Of a query only: the CPU has used it.
    pub const ACCESSED: u64 = sys::NESTED_ACCESSED;
    /// Of a query only: the CPU has written to it.
    pub const DIRTY: u64 = sys::NESTED_DIRTY;
}

/// The most entries of a list.
pub const LIST_MAX: usize = sys::LIST_MAX;

impl Error {
    /// The page pool is exhausted.
    pub const NO_MEMORY: Self = Self::from_status(sys::FAILURE_NO_MEMORY);
    /// Something is mapped there, or has been and was not flushed.
    pub const EXISTS: Self = Self::from_status(sys::FAILURE_EXISTS);
    /// An entry of a list was refused.
    pub const LIST: Self = Self::from_status(sys::FAILURE_LIST);
    /// It is in use.
    pub const BUSY: Self = Self::from_status(sys::FAILURE_BUSY);
    /// The extension that was called has ended.
    pub const ENDED: Self = Self::from_status(sys::FAILURE_ENDED);
}

/// A guest-physical address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Gpa(pub u64);

/// What is to be flushed, so that what was taken away is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Generation(pub u64);

/// The page that a guest-physical address is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NestedPage {
    /// Where it begins in the machine.
    pub spa: Spa,
    /// Those of [`nested`].
    pub flags: u64,
}

/// The extended state of a VS, in the standard format of XSAVE64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XsaveArea {
    /// The components that it has, as in XCR0.
    pub features: u64,
    /// Bytes.
    pub size: usize,
}

/// Bytes of arguments: as many as were copied, and as many as there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArgSizes {
    /// What was copied.
    pub copied: usize,
    /// All of them.
    pub total: usize,
}

/// The most bytes of a record.
pub const EMIT_MAX: usize = sys::EMIT_MAX;

/// The most bytes of arguments.
pub const ARGS_MAX: usize = sys::ARGS_MAX;

/// The bytes of x87 and SSE state, with which an area begins.
pub const XSAVE_LEGACY: usize = sys::XSAVE_LEGACY;

/// An entry of a list: a register, and its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ListEntry {
    reg: u64,
    /// What was read, or is to be written.
    pub value: u64,
}

impl ListEntry {
    /// To be written.
    pub fn new(reg: impl Register, value: u64) -> Self {
        Self {
            reg: reg.number(),
            value,
        }
    }

    /// To be read.
    pub fn of(reg: impl Register) -> Self {
        Self::new(reg, 0)
    }
}

/// Why a list failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListError {
    /// The status.
    pub error: Error,
    /// The entry that was refused, if the status is [`Error::LIST`].
    pub index: Option<usize>,
}

impl From<ListError> for Error {
    fn from(error: ListError) -> Self {
        error.error
    }
}

fn list((status, done): (u64, u64)) -> core::result::Result<(), ListError> {
    check(status).map_err(|error| ListError {
        error,
        index: (error == Error::LIST).then_some(done as usize),
    })
}

/// What other extensions call: the caller's id, and four words. It ends with
/// [`Handle::ext_reply`].
pub type Entry = extern "C" fn(ext: ExtId, a: u64, b: u64, c: u64, d: u64) -> !;

/// The handle of Mk#2, which the calls of Mk#1 do not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Handle(u64);

/// `handle_open_handle` of Mk#1, for Mk#2.
pub fn handle_open_handle() -> Result<Handle> {
    // SAFETY: changes nothing that Rust relies on.
    value(unsafe { sys::handle_open_handle(sys::MK2_ID.into()) }).map(Handle)
}

impl Handle {
    /// The handle that Mk#2 promises to hand out; an extension may rely on it in its callbacks.
    pub const PROMISED: Self = Self(sys::HANDLE2);

    /// Closes the handle.
    pub fn handle_close_handle(self) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::handle_close_handle(self.0) })
    }

    /// Registers the function that other extensions call.
    pub fn ext_set_entry(self, function: Entry) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::ext_set_entry(self.0, function as usize as u64) })
    }

    /// Calls another extension with four words, which answers with four.
    pub fn ext_call(self, ext: ExtId, words: [u64; 4]) -> Result<[u64; 4]> {
        let [a, b, c, d] = words;
        // SAFETY: changes nothing that Rust relies on: the other extension has its own memory.
        let (status, answer) = unsafe { sys::ext_call(self.0, ext.0.into(), a, b, c, d) };
        check(status).map(|()| answer)
    }

    /// Answers a call. Comes back only if there is none.
    pub fn ext_reply(self, words: [u64; 4]) -> Error {
        let [a, b, c, d] = words;
        // SAFETY: what it leaves behind is that of a callback.
        Error::from_status(unsafe { sys::ext_reply(self.0, a, b, c, d) })
    }

    /// Copies the extension's arguments, `KEY=VALUE` with a NUL each; zeros follow.
    pub fn ext_args(self, args: &mut [u8]) -> Result<ArgSizes> {
        // SAFETY: it writes to this memory.
        let (status, copied, total) =
            unsafe { sys::ext_args(self.0, args.as_mut_ptr() as u64, args.len() as u64) };
        check(status).map(|()| ArgSizes {
            copied: copied as usize,
            total: total as usize,
        })
    }

    /// Adds a record to the extension's channel, and returns its number. Lossless: refused where it
    /// would take the place of one that is still to be read.
    pub fn ext_emit(self, record: &[u8], lossless: bool) -> Result<u64> {
        let flags = if lossless { sys::EMIT_LOSSLESS } else { 0 };
        // SAFETY: it reads this memory.
        let (status, number) =
            unsafe { sys::ext_emit(self.0, record.as_ptr() as u64, record.len() as u64, flags) };
        check(status).map(|()| number)
    }

    /// The exits of a VM are this extension's.
    pub fn vm_set_handler(self, vm: VmId, function: Vmexit) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vm_set_handler(self.0, vm.0.into(), function as usize as u64) })
    }

    /// So are hypercalls of Linux's kernel, with RAX from `first` to `last`.
    pub fn hypercall_route(self, first: u64, last: u64, function: Vmexit) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::hypercall_route(self.0, first, last, function as usize as u64) })
    }

    /// Maps memory of the machine, `size` bytes of it, in a guest.
    ///
    /// # Safety
    /// Nothing in Rust refers to the memory.
    pub unsafe fn vm_nested_map(
        self,
        vm: VmId,
        gpa: Gpa,
        spa: Spa,
        size: u64,
        flags: u64,
    ) -> Result<()> {
        check(sys::vm_nested_map(
            self.0,
            vm.0.into(),
            gpa.0,
            spa.0,
            size,
            flags,
        ))
    }

    /// Takes all pages in the range away.
    pub fn vm_nested_unmap(self, vm: VmId, gpa: Gpa, size: u64) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_nested_unmap(self.0, vm.0.into(), gpa.0, size) }).map(Generation)
    }

    /// Gives all pages in the range these rights.
    pub fn vm_nested_protect(
        self,
        vm: VmId,
        gpa: Gpa,
        size: u64,
        flags: u64,
    ) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_nested_protect(self.0, vm.0.into(), gpa.0, size, flags) })
            .map(Generation)
    }

    /// The page that an address is in.
    pub fn vm_nested_query(self, vm: VmId, gpa: Gpa) -> Result<NestedPage> {
        // SAFETY: changes nothing that Rust relies on.
        let (status, spa, flags) = unsafe { sys::vm_nested_query(self.0, vm.0.into(), gpa.0) };
        check(status).map(|()| NestedPage {
            spa: Spa(spa),
            flags,
        })
    }

    /// Which pages have been written to, a bit for each 4 KiB of `size` bytes; they are clean then.
    ///
    /// # Panics
    /// If the bitmap does not have as many bits.
    pub fn vm_nested_dirty(
        self,
        vm: VmId,
        gpa: Gpa,
        size: u64,
        bitmap: &mut [u64],
    ) -> Result<Generation> {
        assert!(bitmap.len() as u64 >= (size >> 12).saturating_add(63) / 64);
        // SAFETY: it writes to as many words as have been counted.
        value(unsafe {
            sys::vm_nested_dirty(self.0, vm.0.into(), gpa.0, size, bitmap.as_mut_ptr() as u64)
        })
        .map(Generation)
    }

    /// Makes certain what was taken away up to a generation. Returns up to which it is now.
    pub fn vm_nested_flush(self, vm: VmId, generation: Generation) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_nested_flush(self.0, vm.0.into(), generation.0) }).map(Generation)
    }

    /// Makes `size` bytes of Linux's memory the VM's own, which nobody else sees.
    ///
    /// # Safety
    /// Nothing in Rust refers to the memory.
    pub unsafe fn vm_own(self, vm: VmId, spa: Spa, size: u64) -> Result<()> {
        check(sys::vm_own(self.0, vm.0.into(), spa.0, size))
    }

    /// Gives what a VM owns back to Linux, zeroed.
    pub fn vm_disown(self, vm: VmId, spa: Spa, size: u64) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vm_disown(self.0, vm.0.into(), spa.0, size) })
    }

    /// Linux's pages in the range have these rights in a view.
    pub fn vm_view_set(self, view: u64, gpa: Gpa, size: u64, flags: u64) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_view_set(self.0, view, gpa.0, size, flags) }).map(Generation)
    }

    /// A view shows this content in place of one of Linux's pages.
    pub fn vm_view_show(
        self,
        view: u64,
        gpa: Gpa,
        flags: u64,
        page: &[u8; 4096],
    ) -> Result<Generation> {
        // SAFETY: it reads this page.
        value(unsafe { sys::vm_view_show(self.0, view, gpa.0, flags, page.as_ptr() as u64) })
            .map(Generation)
    }

    /// The pages are as in the rest of the view again.
    pub fn vm_view_clear(self, view: u64, gpa: Gpa, size: u64) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_view_clear(self.0, view, gpa.0, size) }).map(Generation)
    }

    /// What was not set in a view has these rights.
    pub fn vm_view_rest(self, view: u64, flags: u64) -> Result<Generation> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_view_rest(self.0, view, flags) }).map(Generation)
    }

    /// Whether every PP has seen a generation.
    pub fn vm_view_seen(self, generation: Generation) -> Result<bool> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::vm_view_seen(self.0, generation.0) }).map(|seen| seen != 0)
    }

    /// Linux, in this VS, sees its memory in a view; 0: as it is.
    pub fn vs_view(self, vs: VsId, view: u64) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_view(self.0, vs.0.into(), view) })
    }

    /// The VS uses its VM's table from now on.
    pub fn vs_nested_attach(self, vs: VsId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::vs_nested_attach(self.0, vs.0.into()) })
    }

    /// Reads the registers of a list.
    pub fn vs_read_list(
        self,
        vs: VsId,
        entries: &mut [ListEntry],
    ) -> core::result::Result<(), ListError> {
        // SAFETY: it writes to these entries.
        list(unsafe {
            sys::vs_read_list(
                self.0,
                vs.0.into(),
                entries.as_mut_ptr() as u64,
                entries.len() as u64,
            )
        })
    }

    /// Writes the registers of a list, in its order.
    pub fn vs_write_list(
        self,
        vs: VsId,
        entries: &[ListEntry],
    ) -> core::result::Result<(), ListError> {
        // SAFETY: it only reads these entries.
        list(unsafe {
            sys::vs_write_list(
                self.0,
                vs.0.into(),
                entries.as_ptr() as u64,
                entries.len() as u64,
            )
        })
    }

    /// The VS has an extended state of its own from now on.
    pub fn vs_xsave_attach(self, vs: VsId) -> Result<XsaveArea> {
        // SAFETY: changes nothing that Rust relies on.
        let (status, features, size) = unsafe { sys::vs_xsave_attach(self.0, vs.0.into()) };
        check(status).map(|()| XsaveArea {
            features,
            size: size as usize,
        })
    }

    /// Reads all of a VS's area, or [`XSAVE_LEGACY`] bytes.
    pub fn vs_xsave_read(self, vs: VsId, area: &mut [u64]) -> Result<()> {
        // SAFETY: it writes to this memory.
        check(unsafe {
            sys::vs_xsave_read(
                self.0,
                vs.0.into(),
                area.as_mut_ptr() as u64,
                core::mem::size_of_val(area) as u64,
            )
        })
    }

    /// Writes it.
    pub fn vs_xsave_write(self, vs: VsId, area: &[u64]) -> Result<()> {
        // SAFETY: it only reads this memory.
        check(unsafe {
            sys::vs_xsave_write(
                self.0,
                vs.0.into(),
                area.as_ptr() as u64,
                core::mem::size_of_val(area) as u64,
            )
        })
    }

    /// Takes memory from Linux, for the page pool.
    ///
    /// # Safety
    /// Nothing in Rust refers to the memory.
    pub unsafe fn mem_donate(self, spa: Spa, size: u64) -> Result<()> {
        check(sys::mem_donate(self.0, spa.0, size))
    }

    /// Gives it back. Returns how many bytes it was.
    pub fn mem_return(self, spa: Spa) -> Result<u64> {
        // SAFETY: changes nothing that Rust relies on.
        value(unsafe { sys::mem_return(self.0, spa.0) })
    }

    /// The first range of RAM that ends behind `spa`: where it begins, and its size in bytes.
    pub fn mem_ram(self, spa: Spa) -> Result<(Spa, u64)> {
        // SAFETY: changes nothing.
        let (status, begin, size) = unsafe { sys::mem_ram(self.0, spa.0) };
        check(status)?;
        Ok((Spa(begin), size))
    }

    /// Ends the run of a guest on another PP.
    pub fn pp_kick(self, pp: PpId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::pp_kick(self.0, pp.0.into()) })
    }

    /// Linux can be recalled on this PP; in the bootstrap callback, before a root VS is active.
    pub fn pp_recall_attach(self) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::pp_recall_attach(self.0) })
    }

    /// Linux on another PP exits, as by an interrupt, before it executes anything else.
    pub fn pp_recall(self, pp: PpId) -> Result<()> {
        // SAFETY: changes nothing that Rust relies on.
        check(unsafe { sys::pp_recall(self.0, pp.0.into()) })
    }
}
