//! Where the world is kept: in memory, or in a file that several processes share.
//!
//! With a file, each operation holds a lock of the operating system on a file beside it while it reads the
//! world, changes it and puts the new one in place by a rename. The kernel lets go of the lock when its holder
//! dies, so whoever is killed leaves the world before or after an operation, never between. The file is not
//! synced: it survives the end of a process, not a loss of power, which suits a cloud to try things on.
//!
//! The file operations are short, and run where they are called, inside the asynchronous call.

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
    /// Which file the world was read from or written to.
    stamp: Option<Stamp>,
}

/// Tells one file from the next that took its place.
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

    /// The world in a file, which need not be there yet.
    pub(super) fn in_file(path: PathBuf) -> Self {
        Self { world: Mutex::default(), path: Some(path) }
    }

    pub(super) fn is_file(&self) -> bool {
        self.path.is_some()
    }

    /// Looks at the world.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut kept = self.lock();
        if let Some(path) = &self.path {
            // A rename puts the whole file in place at once: reading needs no lock.
            kept.refresh(path)?;
        }
        look(&mut kept.world)
    }

    /// Changes the world; what fails changes nothing.
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut kept = self.lock();
        let Some(path) = &self.path else { return change(&mut kept.world) };
        let _lock = exclusive(path)?;
        kept.refresh(path)?;
        let done = change(&mut kept.world)?;
        if let Err(error) = kept.save(path) {
            // What is in memory is not in the file: read it again next time.
            kept.stamp = None;
            return Err(error);
        }
        Ok(done)
    }

    // A panic elsewhere leaves the world as it was between two operations, which change it last.
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
            Error::new(ErrorKind::Io, format!("{} holds no memory cloud: {error}", path.display()))
                .with_hint("name another file, or remove this one")
        })?;
        self.stamp = Some(stamp);
        Ok(())
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(&self.world)
            .map_err(|error| Error::internal("the memory cloud does not serialise").with_source(error))?;
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

/// Holds the lock until dropped.
fn exclusive(path: &Path) -> Result<File> {
    let lock = beside(path, "lock");
    let file = private().append(true).open(&lock).map_err(|error| failed("create", &lock, error))?;
    file.lock().map_err(|error| failed("lock", &lock, error))?;
    Ok(file)
}

/// Files for their owner alone: a cloud holds user data, and user data holds secrets.
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
        .with_hint("the memory cloud's file must be in a directory that can be written to")
        .with_source(error)
}
