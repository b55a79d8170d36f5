// SPDX-License-Identifier: MIT
//! A structure of C's by its bytes: C says where the fields are (libext.rs).

/// So many words of 64 bits, zeros at first.
#[derive(Clone, Copy)]
pub(crate) struct Raw<const WORDS: usize>([u64; WORDS]);

/// How many words a structure has that C gives a size in bytes, and an alignment of 8 at most.
pub(crate) const fn words(bytes: usize) -> usize {
    (bytes + 7) / 8
}

impl<const WORDS: usize> Raw<WORDS> {
    pub(crate) const fn new() -> Self {
        Self([0; WORDS])
    }

    /// For C. What it writes stays within the structure.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    /// For C, which only reads.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }

    /// A field of 8 bytes, which is aligned.
    pub(crate) fn u64(&self, at: usize) -> u64 {
        self.0[at / 8]
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        (self.0[at / 8] >> (at % 8 * 8)) as u32
    }

    pub(crate) fn u16(&self, at: usize) -> u16 {
        self.u32(at) as u16
    }

    pub(crate) fn u8(&self, at: usize) -> u8 {
        self.u32(at) as u8
    }

    pub(crate) fn flag(&self, at: usize) -> bool {
        self.u8(at) != 0
    }

    /// A field of 8 bytes, which is aligned.
    pub(crate) fn set_u64(&mut self, at: usize, value: u64) {
        self.0[at / 8] = value;
    }

    pub(crate) fn set_u8(&mut self, at: usize, value: u8) {
        let shift = at % 8 * 8;
        self.0[at / 8] = self.0[at / 8] & !(0xFF << shift) | u64::from(value) << shift;
    }
}
