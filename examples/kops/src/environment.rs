//! Environment variables other than those of flags.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use kops_core::store::Holder;

/// The holder of the lock, shown to processes that wait for it.
pub(crate) fn holder(purpose: &str) -> Holder {
    let user = user().unwrap_or_else(|| "unknown".to_owned());
    let host = gethostname::gethostname();
    Holder::new(format!("{user}@{}", host.to_string_lossy()), purpose)
}

/// The name of the cluster, for commands that are not told one.
pub(crate) fn cluster_name() -> Option<String> {
    env::var_os("KOPS_CLUSTER_NAME")?.into_string().ok().filter(|name| !name.is_empty())
}

/// The editor: a command, perhaps with arguments.
pub(crate) fn editor() -> Option<OsString> {
    ["KUBE_EDITOR", "VISUAL", "EDITOR"].into_iter().find_map(env::var_os).filter(|editor| !editor.is_empty())
}

/// The file of the in-memory cloud.
pub(crate) fn memory_cloud() -> Option<PathBuf> {
    env::var_os("KOPS_MEMORY_CLOUD").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The user's directory of files that can be had again: <https://specifications.freedesktop.org/basedir-spec>.
pub(crate) fn cache() -> Option<PathBuf> {
    let own = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    own.or_else(|| env::home_dir().map(|home| home.join(".cache")))
}

/// Whether colours are not disabled: <https://no-color.org>.
pub(crate) fn wants_color() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The kubeconfig: the first file of $KUBECONFIG, or ~/.kube/config.
pub(crate) fn kubeconfig() -> Option<PathBuf> {
    let listed = env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty());
    let first = listed.and_then(|paths| env::split_paths(&paths).find(|path| !path.as_os_str().is_empty()));
    first.or_else(|| Some(env::home_dir()?.join(".kube").join("config")))
}

/// The user's name, if it is known.
pub(crate) fn user() -> Option<String> {
    let name = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(env::var_os);
    name.map(|name| name.to_string_lossy().into_owned())
}
