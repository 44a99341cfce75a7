//! v1alpha3: the version whose shape the types have, except for a few names.
//!
//! Its fields were flat before kOps 1.27 and are grouped since; both forms are read.

use serde_json::{Value, json};

use super::Kind;
use super::moves::{self, Move, each, rename};
use super::v1alpha2::cloud_of;
use crate::spec::problem::Problems;

/// The fields of a cluster that have a different place: renamed ones, then those of the flat form.
pub(super) const CLUSTER: &[Move] = &[
    Move::new("externalDNS", "externalDns"),
    Move::new("cloudProvider.do", "cloudProvider.digitalocean"),
    Move::new("api.loadBalancer.useForInternalAPI", "api.loadBalancer.useForInternalApi"),
    Move::new("networking.amazonVPC", "networking.amazonvpc"),
    Move::new("networking.kubeRouter", "networking.kuberouter"),
    Move::new("networking.gcp", "networking.gce"),
    Move::old("topology.masters", "networking.topology.controlPlane"),
    Move::old("topology", "networking.topology"),
    Move::old("networkID", "networking.networkID"),
    Move::old("networkCIDR", "networking.networkCIDR"),
    Move::old("additionalNetworkCIDRs", "networking.additionalNetworkCIDRs"),
    Move::old("subnets", "networking.subnets"),
    Move::old("nonMasqueradeCIDR", "networking.nonMasqueradeCIDR"),
    Move::old("podCIDR", "networking.podCIDR"),
    Move::old("serviceClusterIPRange", "networking.serviceClusterIPRange"),
    Move::old("egressProxy", "networking.egressProxy"),
    Move::old("isolateMasters", "networking.isolateControlPlane"),
    Move::old("tagSubnets", "networking.tagSubnets"),
    Move::old("masterPublicName", "api.publicName"),
    Move::old("additionalSANs", "api.additionalSANs"),
    Move::old("kubernetesAPIAccess", "api.access"),
    Move::old("masterKubelet", "controlPlaneKubelet"),
    Move::old("configBase", "configStore.base"),
    Move::old("kubernetesApiAccess", "api.access"),
    Move::old("additionalSans", "api.additionalSANs"),
    Move::old("keyStore", "configStore.keypairs"),
    Move::old("secretStore", "configStore.secrets"),
    Move::old("additionalPolicies.master", "additionalPolicies.control-plane"),
    Move::old("externalPolicies.master", "externalPolicies.control-plane"),
    Move { cloud: Some("gce"), ..Move::old("project", "cloudProvider.gce.project") },
];

/// The fields of an instance group that have a different place: those of the flat form.
pub(super) const INSTANCE_GROUP: &[Move] = &[
    Move::old("rootVolumeSize", "rootVolume.size"),
    Move::old("rootVolumeType", "rootVolume.type"),
    Move::old("rootVolumeIOPS", "rootVolume.iops"),
    Move::old("rootVolumeThroughput", "rootVolume.throughput"),
    Move::old("rootVolumeOptimization", "rootVolume.optimization"),
    Move::old("rootVolumeEncryption", "rootVolume.encryption"),
    Move::old("rootVolumeEncryptionKey", "rootVolume.encryptionKey"),
];

pub(super) fn read(kind: Kind, spec: &mut Value, problems: &mut Problems) {
    each(spec, "hooks", read_hook);
    each(spec, "fileAssets", read_roles);
    match kind {
        Kind::Cluster => {
            let cloud = cloud_of(spec);
            moves::read_grouped(spec, CLUSTER, cloud.as_deref(), problems);
            read_cluster_words(spec);
        }
        Kind::InstanceGroup => {
            moves::read_grouped(spec, INSTANCE_GROUP, None, problems);
            if let Some(kubelet) = spec.get_mut("kubelet") {
                rename(kubelet, "authenticationTokenWebhookCacheTTL", "authenticationTokenWebhookCacheTtl");
            }
            each(spec, "externalLoadBalancers", |balancer| {
                rename(balancer, "targetGroupARN", "targetGroupArn");
            });
            if spec.get("role").and_then(Value::as_str) == Some("Master") {
                spec["role"] = json!("ControlPlane");
            }
        }
        Kind::Keyset => rename(spec, "primaryId", "primaryID"),
        Kind::SshCredential => {}
    }
}

/// Renames fields of opaque settings to their names in v1alpha2.
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
        each(cluster, "etcdMembers", |member| {
            rename(member, "kmsKeyID", "kmsKeyId");
            rename(member, "volumeIOPS", "volumeIops");
        });
    });
    if let Some(cilium) = spec.pointer_mut("/networking/cilium") {
        opposite(cilium, "masquerade", "disableMasquerade");
        opposite(cilium, "installIptablesRules", "IPTablesRulesNoinstall");
    }
    if let Some(canal) = spec.pointer_mut("/networking/canal") {
        opposite(canal, "flanneldIptablesForwardRules", "disableFlannelForwardRules");
    }
    for (pointer, from, to) in WORDS {
        if let Some(settings) = spec.pointer_mut(pointer) {
            rename(settings, from, to);
        }
    }
    read_oidc(spec);
}

/// Fields of opaque settings with another spelling: where, in v1alpha3, in v1alpha2.
const WORDS: &[(&str, &str, &str)] = &[
    ("/networking/amazonvpc", "image", "imageName"),
    ("/networking/amazonvpc", "initImage", "initImageName"),
    ("/networking/cilium", "toFQDNsDNSRejectResponseCode", "toFqdnsDnsRejectResponseCode"),
    ("/networking/cilium", "toFQDNsEnablePoller", "toFqdnsEnablePoller"),
    ("/kubelet", "authenticationTokenWebhookCacheTTL", "authenticationTokenWebhookCacheTtl"),
    ("/controlPlaneKubelet", "authenticationTokenWebhookCacheTTL", "authenticationTokenWebhookCacheTtl"),
    ("/kubeProxy", "ipvsExcludeCIDRs", "ipvsExcludeCidrs"),
    ("/kubeAPIServer", "authenticationTokenWebhookCacheTTL", "authenticationTokenWebhookCacheTtl"),
    ("/kubeAPIServer", "authorizationWebhookCacheAuthorizedTTL", "authorizationWebhookCacheAuthorizedTtl"),
    (
        "/kubeAPIServer",
        "authorizationWebhookCacheUnauthorizedTTL",
        "authorizationWebhookCacheUnauthorizedTtl",
    ),
    ("/kubeAPIServer", "auditWebhookBatchThrottleQPS", "auditWebhookBatchThrottleQps"),
    ("/kubeAPIServer", "targetRamMB", "targetRamMb"),
    ("/kubeControllerManager", "concurrentRCSyncs", "concurrentRcSyncs"),
    (
        "/kubeControllerManager",
        "horizontalPodAutoscalerCPUInitializationPeriod",
        "horizontalPodAutoscalerCpuInitializationPeriod",
    ),
    ("/cloudProvider/aws/nodeTerminationHandler", "enablePrometheusMetrics", "prometheusEnable"),
];

/// Moves the users' identity provider to the API server, where v1alpha2 has it.
fn read_oidc(spec: &mut Value) {
    let Some(Value::Object(oidc)) = moves::take(spec, "authentication.oidc") else { return };
    for (name, value) in oidc {
        let (to, value) = match (name.as_str(), value) {
            ("issuerURL", value) => ("oidcIssuerURL", value),
            ("clientID", value) => ("oidcClientID", value),
            ("usernameClaim", value) => ("oidcUsernameClaim", value),
            ("usernamePrefix", value) => ("oidcUsernamePrefix", value),
            ("groupsPrefix", value) => ("oidcGroupsPrefix", value),
            ("groupsClaims", Value::Array(claims)) => {
                let claims: Vec<&str> = claims.iter().filter_map(Value::as_str).collect();
                ("oidcGroupsClaim", json!(claims.join(",")))
            }
            ("requiredClaims", Value::Object(claims)) => {
                let mut claims: Vec<String> = claims
                    .iter()
                    .map(|(claim, value)| format!("{claim}={}", value.as_str().unwrap_or_default()))
                    .collect();
                claims.sort();
                ("oidcRequiredClaim", json!(claims))
            }
            // A field that this version does not know stays where it is.
            (name, value) => {
                let _ = moves::put(spec, &format!("authentication.oidc.{name}"), value);
                continue;
            }
        };
        // What the API server says itself wins, as in kOps.
        let _ = moves::put(spec, &format!("kubeAPIServer.{to}"), value);
    }
}

fn read_hook(hook: &mut Value) {
    opposite(hook, "enabled", "disabled");
    read_roles(hook);
}

/// Renames the roles of machines that something is for.
fn read_roles(item: &mut Value) {
    each(item, "roles", |role| {
        if role.as_str() == Some("ControlPlane") {
            *role = json!("Master");
        }
    });
}

/// Replaces a field by its negation under another name.
fn opposite(object: &mut Value, from: &str, to: &str) {
    if let Some(switch) = object.get(from).and_then(Value::as_bool) {
        rename(object, from, to);
        object[to] = Value::Bool(!switch);
    }
}
