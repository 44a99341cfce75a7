//! Public addresses.

use serde::{Deserialize, Serialize};

use super::{Output, Resource};

/// A fixed public IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Address {}

impl Address {
    /// An address chosen by the cloud.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address, in dotted decimal notation.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for Address {
    const KIND: &'static str = "Address";
    const OUTPUTS: &'static [&'static str] = &[Self::IP.name()];
    type Resolved = Self;
}
