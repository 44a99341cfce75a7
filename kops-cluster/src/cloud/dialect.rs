//! Provider-specific settings of a specification.
//!
//! Some settings mean something on one cloud only: an allocation strategy for spot machines, a policy in a
//! cloud's own language. The model does not know them; it hands the specification to the provider's
//! [`Dialect`], which turns the settings it understands into typed extensions of a task. A setting that no
//! dialect claims is rejected with its path, or causes a warning if it only tunes something: nothing is
//! silently ignored.

use std::fmt;

use serde_json::Value;

use crate::spec::{Cluster, GoDuration, InstanceGroup, Path, Problems};
use kops_core::graph::{GraphBuilder, Handle, Key};
use kops_core::resource::{self, DnsZone, Extension, Extensions, Identity, LoadBalancer, Network};

use crate::extensions::MachineRole;

/// Translates the provider-specific settings of a specification.
///
/// Every method has a default: [`NoDialect`] claims no setting.
///
/// ```
/// use kops_cluster::cloud::{Dialect, extend};
/// use kops_cluster::{Cluster, InstanceGroup, Problems};
/// use kops_core::resource::{self, Extension};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, PartialEq, Serialize, Deserialize)]
/// struct Tenancy { dedicated: bool }
/// impl Extension for Tenancy {
///     const NAME: &'static str = "example/Tenancy";
/// }
///
/// #[derive(Debug)]
/// struct Example;
/// impl Dialect for Example {
///     fn group_fields(&self) -> &[&str] {
///         &["tenancy"]
///     }
///
///     fn instance_group(
///         &self,
///         _: &Cluster,
///         group: &InstanceGroup,
///         task: &mut resource::InstanceGroup,
///         problems: &mut Problems,
///     ) {
///         let dedicated = group.spec.tenancy.as_deref() == Some("dedicated");
///         extend(&mut task.extensions, &Tenancy { dedicated }, problems);
///     }
/// }
/// ```
pub trait Dialect: fmt::Debug + Send + Sync {
    /// The fields of [`GROUP_FIELDS`] that this dialect handles, under their names there.
    fn group_fields(&self) -> &[&str] {
        &[]
    }

    /// The fields of [`CLUSTER_FIELDS`] that this dialect handles, under their names there.
    fn cluster_fields(&self) -> &[&str] {
        &[]
    }

    /// Whether packets reach machines with the addresses of pods, to which rules for machines do not apply on this
    /// cloud: the model then lets in `podCIDR`. Rejects a network plugin whose packets the cloud does not deliver; paths
    /// start at `spec`.
    fn admits_pods(&self, _cluster: &Cluster, _groups: &[InstanceGroup], _problems: &mut Problems) -> bool {
        false
    }

    /// Adds the provider-specific settings of a group to its task. Paths of problems start at `spec`.
    fn instance_group(
        &self,
        _cluster: &Cluster,
        _group: &InstanceGroup,
        _task: &mut resource::InstanceGroup,
        _problems: &mut Problems,
    ) {
    }

    /// Adds the provider-specific settings of a load balancer, the API's or the bastion's.
    fn load_balancer(
        &self,
        _cluster: &Cluster,
        _purpose: Purpose,
        _task: &mut LoadBalancer,
        _problems: &mut Problems,
    ) {
    }

    /// Adds the task by which machines of the cluster's network resolve the names of an existing private zone;
    /// returns it, because machines have to wait for it.
    fn private_zone(
        &self,
        _zone: &Handle<DnsZone>,
        _network: &Handle<Network>,
        _graph: &mut GraphBuilder,
    ) -> Option<Key> {
        None
    }

    /// Whether [`load_balancer`](Self::load_balancer) places a load balancer at the addresses that
    /// `api.loadBalancer.subnets` names; if not, they are rejected.
    fn pins_addresses(&self) -> bool {
        false
    }

    /// Adds the provider-specific permissions of a role's machines.
    fn identity(
        &self,
        _cluster: &Cluster,
        _role: MachineRole,
        _task: &mut Identity,
        _problems: &mut Problems,
    ) {
    }
}

/// Adds an extension to a task, unless it has its default value.
pub fn extend<E: Extension + Default + PartialEq>(
    extensions: &mut Extensions,
    extension: &E,
    problems: &mut Problems,
) {
    if *extension != E::default() {
        hand_on(extensions, extension, problems);
    }
}

/// Adds an extension to a task.
pub(crate) fn hand_on(extensions: &mut Extensions, extension: &impl Extension, problems: &mut Problems) {
    if let Err(error) = extensions.set(extension) {
        problems.error(Path::of("spec"), error.to_string(), "this is a bug in kops; please report it");
    }
}

/// What a load balancer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It fronts the API.
    Api,
    /// It fronts the bastion.
    Bastion,
}

/// The dialect of a cloud without provider-specific settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDialect;

impl Dialect for NoDialect {}

/// The settings of an instance group that only some clouds support, below `spec`.
pub const GROUP_FIELDS: &[&str] = &[
    "capacityRebalance",
    "cpuCredits",
    "detailedInstanceMonitoring",
    "externalLoadBalancers",
    "gcpProvisioningModel",
    "guestAccelerators",
    "instanceInterruptionBehavior",
    "instanceMetadata.httpPutResponseHopLimit",
    "instanceMetadata.httpTokens",
    "instanceProtection",
    "maxInstanceLifetime",
    "mixedInstancesPolicy",
    "rootVolume.optimization",
    "spotDurationInMinutes",
    "suspendProcesses",
    "tenancy",
    "warmPool",
];

/// The settings of a cluster that only some clouds support, below `spec`.
pub const CLUSTER_FIELDS: &[&str] = &[
    "additionalPolicies",
    "api.loadBalancer.accessLog",
    "api.loadBalancer.idleTimeoutSeconds",
    "api.loadBalancer.sslPolicy",
    "externalPolicies",
    "cloudProvider.aws.warmPool",
    "iam.permissionsBoundary",
    "iam.serviceAccountExternalPermissions",
    "iam.useServiceAccountExternalPermissions",
    "networking.topology.bastion.idleTimeoutSeconds",
    "serviceAccountIssuerDiscovery.enableAWSOIDCProvider",
];

/// Those of the settings that only tune: on a cloud that does not claim them they have no effect, as in kOps,
/// and cause a warning.
const TUNING: &[&str] = &[
    "api.loadBalancer.idleTimeoutSeconds",
    "detailedInstanceMonitoring",
    "instanceMetadata.httpPutResponseHopLimit",
    "instanceMetadata.httpTokens",
    "networking.topology.bastion.idleTimeoutSeconds",
    "rootVolume.optimization",
];

/// Those of the settings that no cloud supports yet.
const NOT_YET: &[&str] = &[
    "cloudProvider.aws.warmPool",
    "iam.serviceAccountExternalPermissions",
    "iam.useServiceAccountExternalPermissions",
    "serviceAccountIssuerDiscovery.enableAWSOIDCProvider",
    "spotDurationInMinutes",
    "warmPool",
];

/// Rejects provider-specific settings that the dialect does not claim. `spec` is the document of the
/// specification.
pub(crate) fn refuse_unclaimed(spec: &Value, fields: &[&str], claimed: &[&str], problems: &mut Problems) {
    for field in fields.iter().filter(|field| !claimed.contains(*field)) {
        let value = field.split('.').try_fold(spec, |value, key| value.get(key));
        if value.is_some_and(|value| !is_empty(value) && !is_off(field, value)) {
            let path = Path::of("spec").join(&Path::of(field));
            if TUNING.contains(field) {
                problems.warn(path, "it has no effect on this cloud", "remove it");
            } else if NOT_YET.contains(field) {
                problems.error(path, "it is not supported yet", "remove it");
            } else {
                problems.error(
                    path,
                    "it is not supported on this cloud",
                    "remove it, or choose a cloud that supports it",
                );
            }
        }
    }
}

/// An object without members counts as set: `warmPool: {}` asks for a pool with the default settings.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether a setting asks for nothing: a switch that is off, a warm pool without machines, a life without limit.
fn is_off(field: &str, value: &Value) -> bool {
    match field {
        "instanceMetadata.httpTokens" => value == "optional",
        // In kOps, zero means that there is no limit.
        "maxInstanceLifetime" => value
            .as_str()
            .and_then(|text| text.parse::<GoDuration>().ok())
            .is_some_and(|lifetime| lifetime.to_std().is_zero()),
        _ => *value == Value::Bool(false) || value.get("maxSize").and_then(Value::as_u64) == Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::schema::{Schema, Shape};

    fn shape_at(mut shape: &'static Shape, field: &str) -> Option<&'static Shape> {
        for key in field.split('.') {
            // What is kept as it is may have any field.
            if !matches!(shape, Shape::Opaque) {
                shape = shape.field(key)?;
            }
        }
        Some(shape)
    }

    #[test]
    fn every_field_exists() {
        for field in GROUP_FIELDS {
            assert!(shape_at(crate::spec::InstanceGroupSpec::SHAPE, field).is_some(), "{field}");
        }
        for field in TUNING.iter().chain(NOT_YET) {
            assert!(GROUP_FIELDS.contains(field) || CLUSTER_FIELDS.contains(field), "{field}");
        }
        for field in CLUSTER_FIELDS {
            assert!(shape_at(crate::spec::ClusterSpec::SHAPE, field).is_some(), "{field}");
        }
    }

    #[test]
    fn what_nobody_claims_is_refused_with_its_path() {
        let spec = serde_json::json!({"tenancy": "host", "cpuCredits": "unlimited", "warmPool": {}, "suspendProcesses": []});
        let mut problems = Problems::new();
        refuse_unclaimed(&spec, GROUP_FIELDS, &["cpuCredits"], &mut problems);
        let problems: Vec<_> = problems.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(problems, ["spec.tenancy", "spec.warmPool"]);
    }

    #[test]
    fn what_only_tunes_is_warned_of_where_nobody_claims_it() {
        let spec = serde_json::json!({
            "detailedInstanceMonitoring": true,
            "instanceMetadata": { "httpTokens": "required", "httpPutResponseHopLimit": 2 },
        });
        let mut problems = Problems::new();
        refuse_unclaimed(&spec, GROUP_FIELDS, &["instanceMetadata.httpTokens"], &mut problems);
        assert!(!problems.has_errors(), "{problems}");
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(
            paths,
            ["spec.detailedInstanceMonitoring", "spec.instanceMetadata.httpPutResponseHopLimit"]
        );
        let spec = serde_json::json!({
            "detailedInstanceMonitoring": false, "instanceMetadata": { "httpTokens": "optional" },
        });
        let mut problems = Problems::new();
        refuse_unclaimed(&spec, GROUP_FIELDS, &[], &mut problems);
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn a_life_without_limit_asks_for_nothing() {
        for (lifetime, refused) in
            [("0", false), ("0s", false), ("0h0m", false), ("24h", true), ("1ms", true)]
        {
            let mut problems = Problems::new();
            let spec = serde_json::json!({ "maxInstanceLifetime": lifetime });
            refuse_unclaimed(&spec, GROUP_FIELDS, &[], &mut problems);
            let paths: Vec<_> = problems.iter().map(|problem| problem.path.to_string()).collect();
            assert_eq!(paths.contains(&"spec.maxInstanceLifetime".to_owned()), refused, "{lifetime}");
        }
    }

    #[test]
    fn what_is_off_asks_for_nothing_and_what_no_cloud_has_says_so() {
        let spec = serde_json::json!({
            "cloudProvider": {"aws": {"warmPool": {"minSize": 1}}},
            "iam": {"useServiceAccountExternalPermissions": false},
            "serviceAccountIssuerDiscovery": {"enableAWSOIDCProvider": true, "discoveryStore": "s3://issuers"},
        });
        let mut problems = Problems::new();
        refuse_unclaimed(&spec, CLUSTER_FIELDS, &[], &mut problems);
        let text = problems.to_string();
        assert!(text.contains("spec.cloudProvider.aws.warmPool: it is not supported yet"), "{text}");
        let provider = "spec.serviceAccountIssuerDiscovery.enableAWSOIDCProvider: it is not supported yet";
        assert!(text.contains(provider), "{text}");
        assert_eq!(problems.iter().count(), 2, "{text}");
        let off = serde_json::json!({"warmPool": {"maxSize": 0}, "capacityRebalance": false});
        let mut problems = Problems::new();
        refuse_unclaimed(&off, GROUP_FIELDS, &[], &mut problems);
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn what_only_tunes_is_a_warning() {
        let spec = serde_json::json!({"rootVolume": {"optimization": true, "size": 8}});
        let mut problems = Problems::new();
        refuse_unclaimed(&spec, GROUP_FIELDS, &[], &mut problems);
        assert!(!problems.has_errors() && !problems.is_empty(), "{problems}");
    }
}
