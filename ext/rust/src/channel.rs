// SPDX-License-Identifier: MIT
//! What an extension has to do with programs of Linux: it emits records, which they read (`bfm
//! read`, libbfm), and answers their requests (`bfm call`). ext/libext/channel.h has the details.
//!
//! ```ignore
//! fn start(specs: Specs) -> mk1::Result<()> {
//!     frame::run_linux::<Mine>(specs)?;
//!     channel::on_call(|request, reply| match request {
//!         b"count" => write!(reply, "{}", COUNT.load(Ordering::Relaxed)).is_ok(),
//!         _ => reply.refuse("unknown request"),
//!     })
//! }
//! ```

use crate::arg::outcome;
use crate::calls::check;
use crate::hook::Bare;
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::Result;
use core::fmt;
use core::marker::PhantomData;

pub use crate::mk2::EMIT_MAX;

/// The most bytes of a request, and of a reply.
pub const REPLY_MAX: usize = REQUEST_MAX;

/// Adds a record of 1 to [`EMIT_MAX`] bytes to this extension's channel, in any callback. Where
/// there is no room, the oldest ones give way, and those that nobody has read are counted as
/// dropped.
pub fn emit(record: &[u8]) -> Result<()> {
    // SAFETY: it reads this memory.
    check(unsafe { ext_emit(record.as_ptr(), record.len() as u64) })
}

/// The same, but no record gives way that has not been read: [`Error::BUSY`](crate::Error::BUSY)
/// then, and this one is counted as dropped.
pub fn emit_lossless(record: &[u8]) -> Result<()> {
    // SAFETY: it reads this memory.
    check(unsafe { ext_emit_lossless(record.as_ptr(), record.len() as u64) })
}

/// What [`emit!`](crate::emit!) calls.
#[doc(hidden)]
pub fn emit_text(arguments: fmt::Arguments) -> Result<()> {
    let mut text = Bounded {
        bytes: &mut [0; PRINT_SIZE - 1],
        length: 0,
    };
    // It fails only when a Display of the caller does: what it wrote until then is emitted.
    let _ = fmt::Write::write_fmt(&mut text, arguments);
    match text.length {
        0 => Ok(()),
        length => emit(&text.bytes[..length]),
    }
}

/// A record of text, which `bfm read` shows in a line: `emit!("{} writes", count)?`. Of more than
/// 255 bytes the rest is cut off; an empty one is none.
#[macro_export]
macro_rules! emit {
    ($($arguments:tt)*) => { $crate::channel::emit_text(format_args!($($arguments)*)) };
}

/// Bytes of which those that have no room are cut off.
struct Bounded<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Bounded<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let length = bytes.len().min(self.bytes.len() - self.length);
        self.bytes[self.length..self.length + length].copy_from_slice(&bytes[..length]);
        self.length += length;
    }
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// What goes back to who has asked, up to [`REPLY_MAX`] bytes; it is empty at first. What has no
/// room is cut off. `write!` writes text to it.
pub struct Reply<'a> {
    at: *mut u8,
    hook: PhantomData<&'a mut u8>,
}

impl Reply<'_> {
    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        // SAFETY: libext's structure, of which C says where the fields are; its data has room for
        // REQUEST_MAX bytes, which are zeros at first, and nobody else uses them meanwhile.
        unsafe {
            let size = self.at.add(REPLY_SIZE).cast::<u64>();
            let data = self.at.add(REPLY_DATA).cast::<*mut u8>().read();
            let mut all = Bounded {
                bytes: core::slice::from_raw_parts_mut(data, REQUEST_MAX),
                length: REQUEST_MAX.min(size.read() as usize),
            };
            all.push(bytes);
            size.write(all.length as u64);
        }
    }

    /// Adds why, and returns false: what the function of [`on_call`] returns for what it refuses.
    pub fn refuse(&mut self, why: &str) -> bool {
        self.push(why.as_bytes());
        false
    }
}

impl fmt::Write for Reply<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

extern "C" fn answer<F>(request: *const u8, size: u64, reply: *mut u8) -> bool
where
    F: Fn(&[u8], &mut Reply) -> bool + Copy,
{
    let mut reply = Reply {
        at: reply,
        hook: PhantomData,
    };
    // SAFETY: on_call() has got one; the request has so many bytes, which stay as they are.
    unsafe {
        Bare::<F>::value()(
            core::slice::from_raw_parts(request, size as usize),
            &mut reply,
        )
    }
}

/// From now on requests are answered by this function: one by its name, or a closure that captures
/// nothing. false: the request is refused, and the reply says why. Called on any PP with interrupts
/// off, in a callback, on one at a time. Once, at the start; after
/// [`run_linux`](crate::frame::run_linux), if that is called.
///
/// Fails, after a message, if the extension has not the right `hypercalls`, or all routes of
/// hypercalls are taken.
pub fn on_call<F>(function: F) -> Result<()>
where
    F: Fn(&[u8], &mut Reply) -> bool + Copy + Sync + 'static,
{
    Bare::check(function);
    // SAFETY: the function has the type that C calls.
    outcome(unsafe { ext_on_call(answer::<F>) })
}
