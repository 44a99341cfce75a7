//! Warnings about settings that have no effect yet. Settings without effect on one cloud are rejected by the
//! model, which knows the cloud's [`Dialect`](crate::model::Dialect).

use serde::Serialize;
use serde_json::{Value, json};

use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::types::{Cluster, InstanceGroup};

/// Settings of a cluster that are not implemented yet, below `spec`: those of add-ons, of programs that do not run here, and
/// of old versions. What concerns machines and the control plane is rendered into bundles.
const CLUSTER: &[&str] = &[
    "addons",
    "authentication.aws",
    "authentication.kopeio",
    "certManager",
    "cloudConfig",
    "cloudControllerManager",
    "clusterAutoscaler",
    "containerRuntime",
    "dnsControllerGossipConfig",
    "docker",
    "externalDns",
    "gossipConfig",
    "karpenter",
    "kubeDNS",
    "masterInternalName",
    "metricsServer",
    "nodeAuthorization",
    "nodeProblemDetector",
    "serviceAccountIssuerDiscovery",
    "snapshotController",
    "target",
    "useHostCertificates",
    "networking.isolateControlPlane",
    "networking.amazonvpc",
    "networking.calico",
    "networking.cilium",
    "networking.cni",
    "networking.external",
    "networking.flannel",
    "networking.gce",
    "networking.kindnet",
    "networking.kopeio",
    "networking.kubenet",
    "networking.kuberouter",
    "cloudProvider.aws.binariesLocation",
    "cloudProvider.aws.ebsCSIDriver",
    "cloudProvider.aws.nodeTerminationHandler",
    "cloudProvider.aws.loadBalancerController",
    "cloudProvider.aws.podIdentityWebhook",
    "cloudProvider.aws.spotinstProduct",
    "cloudProvider.aws.spotinstOrientation",
    "cloudProvider.aws.nodeIPFamilies",
    "cloudProvider.aws.disableSecurityGroupIngress",
    "cloudProvider.aws.elbSecurityGroup",
    "cloudProvider.aws.nlbSecurityGroupMode",
    "cloudProvider.aws.useIPBasedNodeNames",
    "cloudProvider.azure.routeTableName",
    "cloudProvider.azure.tenantID",
    "cloudProvider.gce.binariesLocation",
    "cloudProvider.gce.multizone",
    "cloudProvider.gce.nodeTags",
    "cloudProvider.gce.nodeInstancePrefix",
    "cloudProvider.gce.pdCSIDriver",
    "cloudProvider.openstack.blockStorage",
    "cloudProvider.openstack.insecureSkipVerify",
    "cloudProvider.openstack.loadbalancer.enableIngressHostname",
    "cloudProvider.openstack.loadbalancer.floatingNetwork",
    "cloudProvider.openstack.loadbalancer.floatingNetworkID",
    "cloudProvider.openstack.loadbalancer.floatingSubnet",
    "cloudProvider.openstack.loadbalancer.ingressHostnameSuffix",
    "cloudProvider.openstack.loadbalancer.manageSecurityGroups",
    "cloudProvider.openstack.loadbalancer.subnetID",
    "cloudProvider.openstack.loadbalancer.useOctavia",
    "cloudProvider.openstack.metadata",
    "cloudProvider.openstack.monitor",
    "cloudProvider.openstack.network",
    "cloudProvider.openstack.router.availabilityZoneHints",
    "cloudProvider.openstack.router.externalSubnet",
];

/// Settings that new clusters always have, or that describe what is always done: they need no warning.
fn usual(path: &str, value: &Value) -> bool {
    match path {
        "containerRuntime" => *value == "containerd",
        "kubeDNS" => *value == json!({ "provider": "CoreDNS" }),
        "cloudProvider.openstack.loadbalancer.useOctavia" => *value == true,
        // New clusters have it: it replaces the service proxy.
        "networking.cilium" => *value == json!({}) || *value == json!({ "enableNodePort": true }),
        // The choice of a plugin is one thing, its settings another.
        path => path.starts_with("networking.") && *value == json!({}),
    }
}

/// Settings of a group that are not implemented yet, below `spec`.
const GROUP: &[&str] = &["autoscale", "autoscalePriority"];

pub(super) fn cluster(cluster: &Cluster, problems: &mut Problems) {
    let spec = value(&cluster.spec);
    for path in CLUSTER {
        if let Some(value) = at(&spec, path)
            && !usual(path, value)
        {
            no_effect_yet(path, problems);
        }
    }
}

pub(super) fn group(group: &InstanceGroup, problems: &mut Problems) {
    let spec = value(&group.spec);
    for path in GROUP {
        if at(&spec, path).is_some() {
            no_effect_yet(path, problems);
        }
    }
}

fn value<T: Serialize>(spec: &T) -> Value {
    // What cannot be written is a bug that writing reports.
    serde_json::to_value(spec).unwrap_or_default()
}

fn at<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(spec, |value, key| value.get(key))
}

fn no_effect_yet(path: &str, problems: &mut Problems) {
    let here = Path::of("spec").join(&Path::of(path));
    // Some of them decide what machines may do and which packets reach them.
    let is_of_plugin = path.strip_prefix("networking.").is_some_and(|field| field != "isolateControlPlane");
    if is_of_plugin {
        problems.warn(
            here,
            "the network plugin is not installed yet: of its settings, only those have an effect that firewalls and \
             permissions of machines depend on",
            "install the plugin with the same settings",
        );
    } else {
        problems.warn(
            here,
            "it is preserved, but not implemented yet",
            "do not rely on it; if the cluster needs it, configure it on the machines",
        );
    }
}
