//! A text in the user's editor.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kops_core::{Error, ErrorKind, Result};
use tempfile::{NamedTempFile, TempPath};

use crate::environment;

/// A text as edited by the user, and its file.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) text: String,
    path: TempPath,
}

impl Edited {
    /// Discards the file.
    pub(crate) fn discard(self) {
        // A file left in the system's temporary directory is not an error.
        let _ = self.path.close();
    }

    /// Keeps the user's work, and reports where it is and how to continue.
    pub(crate) fn keep(self, error: &Error, command: &str) -> Error {
        let path = self.path.to_path_buf();
        let kept = match self.path.keep() {
            Ok(path) => path,
            Err(_) => path,
        };
        let advice = error.hint().map(|advice| format!("{advice}; ")).unwrap_or_default();
        let advice = format!(
            "{advice}nothing was written; your text is saved in {path}: correct it there and run `{command} {path}`",
            path = kept.display()
        );
        Error::new(error.kind(), error.message()).with_hint(advice)
    }
}

/// Opens a text in the user's editor and waits for the editor to exit.
pub(crate) fn edit(text: &str, name: &str) -> Result<Edited> {
    let file = write(text, name).map_err(|error| {
        failed(format!("cannot create a file to edit: {error}"))
            .with_hint("set TMPDIR to a writable directory")
    })?;
    let path = file.into_temp_path();
    let editor = environment::editor().unwrap_or_else(|| OsString::from("vi"));
    let shown = editor.to_string_lossy().into_owned();
    let status = command(&editor, &path).status().map_err(|error| {
        failed(format!("cannot start the editor `{shown}`: {error}"))
            .with_hint("set EDITOR, or use --set and --unset")
    })?;
    if !status.success() {
        return Err(
            failed(format!("the editor `{shown}` exited with {status}")).with_hint("nothing was changed")
        );
    }
    let text = fs::read_to_string(&path)
        .map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Edited { text, path })
}

fn failed(message: String) -> Error {
    Error::new(ErrorKind::Io, message)
}

fn write(text: &str, name: &str) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(&format!("kops-{name}-")).suffix(".yaml").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// An editor may have arguments (`code --wait`), so a shell parses it, as in git.
fn command(editor: &OsString, path: &Path) -> Command {
    let path: PathBuf = path.to_path_buf();
    if cfg!(windows) {
        let mut command = Command::new(editor);
        command.arg(path);
        return command;
    }
    let mut script = editor.clone();
    script.push(" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(editor).arg(path);
    command
}
