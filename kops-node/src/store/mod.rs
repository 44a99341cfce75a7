//! The state store, as a machine uses it: read, write, create unless there, replace unless changed, list.
//!
//! What a machine may do is narrow: control planes read all, write `control-plane/`, `join/`, `machines/` and
//! `backups/`, and delete nothing but old backups; nodes read their bundle and `join/nodes`, and write their own status.
//!
//! *Absent* is an answer of the store: HTTP 404. A denial, an error or a time-out is an error, for whoever decides by
//! what is absent must not take "I may not see it" for "it is not there".

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

/// An object, and what tells its versions apart.
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
    /// Unless there is such an object.
    Absent,
    /// If the object is still of this version. A store without such a condition (Swift) is read first, so that a write in
    /// between is lost.
    Version(&'a str),
}

/// A state store. Keys are relative to the cluster's directory, with `/` between parts.
pub trait Store: fmt::Debug + Send + Sync {
    /// Reads an object.
    ///
    /// # Errors
    /// When the store does not say whether it is there. `None` is its word that it is not.
    fn read(&self, key: &str) -> Result<Option<Object>>;

    /// Writes an object; false if the precondition did not hold.
    ///
    /// # Errors
    /// When it may or may not have been written.
    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool>;

    /// Writes the content of a file, without reading it into memory.
    ///
    /// # Errors
    /// When it may or may not have been written.
    fn upload(&self, key: &str, file: &Path) -> Result<()>;

    /// Writes an object that must be there into `into`, without reading it into memory.
    ///
    /// # Errors
    /// When it is not there, or not all of it came.
    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()>;

    /// The keys that begin with `prefix`, in alphabetical order.
    ///
    /// # Errors
    /// When the store does not say.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Deletes an object that need not be there.
    ///
    /// # Errors
    /// When it may still be there.
    fn delete(&self, key: &str) -> Result<()>;
}

/// What is left to do with the body of an object: copying it.
pub(crate) fn copy(body: &mut dyn Read, into: &mut dyn Write, key: &str) -> Result<()> {
    io::copy(body, into)
        .map(drop)
        .map_err(|e| Error::failed(format!("reading {key} of the state store"), e.to_string()))
}

/// A directory of a bucket as the beginning of names: empty for the whole bucket, otherwise with a slash at its end.
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
