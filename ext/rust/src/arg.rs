// SPDX-License-Identifier: MIT
//! The arguments of an extension: what `bfm start --arg KEY=VALUE` gives it. What fails has printed
//! why, with the key.

use crate::sys::libext::*;
use crate::sys::ARG_KEY_MAX;
use crate::{print, Error, Result};

/// A key as C has it.
pub(crate) type Key = [u8; ARG_KEY_MAX + 1];

/// How many keys [`known`] takes.
pub const KNOWN_MAX: usize = 32;

/// None: no argument has a key of this length.
pub(crate) fn c_key(key: &str) -> Option<Key> {
    let mut bytes = [0; ARG_KEY_MAX + 1];
    if key.len() > ARG_KEY_MAX || key.bytes().any(|b| b == 0) {
        return None;
    }
    bytes[..key.len()].copy_from_slice(key.as_bytes());
    Some(bytes)
}

/// Of what has said why.
pub(crate) fn outcome(done: bool) -> Result<()> {
    if done {
        Ok(())
    } else {
        Err(Error::UNKNOWN)
    }
}

/// Gets them from the microkernel, once, before the other functions: at the start.
pub fn load() -> Result<()> {
    // SAFETY: at the start nothing else runs.
    outcome(unsafe { ext_args_load() })
}

/// The value of a key, which may be empty. None: it was not given.
pub fn text(key: &str) -> Result<Option<&'static str>> {
    let bytes = match c_key(key) {
        Some(bytes) => bytes,
        None => return Ok(None),
    };
    // SAFETY: the key ends with a NUL. The value does, too, and stays.
    let value = unsafe {
        let at = ext_arg(bytes.as_ptr());
        if at.is_null() {
            return Ok(None);
        }
        core::slice::from_raw_parts(at, bsl_strlen(at))
    };
    core::str::from_utf8(value).map(Some).map_err(|_| {
        print!("argument {}: no UTF-8\n", key);
        Error::UNKNOWN
    })
}

/// The value as a number, decimal or with 0x hexadecimal; `otherwise`, if it was not given.
pub fn number(key: &str, otherwise: u64) -> Result<u64> {
    let mut value = otherwise;
    if let Some(bytes) = c_key(key) {
        // SAFETY: the key ends with a NUL.
        outcome(unsafe { ext_arg_u64(bytes.as_ptr(), otherwise, &mut value) })?;
    }
    Ok(value)
}

/// The same for yes or no, on or off, true or false, 1 or 0.
pub fn switch(key: &str, otherwise: bool) -> Result<bool> {
    let mut value = otherwise;
    if let Some(bytes) = c_key(key) {
        // SAFETY: the key ends with a NUL.
        outcome(unsafe { ext_arg_bool(bytes.as_ptr(), otherwise, &mut value) })?;
    }
    Ok(value)
}

/// Whether all that were given are among these, so that a typing error is noticed; up to
/// [`KNOWN_MAX`].
pub fn known(keys: &[&str]) -> Result<()> {
    let mut texts = [[0; ARG_KEY_MAX + 1]; KNOWN_MAX];
    let mut pointers = [core::ptr::null(); KNOWN_MAX + 1];
    if keys.len() > KNOWN_MAX {
        print!("arguments: more than {} keys\n", KNOWN_MAX);
        return Err(Error::UNKNOWN);
    }
    for (i, key) in keys.iter().filter_map(|key| c_key(key)).enumerate() {
        texts[i] = key;
        pointers[i] = texts[i].as_ptr();
    }
    // SAFETY: up to a NULL, keys that end with a NUL.
    outcome(unsafe { ext_args_known(pointers.as_ptr()) })
}
