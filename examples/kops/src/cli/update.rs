//! `kops update`.

use clap::{Args, Subcommand, ValueEnum};

use super::export::AccessFlags;
use super::{Consent, MachineFlags, kops};

#[derive(Debug, Subcommand)]
pub(crate) enum Update {
    /// Apply a cluster's specification to the cloud; without --yes, only show the plan.
    Cluster(UpdateCluster),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateCluster {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// Also delete objects that are no longer in the specification.
    #[arg(long)]
    pub(crate) prune: bool,
    /// How the plan is applied: direct.
    #[arg(long, hide = true, value_parser = kops::target)]
    target: Option<String>,
    /// Whether a kubeconfig is written.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_parser = kops::no_kubeconfig)]
    create_kube_config: Option<String>,
    /// Output format of the plan.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: PlanFormat,
    /// Show all fields of new objects, however many there are.
    #[arg(long)]
    pub(crate) full: bool,
    /// Exit with code 2 if changes are pending, 0 if there are none, 1 on errors.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    pub(crate) access: AccessFlags,
    #[command(flatten)]
    pub(crate) machines: MachineFlags,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Text.
    #[default]
    Text,
    /// One document with `summary`, `changes` and, with --yes, `result`.
    Json,
    /// A Graphviz graph.
    Dot,
    /// A Mermaid graph.
    Mermaid,
}
