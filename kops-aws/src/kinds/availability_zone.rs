//! Availability zones.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Object, Query};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use super::listing;
use crate::clients::Clients;
use kops_core::cloud::Lookup;

/// A zone of the region; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityZone {}

impl Resource for AvailabilityZone {
    const KIND: &'static str = "AvailabilityZone";
    type Resolved = Self;
}

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
        let zone = |name: &str| Object::foreign(name, AvailabilityZone {});
        Ok(found.iter().filter_map(|it| it.zone_name()).map(zone).collect())
    }
}
