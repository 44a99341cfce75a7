//! A text in the user's editor.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kops_core::{Error, ErrorKind, Result};
use tempfile::{NamedTempFile, TempPath};

use crate::environment;

/// A text as the user left it, and its file.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) text: String,
    path: TempPath,
}

impl Edited {
    /// The file is of no use any more.
    pub(crate) fn discard(self) {
        // A file too many in the system's temporary directory is no failure.
        let _ = self.path.close();
    }

    /// Keeps the user's work, and says where it is and what to do with it.
    pub(crate) fn keep(self, error: &Error, command: &str) -> Error {
        let path = self.path.to_path_buf();
        let kept = match self.path.keep() {
            Ok(path) => path,
            Err(_) => path,
        };
        let advice = error.hint().map(|advice| format!("{advice}; ")).unwrap_or_default();
        let advice = format!(
            "{advice}nothing was written, and your text is kept in {path}: correct it there and run `{command} {path}`",
            path = kept.display()
        );
        Error::new(error.kind(), error.message()).with_hint(advice)
    }
}

/// Opens a text in the user's editor and waits for it to end.
pub(crate) fn edit(text: &str, name: &str) -> Result<Edited> {
    let file = write(text, name).map_err(|error| {
        failed(format!("no file can be made to edit: {error}"))
            .with_hint("set TMPDIR to a directory that can be written")
    })?;
    let path = file.into_temp_path();
    let editor = environment::editor().unwrap_or_else(|| OsString::from("vi"));
    let shown = editor.to_string_lossy().into_owned();
    let status = command(&editor, &path).status().map_err(|error| {
        failed(format!("the editor `{shown}` does not start: {error}"))
            .with_hint("set EDITOR, or use --set and --unset")
    })?;
    if !status.success() {
        return Err(
            failed(format!("the editor `{shown}` ended with {status}")).with_hint("nothing was changed")
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

/// An editor may be given with arguments (`code --wait`), so a shell takes it apart, as for git.
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
