//! `kops create` and `kops replace`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::keys::{CreateKeypair, CreateSecret};
use super::provider::ProviderFlags;
use super::{Changes, Consent, MachineFlags, kops};

/// What to create.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Create {
    #[command(subcommand)]
    pub(crate) what: Option<CreateWhat>,
    /// Files that contain the specifications to create, or - for standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true, value_delimiter = ',')]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateWhat {
    /// Create a cluster from flags.
    Cluster(Box<CreateCluster>),
    /// Create an instance group.
    #[command(name = "instancegroup", visible_alias = "ig", aliases = ["instancegroups", "instance-group"])]
    InstanceGroup(CreateGroup),
    /// Add a key pair to a keyset.
    Keypair(CreateKeypair),
    /// Create a secret that machines read.
    #[command(subcommand)]
    Secret(CreateSecret),
}

/// Files that contain specifications.
#[derive(Debug, Args)]
pub(crate) struct Manifest {
    /// Files that contain the specifications, or - for standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true, value_delimiter = ',')]
    pub(crate) files: Vec<PathBuf>,
    /// Create specifications that do not exist yet.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Create a cluster.
///
/// The specification is written to the state store, and the plan is shown. With --yes the plan is applied.
#[derive(Debug, Args)]
pub(crate) struct CreateCluster {
    /// The name of the cluster: a DNS name, with a domain if names are published.
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,

    /// The cloud: aws, gce, openstack, azure or memory.
    #[arg(long, value_name = "CLOUD", help_heading = "Cloud")]
    pub(crate) cloud: Option<String>,
    /// Zones of the nodes, and of the control plane by default.
    #[arg(long, value_delimiter = ',', help_heading = "Cloud")]
    pub(crate) zones: Vec<String>,
    /// Labels for all objects in the cloud: key=value, …; values that contain commas in double quotes.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Cloud")]
    pub(crate) cloud_labels: Vec<String>,
    /// The project (GCE).
    #[arg(long, help_heading = "Cloud")]
    pub(crate) project: Option<String>,

    /// Flags for a single cloud.
    #[command(flatten)]
    pub(crate) provider: ProviderFlags,

    /// Zones of the control plane.
    #[arg(
        long,
        alias = "master-zones",
        value_delimiter = ',',
        value_name = "ZONES",
        help_heading = "Machines"
    )]
    pub(crate) control_plane_zones: Vec<String>,
    /// Number of control-plane machines; must be odd.
    #[arg(long, alias = "master-count", value_name = "COUNT", help_heading = "Machines")]
    pub(crate) control_plane_count: Option<u32>,
    /// Machine type of control-plane machines.
    #[arg(long, alias = "master-size", value_name = "TYPE", help_heading = "Machines")]
    pub(crate) control_plane_size: Option<String>,
    /// Image of control-plane machines.
    #[arg(long, alias = "master-image", value_name = "IMAGE", help_heading = "Machines")]
    pub(crate) control_plane_image: Option<String>,
    /// Size of the root volume of control-plane machines, in GiB.
    #[arg(long, alias = "master-volume-size", value_name = "GIB", help_heading = "Machines")]
    pub(crate) control_plane_volume_size: Option<i32>,
    /// Additional security groups of control-plane machines.
    #[arg(
        long,
        alias = "master-security-groups",
        value_delimiter = ',',
        value_name = "GROUPS",
        help_heading = "Machines"
    )]
    pub(crate) control_plane_security_groups: Vec<String>,
    /// Number of nodes over all zones; one per zone by default.
    #[arg(long, value_name = "COUNT", help_heading = "Machines")]
    pub(crate) node_count: Option<u32>,
    /// Tenancy of control-plane machines (AWS): default or dedicated.
    #[arg(long, alias = "master-tenancy", value_name = "TENANCY", help_heading = "Machines")]
    pub(crate) control_plane_tenancy: Option<String>,
    /// Machine type of nodes; further ones, after commas, may stand in for it (AWS).
    #[arg(long, value_name = "TYPE", help_heading = "Machines")]
    pub(crate) node_size: Option<String>,
    /// Image of nodes.
    #[arg(long, value_name = "IMAGE", help_heading = "Machines")]
    pub(crate) node_image: Option<String>,
    /// Size of the root volume of nodes, in GiB.
    #[arg(long, value_name = "GIB", help_heading = "Machines")]
    pub(crate) node_volume_size: Option<i32>,
    /// Additional security groups of nodes.
    #[arg(long, value_delimiter = ',', value_name = "GROUPS", help_heading = "Machines")]
    pub(crate) node_security_groups: Vec<String>,
    /// Tenancy of nodes (AWS): default or dedicated.
    #[arg(long, value_name = "TENANCY", help_heading = "Machines")]
    pub(crate) node_tenancy: Option<String>,
    /// Image of bastions.
    #[arg(long, value_name = "IMAGE", help_heading = "Machines")]
    pub(crate) bastion_image: Option<String>,
    /// Whether machines get public addresses, if not as the topology says.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
          help_heading = "Machines")]
    pub(crate) associate_public_ip: Option<bool>,
    /// Who manages the machines of groups: cloudgroups.
    #[arg(long, hide = true, value_parser = kops::instance_manager)]
    instance_manager: Option<String>,
    /// Image of all machines.
    #[arg(long, help_heading = "Machines")]
    pub(crate) image: Option<String>,
    /// File that contains the public SSH key for logging in to machines.
    #[arg(long, value_name = "FILE", help_heading = "Machines")]
    pub(crate) ssh_public_key: Option<PathBuf>,
    /// Existing key pair of the cloud to use instead.
    #[arg(
        long,
        alias = "ssh-key",
        value_name = "NAME",
        conflicts_with = "ssh_public_key",
        help_heading = "Machines"
    )]
    pub(crate) ssh_key_name: Option<String>,

    /// Whether machines have public addresses: public or private.
    #[arg(long, short = 't', default_value = "public", help_heading = "Network")]
    pub(crate) topology: String,
    /// Create a bastion for machines without public addresses.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, default_value = "false",
          action = ArgAction::Set, help_heading = "Network")]
    pub(crate) bastion: bool,
    /// Type of the API's load balancer: public or internal.
    #[arg(long, value_name = "TYPE", help_heading = "Network")]
    pub(crate) api_loadbalancer_type: Option<String>,
    /// Class of the API's load balancer: network or classic.
    #[arg(long, value_name = "CLASS", help_heading = "Network")]
    pub(crate) api_loadbalancer_class: Option<String>,
    /// DNS name of the API for users.
    #[arg(long, alias = "master-public-name", value_name = "NAME", help_heading = "Network")]
    pub(crate) api_public_name: Option<String>,
    /// ARN of a certificate for the API's load balancer (AWS).
    #[arg(long, value_name = "ARN", help_heading = "Network")]
    pub(crate) api_ssl_certificate: Option<String>,
    /// Egress of private subnets: an existing NAT gateway or transit gateway, or External.
    #[arg(long, value_name = "ID", help_heading = "Network")]
    pub(crate) egress: Option<String>,
    /// Leave subnets without the tags by which controllers find them (AWS).
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, default_value = "false",
          action = ArgAction::Set, value_name = "BOOL", help_heading = "Network")]
    pub(crate) disable_subnet_tags: bool,
    /// Whether pods have IPv6 addresses.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_parser = kops::no_ipv6)]
    ipv6: Option<String>,
    /// How the cluster's DNS names are published: public, private or none; public if --dns-zone is set.
    #[arg(long, help_heading = "Network")]
    pub(crate) dns: Option<String>,
    /// DNS zone of the cluster's names.
    #[arg(long, value_name = "ZONE", help_heading = "Network")]
    pub(crate) dns_zone: Option<String>,
    /// Network plugin; cilium by default.
    #[arg(long, value_name = "PLUGIN", help_heading = "Network")]
    pub(crate) networking: Option<String>,
    /// CIDR of the network, optionally followed by additional CIDRs, separated by commas.
    #[arg(
        long,
        alias = "network-cidrs",
        value_delimiter = ',',
        value_name = "CIDR",
        help_heading = "Network"
    )]
    pub(crate) network_cidr: Vec<String>,
    /// Existing network to use.
    #[arg(long, alias = "vpc", value_name = "ID", help_heading = "Network")]
    pub(crate) network_id: Option<String>,
    /// Existing subnets to use, in the order of the zones: first those of --zones, then those of --control-plane-zones
    /// that are not among them.
    #[arg(long, value_delimiter = ',', value_name = "IDS", help_heading = "Network")]
    pub(crate) subnets: Vec<String>,
    /// Existing utility subnets to use, in the same order as --subnets.
    #[arg(long, value_delimiter = ',', value_name = "IDS", help_heading = "Network")]
    pub(crate) utility_subnets: Vec<String>,
    /// CIDRs that may reach the API; any by default.
    #[arg(long, value_delimiter = ',', value_name = "CIDRS", help_heading = "Network")]
    pub(crate) admin_access: Vec<String>,
    /// CIDRs that may reach machines by SSH; those of --admin-access by default.
    #[arg(long, value_delimiter = ',', value_name = "CIDRS", help_heading = "Network")]
    pub(crate) ssh_access: Vec<String>,

    /// Kubernetes version.
    #[arg(long, value_name = "VERSION", help_heading = "Kubernetes")]
    pub(crate) kubernetes_version: Option<String>,
    /// Feature gates of all components: Gate opens one, -Gate closes it.
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_name = "GATES",
        help_heading = "Kubernetes"
    )]
    pub(crate) kubernetes_feature_gates: Vec<String>,
    /// Location where the issuer of service accounts publishes its keys, below the cluster's name.
    #[arg(long, value_name = "URL", help_heading = "Kubernetes")]
    pub(crate) discovery_store: Option<String>,
    /// Container runtime: containerd.
    #[arg(long, hide = true, value_parser = kops::runtime)]
    container_runtime: Option<String>,
    /// Authorization: RBAC.
    #[arg(long, hide = true, value_parser = kops::authorization)]
    authorization: Option<String>,
    /// Channel that recommends versions.
    #[arg(long, help_heading = "Kubernetes")]
    pub(crate) channel: Option<String>,
    /// etcd clusters; main,events by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help_heading = "Kubernetes")]
    pub(crate) etcd_clusters: Vec<String>,
    /// Encrypt the volumes of etcd.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
          help_heading = "Kubernetes")]
    pub(crate) encrypt_etcd_storage: Option<bool>,
    /// Type of the volumes of etcd.
    #[arg(long, value_name = "TYPE", help_heading = "Kubernetes")]
    pub(crate) etcd_storage_type: Option<String>,

    #[command(flatten)]
    pub(crate) changes: Changes,

    /// How the plan is applied: direct.
    #[arg(long, hide = true, value_parser = kops::target)]
    target: Option<String>,
    /// Print the specification without writing it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Output format of the specification.
    #[arg(long, short, value_name = "FORMAT", requires = "dry_run")]
    pub(crate) output: Option<ManifestFormat>,
    #[command(flatten)]
    pub(crate) consent: Consent,
    #[command(flatten)]
    pub(crate) machines: MachineFlags,
}

/// Output formats of a specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// Documents for `create -f`.
    #[default]
    Yaml,
    /// A list of JSON documents.
    Json,
}

/// Create an instance group.
#[derive(Debug, Args)]
pub(crate) struct CreateGroup {
    /// The name of the instance group.
    pub(crate) group: String,
    /// Role of its machines.
    #[arg(long, value_enum, default_value_t = GroupRole::Node)]
    pub(crate) role: GroupRole,
    /// Subnets, by name in the cluster's specification; all that suit the role by default.
    #[arg(long, alias = "subnets", value_delimiter = ',')]
    pub(crate) subnet: Vec<String>,
    /// Open the specification in an editor before it is written.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = ArgAction::Set,
          value_name = "BOOL")]
    pub(crate) edit: Option<bool>,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Print the specification without writing it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Output format of the specification.
    #[arg(long, short, value_name = "FORMAT", requires = "dry_run")]
    pub(crate) output: Option<ManifestFormat>,
}

/// The role of a group's machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupRole {
    /// Control plane.
    #[value(name = "control-plane", alias = "master", alias = "controlplane")]
    ControlPlane,
    /// Workloads.
    #[value(name = "node")]
    Node,
    /// SSH bastion.
    #[value(name = "bastion")]
    Bastion,
}
