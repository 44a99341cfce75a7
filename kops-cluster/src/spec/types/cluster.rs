//! The cluster.

use std::collections::BTreeMap;

use super::{AccessSource, Api, CloudConfig, CloudProvider, EtcdCluster, Iam, Networking};
use crate::spec::meta::ObjectMeta;
use crate::spec::schema::{IntOrString, Opaque, choice, spec};

spec! {
    /// A cluster.
    pub struct Cluster {
        /// Name, labels and history.
        metadata: ObjectMeta => "metadata",
        /// What it should be.
        spec: ClusterSpec => "spec",
    }
}

impl Cluster {
    /// A cluster of that name, with nothing specified.
    pub fn named(name: impl Into<String>) -> Self {
        Self { metadata: ObjectMeta::named(name), ..Self::default() }
    }

    /// The name: a DNS name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The name that the API has for machines of the cluster.
    pub fn api_internal_name(&self) -> String {
        format!("api.internal.{}", self.name())
    }
}

spec! {
    /// What a cluster should be.
    pub struct ClusterSpec {
        /// Which cloud, with its settings.
        cloud_provider: Option<CloudProvider> => "cloudProvider",
        /// The version of Kubernetes.
        kubernetes_version: Option<String> => "kubernetesVersion",
        /// The channel that recommends versions and images.
        channel: Option<String> => "channel",
        /// Where the configuration is kept.
        config_store: ConfigStore => "configStore",
        /// The network.
        networking: Networking => "networking",
        /// How the API is reached.
        api: Api => "api",
        /// The etcd clusters.
        etcd_clusters: Vec<EtcdCluster> => "etcdClusters",
        /// Who may reach machines by SSH.
        ssh_access: Vec<AccessSource> => "sshAccess",
        /// Who may reach the ports of services on nodes.
        node_port_access: Vec<AccessSource> => "nodePortAccess",
        /// An existing key pair of the cloud to use.
        ssh_key_name: Option<String> => "sshKeyName",
        /// The zone for the cluster's names, by name or id.
        dns_zone: Option<String> => "dnsZone",
        /// The domain of names within the cluster.
        cluster_dns_domain: Option<String> => "clusterDNSDomain",
        /// Labels for everything in the cloud.
        cloud_labels: BTreeMap<String, String> => "cloudLabels",
        /// What machines and service accounts may do in the cloud.
        iam: Option<Iam> => "iam",
        /// Further policies in JSON, by role: `control-plane`, `node`, `bastion`.
        additional_policies: BTreeMap<String, String> => "additionalPolicies",
        /// Existing policies, by role.
        external_policies: BTreeMap<String, Vec<String>> => "externalPolicies",
        /// How machines are replaced.
        rolling_update: Option<RollingUpdate> => "rollingUpdate",
        /// Whether machines update their operating system.
        update_policy: Option<UpdatePolicy> => "updatePolicy",
        /// Settings that several clouds share.
        cloud_config: Option<CloudConfig> => "cloudConfig",
        /// Settings for other ways of applying: Terraform.
        target: Option<Opaque> => "target",
        /// How service accounts prove who they are to others.
        service_account_issuer_discovery: Option<Opaque> => "serviceAccountIssuerDiscovery",
        /// Files for machines.
        file_assets: Option<Opaque> => "fileAssets",
        /// Programs that run as machines start.
        hooks: Option<Opaque> => "hooks",
        /// Packages for machines.
        packages: Vec<String> => "packages",
        /// Kernel settings of machines.
        sysctl_parameters: Vec<String> => "sysctlParameters",
        /// Whether machines' own certificates are trusted.
        use_host_certificates: Option<bool> => "useHostCertificates",
        /// Where files and images come from.
        assets: Option<Opaque> => "assets",
        /// Manifests to apply.
        addons: Option<Opaque> => "addons",
        /// Who users are.
        authentication: Option<Opaque> => "authentication",
        /// What users may do.
        authorization: Option<Opaque> => "authorization",
        /// How nodes prove who they are.
        node_authorization: Option<Opaque> => "nodeAuthorization",
        /// Whether secrets are encrypted at rest.
        encryption_config: Option<bool> => "encryptionConfig",
        /// The container runtime's name, in specifications of older versions.
        container_runtime: Option<String> => "containerRuntime",
        /// containerd.
        containerd: Option<Opaque> => "containerd",
        /// Docker, in specifications of older versions.
        docker: Option<Opaque> => "docker",
        /// The API server.
        kube_api_server: Option<Opaque> => "kubeAPIServer",
        /// The controller manager.
        kube_controller_manager: Option<Opaque> => "kubeControllerManager",
        /// The scheduler.
        kube_scheduler: Option<Opaque> => "kubeScheduler",
        /// The service proxy.
        kube_proxy: Option<Opaque> => "kubeProxy",
        /// The kubelet.
        kubelet: Option<Opaque> => "kubelet",
        /// The kubelet on control-plane machines.
        control_plane_kubelet: Option<Opaque> => "controlPlaneKubelet",
        /// DNS within the cluster.
        kube_dns: Option<Opaque> => "kubeDNS",
        /// The cloud's controllers.
        cloud_controller_manager: Option<Opaque> => "cloudControllerManager",
        /// DNS records of services.
        external_dns: Option<Opaque> => "externalDns",
        /// Time.
        ntp: Option<Opaque> => "ntp",
        /// cert-manager.
        cert_manager: Option<Opaque> => "certManager",
        /// The cluster autoscaler.
        cluster_autoscaler: Option<Opaque> => "clusterAutoscaler",
        /// Karpenter.
        karpenter: Option<Opaque> => "karpenter",
        /// The metrics server.
        metrics_server: Option<Opaque> => "metricsServer",
        /// The node problem detector.
        node_problem_detector: Option<Opaque> => "nodeProblemDetector",
        /// The snapshot controller.
        snapshot_controller: Option<Opaque> => "snapshotController",
        /// DNS by gossip, in specifications of older versions.
        gossip_config: Option<Opaque> => "gossipConfig",
        /// The same, for the DNS controller.
        dns_controller_gossip_config: Option<Opaque> => "dnsControllerGossipConfig",
        /// The API's internal name, in specifications of older versions.
        master_internal_name: Option<String> => "masterInternalName",
    }
}

spec! {
    /// Where the configuration is kept.
    pub struct ConfigStore {
        /// Everything, unless said otherwise: `s3://bucket/cluster.example.com`.
        base: Option<String> => "base",
        /// Key pairs.
        keypairs: Option<String> => "keypairs",
        /// Secrets.
        secrets: Option<String> => "secrets",
    }
}

spec! {
    /// How machines are replaced.
    pub struct RollingUpdate {
        /// Whether machines are drained and ended, or left to somebody else.
        drain_and_terminate: Option<bool> => "drainAndTerminate",
        /// How many machines may be missing: a count or a share.
        max_unavailable: Option<IntOrString> => "maxUnavailable",
        /// How many machines may be added meanwhile: a count or a share.
        max_surge: Option<IntOrString> => "maxSurge",
    }
}

choice! {
    /// Whether machines update their operating system.
    pub enum UpdatePolicy {
        /// They do.
        Automatic => "automatic",
        /// Somebody else sees to it.
        External => "external",
    }
}

spec! {
    /// A pool of stopped machines that start faster than new ones (AWS).
    pub struct WarmPool {
        /// How many at least.
        min_size: Option<i64> => "minSize",
        /// How many at most.
        max_size: Option<i64> => "maxSize",
        /// Whether machines are prepared before they stop.
        enable_lifecycle_hook: Option<bool> => "enableLifecycleHook",
        /// How long that may take.
        lifecycle_hook_timeout: Option<Opaque> => "lifecycleHookTimeout",
        /// Images to fetch meanwhile.
        additional_images: Vec<String> => "additionalImages",
    }
}
