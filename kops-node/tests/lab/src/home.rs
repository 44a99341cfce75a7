//! The cache with everything that machines are made of: made when it is missing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::output;

/// What a host must have. The image's own tool, mmdebstrap, is installed when it is missing.
const PROGRAMS: [&str; 8] = ["python3", "go", "cc", "ip", "nsenter", "unshare", "openssl", "curl"];
/// The scripts that fill the cache, in their order.
const STEPS: [(&str, bool); 3] = [("build.sh", true), ("rootfs.sh", false), ("images.py", true)];

/// A script beside this crate's sources.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The cache, filled for this version of Kubernetes; or why it cannot be.
pub(crate) fn prepare(version: &str) -> Result<PathBuf, String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    able()?;
    let cache = folder();
    for (step, versioned) in STEPS {
        let mut command = Command::new(script(step));
        command.env("KUBELAB_CACHE", &cache);
        if versioned {
            command.arg(version);
        }
        output(&mut command)?;
    }
    Ok(cache)
}

fn able() -> Result<(), String> {
    if std::fs::metadata("/proc/self").map_or(1, |it| it.uid()) != 0 {
        return Err("they need Linux, and root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |it: &&&str| std::env::split_paths(&path).any(|folder| folder.join(it).is_file());
    let missing: Vec<_> = PROGRAMS.iter().filter(|it| !has(it)).copied().collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("this host lacks {}", missing.join(", "))) }
}

/// As the scripts have it by default.
fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|it| it.join(".cache")));
    set("KUBELAB_CACHE").unwrap_or_else(|| cache().unwrap_or_else(std::env::temp_dir).join("kubelab"))
}
