//! Output: results on standard output, everything else on standard error.

mod table;

use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, IsTerminal, Write};

use kops_cluster::Problem;
use kops_core::{Error, ErrorKind, Result};
use serde_json::Value;

pub(crate) use table::Table;

/// Writes a result, terminated by a newline.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let text = text.as_ref();
    let mut out = io::stdout().lock();
    let written = out.write_all(text).and_then(|()| match text.last() {
        None | Some(b'\n') => Ok(()),
        Some(_) => out.write_all(b"\n"),
    });
    match written.and_then(|()| out.flush()) {
        // The reader has seen enough: `kops get clusters | head -1`.
        Err(error) if error.kind() == IoKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::new(ErrorKind::Io, format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a result as JSON.
pub(crate) fn print_json(value: &Value) -> Result<()> {
    print(format!("{value:#}"))
}

/// Writes a result as YAML.
pub(crate) fn print_yaml(value: &Value) -> Result<()> {
    let text = serde_saphyr::to_string(value)
        .map_err(|error| Error::internal("the result cannot be written as YAML").with_source(error))?;
    print(text)
}

/// Writes a note to standard error.
pub(crate) fn note(text: impl Display) {
    // If standard error is closed, there is no one left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Reports the error of the program.
pub(crate) fn error(error: &Error) {
    note(format_args!("Error: {error}"));
}

/// Reports warnings.
pub(crate) fn warn<'a>(problems: impl IntoIterator<Item = &'a Problem>) {
    for problem in problems {
        note(format_args!("Warning: {problem}"));
    }
}

/// Whether results may be coloured.
pub(crate) fn color() -> bool {
    io::stdout().is_terminal() && crate::environment::wants_color()
}
