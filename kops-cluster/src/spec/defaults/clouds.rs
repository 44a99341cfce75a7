//! What differs from cloud to cloud, as a table: the one place of the specifications that knows clouds apart.

use crate::spec::types::{CloudProvider, Cluster, LoadBalancerClass, Role, SubnetSpec};

/// What a cloud is like, and what is usual there.
#[derive(Debug)]
#[non_exhaustive]
pub struct CloudDefaults {
    /// Its name in specifications.
    pub name: &'static str,
    /// Whether this project serves it; kOps knows some more.
    pub served: bool,
    /// The addresses of a new network; none where networks have no addresses of their own.
    pub network_cidr: Option<&'static str>,
    /// Where subnets take their addresses from when the network has none.
    pub subnet_pool: Option<&'static str>,
    /// Whether a subnet is in a region rather than in a zone.
    pub regional_subnets: bool,
    /// Whether private subnets need utility subnets for what stands in front of them.
    pub utility_subnets: bool,
    /// The longest prefix of a subnet: smaller ones are refused.
    pub longest_subnet_prefix: u8,
    /// The shortest and longest prefix of a network block.
    pub network_prefixes: Option<(u8, u8)>,
    /// The image of machines; none where it must be given.
    pub image: Option<&'static str>,
    /// The machine types of control plane, nodes and bastions; none where they must be given.
    pub machine_types: Option<[&'static str; 3]>,
    /// The volume type of disks.
    pub volume_type: Option<&'static str>,
    /// The operations and the MiB a second of disks of that type, where they are set apart.
    pub volume_performance: Option<(i32, i32)>,
    /// Whether disks are encrypted unless said otherwise.
    pub encrypt_volumes: bool,
    /// The class of the API's load balancer, where there are classes.
    pub load_balancer_class: Option<LoadBalancerClass>,
    /// Whether machines must ask for a token before they may ask about themselves.
    pub metadata_tokens: bool,
    /// Whether access may be granted to prefix lists beside CIDRs.
    pub prefix_lists: bool,
    /// The first letters of the ids that further routes may lead to; empty where ids have no such form.
    pub route_targets: &'static [&'static str],
    /// The first letters of the ids that traffic of private subnets may go out by; likewise.
    pub egress: &'static [&'static str],
    /// Whether a zone's name begins with its region's.
    pub zones_name_regions: bool,
    /// The region of a zone; none when that is no name of a zone.
    pub region_of: fn(&str) -> Option<String>,
    /// What a zone's name looks like.
    pub zone_example: &'static str,
}

/// A cloud of which nothing special is known.
const PLAIN: CloudDefaults = CloudDefaults {
    name: "",
    served: false,
    network_cidr: Some("10.0.0.0/16"),
    subnet_pool: None,
    regional_subnets: false,
    utility_subnets: true,
    longest_subnet_prefix: 29,
    network_prefixes: None,
    image: None,
    machine_types: None,
    volume_type: None,
    volume_performance: None,
    encrypt_volumes: false,
    load_balancer_class: None,
    metadata_tokens: false,
    prefix_lists: false,
    route_targets: &[],
    egress: &[],
    zones_name_regions: false,
    region_of: |zone| Some(zone.to_owned()),
    zone_example: "zone-1",
};

static CLOUDS: &[CloudDefaults] = &[
    CloudDefaults {
        name: "aws",
        served: true,
        network_cidr: Some("172.20.0.0/16"),
        // VPCs and subnets are between /16 and /28: docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
        longest_subnet_prefix: 28,
        network_prefixes: Some((16, 28)),
        image: Some("099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260714"),
        machine_types: Some(["t3.medium", "t3.medium", "t3.micro"]),
        volume_type: Some("gp3"),
        // What a gp3 volume has without paying more.
        volume_performance: Some((3000, 125)),
        encrypt_volumes: true,
        load_balancer_class: Some(LoadBalancerClass::Network),
        metadata_tokens: true,
        prefix_lists: true,
        route_targets: &["pcx-", "i-", "nat-", "tgw-", "igw-", "eigw-"],
        egress: &["nat-", "eipalloc-", "tgw-", "i-"],
        zones_name_regions: true,
        region_of: aws_region,
        zone_example: "us-east-1a",
        ..PLAIN
    },
    CloudDefaults {
        name: "gce",
        served: true,
        network_cidr: None,
        subnet_pool: Some("10.0.16.0/20"),
        regional_subnets: true,
        utility_subnets: false,
        machine_types: Some(["e2-medium", "e2-medium", "e2-medium"]),
        volume_type: Some("pd-ssd"),
        zones_name_regions: true,
        region_of: |zone| {
            split_zone(zone, '-', |last| last.len() == 1 && last.chars().all(|c| c.is_ascii_lowercase()))
        },
        zone_example: "us-central1-a",
        ..PLAIN
    },
    CloudDefaults {
        name: "azure",
        served: true,
        regional_subnets: true,
        machine_types: Some(["Standard_B2s", "Standard_B2s", "Standard_B2s"]),
        volume_type: Some("StandardSSD_LRS"),
        zones_name_regions: true,
        region_of: |zone| {
            split_zone(zone, '-', |last| !last.is_empty() && last.chars().all(|c| c.is_ascii_digit()))
        },
        zone_example: "eastus-1",
        ..PLAIN
    },
    CloudDefaults { name: "openstack", served: true, zone_example: "nova", ..PLAIN },
    CloudDefaults {
        name: "memory",
        served: true,
        network_cidr: Some("172.20.0.0/16"),
        longest_subnet_prefix: 28,
        image: Some("ubuntu-24.04"),
        machine_types: Some(["medium", "medium", "small"]),
        volume_type: Some("ssd"),
        prefix_lists: true,
        region_of: |zone| aws_region(zone).or_else(|| Some(zone.to_owned())),
        zone_example: "zone-1a",
        ..PLAIN
    },
    CloudDefaults { name: "digitalocean", ..PLAIN },
    CloudDefaults { name: "hetzner", ..PLAIN },
    CloudDefaults { name: "linode", ..PLAIN },
    CloudDefaults { name: "metal", ..PLAIN },
    CloudDefaults { name: "scaleway", ..PLAIN },
];

impl CloudDefaults {
    /// The clouds there are.
    pub fn all() -> &'static [Self] {
        CLOUDS
    }

    /// The names of the clouds that this project serves, for messages.
    pub fn served_names() -> String {
        CLOUDS.iter().filter(|cloud| cloud.served).map(|cloud| cloud.name).collect::<Vec<_>>().join(", ")
    }

    /// A cloud by its name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        CLOUDS.iter().find(|cloud| cloud.name == name)
    }

    /// What a specification's cloud is like; a plain one when it names none.
    pub fn of(provider: Option<&CloudProvider>) -> &'static Self {
        provider.and_then(|provider| Self::by_name(provider.name())).unwrap_or(&PLAIN)
    }

    /// The usual machine type of a role.
    pub fn machine_type(&self, role: Role) -> Option<&'static str> {
        let [control_plane, node, bastion] = self.machine_types?;
        Some(match role {
            Role::Bastion => bastion,
            Role::Node => node,
            Role::ControlPlane
            | Role::ApiServer
            | Role::Etcd
            | Role::Scheduler
            | Role::KubeControllerManager => control_plane,
        })
    }
}

impl Cluster {
    /// The region that the cluster is in, by its subnets; `None` when they do not say.
    pub fn region(&self) -> Option<String> {
        let cloud = CloudDefaults::of(self.spec.cloud_provider.as_ref());
        let named = |subnet: &SubnetSpec| {
            subnet.region.clone().or_else(|| (cloud.region_of)(subnet.zone.as_deref()?))
        };
        self.spec.networking.subnets.iter().find_map(named)
    }
}

/// `us-east-1` of `us-east-1a`; also of local zones (`us-west-2-lax-1a`).
fn aws_region(zone: &str) -> Option<String> {
    let stem = zone.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    if !stem.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut region = String::new();
    for part in stem.split('-') {
        if part.is_empty() || !part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return None;
        }
        region.push_str(part);
        // The first part that is a number ends the region's name.
        if part.chars().all(|c| c.is_ascii_digit()) {
            return Some(region);
        }
        region.push('-');
    }
    None
}

/// The part of a zone's name before the last separator, if the last part is as it must be.
fn split_zone(zone: &str, separator: char, fits: impl Fn(&str) -> bool) -> Option<String> {
    let (region, last) = zone.rsplit_once(separator)?;
    (!region.is_empty() && fits(last)).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_regions() {
        let region = |cloud: &str, zone: &str| (CloudDefaults::by_name(cloud).unwrap().region_of)(zone);
        assert_eq!(region("aws", "us-east-1a").as_deref(), Some("us-east-1"));
        assert_eq!(region("aws", "us-west-2-lax-1a").as_deref(), Some("us-west-2"));
        assert_eq!(region("aws", "us-east-1"), None);
        assert_eq!(region("aws", "east"), None);
        assert_eq!(region("aws", "US-EAST-1A"), None);
        assert_eq!(region("gce", "us-central1-a").as_deref(), Some("us-central1"));
        assert_eq!(region("gce", "us-central1"), None);
        assert_eq!(region("azure", "eastus-1").as_deref(), Some("eastus"));
        assert_eq!(region("openstack", "nova").as_deref(), Some("nova"));
    }

    #[test]
    fn every_cloud_of_the_types_is_in_the_table() {
        for cloud in CloudDefaults::all() {
            assert_eq!(CloudProvider::by_name(cloud.name).unwrap().name(), cloud.name);
        }
    }

    #[test]
    fn the_table_holds_cidrs() {
        for cloud in CloudDefaults::all() {
            for cidr in [cloud.network_cidr, cloud.subnet_pool].into_iter().flatten() {
                assert!(cidr.parse::<ipnet::IpNet>().is_ok(), "{cidr}");
            }
        }
    }
}
