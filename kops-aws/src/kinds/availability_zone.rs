//! Availability zones.

use async_trait::async_trait;
use aws_sdk_ec2::types;
use kops_core::Result;
use kops_core::cloud::{Object, Query};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use kops_core::cloud::Lookup;

/// A zone of the region; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityZone {
    /// Its type: `availability-zone`, `local-zone` or `wavelength-zone`.
    pub zone_type: String,
}

impl Resource for AvailabilityZone {
    const KIND: &'static str = "AvailabilityZone";
    type Resolved = Self;
}

/// The type of a zone that has everything that the region has.
pub(crate) const REGULAR: &str = "availability-zone";
/// The type of a zone in a city.
pub(crate) const LOCAL: &str = "local-zone";

pub(crate) struct AvailabilityZones(pub(crate) Clients);

#[async_trait]
impl Lookup for AvailabilityZones {
    type Kind = AvailabilityZone;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<AvailabilityZone>>> {
        let describe = async |filter| {
            let call = self.0.ec2.describe_availability_zones().filters(filter);
            let answer = self.0.call(query.cx, "ec2:DescribeAvailabilityZones", call.send()).await?;
            Ok(answer.availability_zones.unwrap_or_default())
        };
        let found = listing::find(listing::any_of("zone-name", selectors), describe).await?;
        let zone = |zone: &types::AvailabilityZone| {
            // Services that are compatible with EC2 may not know types of zones.
            let zone_type = zone.zone_type().unwrap_or(REGULAR).to_owned();
            Some(Object::foreign(zone.zone_name()?, AvailabilityZone { zone_type }))
        };
        Ok(found.iter().filter_map(zone).collect())
    }
}
