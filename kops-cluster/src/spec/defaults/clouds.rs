//! The differences between clouds, as a table: the only place in the specifications that distinguishes them.

use crate::spec::types::{CloudProvider, Cluster, LoadBalancerClass, Role, SubnetSpec};

/// The properties and defaults of a cloud.
#[derive(Debug)]
#[non_exhaustive]
pub struct CloudDefaults {
    /// Its name in specifications.
    pub name: &'static str,
    /// Whether this project supports it; kOps knows more clouds.
    pub served: bool,
    /// The CIDR of a new network; none if networks have no CIDR of their own.
    pub network_cidr: Option<&'static str>,
    /// The range from which subnets are allocated if the network has no CIDR.
    pub subnet_pool: Option<&'static str>,
    /// Whether subnets are regional rather than zonal.
    pub regional_subnets: bool,
    /// Whether private subnets need utility subnets for load balancers and NAT gateways.
    pub utility_subnets: bool,
    /// The longest prefix of a subnet: smaller subnets are rejected.
    pub longest_subnet_prefix: u8,
    /// The shortest and longest prefix of a network block.
    pub network_prefixes: Option<(u8, u8)>,
    /// The default image of machines, by their type; none if it must be specified.
    pub image: Option<fn(&str) -> &'static str>,
    /// The default machine types of control plane, nodes and bastions; none if they must be specified.
    pub machine_types: Option<[&'static str; 3]>,
    /// The default volume type of disks.
    pub volume_type: Option<&'static str>,
    /// The IOPS and throughput (MiB/s) of disks of that type, if they are configured separately.
    pub volume_performance: Option<(i32, i32)>,
    /// Whether disks are encrypted by default.
    pub encrypt_volumes: bool,
    /// The default class of the API's load balancer, if the cloud has classes.
    pub load_balancer_class: Option<LoadBalancerClass>,
    /// Whether machines need a token to read their metadata.
    pub metadata_tokens: bool,
    /// Whether access can be granted to prefix lists as well as CIDRs.
    pub prefix_lists: bool,
    /// The prefixes of ids that additional routes may target; empty if ids have no such form.
    pub route_targets: &'static [&'static str],
    /// The prefixes of ids that are valid as egress of private subnets; empty if ids have no such form.
    pub egress: &'static [&'static str],
    /// Whether a zone's name starts with its region's.
    pub zones_name_regions: bool,
    /// The region of a zone; `None` if it is not a valid zone name.
    pub region_of: fn(&str) -> Option<String>,
    /// An example of a zone's name.
    pub zone_example: &'static str,
    /// The prefix of labels that the cloud keeps for itself, in lower case; case does not matter.
    pub reserved_labels: Option<&'static str>,
}

/// A cloud without special properties.
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
    reserved_labels: None,
};

static CLOUDS: &[CloudDefaults] = &[
    CloudDefaults {
        name: "aws",
        served: true,
        network_cidr: Some("172.20.0.0/16"),
        // VPCs and subnets are between /16 and /28: docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
        longest_subnet_prefix: 28,
        network_prefixes: Some((16, 28)),
        image: Some(aws_image),
        machine_types: Some(["t3.medium", "t3.medium", "t3.micro"]),
        volume_type: Some("gp3"),
        // The performance of a gp3 volume that is included in its price.
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
        // docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
        reserved_labels: Some("aws:"),
        ..PLAIN
    },
    CloudDefaults {
        name: "gce",
        served: true,
        network_cidr: None,
        subnet_pool: Some("10.0.16.0/20"),
        regional_subnets: true,
        utility_subnets: false,
        // The newest of the family, because Google deletes its images after some months.
        image: Some(gce_image),
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
        image: Some(|_| "ubuntu-24.04"),
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
    /// All known clouds.
    pub fn all() -> &'static [Self] {
        CLOUDS
    }

    /// The names of the clouds that this project supports, for messages.
    pub fn served_names() -> String {
        CLOUDS.iter().filter(|cloud| cloud.served).map(|cloud| cloud.name).collect::<Vec<_>>().join(", ")
    }

    /// A cloud by its name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        CLOUDS.iter().find(|cloud| cloud.name == name)
    }

    /// The properties of a specification's cloud; a plain one if it names none.
    pub fn of(provider: Option<&CloudProvider>) -> &'static Self {
        provider.and_then(|provider| Self::by_name(provider.name())).unwrap_or(&PLAIN)
    }

    /// The default machine type of a role.
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
    /// The cluster's region, derived from its subnets; `None` if they do not tell.
    pub fn region(&self) -> Option<String> {
        let cloud = CloudDefaults::of(self.spec.cloud_provider.as_ref());
        let named = |subnet: &SubnetSpec| {
            subnet.region.clone().or_else(|| (cloud.region_of)(subnet.zone.as_deref()?))
        };
        self.spec.networking.subnets.iter().find_map(named)
    }
}

/// `us-east-1` of `us-east-1a`; also of local zones (`us-west-2-lax-1a`) and wavelength zones
/// (`us-east-1-wl1-bos-wlz-1`).
fn aws_region(zone: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !zone.chars().all(plain) || zone.split('-').any(str::is_empty) {
        return None;
    }
    // The first part that begins with a digit ends the region's name, and something has to follow.
    let mut parts = zone.match_indices('-').map(|(at, _)| at + 1);
    let number = parts.find(|at| zone[*at..].starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = zone[number..].bytes().take_while(u8::is_ascii_digit).count();
    let (region, rest) = zone.split_at(number + digits);
    let letter = rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_lowercase());
    (letter || rest.starts_with('-')).then(|| region.to_owned())
}

/// The usual image for a machine type of Google Cloud: Ubuntu 24.04 for its architecture. Its series with ARM processors:
/// <https://cloud.google.com/compute/docs/instances/arm-on-compute>.
fn gce_image(machine_type: &str) -> &'static str {
    match machine_type.split_once('-').map(|(series, _)| series) {
        Some("c4a" | "n4a" | "t2a" | "a4x") => "ubuntu-os-cloud/ubuntu-2404-lts-arm64",
        _ => "ubuntu-os-cloud/ubuntu-2404-lts-amd64",
    }
}

/// The usual image for a machine type of AWS: Ubuntu 24.04 for its architecture.
fn aws_image(machine_type: &str) -> &'static str {
    if is_graviton(machine_type) {
        "099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260714"
    } else {
        "099720109477/ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260714"
    }
}

/// Whether a machine type has an ARM processor: the letter g follows the generation (`m6gd.large`, but not
/// `g5.xlarge`). <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
fn is_graviton(machine_type: &str) -> bool {
    let family = machine_type.split('.').next().unwrap_or_default();
    let options = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    family == "a1" || options.trim_start_matches(|c: char| c.is_ascii_digit()).contains('g')
}

/// The part of a zone's name before the last separator, if the last part has the right form.
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
        assert_eq!(region("aws", "us-east-1-wl1-bos-wlz-1").as_deref(), Some("us-east-1"));
        assert_eq!(region("aws", "us-east-1-wl1-bos-wlz1").as_deref(), Some("us-east-1"));
        assert_eq!(region("aws", "us-gov-west-1b").as_deref(), Some("us-gov-west-1"));
        assert_eq!(region("aws", "ap-southeast-2-per-1a").as_deref(), Some("ap-southeast-2"));
        for no_zone in ["us-east-1ab", "us-east-1-", "us--east-1a", "us-east-1A", "-1a", ""] {
            assert_eq!(region("aws", no_zone), None, "{no_zone:?}");
        }
        assert_eq!(region("aws", "us-east-1"), None);
        assert_eq!(region("aws", "east"), None);
        assert_eq!(region("aws", "US-EAST-1A"), None);
        assert_eq!(region("gce", "us-central1-a").as_deref(), Some("us-central1"));
        assert_eq!(region("gce", "us-central1"), None);
        assert_eq!(region("azure", "eastus-1").as_deref(), Some("eastus"));
        assert_eq!(region("openstack", "nova").as_deref(), Some("nova"));
    }

    #[test]
    fn the_usual_image_is_for_the_types_architecture() {
        let image = CloudDefaults::by_name("aws").unwrap().image.unwrap();
        for arm in
            ["m6g.large", "t4g.small", "c7gn.xlarge", "im4gn.large", "x2gd.medium", "g5g.xlarge", "a1.large"]
        {
            assert!(image(arm).contains("arm64"), "{arm}");
        }
        for x86 in [
            "t3.medium",
            "g4dn.xlarge",
            "m6i.large",
            "g5.xlarge",
            "c5a.large",
            "u-6tb1.metal",
            "p4d.24xlarge",
        ] {
            assert!(image(x86).contains("amd64"), "{x86}");
        }
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
