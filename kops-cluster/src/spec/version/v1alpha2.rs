//! v1alpha2: the flat version, used by state stores and the command line.

use serde_json::{Map, Value, json};

use super::Kind;
use super::moves::{self, Move};
use crate::spec::path::Path;
use crate::spec::problem::Problems;

/// The fields of a cluster that have a different place.
pub(super) const CLUSTER: &[Move] = &[
    Move::new("topology.dns.type", "networking.topology.dns"),
    Move::new("topology.masters", "networking.topology.controlPlane"),
    Move::new("topology.bastion.bastionPublicName", "networking.topology.bastion.publicName"),
    Move::new("topology", "networking.topology"),
    Move::new("networkID", "networking.networkID"),
    Move::new("networkCIDR", "networking.networkCIDR"),
    Move::new("additionalNetworkCIDRs", "networking.additionalNetworkCIDRs"),
    Move::new("subnets", "networking.subnets"),
    Move::new("nonMasqueradeCIDR", "networking.nonMasqueradeCIDR"),
    Move::new("podCIDR", "networking.podCIDR"),
    Move::new("serviceClusterIPRange", "networking.serviceClusterIPRange"),
    Move::new("egressProxy", "networking.egressProxy"),
    Move::new("isolateMasters", "networking.isolateControlPlane"),
    Move::not("DisableSubnetTags", "networking.tagSubnets"),
    Move::new("masterPublicName", "api.publicName"),
    Move::new("additionalSans", "api.additionalSANs"),
    Move::new("kubernetesApiAccess", "api.access"),
    Move::new("masterKubelet", "controlPlaneKubelet"),
    // `read` and `write` move it: a text in this version, it is in the way of what goes below it.
    Move::path("configStore", "configStore.location"),
    Move::new("configBase", "configStore.base"),
    Move::new("keyStore", "configStore.keypairs"),
    Move::new("secretStore", "configStore.secrets"),
    Move::alias("additionalPolicies.master", "additionalPolicies.control-plane"),
    Move::alias("externalPolicies.master", "externalPolicies.control-plane"),
    Move::of("aws", "nodeTerminationHandler", "cloudProvider.aws.nodeTerminationHandler"),
    Move::of("aws", "awsLoadBalancerController", "cloudProvider.aws.loadBalancerController"),
    Move::of("aws", "podIdentityWebhook", "cloudProvider.aws.podIdentityWebhook"),
    Move::of("aws", "warmPool", "cloudProvider.aws.warmPool"),
    Move::of("aws", "cloudConfig.awsEBSCSIDriver", "cloudProvider.aws.ebsCSIDriver"),
    Move::of(
        "aws",
        "cloudConfig.disableSecurityGroupIngress",
        "cloudProvider.aws.disableSecurityGroupIngress",
    ),
    Move::of("aws", "cloudConfig.elbSecurityGroup", "cloudProvider.aws.elbSecurityGroup"),
    Move::of("aws", "cloudConfig.nlbSecurityGroupMode", "cloudProvider.aws.nlbSecurityGroupMode"),
    Move::of("aws", "cloudConfig.nodeIPFamilies", "cloudProvider.aws.nodeIPFamilies"),
    Move::of("aws", "cloudConfig.spotinstOrientation", "cloudProvider.aws.spotinstOrientation"),
    Move::of("aws", "cloudConfig.spotinstProduct", "cloudProvider.aws.spotinstProduct"),
    Move::of("aws", "cloudConfig.useIPBasedNodeNames", "cloudProvider.aws.useIPBasedNodeNames"),
    Move::of("aws", "cloudConfig.binariesLocation", "cloudProvider.aws.binariesLocation"),
    Move::of("gce", "cloudConfig.binariesLocation", "cloudProvider.gce.binariesLocation"),
    Move::of("gce", "project", "cloudProvider.gce.project"),
    Move::of("gce", "cloudConfig.gceServiceAccount", "cloudProvider.gce.serviceAccount"),
    // Where it was before it was a setting of the cloud.
    Move { cloud: Some("gce"), ..Move::old("gceServiceAccount", "cloudProvider.gce.serviceAccount") },
    Move::of("gce", "cloudConfig.gceUseStartupScript", "cloudProvider.gce.useStartupScript"),
    Move::of("gce", "cloudConfig.gcpPDCSIDriver", "cloudProvider.gce.pdCSIDriver"),
    Move::of("gce", "cloudConfig.multizone", "cloudProvider.gce.multizone"),
    Move::of("gce", "cloudConfig.nodeInstancePrefix", "cloudProvider.gce.nodeInstancePrefix"),
    Move::of("gce", "cloudConfig.nodeTags", "cloudProvider.gce.nodeTags"),
    Move::of("azure", "cloudConfig.azure.subscriptionId", "cloudProvider.azure.subscriptionID"),
    Move::of("azure", "cloudConfig.azure.tenantId", "cloudProvider.azure.tenantID"),
    Move::of("azure", "cloudConfig.azure", "cloudProvider.azure"),
    Move::of("openstack", "cloudConfig.openstack", "cloudProvider.openstack"),
];

/// The fields of an instance group that have a different place.
pub(super) const INSTANCE_GROUP: &[Move] = &[
    Move::new("associatePublicIp", "associatePublicIP"),
    Move::new("rootVolumeSize", "rootVolume.size"),
    Move::new("rootVolumeType", "rootVolume.type"),
    Move::new("rootVolumeIops", "rootVolume.iops"),
    Move::new("rootVolumeThroughput", "rootVolume.throughput"),
    Move::new("rootVolumeOptimization", "rootVolume.optimization"),
    Move::new("rootVolumeEncryption", "rootVolume.encryption"),
    Move::new("rootVolumeEncryptionKey", "rootVolume.encryptionKey"),
    Move::new("rootVolumeDeleteOnTermination", "rootVolume.deleteOnTermination"),
];

pub(super) fn read(kind: Kind, spec: &mut Value, problems: &mut Problems) {
    match kind {
        Kind::Cluster => {
            if let Some(store) = spec.get_mut("configStore").filter(|store| store.is_string()) {
                *store = json!({ "location": store.take() });
            }
            let cloud = read_cloud(spec, problems);
            moves::read(spec, CLUSTER, cloud.as_deref(), problems);
        }
        Kind::InstanceGroup => {
            moves::read(spec, INSTANCE_GROUP, None, problems);
            if spec.get("role").and_then(Value::as_str) == Some("Master") {
                spec["role"] = json!("ControlPlane");
            }
        }
        // kOps wrote it so before it had several generations of keys.
        Kind::Keyset => moves::rename(spec, "primaryId", "primaryID"),
        Kind::SshCredential => {}
    }
}

pub(super) fn write(kind: Kind, spec: &mut Value) {
    match kind {
        Kind::Cluster => {
            let cloud = cloud_of(spec);
            moves::write(spec, CLUSTER, cloud.as_deref());
            write_cloud(spec, cloud);
            if let Some(location) = moves::take(spec, "configStore.location") {
                let _ = moves::put(spec, "configStore", location);
            }
        }
        Kind::InstanceGroup => {
            moves::write(spec, INSTANCE_GROUP, None);
            remove_if_empty(spec, "rootVolume");
            if spec.get("role").and_then(Value::as_str) == Some("ControlPlane") {
                spec["role"] = json!("Master");
            }
        }
        Kind::SshCredential | Kind::Keyset => {}
    }
}

/// Makes `cloudProvider: aws` an object, and returns the cloud's name.
fn read_cloud(spec: &mut Value, problems: &mut Problems) -> Option<String> {
    let slot = spec.get_mut("cloudProvider")?;
    match slot.take() {
        Value::String(name) => {
            *slot = json!({ name.as_str(): {} });
            Some(name)
        }
        Value::Null => None,
        _ => {
            problems.error(
                Path::of("spec.cloudProvider"),
                "must be a string",
                "use the name of the cloud, such as aws; it is an object in kops.k8s.io/v1alpha3 only",
            );
            None
        }
    }
}

/// The name of the cloud in the types' shape.
pub(super) fn cloud_of(spec: &Value) -> Option<String> {
    spec.get("cloudProvider")?.as_object()?.keys().next().cloned()
}

/// Makes `cloudProvider` a string again. Those of its settings that have no place of their own go to
/// `cloudConfig`, so that nothing is lost.
fn write_cloud(spec: &mut Value, cloud: Option<String>) {
    let Some(name) = cloud else { return };
    let rest = moves::take(spec, &format!("cloudProvider.{name}"));
    if let Some(Value::Object(rest)) = rest
        && !rest.is_empty()
    {
        // An unknown field of the same name may exist already: the known one wins.
        let _ = moves::put(spec, "cloudConfig", Value::Object(rest));
    }
    // Azure and OpenStack settings move as a whole: empty ones are dropped.
    for whole in ["cloudConfig.azure", "cloudConfig.openstack"] {
        if let Some(settings) = moves::take(spec, whole)
            && settings.as_object().is_none_or(|settings| !settings.is_empty())
        {
            let _ = moves::put(spec, whole, settings);
        }
    }
    spec["cloudProvider"] = Value::String(name);
}

fn remove_if_empty(spec: &mut Value, name: &str) {
    if spec.get(name).and_then(Value::as_object).is_some_and(Map::is_empty)
        && let Some(object) = spec.as_object_mut()
    {
        object.remove(name);
    }
}
