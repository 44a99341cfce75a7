//! Application security groups: groups of network interfaces that security rules refer to.

use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Site, calls, model, network};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, Tags};

/// A group of network interfaces that security rules refer to. All of them are in one virtual network: that
/// of the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ApplicationSecurityGroup<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for ApplicationSecurityGroup {
    const KIND: &'static str = "ApplicationSecurityGroup";
    type Resolved = ApplicationSecurityGroup<Closed>;
}

pub(crate) struct ApplicationSecurityGroups;

model!(models::ApplicationSecurityGroup);

#[async_trait]
impl ArmKind for ApplicationSecurityGroups {
    type Kind = ApplicationSecurityGroup;
    type Model = models::ApplicationSecurityGroup;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Network/applicationSecurityGroups";
    const CALLS: Calls = calls!("Microsoft.Network/applicationSecurityGroups");

    network!(application_security_groups_client);

    fn mutability(field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(3)).vanish(Duration::from_secs(5))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(_: &ApplicationSecurityGroup<Closed>, _: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        Ok(())
    }

    fn tags(spec: &ApplicationSecurityGroup<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        _: &Self::Model,
        (): &(),
    ) -> Result<Object<ApplicationSecurityGroup<Closed>>> {
        let spec = ApplicationSecurityGroup { group: site.group_of(head), tags: tags::further(&head.tags) };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
