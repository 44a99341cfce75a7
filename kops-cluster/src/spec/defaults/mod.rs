//! The defaults of a specification.
//!
//! [`populate`] fills in the defaults of a user's specification, so that everything after it finds every
//! setting in the specification itself. Differences between clouds are in one table, [`CloudDefaults`];
//! [`assign_cidrs`] divides the network.

mod clouds;
mod populate;
mod subnets;
mod volumes;

pub use clouds::CloudDefaults;
pub use populate::{etcd_version, populate, root_volume_size};
pub use subnets::assign_cidrs;
pub(crate) use subnets::{assign_cidrs_beside, longest_network_prefix, overlap, wants_cidr};
pub(crate) use volumes::VolumeLimits;

/// The default version of Kubernetes.
pub const KUBERNETES_VERSION: &str = "1.34.1";

/// The oldest supported minor version of Kubernetes.
pub const OLDEST_KUBERNETES: (u64, u64) = (1, 32);

/// The newest supported minor version of Kubernetes.
pub const NEWEST_KUBERNETES: (u64, u64) = (1, 37);

/// The default channel.
pub const CHANNEL: &str = "stable";

/// The default range of pods and services.
pub const NON_MASQUERADE_CIDR: &str = "100.64.0.0/10";

/// The default network plugin.
pub const NETWORK_PLUGIN: &str = "cilium";

/// The default size of an etcd volume, in GiB.
pub const ETCD_VOLUME_SIZE: i32 = 20;

/// Any source.
pub const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];
