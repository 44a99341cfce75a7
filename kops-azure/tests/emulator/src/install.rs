//! The vendor's operation tables, fetched once into the target directory.
//!
//! They are named after the pinned packages and the programs that read them, so a change of either makes new
//! ones. A file lock lets test binaries that run side by side share them, and one that was killed half-way is
//! completed by the next: only finished tables carry their mark.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// The server's script.
pub(crate) const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py");

/// What the tables depend on.
const SOURCES: [&str; 4] = ["packages.json", "packages.py", "schema.py", "literals.py"];

/// The directory with the tables, after making them if need be.
pub(crate) fn tables() -> Result<PathBuf, String> {
    run(Command::new("python3").arg("--version")).map_err(|error| {
        format!("the Azure tests need python3 (3.10 or later) to run the emulator: {error}")
    })?;
    let home = target_directory().join("azure-emulator");
    let finished = home.join(format!("{}.finished", identity()?));
    if finished.exists() {
        return Ok(home);
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let lock = home.join("lock");
    let lock = File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| format!("{}: {error}", lock.display()))?;
    if !finished.exists() {
        let mut prepare = Command::new("python3");
        prepare.args(["-B", SERVER, "--prepare", "--cache"]).arg(&home);
        run(&mut prepare).map_err(|error| {
            format!("the tables of the Azure emulator could not be made (is an npm registry within reach?): {error}")
        })?;
        fs::write(&finished, "").map_err(|error| format!("{}: {error}", finished.display()))?;
    }
    drop(lock);
    Ok(home)
}

fn identity() -> Result<String, String> {
    let mut digest = Sha256::new();
    for name in SOURCES {
        let path = Path::new(SERVER).with_file_name(name);
        digest.update(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let digest = digest.finalize();
    Ok(digest.iter().take(6).fold(String::new(), |name, byte| format!("{name}{byte:02x}")))
}

/// What a program prints, or why it failed.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// Cargo's target directory, found by the tag that cargo puts into it, from the running test upwards.
pub(crate) fn target_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().skip(1).find(|directory| directory.join("CACHEDIR.TAG").exists());
    tagged.map_or_else(|| std::env::temp_dir().join("kops"), Path::to_path_buf)
}
