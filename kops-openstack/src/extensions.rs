//! OpenStack-specific settings, as typed extensions of the agnostic kinds.
//!
//! ```
//! use kops_core::resource::InstanceGroup;
//! use kops_openstack::extensions::OpenstackInstanceGroup;
//!
//! let mut nodes: InstanceGroup = InstanceGroup::new([], "debian-13", "m1.large");
//! nodes.extensions.set(&OpenstackInstanceGroup {
//!     server_group_policy: Some("anti-affinity".to_owned()),
//!     allowed_address_pairs: ["100.96.0.0/11".parse()?].into(),
//!     ..OpenstackInstanceGroup::default()
//! })?;
//! # Ok::<(), kops_core::Error>(())
//! ```

use std::collections::BTreeSet;

use kops_core::graph::{Id, Input};
use kops_core::resource::{Extension, Volume};
use serde::{Deserialize, Serialize};

use crate::kinds::AddressPair;

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenstackInstanceGroup {
    /// The policy of its [`ServerGroup`](crate::kinds::ServerGroup), which keeps servers apart or together;
    /// `soft-anti-affinity` if `None`.
    pub server_group_policy: Option<String>,
    /// Additional addresses that its servers may send from; unmanaged if empty.
    pub allowed_address_pairs: BTreeSet<AddressPair>,
    /// The volumes that each of its servers takes over, from the first server on; what servers have is not changed if
    /// `None`.
    pub volumes: Option<Vec<BTreeSet<Input<Id<Volume>>>>>,
}

impl Extension for OpenstackInstanceGroup {
    const NAME: &'static str = "openstack/InstanceGroup";
}

/// Extends a [`LoadBalancer`](kops_core::resource::LoadBalancer).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenstackLoadBalancer {
    /// The driver: `amphora`, `ovn`, …; the cloud's default if `None`.
    pub provider: Option<String>,
    /// The identifier of its flavor; the cloud's default if `None`.
    pub flavor: Option<String>,
    /// How connections are distributed: `ROUND_ROBIN`, `LEAST_CONNECTIONS`, `SOURCE_IP`, `SOURCE_IP_PORT`; what the driver
    /// supports if `None`.
    pub method: Option<String>,
}

impl OpenstackLoadBalancer {
    /// Whether connections pass through the load balancer, so that machines see the addresses of clients.
    /// <https://docs.openstack.org/ovn-octavia-provider/latest/admin/driver.html>
    pub(crate) fn passes_through(&self) -> bool {
        self.provider.as_deref() == Some("ovn")
    }

    /// How connections are distributed. OVN's driver has one algorithm.
    pub(crate) fn algorithm(&self) -> &str {
        let usual = if self.passes_through() { "SOURCE_IP_PORT" } else { "ROUND_ROBIN" };
        self.method.as_deref().unwrap_or(usual)
    }
}

impl Extension for OpenstackLoadBalancer {
    const NAME: &'static str = "openstack/LoadBalancer";
}
