//! Networks, subnets, topology, and which network plugin runs.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LoadBalancerType;
use crate::spec::schema::{Form, Opaque, Schema, Shape, choice, spec};

spec! {
    /// The network of a cluster.
    pub struct Networking {
        /// An existing network to use: nothing of it is changed.
        network_id: Option<String> => "networkID",
        /// The addresses of the network.
        network_cidr: Option<IpNet> => "networkCIDR",
        /// Further address blocks of the network.
        additional_network_cidrs: Vec<IpNet> => "additionalNetworkCIDRs",
        /// The subnets.
        subnets: Vec<SubnetSpec> => "subnets",
        /// How the network is laid out.
        topology: Option<Topology> => "topology",
        /// Whether subnets get the tags by which controllers in the cluster find them (AWS); they do unless
        /// this is false.
        tag_subnets: Option<bool> => "tagSubnets",
        /// The range that holds pods and services; traffic to it is not masqueraded.
        non_masquerade_cidr: Option<IpNet> => "nonMasqueradeCIDR",
        /// The range of pods.
        pod_cidr: Option<IpNet> => "podCIDR",
        /// The range of services.
        service_cluster_ip_range: Option<IpNet> => "serviceClusterIPRange",
        /// Whether control-plane machines stay off the pod network.
        isolate_control_plane: Option<bool> => "isolateControlPlane",
        /// A proxy for traffic to the outside.
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
        /// Flannel.
        flannel: Option<Opaque> => "flannel",
        /// GCE's own alias addresses.
        gce: Option<Opaque> => "gce",
        /// kindnet.
        kindnet: Option<Opaque> => "kindnet",
        /// kopeio.
        kopeio: Option<Opaque> => "kopeio",
        /// kubenet.
        kubenet: Option<Opaque> => "kubenet",
        /// kube-router.
        kuberouter: Option<Opaque> => "kuberouter",
    }
}

impl Networking {
    /// The names of the network plugins that there are.
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

    /// The network plugins chosen, with their settings; a valid specification has one.
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

    /// The place of a plugin's settings; `None` when there is no such plugin.
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

    /// The subnet of a name.
    pub fn subnet(&self, name: &str) -> Option<&SubnetSpec> {
        self.subnets.iter().find(|subnet| subnet.name == name)
    }

    /// Every address block of the network: the first and the additional ones.
    pub fn network_cidrs(&self) -> impl Iterator<Item = &IpNet> {
        self.network_cidr.iter().chain(&self.additional_network_cidrs)
    }

    /// How the cluster's names are published; public unless it says otherwise.
    pub fn dns_type(&self) -> DnsType {
        self.topology.as_ref().and_then(|topology| topology.dns).unwrap_or(DnsType::Public)
    }

    /// The bastion's settings, if it has any.
    pub fn bastion(&self) -> Option<&Bastion> {
        self.topology.as_ref()?.bastion.as_ref()
    }
}

spec! {
    /// A subnet.
    pub struct SubnetSpec {
        /// The name by which instance groups refer to it.
        name: String => "name",
        /// The zone, where subnets are zonal.
        zone: Option<String> => "zone",
        /// The region, where subnets are regional.
        region: Option<String> => "region",
        /// Its addresses.
        cidr: Option<IpNet> => "cidr",
        /// Its IPv6 addresses: a CIDR, or `/64#3` for the fourth /64 of the network's block.
        ipv6_cidr: Option<String> => "ipv6CIDR",
        /// An existing subnet to use, by the cloud's id: nothing of it is changed.
        id: Option<String> => "id",
        /// The way out for private subnets: an existing `nat-…`, `eipalloc-…`, `tgw-…` or `i-…`, or `External`
        /// when others see to it.
        egress: Option<String> => "egress",
        /// What the subnet is for.
        r#type: Option<SubnetType> => "type",
        /// The address for the NAT gateway.
        public_ip: Option<String> => "publicIP",
        /// Further routes.
        additional_routes: Vec<RouteSpec> => "additionalRoutes",
    }
}

impl SubnetSpec {
    /// Whether the subnet exists already and belongs to somebody else.
    pub fn is_shared(&self) -> bool {
        self.id.is_some()
    }

    /// Whether machines in it have public addresses.
    pub fn is_public(&self) -> bool {
        matches!(self.r#type, Some(SubnetType::Public | SubnetType::Utility))
    }
}

spec! {
    /// A route beside those that the layout gives.
    pub struct RouteSpec {
        /// The destination.
        cidr: Option<IpNet> => "cidr",
        /// Where it leads: `pcx-…`, `i-…`, `nat-…`, `tgw-…`, `igw-…` or `eigw-…`.
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
    /// How the network is laid out.
    pub struct Topology {
        /// How the cluster's names are published.
        dns: Option<DnsType> => "dns",
        /// The bastion in front of private machines.
        bastion: Option<Bastion> => "bastion",
        /// Where control-plane machines are, in specifications of older versions; the types of the subnets
        /// decide.
        control_plane: Option<String> => "controlPlane",
        /// Where nodes are, in specifications of older versions; the types of the subnets decide.
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
        /// Not at all: machines and users are told the address of the load balancer.
        None => "None",
    }
}

spec! {
    /// The bastion: the machines through which SSH reaches private ones.
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
        /// Public unless it says otherwise.
        r#type: Option<LoadBalancerType> => "type",
        /// Further security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
    }
}

/// Who may reach a port: an address range, or a prefix list of the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessSource {
    /// An address range.
    Cidr(IpNet),
    /// A prefix list: `pl-…`.
    PrefixList(String),
}

impl AccessSource {
    const FORM: Form = Form {
        expects: "a CIDR such as 192.0.2.0/24 or a prefix list such as pl-0123456789abcdef0",
        fits: |text| text.parse::<AccessSource>().is_ok(),
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
        text.parse().map(Self::Cidr).map_err(|_| {
            kops_core::Error::invalid(format!("{text:?} is not {}", Self::FORM.expects))
                .with_hint("for a single address append /32 (IPv4) or /128 (IPv6)")
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
