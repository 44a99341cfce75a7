//! A store in a directory.
//!
//! An object is a file at the path of its key. In addition to a plain directory, it provides:
//!
//! - **Atomic writes.** A write goes to an unfinished file, which is synced and then renamed; the directories of its
//!   path are synced, too. After a crash or power loss, an object has its old or new content, and there is at most an
//!   unfinished file, which the next writer overwrites.
//! - **Compare and swap.** Writers hold an operating system lock on `.kops-local/lock` while they compare and rename.
//!   The kernel releases it if its holder dies. Readers need no lock, because a rename is atomic. Writers wait for
//!   each other; each holds the lock for a few file operations.
//! - **Versions** are hashes of the content. Times are not sufficient, because two writes within one tick of the file
//!   system's clock have the same time.
//!
//! The lock and the unfinished file are in `.kops-local`, which is not listed, and whose names are ignored by a kOps
//! that reads the directory. All files are readable by their owner only, because the store does not know which of
//! them contain secrets.
//!
//! # Known weaknesses
//! On a network file system, the lock is as reliable as that system's locks. A key cannot be both a file and a
//! directory of others, which object stores allow.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::key::RESERVED;
use super::{Entry, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::{Error, ErrorKind, Result, digest};

/// A store in a directory.
#[derive(Clone, Debug)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// The store in an existing directory.
    ///
    /// The directory is not accessed yet, and never created implicitly: otherwise a mistyped path would look like an
    /// empty store. Use [`LocalStore::create`] to create it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store in a directory, which is created, accessible by its owner only, if it is missing.
    ///
    /// # Errors
    /// `Io` or `Denied` if that is not possible.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self> {
        let store = Self::new(root);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        private_directory(&mut builder);
        builder.create(&store.root).map_err(|error| store.failed("create", &store.root, error))?;
        Ok(store)
    }

    fn path(&self, key: &StoreKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn own(&self, name: &str) -> PathBuf {
        self.root.join(RESERVED).join(name)
    }

    /// Runs file operations, which may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|error| {
            Error::internal("a file operation of the state store was aborted").with_source(error)
        })?
    }

    fn read(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        let path = self.path(key);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(StoredObject { version: version(&bytes), bytes })),
            // Also if a key has this one's directory as a file, or is a directory of others.
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::IsADirectory) => {
                self.must_exist()?;
                Ok(None)
            }
            Err(error) => Err(self.failed("read", &path, error)),
        }
    }

    fn write(&self, key: &StoreKey, bytes: &[u8], condition: &Precondition) -> Result<Version> {
        let _lock = self.lock()?;
        let current = self.read(key)?;
        if !condition.holds(current.as_ref().map(|object| &object.version)) {
            return Err(condition.refusal(self, key));
        }
        let path = self.path(key);
        let directory = self.directory_for(&path)?;
        let unfinished = self.own("unfinished");
        write_unfinished(&unfinished, bytes).map_err(|error| self.failed("write", &unfinished, error))?;
        fs::rename(&unfinished, &path).map_err(|error| self.failed("write", &path, error))?;
        sync(&directory).map_err(|error| self.failed("write", &path, error))?;
        Ok(version(bytes))
    }

    fn remove(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        let _lock = self.lock()?;
        let path = self.path(key);
        let current = self.read(key)?;
        if let Some(expected) = expected
            && current.as_ref().map(|object| &object.version) != Some(expected)
        {
            return Err(Precondition::Match(expected.clone()).refusal(self, key));
        }
        if current.is_none() {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|error| self.failed("delete", &path, error))?;
        // Directories have no meaning by themselves: empty ones are removed, too.
        for directory in path.ancestors().skip(1).take_while(|directory| *directory != self.root) {
            match fs::remove_dir(directory) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), Io::DirectoryNotEmpty | Io::NotFound) => {
                    return sync(directory).map_err(|error| self.failed("delete", &path, error));
                }
                Err(error) => return Err(self.failed("delete", directory, error)),
            }
        }
        sync(&self.root).map_err(|error| self.failed("delete", &path, error))
    }

    /// Creates the directories of a file, and syncs them.
    fn directory_for(&self, path: &Path) -> Result<PathBuf> {
        let directory = path.parent().unwrap_or(&self.root);
        let mut missing: Vec<_> = directory.ancestors().take_while(|directory| !directory.is_dir()).collect();
        while let Some(directory) = missing.pop() {
            let mut builder = fs::DirBuilder::new();
            private_directory(&mut builder);
            builder.create(directory).map_err(|error| match error.kind() {
                Io::AlreadyExists => Error::invalid(format!(
                    "{} is an object, so there can be none below it",
                    directory.display()
                ))
                .with_hint("choose another name, which is not both a file and a directory"),
                _ => self.failed("create", directory, error),
            })?;
            let above = directory.parent().unwrap_or(&self.root);
            sync(above).map_err(|error| self.failed("create", directory, error))?;
        }
        Ok(directory.to_owned())
    }

    /// Waits for the other writers; dropping the file releases the lock.
    fn lock(&self) -> Result<File> {
        self.must_exist()?;
        let path = self.own("lock");
        self.directory_for(&path)?;
        let open = || {
            let file =
                private_file(OpenOptions::new().create(true).truncate(false).write(true)).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error: io::Error| match error.kind() {
            Io::Unsupported => Error::new(
                ErrorKind::Unsupported,
                format!("the file system of {} does not support file locks", self.root.display()),
            )
            .with_hint("keep the state store on a local disk, or in a bucket"),
            _ => self.failed("lock", &path, error),
        })
    }

    fn must_exist(&self) -> Result<()> {
        let root = self.root.display();
        match fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(Error::invalid(format!("the state store {root} is a file"))
                .with_hint("use the root directory of the state store")),
            Err(error) if error.kind() == Io::NotFound => {
                Err(Error::not_found(format!("the directory of the state store, {root}, does not exist"))
                    .with_hint(format!("check the path, or create a new store with `mkdir -p {root}`")))
            }
            Err(error) => Err(self.failed("open", &self.root, error)),
        }
    }

    /// Visits all files under a directory, depth first, with their keys.
    fn walk(&self, directory: &Path, each: &mut impl FnMut(StoreKey, &Path) -> Result<Walk>) -> Result<Walk> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => return Ok(Walk::On),
            Err(error) => return Err(self.failed("list", directory, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| self.failed("list", directory, error))?.path();
            if path == self.root.join(RESERVED) {
                continue;
            }
            // Follows symbolic links, like `fs::read`; files that are gone in the meantime are ignored.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let walk =
                if metadata.is_dir() { self.walk(&path, each)? } else { each(self.key(&path)?, &path)? };
            if walk == Walk::Enough {
                return Ok(Walk::Enough);
            }
        }
        Ok(Walk::On)
    }

    fn key(&self, path: &Path) -> Result<StoreKey> {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        parts.and_then(|parts| StoreKey::new(parts.join("/")).ok()).ok_or_else(|| {
            Error::invalid(format!(
                "the file {} does not have a valid object name of a state store",
                path.display()
            ))
            .with_hint("move it out of the state store")
        })
    }

    fn entries(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        self.must_exist()?;
        let mut entries = Vec::new();
        self.walk(&self.root.join(prefix.as_str()), &mut |key, _| {
            if after.is_none_or(|after| key > *after)
                && let Some(object) = self.read(&key)?
            {
                entries.push(Entry { key, version: object.version });
            }
            Ok(Walk::On)
        })?;
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    fn subdirectories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        self.must_exist()?;
        let mut names = Vec::new();
        let directory = self.root.join(prefix.as_str());
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => return Ok(names),
            Err(error) => return Err(self.failed("list", &directory, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| self.failed("list", &directory, error))?.path();
            // The first file shows that the directory counts: an empty one does not.
            if path.is_dir()
                && path != self.root.join(RESERVED)
                && self.walk(&path, &mut |_, _| Ok(Walk::Enough))? == Walk::Enough
            {
                let key = self.key(&path)?;
                names.push(key.name().to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn failed(&self, what: &str, path: &Path, error: io::Error) -> Error {
        let (kind, hint) = match error.kind() {
            Io::PermissionDenied => (
                ErrorKind::Denied,
                format!("make the state store {} writable for your user", self.root.display()),
            ),
            Io::ReadOnlyFilesystem => {
                (ErrorKind::Denied, "use a directory that is not on a read-only file system".to_owned())
            }
            Io::StorageFull | Io::QuotaExceeded => {
                (ErrorKind::Io, "free disk space and run again".to_owned())
            }
            _ => (ErrorKind::Io, "check the directory of the state store".to_owned()),
        };
        Error::new(kind, format!("cannot {what} {}: {error}", path.display()))
            .with_hint(hint)
            .with_source(error)
    }
}

#[derive(PartialEq, Eq)]
enum Walk {
    On,
    Enough,
}

#[async_trait]
impl StateStore for LocalStore {
    fn location(&self) -> String {
        format!("file://{}", self.root.display())
    }

    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        let key = key.clone();
        self.blocking(move |store| store.read(&key)).await
    }

    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let key = key.clone();
        self.blocking(move |store| store.write(&key, &bytes, &condition)).await
    }

    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        let (key, expected) = (key.clone(), expected.cloned());
        self.blocking(move |store| store.remove(&key, expected.as_ref())).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        let (prefix, after) = (prefix.clone(), after.cloned());
        self.blocking(move |store| store.entries(&prefix, after.as_ref())).await
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let prefix = prefix.clone();
        self.blocking(move |store| store.subdirectories(&prefix)).await
    }
}

fn write_unfinished(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file left behind by a killed writer may have got other permissions since.
    match fs::remove_file(path) {
        Err(error) if error.kind() != Io::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_file(OpenOptions::new().write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn version(bytes: &[u8]) -> Version {
    Version::new(digest::hex(bytes))
}

/// Syncs a directory's entries; on systems other than Unix, directories cannot be synced.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(unix)]
fn private_directory(builder: &mut fs::DirBuilder) {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700);
}

#[cfg(not(unix))]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn private_directory(_: &mut fs::DirBuilder) {}
