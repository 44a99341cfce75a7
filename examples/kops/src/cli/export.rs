//! `kops export`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Write how to reach a cluster to a kubeconfig.
    #[command(name = "kubeconfig", visible_alias = "kubecfg")]
    Kubeconfig(ExportKubeconfig),
}

/// Write how to reach a cluster to a kubeconfig.
///
/// Other entries of the file are kept. Without --admin or --user no credentials are written.
#[derive(Debug, Args)]
pub(crate) struct ExportKubeconfig {
    /// The name of the cluster.
    #[arg(value_name = "NAME", conflicts_with = "all")]
    pub(crate) cluster: Option<String>,
    /// Export all clusters of the state store.
    #[arg(long)]
    pub(crate) all: bool,
    /// The file; $KUBECONFIG or ~/.kube/config by default.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: AccessFlags,
}

/// How to reach the API.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessFlags {
    /// Create credentials of an administrator that are valid for this time; 18h by default.
    #[arg(long, value_name = "LIFETIME", num_args = 0..=1, default_missing_value = "18h", require_equals = true,
          value_parser = lifetime)]
    pub(crate) admin: Option<SignedDuration>,
    /// Name of a user that is in the kubeconfig already, with its own credentials.
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    pub(crate) user: Option<String>,
    /// Use the cluster's internal name of the API.
    #[arg(long)]
    pub(crate) internal: bool,
    /// Use another address of the API: a host, perhaps with a port.
    #[arg(long, value_name = "HOST")]
    pub(crate) api_server: Option<String>,
}

/// A time such as 18h or 1h30m.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed = text.parse::<SignedDuration>().ok().filter(|it| !it.is_negative());
    parsed.ok_or_else(|| "it is not a time such as 90s, 15m or 18h".to_owned())
}

fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let parsed = duration(text)?;
    if parsed.is_zero() { Err("it must be longer than that".to_owned()) } else { Ok(parsed) }
}
