//! `kops update`.

use clap::{Args, Subcommand, ValueEnum};

use super::Consent;

#[derive(Debug, Subcommand)]
pub(crate) enum Update {
    /// Make the cloud be as specified; without --yes, show what that would do.
    Cluster(UpdateCluster),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateCluster {
    /// The cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// Delete what the specification does not want any more.
    #[arg(long)]
    pub(crate) prune: bool,
    /// How to show the plan.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: PlanFormat,
    /// Show new objects with all their fields, however many there are.
    #[arg(long)]
    pub(crate) full: bool,
    /// Exit with 2 when changes are pending, 0 when there is nothing to do, 1 on errors.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// One document with `summary`, `changes` and, with --yes, `result`.
    Json,
    /// A graph in Graphviz's language.
    Dot,
    /// A graph in Mermaid's language.
    Mermaid,
}
