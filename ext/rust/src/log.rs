// SPDX-License-Identifier: MIT
//! What an extension says, by levels, and how it ends when it cannot go on: lines of the debug ring
//! that begin with the extension's name ([`name!`](crate::name)) and the PP. They are those of
//! ext/libext/log.h.
//!
//! ```ignore
//! log!(Level::Warning, "the IDT has moved to {:#x}", base);
//! log_ratelimited!(Level::Info, "PCI register {:#x}", value); // Linux can do that at any rate
//! let base = arg::number("base", 0)?;
//! if base == 0 {
//!     fail!("where is not said: base=ADDRESS");
//! }
//! ```

use crate::arg::{c_key, outcome};
use crate::sys::layout::*;
use crate::sys::libext::*;
use crate::Result;
use core::cell::UnsafeCell;
use core::fmt;

/// How much a line matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Level {
    Error = LEVEL_ERROR as u32,
    Warning = LEVEL_WARNING as u32,
    /// What is said unless [`choose`] was called, and all before it.
    Info = LEVEL_INFO as u32,
    Debug = LEVEL_DEBUG as u32,
}

/// Levels up to this one are said.
pub fn choose(level: Level) {
    // SAFETY: there is such a level, so it cannot fail.
    unsafe { ext_log_choose(level as u32) };
}

/// The same by the value of an [argument](crate::arg): `error`, `warning`, `info` or `debug`.
/// Changes nothing if that was not given; fails, after a message, for another word.
pub fn choose_by(argument: &str) -> Result<()> {
    match c_key(argument) {
        // SAFETY: the key ends with a NUL.
        Some(key) => outcome(unsafe { ext_log_choose_by(key.as_ptr()) }),
        None => Ok(()),
    }
}

/// Whether this level is said, for those who would have to work for what they say.
pub fn says(level: Level) -> bool {
    // SAFETY: it only looks.
    unsafe { ext_log_says(level as u32) }
}

/// A line for C: it ends with a NUL, and what has no room is cut off.
struct Text {
    bytes: [u8; PRINT_SIZE],
    length: usize,
}

impl Text {
    fn of(arguments: fmt::Arguments) -> Self {
        let mut text = Self {
            bytes: [0; PRINT_SIZE],
            length: 0,
        };
        // It fails only when a Display of the caller does: what it wrote until then is said.
        let _ = fmt::Write::write_fmt(&mut text, arguments);
        text
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = text.len().min(PRINT_SIZE - 1 - self.length);
        self.bytes[self.length..self.length + length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}

const AS_TEXT: *const u8 = b"%s\0".as_ptr();

/// What [`log!`](crate::log!) calls.
#[doc(hidden)]
pub fn say(level: Level, arguments: fmt::Arguments) {
    if says(level) {
        let text = Text::of(arguments);
        // SAFETY: the format asks for one text, and that ends with a NUL.
        unsafe { ext_log(level as u32, AS_TEXT, text.bytes.as_ptr()) }
    }
}

/// What [`fail!`](crate::fail) calls.
#[doc(hidden)]
pub fn end(arguments: fmt::Arguments) -> ! {
    let text = Text::of(arguments);
    // SAFETY: as above.
    unsafe { ext_fail(AS_TEXT, text.bytes.as_ptr()) }
}

const LIMIT_WORDS: usize = (RATELIMIT_SIZE + 7) / 8;

/// How many lines have passed of late. Each [`log_ratelimited!`](crate::log_ratelimited) has one.
#[repr(transparent)]
pub struct RateLimit(UnsafeCell<[u64; LIMIT_WORDS]>);

const _: () = assert!(RATELIMIT_ALIGN <= core::mem::align_of::<u64>());

// SAFETY: it has a lock, and only C looks inside.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// None has.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; LIMIT_WORDS]))
    }

    /// Whether one more may pass now: ten in 1 to 2 seconds, on all PPs together. If not, it is
    /// counted, and the next one that passes says how many there were.
    pub fn passes(&self) -> bool {
        // SAFETY: a structure as large as C's, of zeros at first.
        unsafe { ext_ratelimit_passes(self.0.get().cast()) }
    }
}

/// Says a line: `log!(Level::Info, "PP {}", pp)`. It has no newline at its end. What is more than
/// 255 bytes, with what is before it, is cut off. Needs 3/4 of a KiB of the stack.
#[macro_export]
macro_rules! log {
    ($level:expr, $($arguments:tt)*) => {
        $crate::log::say($level, format_args!($($arguments)*))
    };
}

/// The same for what a guest can cause again and again: see
/// [`RateLimit::passes`](crate::log::RateLimit::passes). Each place has a limit of its own.
#[macro_export]
macro_rules! log_ratelimited {
    ($level:expr, $($arguments:tt)*) => {{
        static LIMIT: $crate::log::RateLimit = $crate::log::RateLimit::new();
        let level = $level;
        if $crate::log::says(level) && LIMIT.passes() {
            $crate::log::say(level, format_args!($($arguments)*));
        }
    }};
}

/// Says why, as an error, and ends the extension's run: the start fails, or Linux gets its CPUs
/// back. `bfm start` and `bfm status` show the line.
#[macro_export]
macro_rules! fail {
    ($($arguments:tt)*) => { $crate::log::end(format_args!($($arguments)*)) };
}
