//! The etcd clusters and the volumes of their members.

use crate::spec::duration::GoDuration;
use crate::spec::schema::{Opaque, spec};

spec! {
    /// An etcd cluster: `main` stores the objects, `events` the events.
    pub struct EtcdCluster {
        /// `main`, `events`, `cilium` or `leases`.
        name: String => "name",
        /// The members, one per control-plane group.
        members: Vec<EtcdMember> => "etcdMembers",
        /// The version.
        version: Option<String> => "version",
        /// Who runs it; only the manager since kOps 1.12.
        provider: Option<String> => "provider",
        /// An image that replaces that of the version.
        image: Option<String> => "image",
        /// The memory request of each member.
        memory_request: Option<Opaque> => "memoryRequest",
        /// The CPU request of each member.
        cpu_request: Option<Opaque> => "cpuRequest",
        /// The leader election timeout.
        leader_election_timeout: Option<GoDuration> => "leaderElectionTimeout",
        /// The interval of the leader's heartbeat.
        heartbeat_interval: Option<GoDuration> => "heartbeatInterval",
        /// Backup settings.
        backups: Option<EtcdBackups> => "backups",
        /// The manager's settings.
        manager: Option<EtcdManager> => "manager",
        /// Whether clients and members used TLS, in specifications of older versions; they always do.
        enable_etcd_tls: Option<bool> => "enableEtcdTLS",
        /// Whether clients had to authenticate, in specifications of older versions; they always have to.
        enable_tls_auth: Option<bool> => "enableTLSAuth",
    }
}

spec! {
    /// A member of an etcd cluster, and its volume.
    pub struct EtcdMember {
        /// The name within the cluster.
        name: String => "name",
        /// The control-plane group that runs it.
        instance_group: Option<String> => "instanceGroup",
        /// The cloud's volume type.
        volume_type: Option<String> => "volumeType",
        /// The size in GiB.
        volume_size: Option<i32> => "volumeSize",
        /// The provisioned I/O operations per second.
        volume_iops: Option<i32> => "volumeIops",
        /// The provisioned throughput in MiB per second.
        volume_throughput: Option<i32> => "volumeThroughput",
        /// Whether the volume is encrypted.
        encrypted_volume: Option<bool> => "encryptedVolume",
        /// The key it is encrypted with.
        kms_key_id: Option<String> => "kmsKeyId",
    }
}

spec! {
    /// Backup settings.
    pub struct EtcdBackups {
        /// The location of the backups.
        backup_store: Option<String> => "backupStore",
        /// The image of the backup program.
        image: Option<String> => "image",
    }
}

spec! {
    /// The settings of etcd-manager, the program that runs etcd.
    pub struct EtcdManager {
        /// Its image.
        image: Option<String> => "image",
        /// Its environment variables.
        env: Option<Opaque> => "env",
        /// The interval between backups.
        backup_interval: Option<GoDuration> => "backupInterval",
        /// The number of days for which backups are kept.
        backup_retention_days: Option<i64> => "backupRetentionDays",
        /// The polling interval of peer discovery.
        discovery_poll_interval: Option<GoDuration> => "discoveryPollInterval",
        /// Its log verbosity.
        log_level: Option<i64> => "logLevel",
        /// The URLs on which it serves metrics.
        listen_metrics_urls: Option<Opaque> => "listenMetricsURLs",
        /// The URLs for clients without TLS, in specifications of older versions; there are none.
        listen_client_http_urls: Option<Opaque> => "listenClientHTTPURLs",
    }
}
