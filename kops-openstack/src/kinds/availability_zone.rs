//! Availability zones of servers and of volumes.

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Lookup, Object, Query, State};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

use crate::clients::{Call, Clients, Service};

/// An availability zone of servers; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityZone {}

impl Resource for AvailabilityZone {
    const KIND: &'static str = "AvailabilityZone";
    type Resolved = Self;
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "zoneName")]
    name: String,
    #[serde(rename = "zoneState")]
    state: ZoneState,
}

#[derive(Deserialize)]
struct ZoneState {
    available: bool,
}

#[derive(Debug)]
pub(crate) struct AvailabilityZones(pub(crate) Clients);

#[async_trait]
impl Lookup for AvailabilityZones {
    type Kind = AvailabilityZone;

    async fn look_up(&self, _: &[&str], query: &Query<'_>) -> Result<Vec<Object<AvailabilityZone>>> {
        let call = Call::get(Service::Compute, "os-availability-zone");
        let found: Vec<Found> = self.0.fetch(query.cx, call, "availabilityZoneInfo").await?;
        let object = |it: Found| {
            let state = if it.state.available {
                State::Ready
            } else {
                State::Failed("the zone is not available".to_owned())
            };
            Object::foreign(it.name, AvailabilityZone {}).state(state)
        };
        Ok(found.into_iter().map(object).collect())
    }
}
