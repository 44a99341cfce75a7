//! What a program needs, installed once into the target directory.
//!
//! An installation is named after what it is made from and by which interpreter, so a change of either makes a new
//! one. A file lock lets test binaries that run side by side share it, and one that was killed half-way is completed
//! by the next: only a finished installation carries its mark.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::slice;

use sha2::{Digest, Sha256};

use crate::{Needs, Program};

/// The command that runs a program's script, after installing what it needs.
pub(crate) fn command(program: &Program) -> Result<Command, String> {
    let title = program.title;
    let version = run(Command::new("python3").arg("--version"))
        .map_err(|error| format!("{title} needs python3 (3.11 or later) with its venv module: {error}"))?;
    let beside = |name: &str| Path::new(program.script).with_file_name(name);
    let home = match program.needs {
        Needs::Packages { requirements, dependencies } => {
            let requirements = beside(requirements);
            installed(program.folder, &version, slice::from_ref(&requirements), |home| {
                packages(home, &requirements, dependencies).map_err(|error| {
                    format!(
                        "{title} could not be installed (is a Python package index within reach?): {error}"
                    )
                })
            })?
        }
        Needs::Prepared { sources } => {
            let sources: Vec<_> = sources.iter().copied().map(beside).collect();
            installed(program.folder, &version, &sources, |home| {
                let mut prepare = python(Path::new("python3"), program);
                run(prepare.args(["--prepare", "--cache"]).arg(home)).map(drop).map_err(|error| {
                    format!("{title} could not be prepared (is an npm registry within reach?): {error}")
                })
            })?
        }
    };
    Ok(match program.needs {
        Needs::Packages { .. } => python(&home.join("bin/python"), program),
        Needs::Prepared { .. } => {
            let mut command = python(Path::new("python3"), program);
            command.arg("--cache").arg(home);
            command
        }
    })
}

fn python(interpreter: &Path, program: &Program) -> Command {
    let mut command = Command::new(interpreter);
    // No byte code beside the sources.
    command.args(["-B", program.script]);
    command
}

/// The directory of an installation in this folder of the target directory, made unless it is there. It is named after
/// the files that it is made `from` and the `version` of what makes it.
///
/// # Errors
/// Why it could not be made, in words.
pub fn installed(
    folder: &str,
    version: &[u8],
    from: &[PathBuf],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut digest = Sha256::new().chain_update(version);
    for path in from {
        digest.update(fs::read(path).map_err(|error| told(path, error))?);
    }
    let name = digest.finalize().iter().take(6).fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let home = target_directory().join(folder).join(name);
    let finished = home.join("finished");
    if finished.exists() {
        return Ok(home);
    }
    fs::create_dir_all(&home).map_err(|error| told(&home, error))?;
    let lock = home.with_extension("lock");
    let lock = File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| told(&lock, error))?;
    if !finished.exists() {
        make(&home)?;
        fs::write(&finished, "").map_err(|error| told(&finished, error))?;
    }
    drop(lock);
    Ok(home)
}

/// A virtual environment with packages.
fn packages(home: &Path, requirements: &Path, dependencies: bool) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home))
        .map_err(|error| format!("{error} (on Debian: apt-get install python3-venv)"))?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    if !dependencies {
        pip.arg("--no-deps");
    }
    run(pip.arg("--requirement").arg(requirements)).map(drop)
}

/// What a program prints, or why it failed.
///
/// # Errors
/// How it ended, and its standard error.
pub fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// Cargo's target directory, found by the tag that cargo puts into it, from the running test upwards.
fn target_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().skip(1).find(|directory| directory.join("CACHEDIR.TAG").exists());
    tagged.map_or_else(|| std::env::temp_dir().join("kops"), Path::to_path_buf)
}
