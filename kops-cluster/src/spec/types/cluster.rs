//! The cluster.

use std::collections::BTreeMap;

use super::{AccessSource, Api, CloudConfig, CloudProvider, DnsType, EtcdCluster, Iam, Networking};
use crate::spec::duration::GoDuration;
use crate::spec::meta::ObjectMeta;
use crate::spec::schema::{IntOrString, Opaque, choice, spec};

spec! {
    /// A Kubernetes cluster.
    pub struct Cluster {
        /// Name, labels and history.
        metadata: ObjectMeta => "metadata",
        /// The desired state.
        spec: ClusterSpec => "spec",
    }
}

impl Cluster {
    /// A cluster with a name and nothing else specified.
    pub fn named(name: impl Into<String>) -> Self {
        Self { metadata: ObjectMeta::named(name), ..Self::default() }
    }

    /// The name: a DNS name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// How the cluster's names are published. Names below `k8s.local` never are: kOps once had machines find each other
    /// by gossip under such names.
    pub fn dns_type(&self) -> DnsType {
        if self.name().ends_with(".k8s.local") { DnsType::None } else { self.spec.networking.dns_type() }
    }

    /// The DNS name of the API for machines of the cluster.
    pub fn api_internal_name(&self) -> String {
        format!("api.internal.{}", self.name())
    }
}

spec! {
    /// The desired state of a cluster.
    pub struct ClusterSpec {
        /// The cloud, with its settings.
        cloud_provider: Option<CloudProvider> => "cloudProvider",
        /// The Kubernetes version.
        kubernetes_version: Option<String> => "kubernetesVersion",
        /// The channel that recommends versions and images.
        channel: Option<String> => "channel",
        /// The location of the configuration.
        config_store: ConfigStore => "configStore",
        /// The network.
        networking: Networking => "networking",
        /// How clients reach the API.
        api: Api => "api",
        /// The etcd clusters.
        etcd_clusters: Vec<EtcdCluster> => "etcdClusters",
        /// The sources that may reach machines by SSH.
        ssh_access: Vec<AccessSource> => "sshAccess",
        /// The sources that may reach the node ports of services.
        node_port_access: Vec<AccessSource> => "nodePortAccess",
        /// The name of an existing key pair of the cloud.
        ssh_key_name: Option<String> => "sshKeyName",
        /// The DNS zone of the cluster's names, by name or id.
        dns_zone: Option<String> => "dnsZone",
        /// The DNS domain within the cluster.
        cluster_dns_domain: Option<String> => "clusterDNSDomain",
        /// Labels for all objects in the cloud.
        cloud_labels: BTreeMap<String, String> => "cloudLabels",
        /// The cloud permissions of machines and service accounts.
        iam: Option<Iam> => "iam",
        /// Additional policies in JSON, by role: `control-plane`, `node`, `bastion`.
        additional_policies: BTreeMap<String, String> => "additionalPolicies",
        /// Existing policies, by role.
        external_policies: BTreeMap<String, Vec<String>> => "externalPolicies",
        /// The rolling update settings.
        rolling_update: Option<RollingUpdate> => "rollingUpdate",
        /// Whether machines update their operating system.
        update_policy: Option<UpdatePolicy> => "updatePolicy",
        /// Settings that several clouds share.
        cloud_config: Option<CloudConfig> => "cloudConfig",
        /// Settings for other targets, such as Terraform.
        target: Option<Opaque> => "target",
        /// Discovery of the service account issuer.
        service_account_issuer_discovery: Option<Opaque> => "serviceAccountIssuerDiscovery",
        /// Files to write on machines.
        file_assets: Option<Opaque> => "fileAssets",
        /// Units to run when machines boot.
        hooks: Option<Opaque> => "hooks",
        /// Packages to install on machines.
        packages: Vec<String> => "packages",
        /// Kernel parameters of machines.
        sysctl_parameters: Vec<String> => "sysctlParameters",
        /// Whether the certificates of the machine's operating system are trusted.
        use_host_certificates: Option<bool> => "useHostCertificates",
        /// The sources of files and images.
        assets: Option<Opaque> => "assets",
        /// Additional manifests to apply.
        addons: Option<Opaque> => "addons",
        /// Authentication of users.
        authentication: Option<Opaque> => "authentication",
        /// Authorization of users.
        authorization: Option<Opaque> => "authorization",
        /// Authorization of nodes.
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
        /// ExternalDNS, which manages DNS records of services.
        external_dns: Option<Opaque> => "externalDns",
        /// Time synchronisation.
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
        /// Gossip DNS, in specifications of older versions.
        gossip_config: Option<Opaque> => "gossipConfig",
        /// Gossip DNS settings of the DNS controller.
        dns_controller_gossip_config: Option<Opaque> => "dnsControllerGossipConfig",
        /// The API's internal name, in specifications of older versions.
        master_internal_name: Option<String> => "masterInternalName",
    }
}

spec! {
    /// The location of the configuration.
    pub struct ConfigStore {
        /// The default location of everything: `s3://bucket/cluster.example.com`.
        base: Option<String> => "base",
        /// The location of key pairs.
        keypairs: Option<String> => "keypairs",
        /// The location of secrets.
        secrets: Option<String> => "secrets",
        /// The location of the specification, in specifications of older versions.
        location: Option<String> => "location",
    }
}

spec! {
    /// Rolling update settings.
    pub struct RollingUpdate {
        /// Whether machines are drained and terminated, or left to another process.
        drain_and_terminate: Option<bool> => "drainAndTerminate",
        /// The number of machines that may be unavailable: a count or a percentage.
        max_unavailable: Option<IntOrString> => "maxUnavailable",
        /// The number of additional machines during the update: a count or a percentage.
        max_surge: Option<IntOrString> => "maxSurge",
    }
}

choice! {
    /// Whether machines update their operating system.
    pub enum UpdatePolicy {
        /// Machines update themselves.
        Automatic => "automatic",
        /// Updates are managed externally.
        External => "external",
    }
}

spec! {
    /// A warm pool: stopped machines that start faster than new ones (AWS).
    pub struct WarmPool {
        /// The minimum number.
        min_size: Option<i64> => "minSize",
        /// The maximum number.
        max_size: Option<i64> => "maxSize",
        /// Whether machines are initialised before they are stopped.
        enable_lifecycle_hook: Option<bool> => "enableLifecycleHook",
        /// The timeout of the initialisation.
        lifecycle_hook_timeout: Option<GoDuration> => "lifecycleHookTimeout",
        /// Images to pull during the initialisation.
        additional_images: Vec<String> => "additionalImages",
    }
}
