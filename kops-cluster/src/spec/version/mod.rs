//! The versions of the API, and conversion between each and the types.
//!
//! Conversion works on values, before typed reading and after typed writing, and is data: a table of
//! [`Move`](moves::Move)s lists which field is where in which version. The same table translates *paths*, so
//! that a message about `networking.networkCIDR` refers to `spec.networkCIDR` for a user who wrote v1alpha2,
//! and so that `--set spec.networkCIDR=…` finds its field. Fields that are in no table stay where they are,
//! unknown fields included.
//!
//! Known weakness: opaque settings (hooks, Cilium, …) are kept in the form of v1alpha2; reading v1alpha3
//! rewrites the few names that differ.

mod moves;
mod v1alpha2;
mod v1alpha3;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::path::Path;
use super::problem::Problems;
use kops_core::Error;
use moves::Move;

/// A version of the API `kops.k8s.io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// The version of state stores and of the command line. Also read under its old name `kops/v1alpha2`.
    #[default]
    V1Alpha2,
    /// The newer version; read, never written.
    V1Alpha3,
}

impl ApiVersion {
    /// The value of `apiVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1Alpha2 => "kops.k8s.io/v1alpha2",
            Self::V1Alpha3 => "kops.k8s.io/v1alpha3",
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "kops.k8s.io/v1alpha2" | "kops/v1alpha2" => Ok(Self::V1Alpha2),
            "kops.k8s.io/v1alpha3" => Ok(Self::V1Alpha3),
            other => Err(Error::invalid(format!("unsupported apiVersion {other:?}"))
                .with_hint("use kops.k8s.io/v1alpha2; kops.k8s.io/v1alpha3 is read as well")),
        }
    }
}

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A cluster.
    Cluster,
    /// A group of machines.
    InstanceGroup,
    /// A public SSH key.
    SshCredential,
    /// The generations of a key pair.
    Keyset,
}

impl Kind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::Cluster, Self::InstanceGroup, Self::SshCredential, Self::Keyset];

    /// The value of `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::InstanceGroup => "InstanceGroup",
            Self::SshCredential => "SSHCredential",
            Self::Keyset => "Keyset",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fields of a kind that have a different place in a version.
fn table(version: ApiVersion, kind: Kind) -> &'static [Move] {
    match (version, kind) {
        (ApiVersion::V1Alpha2, Kind::Cluster) => v1alpha2::CLUSTER,
        (ApiVersion::V1Alpha2, Kind::InstanceGroup) => v1alpha2::INSTANCE_GROUP,
        (ApiVersion::V1Alpha3, Kind::Cluster) => v1alpha3::CLUSTER,
        (ApiVersion::V1Alpha3, Kind::InstanceGroup) => v1alpha3::INSTANCE_GROUP,
        (_, Kind::SshCredential | Kind::Keyset) => &[],
    }
}

/// Converts the `spec` of a document to the shape of the types.
pub(crate) fn read(version: ApiVersion, kind: Kind, spec: &mut Value, problems: &mut Problems) {
    match version {
        ApiVersion::V1Alpha2 => v1alpha2::read(kind, spec, problems),
        ApiVersion::V1Alpha3 => v1alpha3::read(kind, spec, problems),
    }
}

/// Converts a `spec` to the shape of v1alpha2, the version that is written.
pub(crate) fn write(kind: Kind, spec: &mut Value) {
    v1alpha2::write(kind, spec);
}

/// The path of a field in a version.
pub(crate) fn to_version(version: ApiVersion, kind: Kind, path: &Path) -> Path {
    moves::translate(path, table(version, kind), moves::Direction::ToVersion)
}

/// The types' path of a field of a version.
pub(crate) fn from_version(version: ApiVersion, kind: Kind, path: &Path) -> Path {
    moves::translate(path, table(version, kind), moves::Direction::FromVersion)
}

/// Whether a field of a version is the negation of the types' field.
pub(crate) fn is_opposite(version: ApiVersion, kind: Kind, path: &Path) -> bool {
    moves::is_opposite(path, table(version, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_in_the_words_of_the_version() {
        for (here, there) in [
            ("spec.networking.subnets[1].cidr", "spec.subnets[1].cidr"),
            ("spec.networking.topology.dns", "spec.topology.dns.type"),
            ("spec.networking.topology.bastion.publicName", "spec.topology.bastion.bastionPublicName"),
            ("spec.networking.cilium", "spec.networking.cilium"),
            ("spec.api.access[0]", "spec.kubernetesApiAccess[0]"),
            ("spec.api.loadBalancer.type", "spec.api.loadBalancer.type"),
            ("spec.cloudProvider.aws.elbSecurityGroup", "spec.cloudConfig.elbSecurityGroup"),
            ("spec.cloudProvider.openstack.router", "spec.cloudConfig.openstack.router"),
            ("spec.cloudProvider.gce.project", "spec.project"),
            ("spec.additionalPolicies.control-plane", "spec.additionalPolicies.master"),
            ("metadata.name", "metadata.name"),
        ] {
            let (here, there): (Path, Path) = (here.parse().unwrap(), there.parse().unwrap());
            assert_eq!(to_version(ApiVersion::V1Alpha2, Kind::Cluster, &here), there);
            assert_eq!(from_version(ApiVersion::V1Alpha2, Kind::Cluster, &there), here);
        }
        let here: Path = "spec.rootVolume.size".parse().unwrap();
        let there: Path = "spec.rootVolumeSize".parse().unwrap();
        assert_eq!(to_version(ApiVersion::V1Alpha2, Kind::InstanceGroup, &here), there);
        assert_eq!(from_version(ApiVersion::V1Alpha2, Kind::InstanceGroup, &there), here);
    }
}
