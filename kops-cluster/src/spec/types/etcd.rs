//! The etcd clusters and the volumes of their members.

use crate::spec::schema::{Opaque, spec};

spec! {
    /// An etcd cluster: `main` holds the objects, `events` the events.
    pub struct EtcdCluster {
        /// `main`, `events`, `cilium` or `leases`.
        name: String => "name",
        /// The members, one to a control-plane group.
        members: Vec<EtcdMember> => "etcdMembers",
        /// The version.
        version: Option<String> => "version",
        /// Who runs it; the manager, ever since kOps 1.12.
        provider: Option<String> => "provider",
        /// An image instead of the version's own.
        image: Option<String> => "image",
        /// The memory that is reserved for each member.
        memory_request: Option<Opaque> => "memoryRequest",
        /// The processor share that is reserved for each member.
        cpu_request: Option<Opaque> => "cpuRequest",
        /// After how long without a leader an election starts.
        leader_election_timeout: Option<Opaque> => "leaderElectionTimeout",
        /// How often the leader is heard of.
        heartbeat_interval: Option<Opaque> => "heartbeatInterval",
        /// Where backups go.
        backups: Option<EtcdBackups> => "backups",
        /// The manager's settings.
        manager: Option<EtcdManager> => "manager",
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
        /// The input/output operations a second.
        volume_iops: Option<i32> => "volumeIops",
        /// The throughput in MiB a second.
        volume_throughput: Option<i32> => "volumeThroughput",
        /// Whether the volume is encrypted.
        encrypted_volume: Option<bool> => "encryptedVolume",
        /// The key it is encrypted with.
        kms_key_id: Option<String> => "kmsKeyId",
    }
}

spec! {
    /// Where backups go.
    pub struct EtcdBackups {
        /// The place in a store.
        backup_store: Option<String> => "backupStore",
        /// The image that makes them.
        image: Option<String> => "image",
    }
}

spec! {
    /// The settings of the program that runs etcd.
    pub struct EtcdManager {
        /// Its image.
        image: Option<String> => "image",
        /// Its environment.
        env: Option<Opaque> => "env",
        /// How often it makes a backup.
        backup_interval: Option<Opaque> => "backupInterval",
        /// How many days backups are kept.
        backup_retention_days: Option<i64> => "backupRetentionDays",
        /// How often it looks for peers.
        discovery_poll_interval: Option<Opaque> => "discoveryPollInterval",
        /// How much it says.
        log_level: Option<i64> => "logLevel",
        /// Where it serves metrics.
        listen_metrics_urls: Option<Opaque> => "listenMetricsURLs",
    }
}
