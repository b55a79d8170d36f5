// SPDX-License-Identifier: MIT
//! Text for the debug ring.

use crate::calls::debug_write_str;
use crate::PpId;
use core::fmt::{Arguments, Display, Result, Write};

const SIZE: usize = 256;

/// A line as it grows, so that it reaches the ring in one call whatever other PPs print. A text
/// that is too long goes out in pieces.
struct Line {
    text: [u8; SIZE],
    length: usize,
}

impl Line {
    fn flush(&mut self) {
        if let Ok(text) = core::str::from_utf8(&self.text[..self.length]) {
            // Where the microkernel refuses a text, there is no other place to complain.
            let _ = debug_write_str(text);
        }
        self.length = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> Result {
        if text.len() > SIZE - self.length {
            self.flush();
        }
        if text.len() > SIZE {
            let _ = debug_write_str(text);
            return Ok(());
        }
        self.text[self.length..self.length + text.len()].copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// What [`print!`](crate::print) calls.
#[doc(hidden)]
pub fn print(arguments: Arguments) {
    let mut line = Line {
        text: [0; SIZE],
        length: 0,
    };

    // It fails only when a Display of the caller does: what it wrote until then is printed.
    let _ = line.write_fmt(arguments);
    line.flush();
}

/// A text without its line ends: a report has what was printed last up to the first one.
struct OneLine(Line);

impl Write for OneLine {
    fn write_str(&mut self, text: &str) -> Result {
        for (i, part) in text.split('\n').enumerate() {
            if i > 0 {
                self.0.write_str(" ")?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}

/// What the panic handler says.
pub(crate) fn print_line(pp: PpId, what: &dyn Display) {
    let mut line = OneLine(Line {
        text: [0; SIZE],
        length: 0,
    });

    let _ = write!(line, "PP {}: {}", pp.0, what);
    let _ = line.0.write_str("\n");
    line.0.flush();
}

/// Prints to the debug ring, as `std::print!` does to the standard output. Needs about half a KiB
/// of the stack.
#[macro_export]
macro_rules! print {
    ($($arguments:tt)*) => { $crate::print::print(format_args!($($arguments)*)) };
}
