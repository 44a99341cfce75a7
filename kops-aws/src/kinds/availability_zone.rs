//! Availability zones.

use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

/// A zone of the region; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityZone {}

impl Resource for AvailabilityZone {
    const KIND: &'static str = "AvailabilityZone";
    type Resolved = Self;
}
