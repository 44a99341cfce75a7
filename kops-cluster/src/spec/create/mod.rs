//! New clusters from a handful of options, as created by `kops create cluster`.

mod groups;
mod network;

use std::collections::BTreeMap;
use std::str::FromStr;

use ipnet::IpNet;
use kops_core::setters;
use serde_json::json;

use super::defaults::{
    ANYWHERE, CHANNEL, CloudDefaults, KUBERNETES_VERSION, NETWORK_PLUGIN, NON_MASQUERADE_CIDR,
};
use super::existing::ExistingNetwork;
use super::path::Path;
use super::problem::Problems;
use super::schema::{Opaque, choice, nearest};
use super::types::{
    AccessSource, ApiDns, ApiLoadBalancer, CloudProvider, Cluster, ClusterSpec, DnsType, Iam, InstanceGroup,
    LoadBalancerClass, LoadBalancerType, Networking, SubnetType,
};
use super::validate::{cluster_name, kubernetes_version, validate};

choice! {
    /// Whether machines have public addresses.
    pub enum TopologyKind {
        /// Yes.
        Public => "public",
        /// No; utility subnets hold their load balancers and NAT gateways.
        Private => "private",
    }
}

/// The options of a new cluster: those of `kops create cluster`.
///
/// Only `name`, `cloud` and `zones` are required. Names (of clouds, network plugins, versions) and CIDRs with access
/// are text, as users write them: [`new_cluster`] parses them and reports all problems at once, each with the closest
/// valid name.
///
/// ```
/// use kops_cluster::{NewCluster, new_cluster};
///
/// let new = NewCluster::new("demo.example.com", "aws")
///     .zones(["us-east-1a", "us-east-1b", "us-east-1c"])
///     .control_plane_count(3);
/// let (cluster, groups) = new_cluster(&new)?;
/// assert_eq!(cluster.region().as_deref(), Some("us-east-1"));
/// assert_eq!(cluster.spec.etcd_clusters[0].members.len(), 3);
/// let names: Vec<&str> = groups.iter().map(|group| group.name()).collect();
/// assert_eq!(names[..2], ["control-plane-us-east-1a", "control-plane-us-east-1b"]);
/// assert_eq!(names[3..], ["nodes-us-east-1a", "nodes-us-east-1b", "nodes-us-east-1c"]);
///
/// // All problems are reported at once, each with a fix.
/// let problems = new_cluster(&NewCluster::new("-demo", "").bastion(true)).unwrap_err();
/// assert!(problems.errors().count() >= 4);
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCluster {
    /// The name: a DNS name.
    pub name: String,
    /// The cloud: `aws`, `memory`, …
    pub cloud: String,
    /// The zones of the nodes: one instance group per zone.
    pub zones: Vec<String>,
    /// The zones of the control plane; by default those of the nodes.
    pub control_plane_zones: Vec<String>,
    /// The number of control-plane machines, which must be odd; by default one per zone in
    /// `control_plane_zones`, or one.
    pub control_plane_count: Option<u32>,
    /// Their machine type.
    pub control_plane_size: Option<String>,
    /// Their image.
    pub control_plane_image: Option<String>,
    /// The size of their root volume, in GiB.
    pub control_plane_volume_size: Option<i32>,
    /// Additional security groups for them.
    pub control_plane_security_groups: Vec<String>,
    /// The number of nodes over all zones; by default one per zone.
    pub node_count: Option<u32>,
    /// Their machine type.
    pub node_size: Option<String>,
    /// Their image.
    pub node_image: Option<String>,
    /// The size of their root volume, in GiB.
    pub node_volume_size: Option<i32>,
    /// Additional security groups for them.
    pub node_security_groups: Vec<String>,
    /// The image of all machines.
    pub image: Option<String>,
    /// Whether machines have public addresses.
    pub topology: TopologyKind,
    /// Whether to create a bastion; for private topologies only.
    pub bastion: bool,
    /// The load balancer of the API. Without one, the API is found by DNS if possible.
    pub api_load_balancer: Option<LoadBalancerType>,
    /// Its class; by default that of the cloud.
    pub api_load_balancer_class: Option<LoadBalancerClass>,
    /// How the cluster's names are published.
    pub dns: DnsType,
    /// The DNS zone of its names.
    pub dns_zone: Option<String>,
    /// The network plugin: `cilium`, `calico`, …
    pub networking: String,
    /// The CIDR of the network.
    pub network_cidr: Option<IpNet>,
    /// Additional CIDRs of the network.
    pub additional_network_cidrs: Vec<IpNet>,
    /// An existing network.
    pub network_id: Option<String>,
    /// What the cloud says of the existing network: new subnets get CIDRs of it that no existing subnet has.
    pub existing_network: Option<ExistingNetwork>,
    /// Existing subnets for the machines, in the order of `zones`, followed by those of `control_plane_zones` that are
    /// not among them.
    pub subnets: Vec<String>,
    /// Existing utility subnets, in the same order.
    pub utility_subnets: Vec<String>,
    /// The Kubernetes version.
    pub kubernetes_version: Option<String>,
    /// The channel.
    pub channel: Option<String>,
    /// The sources that may reach the API; by default any.
    pub admin_access: Vec<String>,
    /// The sources that may reach machines by SSH; by default those of the API.
    pub ssh_access: Vec<String>,
    /// An existing key pair of the cloud.
    pub ssh_key_name: Option<String>,
    /// The names of the etcd clusters.
    pub etcd_clusters: Vec<String>,
    /// Whether their volumes are encrypted; by default as usual on the cloud.
    pub encrypt_etcd_storage: Option<bool>,
    /// The type of their volumes.
    pub etcd_storage_type: Option<String>,
    /// Labels for everything in the cloud.
    pub cloud_labels: BTreeMap<String, String>,
    /// The location of the configuration: `<store>/<name>`.
    pub config_base: Option<String>,
    /// The project (GCE).
    pub project: Option<String>,
    /// The image of bastions; by default that of all machines.
    pub bastion_image: Option<String>,
    /// The tenancy of control-plane machines (AWS).
    pub control_plane_tenancy: Option<String>,
    /// The tenancy of nodes (AWS).
    pub node_tenancy: Option<String>,
    /// Whether machines get public addresses, if not as the topology says.
    pub associate_public_ip: Option<bool>,
    /// The egress of private subnets: an existing `nat-…`, `tgw-…`, or `External`.
    pub egress: Option<String>,
    /// Whether subnets are left without the tags by which controllers find them (AWS).
    pub disable_subnet_tags: bool,
    /// The DNS name of the API for users; by default `api.<name>`, if names are published.
    pub api_public_name: Option<String>,
    /// The ARN of a certificate for the load balancer of the API (AWS).
    pub api_ssl_certificate: Option<String>,
    /// Where the issuer of service accounts publishes its keys: `<store>/<name>` below this location.
    pub discovery_store: Option<String>,
    /// Feature gates of all components of Kubernetes: `Gate` or `+Gate` opens one, `-Gate` closes it.
    pub kubernetes_feature_gates: Vec<String>,
}

impl NewCluster {
    /// A cluster on a cloud, with one control-plane machine, and a node in each zone; zones have to be set.
    pub fn new(name: impl Into<String>, cloud: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cloud: cloud.into(),
            zones: Vec::new(),
            control_plane_zones: Vec::new(),
            control_plane_count: None,
            control_plane_size: None,
            control_plane_image: None,
            control_plane_volume_size: None,
            control_plane_security_groups: Vec::new(),
            node_count: None,
            node_size: None,
            node_image: None,
            node_volume_size: None,
            node_security_groups: Vec::new(),
            image: None,
            topology: TopologyKind::Public,
            bastion: false,
            api_load_balancer: None,
            api_load_balancer_class: None,
            dns: DnsType::None,
            dns_zone: None,
            networking: NETWORK_PLUGIN.to_owned(),
            network_cidr: None,
            additional_network_cidrs: Vec::new(),
            network_id: None,
            existing_network: None,
            subnets: Vec::new(),
            utility_subnets: Vec::new(),
            kubernetes_version: None,
            channel: None,
            admin_access: Vec::new(),
            ssh_access: Vec::new(),
            ssh_key_name: None,
            etcd_clusters: vec!["main".to_owned(), "events".to_owned()],
            encrypt_etcd_storage: None,
            etcd_storage_type: None,
            cloud_labels: BTreeMap::new(),
            config_base: None,
            project: None,
            bastion_image: None,
            control_plane_tenancy: None,
            node_tenancy: None,
            associate_public_ip: None,
            egress: None,
            disable_subnet_tags: false,
            api_public_name: None,
            api_ssl_certificate: None,
            discovery_store: None,
            kubernetes_feature_gates: Vec::new(),
        }
    }

    setters! {
        /// Adds to [`zones`](Self#structfield.zones).
        texts zones;
        /// Adds to [`control_plane_zones`](Self#structfield.control_plane_zones).
        texts control_plane_zones;
        /// Sets [`control_plane_count`](Self#structfield.control_plane_count).
        option control_plane_count: u32;
        /// Sets [`control_plane_size`](Self#structfield.control_plane_size).
        text control_plane_size;
        /// Sets [`control_plane_image`](Self#structfield.control_plane_image).
        text control_plane_image;
        /// Sets [`control_plane_volume_size`](Self#structfield.control_plane_volume_size).
        option control_plane_volume_size: i32;
        /// Adds to [`control_plane_security_groups`](Self#structfield.control_plane_security_groups).
        texts control_plane_security_groups;
        /// Sets [`node_count`](Self#structfield.node_count).
        option node_count: u32;
        /// Sets [`node_size`](Self#structfield.node_size).
        text node_size;
        /// Sets [`node_image`](Self#structfield.node_image).
        text node_image;
        /// Sets [`node_volume_size`](Self#structfield.node_volume_size).
        option node_volume_size: i32;
        /// Adds to [`node_security_groups`](Self#structfield.node_security_groups).
        texts node_security_groups;
        /// Sets [`image`](Self#structfield.image).
        text image;
        /// Sets [`topology`](Self#structfield.topology).
        set topology: TopologyKind;
        /// Sets [`bastion`](Self#structfield.bastion).
        set bastion: bool;
        /// Sets [`api_load_balancer`](Self#structfield.api_load_balancer).
        option api_load_balancer: LoadBalancerType;
        /// Sets [`api_load_balancer_class`](Self#structfield.api_load_balancer_class).
        option api_load_balancer_class: LoadBalancerClass;
        /// Sets [`dns`](Self#structfield.dns).
        set dns: DnsType;
        /// Sets [`dns_zone`](Self#structfield.dns_zone).
        text dns_zone;
        /// Sets [`networking`](Self#structfield.networking).
        into networking: String;
        /// Sets [`network_cidr`](Self#structfield.network_cidr).
        option network_cidr: IpNet;
        /// Adds to [`additional_network_cidrs`](Self#structfield.additional_network_cidrs).
        extend additional_network_cidrs: IpNet;
        /// Sets [`network_id`](Self#structfield.network_id).
        text network_id;
        /// Sets [`existing_network`](Self#structfield.existing_network).
        option existing_network: ExistingNetwork;
        /// Adds to [`subnets`](Self#structfield.subnets).
        texts subnets;
        /// Adds to [`utility_subnets`](Self#structfield.utility_subnets).
        texts utility_subnets;
        /// Sets [`kubernetes_version`](Self#structfield.kubernetes_version).
        text kubernetes_version;
        /// Sets [`channel`](Self#structfield.channel).
        text channel;
        /// Adds to [`admin_access`](Self#structfield.admin_access).
        texts admin_access;
        /// Adds to [`ssh_access`](Self#structfield.ssh_access).
        texts ssh_access;
        /// Sets [`ssh_key_name`](Self#structfield.ssh_key_name).
        text ssh_key_name;
        /// Sets [`encrypt_etcd_storage`](Self#structfield.encrypt_etcd_storage).
        option encrypt_etcd_storage: bool;
        /// Sets [`etcd_storage_type`](Self#structfield.etcd_storage_type).
        text etcd_storage_type;
        /// Sets [`config_base`](Self#structfield.config_base).
        text config_base;
        /// Sets [`project`](Self#structfield.project).
        text project;
        /// Sets [`bastion_image`](Self#structfield.bastion_image).
        text bastion_image;
        /// Sets [`control_plane_tenancy`](Self#structfield.control_plane_tenancy).
        text control_plane_tenancy;
        /// Sets [`node_tenancy`](Self#structfield.node_tenancy).
        text node_tenancy;
        /// Sets [`associate_public_ip`](Self#structfield.associate_public_ip).
        option associate_public_ip: bool;
        /// Sets [`egress`](Self#structfield.egress).
        text egress;
        /// Sets [`disable_subnet_tags`](Self#structfield.disable_subnet_tags).
        set disable_subnet_tags: bool;
        /// Sets [`api_public_name`](Self#structfield.api_public_name).
        text api_public_name;
        /// Sets [`api_ssl_certificate`](Self#structfield.api_ssl_certificate).
        text api_ssl_certificate;
        /// Sets [`discovery_store`](Self#structfield.discovery_store).
        text discovery_store;
        /// Adds to [`kubernetes_feature_gates`](Self#structfield.kubernetes_feature_gates).
        texts kubernetes_feature_gates;
    }

    /// Sets the names of the etcd clusters, replacing the defaults.
    pub fn etcd_clusters(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.etcd_clusters = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a label of all objects in the cloud.
    pub fn cloud_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.cloud_labels.insert(key.into(), value.into());
        self
    }
}

/// Creates the specifications of a new cluster.
///
/// Settings that cannot change once a cluster exists are written out (CIDRs, version, images, machine types);
/// the rest is left to [`populate`](super::populate).
///
/// # Errors
/// All problems of the options (paths are their command-line names), or else of the resulting specification.
pub fn new_cluster(options: &NewCluster) -> Result<(Cluster, Vec<InstanceGroup>), Problems> {
    let mut problems = Problems::new();
    let provider = check_options(options, &mut problems);
    let cloud = CloudDefaults::of(provider.as_ref());

    let mut cluster = Cluster::named(&options.name);
    let spec = &mut cluster.spec;
    spec.cloud_provider = provider;
    fill_plain(spec, options);
    spec.api.access = sources("admin-access", &options.admin_access, &mut problems);
    let ssh = if options.ssh_access.is_empty() { &options.admin_access } else { &options.ssh_access };
    spec.ssh_access = sources("ssh-access", ssh, &mut Problems::new());
    if !options.ssh_access.is_empty() {
        sources("ssh-access", &options.ssh_access, &mut problems);
    }
    network::fill(spec, options, cloud, &mut problems);
    egress(spec, options, &mut problems);
    choose_plugin(spec, &options.networking, &mut problems);
    fill_api(spec, options, cloud);
    discovery(spec, options);
    feature_gates(spec, &options.kubernetes_feature_gates, &mut problems);
    let groups = groups::build(options, spec, cloud, &mut problems);
    if problems.has_errors() {
        return Err(problems);
    }
    let found = validate(&cluster, &groups);
    if found.has_errors() { Err(found) } else { Ok((cluster, groups)) }
}

/// The path of an option.
fn option(name: &str) -> Path {
    Path::root().key(name)
}

/// Checks the options that can be checked up front; returns the cloud.
fn check_options(options: &NewCluster, problems: &mut Problems) -> Option<CloudProvider> {
    cluster_name(&options.name, options.dns, &option("name"), problems);
    if let Some(version) = &options.kubernetes_version {
        kubernetes_version(version, &option("kubernetes-version"), problems);
    }
    let provider = CloudProvider::by_name(&options.cloud)
        .filter(|provider| CloudDefaults::by_name(provider.name()).is_some_and(|cloud| cloud.served));
    if provider.is_none() {
        let message = if options.cloud.is_empty() {
            "is required".to_owned()
        } else {
            format!("{:?} is not supported", options.cloud)
        };
        problems.error(option("cloud"), message, format!("use one of {}", CloudDefaults::served_names()));
    }
    if options.zones.is_empty() {
        problems.error(option("zones"), "is required", "specify at least one zone");
    }
    for (name, zones) in [("zones", &options.zones), ("control-plane-zones", &options.control_plane_zones)] {
        for (at, zone) in zones.iter().enumerate() {
            if zones[..at].contains(zone) {
                problems.error(
                    option(name).index(at),
                    format!("{zone} is listed twice"),
                    "list each zone only once",
                );
            }
        }
    }
    if options.bastion && options.topology == TopologyKind::Public {
        problems.error(
            option("bastion"),
            "machines with public addresses need no bastion",
            "use a private topology, or no bastion",
        );
    }
    if options.topology == TopologyKind::Public && !options.utility_subnets.is_empty() {
        problems.error(
            option("utility-subnets"),
            "a public topology has no utility subnets",
            "use a private topology, or remove them",
        );
    }
    if options.etcd_clusters.is_empty() {
        problems.error(
            option("etcd-clusters"),
            "at least one is required",
            "list main, and events unless they are stored in main",
        );
    }
    for (name, count) in
        [("control-plane-count", options.control_plane_count), ("node-count", options.node_count)]
    {
        if count.is_some_and(|count| i32::try_from(count).is_err()) {
            problems.error(option(name), "is too large", "specify a number of machines");
        }
    }
    if options.control_plane_count == Some(0) {
        problems.error(option("control-plane-count"), "a cluster needs a control plane", "use an odd number");
    }
    provider
}

/// Copies the options that need no processing.
fn fill_plain(spec: &mut ClusterSpec, options: &NewCluster) {
    spec.channel = Some(options.channel.clone().unwrap_or_else(|| CHANNEL.to_owned()));
    let version = options.kubernetes_version.clone().unwrap_or_else(|| KUBERNETES_VERSION.to_owned());
    spec.kubernetes_version = Some(version);
    spec.config_store.base.clone_from(&options.config_base);
    spec.ssh_key_name.clone_from(&options.ssh_key_name);
    spec.dns_zone.clone_from(&options.dns_zone);
    spec.cloud_labels.clone_from(&options.cloud_labels);
    spec.networking.tag_subnets = options.disable_subnet_tags.then_some(false);
    spec.authorization = Some(Opaque(json!({ "rbac": {} })));
    spec.kubelet = Some(Opaque(json!({ "anonymousAuth": false })));
    spec.iam = Some(Iam { allow_container_registry: Some(true), legacy: Some(false), ..Iam::default() });
    if let Some(CloudProvider::Gce(gce)) = &mut spec.cloud_provider {
        gce.project.clone_from(&options.project);
    }
}

/// The egress of private subnets.
fn egress(spec: &mut ClusterSpec, options: &NewCluster, problems: &mut Problems) {
    let Some(egress) = &options.egress else { return };
    if options.topology == TopologyKind::Public {
        problems.error(
            option("egress"),
            "machines with public addresses need none",
            "use a private topology, or remove it",
        );
    }
    let subnets = spec.networking.subnets.iter_mut();
    for subnet in subnets.filter(|subnet| subnet.r#type == Some(SubnetType::Private)) {
        subnet.egress = Some(egress.clone());
    }
}

/// The place where the issuer of service accounts publishes its keys. On AWS, service accounts get roles of their own
/// by it.
fn discovery(spec: &mut ClusterSpec, options: &NewCluster) {
    let Some(store) = &options.discovery_store else { return };
    let mut discovery =
        json!({ "discoveryStore": format!("{}/{}", store.trim_end_matches('/'), options.name) });
    if matches!(spec.cloud_provider, Some(CloudProvider::Aws(_))) {
        discovery["enableAWSOIDCProvider"] = json!(true);
        spec.iam.get_or_insert_default().use_service_account_external_permissions = Some(true);
    }
    spec.service_account_issuer_discovery = Some(Opaque(discovery));
}

/// Sets feature gates of all components.
fn feature_gates(spec: &mut ClusterSpec, gates: &[String], problems: &mut Problems) {
    let mut switches = serde_json::Map::new();
    for (at, text) in gates.iter().enumerate() {
        let (gate, open) = match text.strip_prefix('-') {
            Some(gate) => (gate, false),
            None => (text.strip_prefix('+').unwrap_or(text), true),
        };
        if gate.is_empty() || !gate.chars().all(|c| c.is_ascii_alphanumeric()) {
            problems.error(
                option("kubernetes-feature-gates").index(at),
                format!("{text:?} is not a feature gate"),
                "use Gate to open one and -Gate to close it",
            );
        }
        switches.insert(gate.to_owned(), json!(open.to_string()));
    }
    if switches.is_empty() {
        return;
    }
    let components = [
        &mut spec.kubelet,
        &mut spec.kube_api_server,
        &mut spec.kube_controller_manager,
        &mut spec.kube_scheduler,
        &mut spec.kube_proxy,
    ];
    for component in components {
        let settings = &mut component.get_or_insert_with(|| Opaque(json!({}))).0;
        settings["featureGates"] = serde_json::Value::Object(switches.clone());
    }
}

/// Parses access sources; by default any.
fn sources(name: &str, texts: &[String], problems: &mut Problems) -> Vec<AccessSource> {
    if texts.is_empty() {
        return ANYWHERE.iter().filter_map(|text| AccessSource::from_str(text).ok()).collect();
    }
    let mut sources = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match AccessSource::from_str(text) {
            Ok(source) => sources.push(source),
            Err(error) => {
                problems.error(option(name).index(at), error.message(), error.hint().unwrap_or_default());
            }
        }
    }
    sources
}

/// Further plugin names that kOps accepts.
const PLUGIN_ALIASES: &[(&str, &str)] = &[
    ("", NETWORK_PLUGIN),
    ("amazon-vpc-routed-eni", "amazonvpc"),
    ("kube-router", "kuberouter"),
    ("flannel-vxlan", "flannel"),
    ("flannel-udp", "flannel"),
    ("kopeio-vxlan", "kopeio"),
    ("cilium-etcd", "cilium"),
    ("cilium-eni", "cilium"),
    ("gcp", "gce"),
];

fn choose_plugin(spec: &mut ClusterSpec, mode: &str, problems: &mut Problems) {
    let name = PLUGIN_ALIASES.iter().find(|(alias, _)| *alias == mode).map_or(mode, |(_, name)| *name);
    let Some(slot) = spec.networking.plugin_mut(name) else {
        let all = Networking::PLUGINS.join(", ");
        let fix = match nearest(name, Networking::PLUGINS.iter().copied()) {
            Some(close) => format!("did you mean {close}? Supported: {all}"),
            None => format!("use one of {all}"),
        };
        problems.error(option("networking"), format!("unknown network plugin {name:?}"), fix);
        return;
    };
    *slot = Some(Opaque(match (name, mode) {
        (_, "cilium-etcd") => json!({ "enableNodePort": true, "etcdManaged": true }),
        (_, "cilium-eni") => json!({ "enableNodePort": true, "ipam": "eni" }),
        ("cilium", _) => json!({ "enableNodePort": true }),
        (_, "flannel-udp") => json!({ "backend": "udp" }),
        ("flannel", _) => json!({ "backend": "vxlan" }),
        _ => json!({}),
    }));
    // These replace kube-proxy.
    if matches!(name, "cilium" | "kuberouter") {
        spec.kube_proxy = Some(Opaque(json!({ "enabled": false })));
    }
}

fn fill_api(spec: &mut ClusterSpec, options: &NewCluster, cloud: &CloudDefaults) {
    let balanced = options.api_load_balancer.is_some()
        || options.api_load_balancer_class.is_some()
        || options.api_ssl_certificate.is_some()
        || options.topology == TopologyKind::Private
        || options.dns == DnsType::None;
    if balanced {
        spec.api.load_balancer = Some(ApiLoadBalancer {
            r#type: Some(options.api_load_balancer.unwrap_or(LoadBalancerType::Public)),
            class: options.api_load_balancer_class.or(cloud.load_balancer_class),
            ssl_certificate: options.api_ssl_certificate.clone(),
            ..ApiLoadBalancer::default()
        });
    } else {
        spec.api.dns = Some(ApiDns::default());
    }
    spec.api.public_name.clone_from(&options.api_public_name);
    if options.dns != DnsType::None {
        spec.api.public_name.get_or_insert_with(|| format!("api.{}", options.name));
    }
    spec.networking.non_masquerade_cidr = NON_MASQUERADE_CIDR.parse().ok();
}
