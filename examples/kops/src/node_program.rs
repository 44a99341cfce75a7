//! The program that machines run.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use kops_cluster::bootstrap::{NodeProgram, sha256};
use kops_core::{Error, ErrorKind, Result};

use crate::cli::MachineFlags;
use crate::environment;

/// The program's file name, which is looked for beside this program.
const NAME: &str = "kops-node";
/// The longest download, in bytes: a program is a few MB, one with debug information less than this.
const LONGEST: u64 = 512 << 20;
/// How long a download may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// The program that the arguments name, or the one beside this program. There may be none: then the plan says for which
/// machines it is missing.
pub(crate) fn read(flags: &MachineFlags) -> Result<NodeProgram> {
    let beside = beside().map(|it| it.display().to_string());
    let places =
        if flags.node_program.is_empty() { beside.as_slice() } else { flags.node_program.as_slice() };
    places.iter().try_fold(NodeProgram::new(), |program, place| {
        let content = content(place).map_err(|error| at(&error, place))?;
        program.with_binary(content).map_err(|error| at(&error, place))
    })
}

/// The same error with the place that it is about.
fn at(error: &Error, place: &str) -> Error {
    let hint = error.hint().unwrap_or("use the kops-node binary for the machines' architecture").to_owned();
    Error::new(error.kind(), format!("--node-program {place}: {}", error.message())).with_hint(hint)
}

fn content(place: &str) -> Result<Vec<u8>> {
    if !place.contains("://") {
        return fs::read(place).map_err(|error| Error::new(ErrorKind::Io, error.to_string()));
    }
    let hint = "append its SHA-256: https://example.com/kops-node-amd64#sha256=<64 hexadecimal digits>";
    let (url, hash) = place
        .split_once("#sha256=")
        .filter(|(url, _)| url.starts_with("https://"))
        .filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit()))
        .ok_or_else(|| Error::invalid("it is no https URL with a hash").with_hint(hint))?;
    let hash = hash.to_lowercase();
    let kept = environment::cache().map(|it| it.join("kops/node").join(&hash));
    if let Some(content) = kept.as_ref().and_then(|it| fs::read(it).ok())
        && sha256(&content) == hash
    {
        return Ok(content);
    }
    let content = download(url)?;
    let found = sha256(&content);
    if found != hash {
        return Err(Error::invalid(format!("its SHA-256 is {found}"))
            .with_hint("check the URL and the hash; nothing was used"));
    }
    if let Some(kept) = kept {
        keep(&kept, &content);
    }
    Ok(content)
}

/// A cache: a failure costs the next download and nothing else.
fn keep(file: &Path, content: &[u8]) {
    let Some(directory) = file.parent() else { return };
    if fs::create_dir_all(directory).is_ok() {
        let _ = fs::write(file, content);
    }
}

fn download(url: &str) -> Result<Vec<u8>> {
    let failed = |error: ureq::Error| Error::new(ErrorKind::Io, error.to_string());
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut response = agent.get(url).call().map_err(failed)?;
    response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(failed)
}

fn beside() -> Option<PathBuf> {
    let file = env::current_exe().ok()?.parent()?.join(NAME);
    // On another operating system than the machines', it is not theirs.
    (cfg!(target_os = "linux") && file.is_file()).then_some(file)
}
