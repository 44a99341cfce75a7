//! `kops delete`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Consent;

/// What to delete.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Delete {
    #[command(subcommand)]
    pub(crate) what: Option<DeleteWhat>,
    /// Files that name what to delete, or - for standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true, value_delimiter = ',')]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeleteWhat {
    /// Delete a cluster: its objects in the cloud, then its specification.
    Cluster(DeleteCluster),
    /// Delete an instance group: its machines, immediately and without draining, then its specification.
    ///
    /// Other pending changes of the cluster are not applied.
    #[command(name = "instancegroup", visible_alias = "ig", aliases = ["instancegroups", "instance-group"])]
    InstanceGroup(DeleteGroup),
}

#[derive(Debug, Args)]
pub(crate) struct DeleteCluster {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Delete the specification only: all objects in the cloud stay, and have to be deleted by other means.
    #[arg(long)]
    pub(crate) unregister: bool,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteGroup {
    /// The name of the instance group.
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) consent: Consent,
}
