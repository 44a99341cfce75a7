//! v1alpha3: the version whose shape the types have, but for a few names.
//!
//! Its fields were flat before kOps 1.27 and are grouped since; both are read.

use serde_json::{Value, json};

use super::Kind;
use super::moves::{self, Move, each, rename};
use super::v1alpha2::cloud_of;
use crate::cluster::problem::Problems;

/// The fields of a cluster that stand elsewhere: renamed ones, then those of the flat form.
pub(super) const CLUSTER: &[Move] = &[
    Move::new("externalDNS", "externalDns"),
    Move::new("cloudProvider.do", "cloudProvider.digitalocean"),
    Move::new("api.loadBalancer.useForInternalAPI", "api.loadBalancer.useForInternalApi"),
    Move::new("topology.masters", "networking.topology.controlPlane"),
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
    Move::new("tagSubnets", "networking.tagSubnets"),
    Move::new("masterPublicName", "api.publicName"),
    Move::new("additionalSANs", "api.additionalSANs"),
    Move::new("kubernetesAPIAccess", "api.access"),
    Move::new("masterKubelet", "controlPlaneKubelet"),
    Move::new("configBase", "configStore.base"),
    Move::new("keyStore", "configStore.keypairs"),
    Move::new("secretStore", "configStore.secrets"),
    Move::alias("additionalPolicies.master", "additionalPolicies.control-plane"),
    Move::alias("externalPolicies.master", "externalPolicies.control-plane"),
    Move::of("gce", "project", "cloudProvider.gce.project"),
];

/// The fields of an instance group that stand elsewhere: those of the flat form.
pub(super) const INSTANCE_GROUP: &[Move] = &[
    Move::new("rootVolumeSize", "rootVolume.size"),
    Move::new("rootVolumeType", "rootVolume.type"),
    Move::new("rootVolumeIOPS", "rootVolume.iops"),
    Move::new("rootVolumeThroughput", "rootVolume.throughput"),
    Move::new("rootVolumeOptimization", "rootVolume.optimization"),
    Move::new("rootVolumeEncryption", "rootVolume.encryption"),
    Move::new("rootVolumeEncryptionKey", "rootVolume.encryptionKey"),
];

pub(super) fn read(kind: Kind, spec: &mut Value, problems: &mut Problems) {
    each(spec, "hooks", read_hook);
    match kind {
        Kind::Cluster => {
            let cloud = cloud_of(spec);
            moves::read_grouped(spec, CLUSTER, cloud.as_deref(), problems);
            read_cluster_words(spec);
        }
        Kind::InstanceGroup => {
            moves::read_grouped(spec, INSTANCE_GROUP, None, problems);
            each(spec, "externalLoadBalancers", |balancer| {
                rename(balancer, "targetGroupARN", "targetGroupArn");
            });
            if spec.get("role").and_then(Value::as_str) == Some("Master") {
                spec["role"] = json!("ControlPlane");
            }
        }
        Kind::SshCredential | Kind::Keyset => {}
    }
}

/// The words of settings that are kept as they are: v1alpha2's.
fn read_cluster_words(spec: &mut Value) {
    if let Some(dns) = spec.pointer_mut("/networking/topology/dns")
        && let Some(word) =
            dns.as_object_mut().filter(|object| object.len() == 1).and_then(|object| object.remove("type"))
    {
        *dns = word;
    }
    if let Some(external_dns) = spec.get_mut("externalDns")
        && external_dns.get("provider").and_then(Value::as_str) == Some("none")
    {
        *external_dns = json!({ "disable": true });
    }
    each(spec, "api.loadBalancer.subnets", |subnet| rename(subnet, "allocationID", "allocationId"));
    each(spec, "etcdClusters", |cluster| {
        each(cluster, "etcdMembers", |member| rename(member, "kmsKeyID", "kmsKeyId"));
    });
    if let Some(cilium) = spec.pointer_mut("/networking/cilium") {
        opposite(cilium, "masquerade", "disableMasquerade");
        opposite(cilium, "installIptablesRules", "IPTablesRulesNoinstall");
    }
}

fn read_hook(hook: &mut Value) {
    opposite(hook, "enabled", "disabled");
    each(hook, "roles", |role| {
        if role.as_str() == Some("ControlPlane") {
            *role = json!("Master");
        }
    });
}

/// A switch that says the opposite under another name.
fn opposite(object: &mut Value, from: &str, to: &str) {
    if let Some(switch) = object.get(from).and_then(Value::as_bool) {
        rename(object, from, to);
        object[to] = Value::Bool(!switch);
    }
}
