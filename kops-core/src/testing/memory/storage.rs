//! Storing the world, in memory or in a file that several processes share.
//!
//! With a file, each operation holds an operating system lock on a file next to it while it reads the world, changes
//! it and replaces the file by a rename. The kernel releases the lock if its holder dies, so a killed process leaves
//! the world before or after an operation, never in between. The file is not synced: it survives the end of a
//! process, but not a power loss, which is sufficient for tests.
//!
//! File operations are short, and run synchronously within the call.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::world::World;
use crate::{Error, ErrorKind, Result};

#[derive(Debug)]
pub(super) struct Storage {
    world: Mutex<Kept>,
    path: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Kept {
    world: World,
    /// The version of the file that was read or written last.
    stamp: Option<Stamp>,
}

/// Distinguishes a file from its replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<std::time::SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(metadata),
        }
    }
}

impl Storage {
    pub(super) fn in_memory() -> Self {
        Self { world: Mutex::default(), path: None }
    }

    /// A world in a file, which need not exist yet.
    pub(super) fn in_file(path: PathBuf) -> Self {
        Self { world: Mutex::default(), path: Some(path) }
    }

    pub(super) fn is_file(&self) -> bool {
        self.path.is_some()
    }

    /// Reads the world.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut kept = self.lock();
        if let Some(path) = &self.path {
            // A rename replaces the file atomically, so reading needs no lock.
            kept.refresh(path)?;
        }
        look(&mut kept.world)
    }

    /// Changes the world, unless `change` fails.
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut kept = self.lock();
        let Some(path) = &self.path else { return change(&mut kept.world) };
        let _lock = exclusive(path)?;
        kept.refresh(path)?;
        let done = change(&mut kept.world)?;
        if let Err(error) = kept.save(path) {
            // The world in memory differs from the file: read it again next time.
            kept.stamp = None;
            return Err(error);
        }
        Ok(done)
    }

    // A panic elsewhere leaves the world as it was, because operations change it at their end.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn refresh(&mut self, path: &Path) -> Result<()> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *self = Self::default();
                return Ok(());
            }
            Err(error) => return Err(failed("read", path, error)),
        };
        let stamp = Stamp::of(&file.metadata().map_err(|error| failed("read", path, error))?);
        if self.stamp == Some(stamp) {
            return Ok(());
        }
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).map_err(|error| failed("read", path, error))?;
        self.world = serde_json::from_str(&text).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                format!("{} does not contain an in-memory cloud: {error}", path.display()),
            )
            .with_hint("use another file, or remove this one")
        })?;
        self.stamp = Some(stamp);
        Ok(())
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(&self.world).map_err(|error| {
            Error::internal("the in-memory cloud cannot be serialised").with_source(error)
        })?;
        let unfinished = beside(path, "unfinished");
        let write = || -> io::Result<Stamp> {
            let mut file = private().write(true).truncate(true).open(&unfinished)?;
            file.write_all(&text)?;
            fs::rename(&unfinished, path)?;
            file.metadata().map(|metadata| Stamp::of(&metadata))
        };
        self.stamp = Some(write().map_err(|error| failed("write", path, error))?);
        Ok(())
    }
}

/// Holds the lock until it is dropped.
fn exclusive(path: &Path) -> Result<File> {
    let lock = beside(path, "lock");
    let file = private().append(true).open(&lock).map_err(|error| failed("create", &lock, error))?;
    file.lock().map_err(|error| failed("lock", &lock, error))?;
    Ok(file)
}

/// Files are accessible by their owner only, because user data contains secrets.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {what} {}: {error}", path.display()))
        .with_hint("use a file in a writable directory")
        .with_source(error)
}
