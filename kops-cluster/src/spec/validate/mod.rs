//! Validation of a specification: all problems at once.
//!
//! Each rule is a few lines in the file of its subject. Rules check the specification as [`populate`] fills
//! it in, that is, what would be built. Nothing here calls a cloud: whether an image, a zone or a network
//! exists is only known there.

mod api;
mod etcd;
mod groups;
mod network;
mod parts;
mod text;
mod unused;

pub(crate) use network::no_room;

use semver::Version;

use super::defaults::{CloudDefaults, NEWEST_KUBERNETES, OLDEST_KUBERNETES, populate};
use super::object::ApiObject;
use super::path::Path;
use super::problem::Problems;
use super::ssh::key_of;
use super::types::{Cluster, ClusterSpec, DnsType, InstanceGroup, Role, SshCredential};
use super::version::{self, ApiVersion, Kind};

/// Finds all problems of a cluster and its instance groups.
///
/// Paths are those of v1alpha2. Warnings are about settings that have no effect (yet).
///
/// ```
/// use kops_cluster::{NewCluster, new_cluster, validate};
///
/// let options = NewCluster::new("demo.example.com", "aws").zones(["us-east-1a"]);
/// let (mut cluster, groups) = new_cluster(&options).unwrap();
/// cluster.spec.networking.subnets[0].cidr = Some("10.9.0.0/30".parse().unwrap());
/// let problems: Vec<String> = validate(&cluster, &groups).errors().map(ToString::to_string).collect();
/// assert_eq!(problems[0], "Cluster/demo.example.com: spec.subnets[0].cidr: \
///     10.9.0.0/30 is outside the network 172.20.0.0/16 (use addresses of the network)");
/// assert!(problems[1].contains("is too small"));
/// ```
pub fn validate(cluster: &Cluster, groups: &[InstanceGroup]) -> Problems {
    let (cluster, groups) = populate(cluster, groups);
    let cloud = CloudDefaults::of(cluster.spec.cloud_provider.as_ref());
    let at = Path::of("spec");

    let mut found = Problems::new();
    let dns = cluster.dns_type();
    cluster_name(cluster.name(), dns, &Path::of("metadata.name"), &mut found);
    if dns != cluster.spec.networking.dns_type() {
        found.warn(
            Path::of("spec.networking.topology.dns"),
            "names below k8s.local are not published",
            "set it to None, which is what it means",
        );
    }
    check_cloud(&cluster.spec, &at, cloud, &mut found);
    let version = cluster.spec.kubernetes_version.as_deref().unwrap_or_default();
    kubernetes_version(version, &at.key("kubernetesVersion"), &mut found);
    network::check(&cluster.spec, &groups, cloud, &mut found);
    api::check(&cluster.spec, dns, cloud, &mut found);
    etcd::check(&cluster.spec, &groups, cloud, &mut found);
    roles(&groups, &at, &mut found);
    parts::cluster(&cluster.spec, &at, cloud, &mut found);
    unused::cluster(&cluster, &mut found);
    found.update(|problem| {
        problem.path = version::to_version(ApiVersion::V1Alpha2, Kind::Cluster, &problem.path);
    });
    found.name_object(&format!("Cluster/{}", cluster.name()));

    for (number, group) in groups.iter().enumerate() {
        let mut of_group = Problems::new();
        if groups[..number].iter().any(|other| other.name() == group.name()) {
            of_group.error(
                Path::of("metadata.name"),
                "another group has the same name",
                "use a different name for each group",
            );
        }
        groups::check(group, &cluster, cloud, &mut of_group);
        unused::group(group, &mut of_group);
        of_group.update(|problem| {
            problem.path = version::to_version(ApiVersion::V1Alpha2, Kind::InstanceGroup, &problem.path);
        });
        of_group.name_object(&format!("InstanceGroup/{}", group.name()));
        found.extend(of_group);
    }
    found
}

impl SshCredential {
    /// Validates the key.
    pub fn validate(&self) -> Problems {
        let mut found = Problems::new();
        // The message does not repeat the text, which may be a private key.
        if let Err(broken) = key_of(&self.spec.public_key) {
            let message = format!("it is not a public SSH key: {}", broken.why);
            found.error(Path::of("spec.publicKey"), message, broken.fix);
        }
        found.name_object(&format!("{}/{}", Self::KIND, self.metadata.name));
        found
    }
}

/// The longest name derived from the cluster's: `kops-controller.internal.<name>`.
const LONGEST_PREFIX: usize = "kops-controller.internal.".len();

/// Checks the name of a cluster. Only one that publishes names needs a domain.
pub(super) fn cluster_name(name: &str, dns: DnsType, at: &Path, problems: &mut Problems) {
    if name.is_empty() {
        problems.error(at.clone(), "the cluster has no name", "use a DNS name such as demo.example.com");
        return;
    }
    if let Some(why) = text::not_dns_name(name) {
        problems.error(
            at.clone(),
            format!("{name:?} is not a DNS name: {why}"),
            "use a name such as demo.example.com",
        );
    } else if !name.contains('.') && dns != DnsType::None {
        problems.error(
            at.clone(),
            format!("{name:?} is not a full DNS name"),
            format!("add a domain, as in {name}.example.com, or use DNS type None, which publishes no names"),
        );
    }
    if name.len() + LONGEST_PREFIX > 253 {
        problems.error(at.clone(), "is too long for the names derived from it", "use at most 228 characters");
    }
}

fn check_cloud(spec: &ClusterSpec, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    match &spec.cloud_provider {
        None => problems.error(
            at.key("cloudProvider"),
            "is required",
            format!("set it to one of {}", CloudDefaults::served_names()),
        ),
        Some(provider) if !cloud.served => problems.error(
            at.key("cloudProvider"),
            format!("{} is not supported", provider.name()),
            format!("use one of {}", CloudDefaults::served_names()),
        ),
        Some(_) => {}
    }
}

/// Checks the version of Kubernetes.
pub(super) fn kubernetes_version(text: &str, at: &Path, problems: &mut Problems) {
    let at = at.clone();
    let Ok(version) = Version::parse(text.strip_prefix('v').unwrap_or(text)) else {
        problems.error(at, format!("{text:?} is not a version"), "use a full version such as 1.34.1");
        return;
    };
    let minor = (version.major, version.minor);
    let range = format!(
        "use {}.{} to {}.{}",
        OLDEST_KUBERNETES.0, OLDEST_KUBERNETES.1, NEWEST_KUBERNETES.0, NEWEST_KUBERNETES.1
    );
    if minor < OLDEST_KUBERNETES {
        problems.error(at, format!("{version} is too old"), range);
    } else if minor > NEWEST_KUBERNETES {
        problems.error(at, format!("{version} is newer than the supported versions"), range);
    }
}

/// Checks that the groups have the roles that a cluster needs.
fn roles(groups: &[InstanceGroup], at: &Path, problems: &mut Problems) {
    if !groups.iter().any(InstanceGroup::is_control_plane) {
        problems.error(
            at.clone(),
            "no instance group has role Master",
            "add an instance group with role Master to each zone of the control plane",
        );
    }
    if !groups.iter().any(|group| group.role() == Role::Node) {
        problems.warn(at.clone(), "no instance group has role Node", "add an instance group with role Node");
    }
}
