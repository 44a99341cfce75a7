//! What machines are told by DHCP.

use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use crate::tags::Tags;

/// What machines are told by DHCP. AWS does not let options be changed: other options are another object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// The domain that short host names are completed with.
    pub domain_name: Option<String>,
    /// Name servers, by address; `AmazonProvidedDNS` is AWS's own.
    pub name_servers: Vec<String>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for DhcpOptions {
    const KIND: &'static str = "DhcpOptions";
    type Resolved = Self;
}
