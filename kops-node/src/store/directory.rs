//! A store in a directory: for machines without a network, and for tests.

use std::fs;
use std::io::{ErrorKind as Io, Write};
use std::path::{Path, PathBuf};

use super::{Object, Precondition, Store, copy};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::sha256;

/// A store in a directory of this machine. Its versions are hashes.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The store in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Error::invalid(format!("reading {key:?} of the state store"), "it is not a key"));
        }
        Ok(self.root.join(key))
    }
}

fn failed(key: &str, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        Io::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Failed,
    };
    Error::new(kind, format!("{key} of the state store"), error.to_string())
}

impl Store for Directory {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        match fs::read(self.path(key)?) {
            Ok(bytes) => Ok(Some(Object { version: sha256(&bytes), bytes })),
            Err(e) if e.kind() == Io::NotFound => Ok(None),
            Err(e) => Err(failed(key, &e)),
        }
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let path = self.path(key)?;
        let parent = path.parent().unwrap_or(&self.root);
        let write = || {
            fs::create_dir_all(parent)?;
            let mut file = tempfile(parent)?;
            file.1.write_all(bytes)?;
            file.1.sync_all()?;
            Ok(file.0)
        };
        let new: PathBuf = write().map_err(|e: std::io::Error| failed(key, &e))?;
        let done = match precondition {
            Precondition::Absent => match fs::hard_link(&new, &path) {
                Ok(()) => fs::remove_file(&new).map(|()| true),
                Err(e) if e.kind() == Io::AlreadyExists => fs::remove_file(&new).map(|()| false),
                Err(e) => Err(e),
            },
            Precondition::Version(wanted) if self.read(key)?.is_none_or(|it| it.version != wanted) => {
                fs::remove_file(&new).map(|()| false)
            }
            _ => fs::rename(&new, &path).map(|()| true),
        };
        done.map_err(|e| failed(key, &e))
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let path = self.path(key)?;
        let copy = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            let partial = path.with_extension("partial");
            fs::copy(file, &partial)?;
            fs::rename(&partial, &path)
        };
        copy().map_err(|e| failed(key, &e))
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let mut file = fs::File::open(self.path(key)?).map_err(|e| failed(key, &e))?;
        copy(&mut file, into, key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(e) if e.kind() == Io::NotFound => continue,
                Err(e) => return Err(failed(prefix, &e)),
            };
            for entry in entries {
                let path = entry.map_err(|e| failed(prefix, &e))?.path();
                let key = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
                if path.is_dir() {
                    directories.push(path);
                } else if key.starts_with(prefix) && !key.ends_with(PARTIAL) {
                    found.push(key);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<()> {
        match fs::remove_file(self.path(key)?) {
            Err(e) if e.kind() != Io::NotFound => Err(failed(key, &e)),
            _ => Ok(()),
        }
    }
}

const PARTIAL: &str = ".partial";

/// A new temporary file in the target's directory, which is not listed as an object.
fn tempfile(directory: &Path) -> std::io::Result<(PathBuf, fs::File)> {
    for n in 0_u32.. {
        let path = directory.join(format!(".{}-{n}{PARTIAL}", std::process::id()));
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == Io::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(Io::AlreadyExists.into())
}
