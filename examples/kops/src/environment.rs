//! Environment variables other than those of flags.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use kops_core::store::Holder;

/// The holder of the lock, shown to processes that wait for it.
pub(crate) fn holder(purpose: &str) -> Holder {
    let user = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(env::var_os)
        .map_or_else(|| "unknown".to_owned(), |user| user.to_string_lossy().into_owned());
    let host = gethostname::gethostname();
    Holder::new(format!("{user}@{}", host.to_string_lossy()), purpose)
}

/// The editor: a command, perhaps with arguments.
pub(crate) fn editor() -> Option<OsString> {
    ["KUBE_EDITOR", "VISUAL", "EDITOR"].into_iter().find_map(env::var_os).filter(|editor| !editor.is_empty())
}

/// The file of the in-memory cloud.
pub(crate) fn memory_cloud() -> Option<PathBuf> {
    env::var_os("KOPS_MEMORY_CLOUD").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether colours are not disabled: <https://no-color.org>.
pub(crate) fn wants_color() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
