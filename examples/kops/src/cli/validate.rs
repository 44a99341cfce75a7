//! `kops validate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::GetFormat;
use super::export::duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Validate {
    /// Check whether a cluster is healthy; exits with code 2 if it is not.
    Cluster(ValidateCluster),
}

/// Check whether a cluster is healthy; exits with code 2 if it is not.
///
/// All machines have joined, all nodes are ready, control planes run their components, and pods that the cluster
/// depends on are ready.
#[derive(Debug, Args)]
pub(crate) struct ValidateCluster {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Wait for this time at most until the cluster is healthy.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(crate) wait: SignedDuration,
    /// Time between two checks.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) interval: SignedDuration,
    /// Number of times in a row that the cluster must be healthy.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) count: u32,
    /// Output format.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: GetFormat,
    /// Kubeconfig with a context of the cluster's name; by default, credentials are created for the time of the check.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Use the cluster's internal name of the API.
    #[arg(long, conflicts_with = "kubeconfig")]
    pub(crate) internal: bool,
    /// Use another address of the API: a host, perhaps with a port.
    #[arg(long, value_name = "HOST", conflicts_with = "kubeconfig")]
    pub(crate) api_server: Option<String>,
}
