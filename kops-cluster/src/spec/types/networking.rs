//! Networks, subnets, topology, and network plugins.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LoadBalancerType;
use crate::spec::address::{cidr, mend_cidr};
use crate::spec::schema::{Form, Opaque, Schema, Shape, choice, spec};

spec! {
    /// The network of a cluster.
    pub struct Networking {
        /// The id of an existing network; it is not changed.
        network_id: Option<String> => "networkID",
        /// The CIDR of the network.
        network_cidr: Option<IpNet> => "networkCIDR",
        /// Additional CIDRs of the network.
        additional_network_cidrs: Vec<IpNet> => "additionalNetworkCIDRs",
        /// The subnets.
        subnets: Vec<SubnetSpec> => "subnets",
        /// The topology of the network.
        topology: Option<Topology> => "topology",
        /// Whether subnets get the tags by which controllers in the cluster find them (AWS); true by default.
        tag_subnets: Option<bool> => "tagSubnets",
        /// The range that contains pods and services; traffic to it is not masqueraded.
        non_masquerade_cidr: Option<IpNet> => "nonMasqueradeCIDR",
        /// The CIDR of pods.
        pod_cidr: Option<IpNet> => "podCIDR",
        /// The CIDR of services.
        service_cluster_ip_range: Option<IpNet> => "serviceClusterIPRange",
        /// Whether control-plane machines are kept off the pod network.
        isolate_control_plane: Option<bool> => "isolateControlPlane",
        /// The proxy for outgoing traffic.
        egress_proxy: Option<Opaque> => "egressProxy",
        /// The Amazon VPC plugin.
        amazonvpc: Option<Opaque> => "amazonvpc",
        /// Calico.
        calico: Option<Opaque> => "calico",
        /// Cilium.
        cilium: Option<Opaque> => "cilium",
        /// A CNI plugin that the user installs.
        cni: Option<Opaque> => "cni",
        /// A network that the user installs, without CNI.
        external: Option<Opaque> => "external",
        /// Canal, in specifications of older versions.
        canal: Option<Opaque> => "canal",
        /// The networking of Kubernetes before 1.5, in specifications of older versions.
        classic: Option<Opaque> => "classic",
        /// Flannel.
        flannel: Option<Opaque> => "flannel",
        /// GCE's alias IP ranges.
        gce: Option<Opaque> => "gce",
        /// kindnet.
        kindnet: Option<Opaque> => "kindnet",
        /// kopeio.
        kopeio: Option<Opaque> => "kopeio",
        /// kubenet.
        kubenet: Option<Opaque> => "kubenet",
        /// kube-router.
        kuberouter: Option<Opaque> => "kuberouter",
        /// Lyft's VPC plugin, in specifications of older versions.
        lyftvpc: Option<Opaque> => "lyftvpc",
        /// Romana, in specifications of older versions.
        romana: Option<Opaque> => "romana",
        /// Weave Net, in specifications of older versions.
        weave: Option<Opaque> => "weave",
    }
}

impl Networking {
    /// The names of all network plugins.
    pub const PLUGINS: &'static [&'static str] = &[
        "amazonvpc",
        "calico",
        "cilium",
        "cni",
        "external",
        "flannel",
        "gce",
        "kindnet",
        "kopeio",
        "kubenet",
        "kuberouter",
    ];

    /// The network plugins that are set, with their settings; a valid specification has exactly one.
    pub fn plugins(&self) -> impl Iterator<Item = (&'static str, &Opaque)> {
        let settings = [
            &self.amazonvpc,
            &self.calico,
            &self.cilium,
            &self.cni,
            &self.external,
            &self.flannel,
            &self.gce,
            &self.kindnet,
            &self.kopeio,
            &self.kubenet,
            &self.kuberouter,
        ];
        Self::PLUGINS.iter().zip(settings).filter_map(|(name, setting)| Some((*name, setting.as_ref()?)))
    }

    /// The names of the plugins that are set, but that no supported version of Kubernetes can use.
    pub fn removed_plugins(&self) -> impl Iterator<Item = &'static str> {
        let settings = [
            ("canal", &self.canal),
            ("classic", &self.classic),
            ("lyftvpc", &self.lyftvpc),
            ("romana", &self.romana),
            ("weave", &self.weave),
        ];
        settings.into_iter().filter_map(|(name, setting)| setting.is_some().then_some(name))
    }

    /// The settings of a plugin; `None` if there is no such plugin.
    pub fn plugin_mut(&mut self, name: &str) -> Option<&mut Option<Opaque>> {
        Some(match name {
            "amazonvpc" => &mut self.amazonvpc,
            "calico" => &mut self.calico,
            "cilium" => &mut self.cilium,
            "cni" => &mut self.cni,
            "external" => &mut self.external,
            "flannel" => &mut self.flannel,
            "gce" => &mut self.gce,
            "kindnet" => &mut self.kindnet,
            "kopeio" => &mut self.kopeio,
            "kubenet" => &mut self.kubenet,
            "kuberouter" => &mut self.kuberouter,
            _ => return None,
        })
    }

    /// A subnet by name.
    pub fn subnet(&self, name: &str) -> Option<&SubnetSpec> {
        self.subnets.iter().find(|subnet| subnet.name == name)
    }

    /// Every CIDR of the network: the first and the additional ones.
    pub fn network_cidrs(&self) -> impl Iterator<Item = &IpNet> {
        self.network_cidr.iter().chain(&self.additional_network_cidrs)
    }

    /// How the cluster's names are published; public by default.
    pub fn dns_type(&self) -> DnsType {
        self.topology.as_ref().and_then(|topology| topology.dns).unwrap_or(DnsType::Public)
    }

    /// The bastion's settings, if there is one.
    pub fn bastion(&self) -> Option<&Bastion> {
        self.topology.as_ref()?.bastion.as_ref()
    }
}

spec! {
    /// A subnet.
    pub struct SubnetSpec {
        /// The name by which instance groups refer to it.
        name: String => "name",
        /// The zone, on clouds with zonal subnets.
        zone: Option<String> => "zone",
        /// The region, on clouds with regional subnets.
        region: Option<String> => "region",
        /// Its CIDR.
        cidr: Option<IpNet> => "cidr",
        /// Its IPv6 addresses: a CIDR, or `/64#3` for the fourth /64 of the network's block.
        ipv6_cidr: Option<String> => "ipv6CIDR",
        /// The id of an existing subnet; it is not changed.
        id: Option<String> => "id",
        /// The egress of private subnets: an existing `nat-…`, `eipalloc-…`, `tgw-…` or `i-…`, or `External`
        /// if it is managed elsewhere.
        egress: Option<String> => "egress",
        /// What the subnet is for.
        r#type: Option<SubnetType> => "type",
        /// The address of the NAT gateway.
        public_ip: Option<String> => "publicIP",
        /// Additional routes.
        additional_routes: Vec<RouteSpec> => "additionalRoutes",
    }
}

impl SubnetSpec {
    /// Whether the subnet is shared: it exists already and is not owned by the cluster.
    pub fn is_shared(&self) -> bool {
        self.id.is_some()
    }

    /// Whether machines in it have public addresses.
    pub fn is_public(&self) -> bool {
        matches!(self.r#type, Some(SubnetType::Public | SubnetType::Utility))
    }
}

spec! {
    /// A route in addition to those of the topology.
    pub struct RouteSpec {
        /// The destination.
        cidr: Option<IpNet> => "cidr",
        /// Its target: `pcx-…`, `i-…`, `nat-…`, `tgw-…`, `igw-…` or `eigw-…`.
        target: String => "target",
    }
}

choice! {
    /// What a subnet is for.
    pub enum SubnetType {
        /// Machines with public addresses.
        Public => "Public",
        /// Machines without public addresses.
        Private => "Private",
        /// Load balancers, NAT gateways and bastions, in front of private subnets.
        Utility => "Utility",
        /// Private, with IPv4 and IPv6 addresses.
        DualStack => "DualStack",
    }
}

spec! {
    /// The topology of the network.
    pub struct Topology {
        /// How the cluster's names are published.
        dns: Option<DnsType> => "dns",
        /// The bastion in front of private machines.
        bastion: Option<Bastion> => "bastion",
        /// The topology of the control plane, in specifications of older versions; the types of the subnets
        /// decide.
        control_plane: Option<String> => "controlPlane",
        /// The topology of nodes, in specifications of older versions; the types of the subnets decide.
        nodes: Option<String> => "nodes",
    }
}

choice! {
    /// How the names of the cluster are published.
    pub enum DnsType {
        /// In a public zone.
        Public => "Public",
        /// In a private zone.
        Private => "Private",
        /// Not at all: machines and users use the address of the load balancer.
        None => "None",
    }
}

spec! {
    /// The bastion: machines through which private machines are reached by SSH.
    pub struct Bastion {
        /// Its DNS name.
        public_name: Option<String> => "publicName",
        /// The idle timeout of its load balancer, in seconds.
        idle_timeout_seconds: Option<i64> => "idleTimeoutSeconds",
        /// Its load balancer.
        load_balancer: Option<BastionLoadBalancer> => "loadBalancer",
    }
}

spec! {
    /// The load balancer in front of the bastion.
    pub struct BastionLoadBalancer {
        /// Public by default.
        r#type: Option<LoadBalancerType> => "type",
        /// Additional security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
    }
}

/// A source that may reach a port: a CIDR, or a prefix list of the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessSource {
    /// A CIDR.
    Cidr(IpNet),
    /// A prefix list: `pl-…`.
    PrefixList(String),
}

impl AccessSource {
    const FORM: Form = Form {
        what: "a CIDR or a prefix list",
        example: "192.0.2.0/24 or pl-0123456789abcdef0",
        fits: |text| text.parse::<AccessSource>().is_ok(),
        mend: mend_cidr,
    };
}

impl FromStr for AccessSource {
    type Err = kops_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(id) = text.strip_prefix("pl-")
            && !id.is_empty()
            && id.chars().all(|c| c.is_ascii_alphanumeric())
        {
            return Ok(Self::PrefixList(text.to_owned()));
        }
        cidr(text).map(Self::Cidr).ok_or_else(|| {
            let fix = mend_cidr(text).unwrap_or_else(|| format!("use one such as {}", Self::FORM.example));
            kops_core::Error::invalid(format!("{text:?} is not {}", Self::FORM.what)).with_hint(fix)
        })
    }
}

impl fmt::Display for AccessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::PrefixList(id) => f.write_str(id),
        }
    }
}

impl Serialize for AccessSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccessSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Schema for AccessSource {
    const SHAPE: &'static Shape = &Shape::Form(&AccessSource::FORM);
}
