//! What a specification means where it says nothing.
//!
//! [`populate`] fills a user's specification in, so that everything after it finds every setting it needs in
//! the specification itself. What differs by cloud is in one table, [`CloudDefaults`]; how the network is
//! divided is in [`assign_cidrs`].

mod clouds;
mod populate;
mod subnets;
mod volumes;

pub use clouds::CloudDefaults;
pub use populate::{etcd_version, populate, root_volume_size};
pub use subnets::assign_cidrs;
pub(crate) use subnets::overlap;
pub(crate) use volumes::VolumeLimits;

/// The version of Kubernetes of a cluster that names none.
pub const KUBERNETES_VERSION: &str = "1.34.1";

/// The oldest minor version of Kubernetes that is served.
pub const OLDEST_KUBERNETES: (u64, u64) = (1, 32);

/// The newest minor version of Kubernetes that is known.
pub const NEWEST_KUBERNETES: (u64, u64) = (1, 37);

/// The channel of a cluster that names none.
pub const CHANNEL: &str = "stable";

/// The range of pods and services.
pub const NON_MASQUERADE_CIDR: &str = "100.64.0.0/10";

/// The network plugin of a new cluster that names none.
pub const NETWORK_PLUGIN: &str = "cilium";

/// The size of an etcd volume, in GiB.
pub const ETCD_VOLUME_SIZE: i32 = 20;

/// From everywhere.
pub const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];
