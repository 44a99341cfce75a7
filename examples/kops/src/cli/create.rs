//! `kops create` and `kops replace`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::provider::ProviderFlags;
use super::{Changes, Consent};

/// What to create.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Create {
    #[command(subcommand)]
    pub(crate) what: Option<CreateWhat>,
    /// Files with specifications to create; - is the standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateWhat {
    /// Create a cluster from flags.
    Cluster(Box<CreateCluster>),
    /// Create an instance group.
    #[command(name = "instancegroup", visible_alias = "ig", aliases = ["instancegroups", "instance-group"])]
    InstanceGroup(CreateGroup),
}

/// Files with specifications.
#[derive(Debug, Args)]
pub(crate) struct Manifest {
    /// Files with specifications; - is the standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Create what does not exist yet.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What a new cluster shall be like.
///
/// The specification is written to the state store and its plan shown; with --yes the plan is applied.
#[derive(Debug, Args)]
pub(crate) struct CreateCluster {
    /// The cluster's name: a DNS name.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,

    /// The cloud: aws, gce, openstack, azure or memory.
    #[arg(long, value_name = "CLOUD", help_heading = "Cloud")]
    pub(crate) cloud: Option<String>,
    /// Zones for the nodes, and for the control plane unless told otherwise.
    #[arg(long, value_delimiter = ',', help_heading = "Cloud")]
    pub(crate) zones: Vec<String>,
    /// Labels for everything in the cloud: key=value, …
    #[arg(long, value_delimiter = ',', value_name = "KEY=VALUE", help_heading = "Cloud")]
    pub(crate) cloud_labels: Vec<String>,
    /// The project (GCE).
    #[arg(long, help_heading = "Cloud")]
    pub(crate) project: Option<String>,

    /// What one cloud alone understands.
    #[command(flatten)]
    pub(crate) provider: ProviderFlags,

    /// Zones for the control plane.
    #[arg(
        long,
        alias = "master-zones",
        value_delimiter = ',',
        value_name = "ZONES",
        help_heading = "Machines"
    )]
    pub(crate) control_plane_zones: Vec<String>,
    /// How many control-plane machines: an odd number.
    #[arg(long, alias = "master-count", value_name = "COUNT", help_heading = "Machines")]
    pub(crate) control_plane_count: Option<u32>,
    /// Their machine type.
    #[arg(long, alias = "master-size", value_name = "TYPE", help_heading = "Machines")]
    pub(crate) control_plane_size: Option<String>,
    /// Their image.
    #[arg(long, alias = "master-image", value_name = "IMAGE", help_heading = "Machines")]
    pub(crate) control_plane_image: Option<String>,
    /// The size of their disks, in GiB.
    #[arg(long, alias = "master-volume-size", value_name = "GIB", help_heading = "Machines")]
    pub(crate) control_plane_volume_size: Option<i32>,
    /// Further security groups for them.
    #[arg(
        long,
        alias = "master-security-groups",
        value_delimiter = ',',
        value_name = "GROUPS",
        help_heading = "Machines"
    )]
    pub(crate) control_plane_security_groups: Vec<String>,
    /// How many nodes over all zones; one to a zone unless given.
    #[arg(long, value_name = "COUNT", help_heading = "Machines")]
    pub(crate) node_count: Option<u32>,
    /// Their machine type.
    #[arg(long, value_name = "TYPE", help_heading = "Machines")]
    pub(crate) node_size: Option<String>,
    /// Their image.
    #[arg(long, value_name = "IMAGE", help_heading = "Machines")]
    pub(crate) node_image: Option<String>,
    /// The size of their disks, in GiB.
    #[arg(long, value_name = "GIB", help_heading = "Machines")]
    pub(crate) node_volume_size: Option<i32>,
    /// Further security groups for them.
    #[arg(long, value_delimiter = ',', value_name = "GROUPS", help_heading = "Machines")]
    pub(crate) node_security_groups: Vec<String>,
    /// The image of all machines.
    #[arg(long, help_heading = "Machines")]
    pub(crate) image: Option<String>,
    /// A file with the public SSH key that opens the machines.
    #[arg(long, value_name = "FILE", help_heading = "Machines")]
    pub(crate) ssh_public_key: Option<PathBuf>,
    /// An existing key pair of the cloud instead.
    #[arg(
        long,
        alias = "ssh-key",
        value_name = "NAME",
        conflicts_with = "ssh_public_key",
        help_heading = "Machines"
    )]
    pub(crate) ssh_key_name: Option<String>,

    /// Whether machines have addresses on the internet: public or private.
    #[arg(long, short = 't', default_value = "public", help_heading = "Network")]
    pub(crate) topology: String,
    /// A bastion in front of private machines.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, default_value = "false",
          action = ArgAction::Set, help_heading = "Network")]
    pub(crate) bastion: bool,
    /// A load balancer for the API: public or internal.
    #[arg(long, value_name = "TYPE", help_heading = "Network")]
    pub(crate) api_loadbalancer_type: Option<String>,
    /// Its class: network or classic.
    #[arg(long, value_name = "CLASS", help_heading = "Network")]
    pub(crate) api_loadbalancer_class: Option<String>,
    /// How the cluster's names are published: public, private or none; public if --dns-zone is given.
    #[arg(long, help_heading = "Network")]
    pub(crate) dns: Option<String>,
    /// The DNS zone for the cluster's names.
    #[arg(long, value_name = "ZONE", help_heading = "Network")]
    pub(crate) dns_zone: Option<String>,
    /// The network plugin; cilium unless given.
    #[arg(long, value_name = "PLUGIN", help_heading = "Network")]
    pub(crate) networking: Option<String>,
    /// The addresses of the network; further blocks behind a comma.
    #[arg(
        long,
        alias = "network-cidrs",
        value_delimiter = ',',
        value_name = "CIDR",
        help_heading = "Network"
    )]
    pub(crate) network_cidr: Vec<String>,
    /// An existing network.
    #[arg(long, alias = "vpc", value_name = "ID", help_heading = "Network")]
    pub(crate) network_id: Option<String>,
    /// Existing subnets, in the order of the zones.
    #[arg(long, value_delimiter = ',', value_name = "IDS", help_heading = "Network")]
    pub(crate) subnets: Vec<String>,
    /// Existing utility subnets, in the order of the zones.
    #[arg(long, value_delimiter = ',', value_name = "IDS", help_heading = "Network")]
    pub(crate) utility_subnets: Vec<String>,
    /// Who may reach the API, as CIDRs; everybody unless given.
    #[arg(long, value_delimiter = ',', value_name = "CIDRS", help_heading = "Network")]
    pub(crate) admin_access: Vec<String>,
    /// Who may reach machines by SSH; who may reach the API unless given.
    #[arg(long, value_delimiter = ',', value_name = "CIDRS", help_heading = "Network")]
    pub(crate) ssh_access: Vec<String>,

    /// The version of Kubernetes.
    #[arg(long, value_name = "VERSION", help_heading = "Kubernetes")]
    pub(crate) kubernetes_version: Option<String>,
    /// The channel that recommends versions.
    #[arg(long, help_heading = "Kubernetes")]
    pub(crate) channel: Option<String>,
    /// The etcd clusters; main,events unless given.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help_heading = "Kubernetes")]
    pub(crate) etcd_clusters: Vec<String>,
    /// Whether their disks are encrypted.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
          help_heading = "Kubernetes")]
    pub(crate) encrypt_etcd_storage: Option<bool>,
    /// The type of their disks.
    #[arg(long, value_name = "TYPE", help_heading = "Kubernetes")]
    pub(crate) etcd_storage_type: Option<String>,

    #[command(flatten)]
    pub(crate) changes: Changes,

    /// Print the specification and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print it.
    #[arg(long, short, value_name = "FORMAT", requires = "dry_run")]
    pub(crate) output: Option<ManifestFormat>,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

/// How a specification is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// Documents that `create -f` reads.
    #[default]
    Yaml,
    /// A list of JSON documents.
    Json,
}

/// A new instance group.
#[derive(Debug, Args)]
pub(crate) struct CreateGroup {
    /// The group's name.
    pub(crate) group: String,
    /// What its machines do.
    #[arg(long, value_enum, default_value_t = GroupRole::Node)]
    pub(crate) role: GroupRole,
    /// Its subnets, by their names in the cluster's specification; all that fit the role unless given.
    #[arg(long, alias = "subnets", value_delimiter = ',')]
    pub(crate) subnet: Vec<String>,
    /// Whether to open the specification in an editor before it is written.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = ArgAction::Set,
          value_name = "BOOL")]
    pub(crate) edit: Option<bool>,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Print the specification and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print it.
    #[arg(long, short, value_name = "FORMAT", requires = "dry_run")]
    pub(crate) output: Option<ManifestFormat>,
}

/// What the machines of a group do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupRole {
    /// They run the control plane.
    #[value(name = "control-plane", alias = "master", alias = "controlplane")]
    ControlPlane,
    /// They run what users run.
    #[value(name = "node")]
    Node,
    /// They let SSH in.
    #[value(name = "bastion")]
    Bastion,
}
