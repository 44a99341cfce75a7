//! `kops get`.

use clap::{Args, Subcommand, ValueEnum};

/// What to show; everything of a cluster unless told otherwise.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(subcommand)]
    pub(crate) what: Option<GetWhat>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetWhat {
    /// Show clusters; all of the state store unless some are named.
    #[command(visible_alias = "cluster")]
    Clusters(GetClusters),
    /// Show the instance groups of a cluster.
    #[command(name = "instancegroups", visible_alias = "ig", aliases = ["instancegroup", "instance-groups"])]
    InstanceGroups(GetGroups),
    /// Show the machines of a cluster.
    #[command(visible_alias = "instance")]
    Instances(GetInstances),
    /// Show a cluster and its instance groups.
    All(GetAll),
}

/// How to show it.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Format {
    /// How to show it.
    #[arg(long = "output", short = 'o', value_enum, default_value_t, global = true, value_name = "FORMAT")]
    pub(crate) output: GetFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GetFormat {
    /// A table.
    #[default]
    Table,
    /// Documents that `create -f` and `replace -f` read.
    Yaml,
    /// JSON: one object, or a list of several.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct GetClusters {
    /// The clusters.
    pub(crate) names: Vec<String>,
    /// Show specifications with all defaults filled in.
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetGroups {
    /// The instance groups; all of the cluster unless some are named.
    pub(crate) groups: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetInstances {
    /// The cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetAll {
    /// The cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}
