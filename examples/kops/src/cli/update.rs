//! `kops update`.

use clap::{Args, Subcommand, ValueEnum};

use super::Consent;

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
    /// Output format of the plan.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: PlanFormat,
    /// Show all fields of new objects, however many there are.
    #[arg(long)]
    pub(crate) full: bool,
    /// Exit with code 2 if changes are pending, 0 if there are none, 1 on errors.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
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
