//! Random words, from the kernel.

use std::fs::File;
use std::io::Read as _;

use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A string of this many letters and digits, with five random bits each.
///
/// # Errors
/// If the kernel gives none.
pub(crate) fn word(length: usize) -> Result<String> {
    let mut bytes = vec![0; length];
    let read = File::open("/dev/urandom").and_then(|mut it| it.read_exact(&mut bytes));
    read.map_err(|e| Error::failed("reading random numbers", e.to_string()))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}
