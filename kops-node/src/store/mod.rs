//! The state store, as a machine uses it: read, write, create unless there, replace unless changed, list.
//!
//! The permissions of machines are narrow: control planes read all, write `control-plane/`, `join/`,
//! `machines/` and `backups/`, and delete nothing but old backups; nodes read their bundle and `join/nodes`,
//! and write their own status.
//!
//! *Absent* is a response of the store: HTTP 404. A denial, another error or a timeout is an error, because a
//! decision based on an absent object must not be made if the object may only be invisible.

mod directory;
mod lease;
mod server;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::error::{Error, Result};

pub use directory::Directory;
pub use lease::{Held, Leases};
pub use server::Server;
pub(crate) use server::{UPLOAD, deleted, object, open, written};

/// An object and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its version: an ETag or a generation.
    pub version: String,
}

/// When to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// In any case.
    None,
    /// Unless the object exists.
    Absent,
    /// If the object still has this version. A store without such a condition (Swift) is read first, so a
    /// write in between is lost.
    Version(&'a str),
}

/// A state store. Keys are relative to the cluster's directory, with `/` between parts.
pub trait Store: fmt::Debug + Send + Sync {
    /// Reads an object.
    ///
    /// # Errors
    /// If the store does not say whether it exists. `None` means that it does not.
    fn read(&self, key: &str) -> Result<Option<Object>>;

    /// Writes an object; `false` if the precondition was not met.
    ///
    /// # Errors
    /// If it may or may not have been written.
    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool>;

    /// Writes the content of a file, without reading it into memory.
    ///
    /// # Errors
    /// If it may or may not have been written.
    fn upload(&self, key: &str, file: &Path) -> Result<()>;

    /// Copies an object that must exist to `into`, without reading it into memory.
    ///
    /// # Errors
    /// If it does not exist, or was not received completely.
    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()>;

    /// The keys that begin with `prefix`, in alphabetical order.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Deletes an object, which need not exist.
    ///
    /// # Errors
    /// If it may still be there.
    fn delete(&self, key: &str) -> Result<()>;
}

/// Copies the body of an object.
pub(crate) fn copy(body: &mut dyn Read, into: &mut dyn Write, key: &str) -> Result<()> {
    io::copy(body, into)
        .map(drop)
        .map_err(|e| Error::failed(format!("reading {key} of the state store"), e.to_string()))
}

/// A directory of a bucket as a prefix of names: empty for the whole bucket, otherwise with a trailing slash.
pub(crate) fn name_prefix(directory: &str) -> String {
    let directory = directory.trim_matches('/');
    if directory.is_empty() { String::new() } else { format!("{directory}/") }
}

/// A key in a URL's path: everything but unreserved characters and `/` escaped (RFC 3986).
pub(crate) fn escape_path(key: &str) -> String {
    escape(key, b"-._~/")
}

/// A value in a URL's query.
pub(crate) fn escape_query(value: &str) -> String {
    escape(value, b"-._~")
}

fn escape(text: &str, kept: &[u8]) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
