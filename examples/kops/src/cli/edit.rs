//! `kops edit`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Edit {
    /// Edit the specification of a cluster.
    Cluster(EditCluster),
    /// Edit the specification of an instance group.
    #[command(name = "instancegroup", visible_alias = "ig", aliases = ["instancegroups", "instance-group"])]
    InstanceGroup(EditGroup),
}

/// Fields to change.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Changes {
    /// Set a field, for example spec.kubernetesVersion=1.34.2. May be repeated.
    #[arg(long, alias = "override", value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Remove a field, for example spec.sshAccess. May be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) unset: Vec<String>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct EditCluster {
    /// The name of the cluster.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

#[derive(Debug, Args)]
pub(crate) struct EditGroup {
    /// The name of the instance group.
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) changes: Changes,
}
