//! `kops get`.

use clap::{Args, Subcommand, ValueEnum};

/// What to show; a whole cluster by default.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(subcommand)]
    pub(crate) what: Option<GetWhat>,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetWhat {
    /// Show clusters; by default all clusters in the state store.
    #[command(visible_alias = "cluster")]
    Clusters(GetClusters),
    /// Show the instance groups of a cluster.
    #[command(name = "instancegroups", visible_alias = "ig", aliases = ["instancegroup", "instance-groups"])]
    InstanceGroups(GetGroups),
    /// Show the machines of a cluster.
    #[command(visible_alias = "instance")]
    Instances(GetInstances),
    /// Show the key pairs of a cluster's keysets.
    #[command(visible_alias = "keypair")]
    Keypairs(GetKeypairs),
    /// Show the names of a cluster's secrets.
    #[command(visible_alias = "secret")]
    Secrets(GetSecrets),
    /// Show a cluster and its instance groups.
    All(GetAll),
}

/// Output format.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Format {
    /// Output format.
    #[arg(long = "output", short = 'o', value_enum, default_value_t, global = true, value_name = "FORMAT")]
    pub(crate) output: GetFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GetFormat {
    /// A table.
    #[default]
    Table,
    /// Documents for `create -f` and `replace -f`.
    Yaml,
    /// JSON: one object, or a list of several.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct GetClusters {
    /// The names of the clusters; all by default.
    pub(crate) names: Vec<String>,
    /// Show specifications with all defaults filled in.
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetGroups {
    /// The names of the instance groups; all of the cluster by default.
    pub(crate) groups: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetInstances {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetAll {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetKeypairs {
    /// The names of the keysets; all by default.
    pub(crate) keysets: Vec<String>,
    /// Show distrusted key pairs, too.
    #[arg(long)]
    pub(crate) distrusted: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetSecrets {
    /// The names of the secrets; all by default.
    pub(crate) names: Vec<String>,
}
