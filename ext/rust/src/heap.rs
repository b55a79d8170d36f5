// SPDX-License-Identifier: MIT
//! What `alloc` allocates from: libext's heap, over the pools of the microkernel
//! (ext/libext/heap.h). When they are empty, `alloc` panics.

use core::alloc::{GlobalAlloc, Layout};

/// What every block is aligned to.
const ALIGN: usize = 16;

extern "C" {
    fn ext_alloc_aligned(align: usize, size: usize) -> *mut u8;
    fn ext_realloc(block: *mut u8, size: usize) -> *mut u8;
    fn ext_free(block: *mut u8);
}

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: the heap has a lock, and its blocks are aligned and as large as they should be.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ext_alloc_aligned(layout.align(), layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        ext_free(block)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGN {
            return ext_realloc(block, size);
        }
        let moved = ext_alloc_aligned(layout.align(), size);
        if !moved.is_null() {
            core::ptr::copy_nonoverlapping(block, moved, size.min(layout.size()));
            ext_free(block);
        }
        moved
    }
}

// The `alloc` that comes with a toolchain for x86_64-unknown-linux-gnu is compiled to unwind, and
// link-time optimisation leaves its landing pads. Nobody gets there: a panic aborts.

/// Would go on unwinding.
#[no_mangle]
extern "C" fn _Unwind_Resume() -> ! {
    crate::fast_fail()
}

/// Would look for handlers.
#[no_mangle]
extern "C" fn rust_eh_personality() {
    crate::fast_fail()
}
