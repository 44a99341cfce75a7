//! A machine's files and commands.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind as Io, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use crate::error::{Error, Result};

/// The search path of programs; the last directory is Flatcar's for additional ones.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin";

/// A command to run. No shell is involved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Additions to the environment.
    pub env: Vec<(String, String)>,
}

impl Command {
    /// The program and its arguments.
    pub fn new<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), env: Vec::new() }
    }

    /// Adds a variable to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// The result of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; `None` if it was terminated by a signal.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it succeeded.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

/// A machine. Paths are absolute.
pub trait Host: fmt::Debug + Send + Sync {
    /// The content of a file; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>>;

    /// Writes a file atomically, with its directories; returns whether it changed.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<bool>;

    /// Changes the existing file (the same inode, so that containers that mount it see the change), under a
    /// lock from reading to writing; returns whether it changed.
    ///
    /// # Errors
    /// If it cannot be read or written.
    fn rewrite_in_place(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<bool>;

    /// Removes a file, which need not exist; returns whether it existed.
    ///
    /// # Errors
    /// If it still exists.
    fn remove(&self, path: &str) -> Result<bool>;

    /// Renames a file or directory.
    ///
    /// # Errors
    /// If it was not renamed.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Creates a directory and its parents if they do not exist.
    ///
    /// # Errors
    /// If it could not be created.
    fn make_directory(&self, path: &str, mode: u32) -> Result<()>;

    /// The names in a directory, sorted; empty if it does not exist.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list(&self, path: &str) -> Result<Vec<String>>;

    /// The path on this system, for code that opens the file itself.
    fn path(&self, path: &str) -> PathBuf;

    /// Runs a command until it exits.
    ///
    /// # Errors
    /// If it cannot be started. Its exit status is not an error.
    fn run(&self, command: &Command) -> Result<Output>;
}

impl dyn Host + '_ {
    /// Runs a command that must succeed, and returns its standard output.
    ///
    /// # Errors
    /// Also if it exits with a status other than 0, with the end of its output.
    pub fn must<S: Into<String>>(&self, words: impl IntoIterator<Item = S>) -> Result<String> {
        self.must_run(&Command::new(words))
    }

    /// The same for a command with an environment.
    ///
    /// # Errors
    /// As [`must`](#method.must).
    pub fn must_run(&self, command: &Command) -> Result<String> {
        let output = self.run(command)?;
        if output.success() {
            return Ok(output.stdout);
        }
        let status = output
            .status
            .map_or_else(|| "terminated by a signal".to_owned(), |it| format!("exit status {it}"));
        let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
        let lines: Vec<_> = said.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        let end = lines[lines.len().saturating_sub(5)..].join("; ");
        Err(Error::failed(command.to_string(), format!("{status}: {end}")))
    }

    /// Whether a program is on the path.
    ///
    /// # Errors
    /// If nothing can be started.
    pub fn has(&self, program: &str) -> Result<bool> {
        Ok(PATH.split(':').any(|it| self.path(&format!("{it}/{program}")).is_file()))
    }
}

/// This machine, or a directory that represents it.
#[derive(Clone, Debug)]
pub struct Real {
    root: PathBuf,
}

impl Real {
    /// The machine whose root directory this is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

fn failed(doing: &str, path: &str) -> impl Fn(std::io::Error) -> Error {
    let doing = format!("{doing} {path}");
    move |e| Error::failed(doing.clone(), e.to_string())
}

/// Moves a file to another filesystem (`/var` may be one): it appears whole or not at all.
fn move_over(source: &Path, target: &Path) -> std::io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let partial = target.with_file_name(format!(".{name}.kops"));
    let copy = || {
        fs::copy(source, &partial)?; // with its mode
        fs::File::open(&partial)?.sync_all()?;
        fs::rename(&partial, target)
    };
    if let Err(e) = copy() {
        drop(fs::remove_file(&partial)); // where the disk is full, it would stay full
        return Err(e);
    }
    // The name must be on the disk as well before the source is gone.
    fs::File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    fs::remove_file(source)
}

impl Host for Real {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.path(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory) => Ok(None),
            Err(e) => Err(failed("reading", path)(e)),
        }
    }

    fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<bool> {
        let full = self.path(path);
        if fs::metadata(&full).is_ok_and(|it| it.mode() & 0o7777 == mode)
            && fs::read(&full).is_ok_and(|it| it == content)
        {
            return Ok(false);
        }
        let write = || {
            let parent = full.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(parent)?;
            let name = full.file_name().unwrap_or_default().to_string_lossy();
            let partial = parent.join(format!(".{name}.kops"));
            // With the mode from the start, so that nobody can read a key before the mode is restricted.
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&partial)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&partial, &full)
        };
        write().map_err(failed("writing", path))?;
        Ok(true)
    }

    fn rewrite_in_place(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<bool> {
        let rewrite = || -> std::io::Result<bool> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(self.path(path))?;
            file.lock()?; // a boot and a keeper at the same time would mix or undo their changes
            let mut old = Vec::new();
            file.read_to_end(&mut old)?;
            let new = change(&old);
            if new == old {
                return Ok(false);
            }
            // First the text, then the length: a concurrent reader may see additional old lines, but never an
            // empty file.
            file.rewind()?;
            file.write_all(&new)?;
            file.set_len(new.len() as u64)?;
            file.sync_all()?;
            Ok(true)
        };
        rewrite().map_err(failed("writing", path))
    }

    fn remove(&self, path: &str) -> Result<bool> {
        match fs::remove_file(self.path(path)) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory) => Ok(false),
            Err(e) => Err(failed("removing", path)(e)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.path(from), self.path(to));
        let renamed = match fs::rename(&source, &target) {
            Err(e) if e.kind() == Io::CrossesDevices => move_over(&source, &target),
            other => other,
        };
        renamed.map_err(failed("renaming", from))
    }

    fn make_directory(&self, path: &str, mode: u32) -> Result<()> {
        let full = self.path(path);
        let make = || {
            fs::create_dir_all(&full)?;
            fs::set_permissions(&full, Permissions::from_mode(mode))
        };
        make().map_err(failed("making directory", path))
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory) => return Ok(Vec::new()),
            Err(e) => return Err(failed("listing", path)(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(failed("listing", path))?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn run(&self, command: &Command) -> Result<Output> {
        let failed = |e: std::io::Error| Error::failed(command.to_string(), e.to_string());
        let (program, arguments) =
            command.words.split_first().ok_or_else(|| Error::invalid("running a command", "it is empty"))?;
        let mut child = process::Command::new(program)
            .args(arguments)
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .env("LC_ALL", "C")
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut said = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            said.as_mut().map(|it| it.read_to_end(&mut text));
            text
        });
        let mut stdout = Vec::new();
        if let Some(pipe) = &mut child.stdout {
            pipe.read_to_end(&mut stdout).map_err(failed)?;
        }
        let status = child.wait().map_err(failed)?;
        let stderr = errors.join().unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output { status: status.code(), stdout: text(&stdout), stderr: text(&stderr) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_moves_to_another_filesystem_whole_and_with_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("key"), root.path().join("there"));
        fs::write(&source, "content").unwrap();
        fs::set_permissions(&source, Permissions::from_mode(0o600)).unwrap();
        fs::write(&target, "what was there before").unwrap();
        move_over(&source, &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "content");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "neither the source nor a part is left");
    }

    #[test]
    fn two_that_rewrite_a_file_do_not_undo_each_others_changes() {
        let root = tempfile::tempdir().unwrap();
        let host = Real::new(root.path());
        let longer = |old: &[u8]| [old, &b"x"[..]].concat();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        assert!(host.rewrite_in_place("/hosts", &longer).unwrap());
                    }
                });
            }
        });
        assert_eq!(fs::read(root.path().join("hosts")).unwrap().len(), 100);
    }

    #[test]
    fn what_could_not_be_moved_leaves_no_part() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("key"), root.path().join("there"));
        fs::write(&source, "content").unwrap();
        fs::create_dir(&target).unwrap(); // a file cannot take its place
        move_over(&source, &target).unwrap_err();
        assert_eq!(fs::read_to_string(&source).unwrap(), "content");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "only the source and what was there");
    }
}
