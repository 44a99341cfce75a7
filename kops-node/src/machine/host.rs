//! A machine's files and commands.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind as Io, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use crate::error::{Error, Result};

/// Where programs are; the last one is Flatcar's place for what is not its own.
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

    /// The same with a variable of the environment.
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

/// What a command left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; none if a signal ended it.
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
    /// The content of a file; none if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>>;

    /// Writes a file, whole or not at all, with its directories; true if it was not so already.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<bool>;

    /// Writes into the file that is there (the same inode: containers that mount it see it); true if it was not so.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write_in_place(&self, path: &str, content: &[u8]) -> Result<bool>;

    /// Removes a file that need not be there; true if it was.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&self, path: &str) -> Result<bool>;

    /// Renames a file or directory.
    ///
    /// # Errors
    /// When it has its old name.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Makes a directory and those above it, if need be.
    ///
    /// # Errors
    /// When it is not there then.
    fn make_directory(&self, path: &str, mode: u32) -> Result<()>;

    /// The names in a directory, in order; none if there is none.
    ///
    /// # Errors
    /// When they cannot be read.
    fn list(&self, path: &str) -> Result<Vec<String>>;

    /// The path on this system, for whatever must open it itself.
    fn path(&self, path: &str) -> PathBuf;

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started. Its exit status is no error.
    fn run(&self, command: &Command) -> Result<Output>;
}

impl dyn Host + '_ {
    /// Runs a command that must succeed, and gives its standard output.
    ///
    /// # Errors
    /// Also when it exits with another status than 0: the end of what it said.
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
        let status =
            output.status.map_or_else(|| "ended by a signal".to_owned(), |it| format!("exit status {it}"));
        let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
        let lines: Vec<_> = said.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        let end = lines[lines.len().saturating_sub(5)..].join("; ");
        Err(Error::failed(command.to_string(), format!("{status}: {end}")))
    }

    /// Whether a program is on the path.
    ///
    /// # Errors
    /// When nothing can be started.
    pub fn has(&self, program: &str) -> Result<bool> {
        Ok(PATH.split(':').any(|it| self.path(&format!("{it}/{program}")).is_file()))
    }
}

/// This machine, or a directory that stands for it.
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
            // The mode from the beginning: nobody reads a key before it is narrowed.
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

    fn write_in_place(&self, path: &str, content: &[u8]) -> Result<bool> {
        if self.read(path)?.as_deref() == Some(content) {
            return Ok(false);
        }
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(false).open(self.path(path))?;
            // First the text, then the end: a reader in between sees old lines too many, never an empty file.
            file.write_all(content)?;
            file.set_len(content.len() as u64)?;
            file.sync_all()
        };
        write().map_err(failed("writing", path))?;
        Ok(true)
    }

    fn remove(&self, path: &str) -> Result<bool> {
        match fs::remove_file(self.path(path)) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory) => Ok(false),
            Err(e) => Err(failed("removing", path)(e)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path(from), self.path(to)).map_err(failed("renaming", from))
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
