//! User-assigned identities of machines.

use async_trait::async_trait;
use azure_mgmt_msi::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Model, Site, calls};
use crate::clients::{Clients, Pages, Sent, pages, sent};
use crate::names;
use crate::tags::{self, Tags};

/// An identity of machines. Its permissions are role assignments to its principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct UserAssignedIdentity<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl UserAssignedIdentity {
    /// The principal in Microsoft Entra that roles are assigned to.
    pub const PRINCIPAL_ID: Output<Self, String> = Output::new("principal_id");
    /// The identifier by which machines ask for its tokens.
    pub const CLIENT_ID: Output<Self, String> = Output::new("client_id");
}

impl Resource for UserAssignedIdentity {
    const KIND: &'static str = "UserAssignedIdentity";
    const OUTPUTS: &'static [&'static str] = &[Self::PRINCIPAL_ID.name(), Self::CLIENT_ID.name()];
    type Resolved = UserAssignedIdentity<Closed>;
}

pub(crate) struct UserAssignedIdentities;

impl Model for models::Identity {
    fn head(&self) -> Head {
        let resource = &self.tracked_resource.resource;
        Head {
            id: resource.id.clone().unwrap_or_default(),
            name: resource.name.clone().unwrap_or_default(),
            tags: tags::read(self.tracked_resource.tags.as_ref()),
            state: None,
        }
    }

    fn set_tags(&mut self, tags: &Tags) {
        self.tracked_resource.tags = Some(tags::write(tags));
    }
}

#[async_trait]
impl ArmKind for UserAssignedIdentities {
    type Kind = UserAssignedIdentity;
    type Model = models::Identity;
    type Around = ();

    const TYPE: &'static str = "Microsoft.ManagedIdentity/userAssignedIdentities";
    const CALLS: Calls = calls!("Microsoft.ManagedIdentity/userAssignedIdentities");

    fn name(task: &str) -> String {
        names::dashed(task, 128)
    }

    fn mutability(field: &str) -> Mutability {
        if field == "tags" { Mutability::InPlace } else { Mutability::Replace }
    }

    fn timing() -> Timing {
        Timing::default()
    }

    fn list(clients: &Clients, group: &str) -> Pages<Self::Model> {
        let client = clients.msi.user_assigned_identities_client();
        pages(client.list_by_resource_group(&clients.subscription, group).into_stream(), |page| page.value)
    }

    fn get(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.msi.user_assigned_identities_client().get(&clients.subscription, group, name).send())
    }

    fn put(clients: &Clients, group: &str, name: &str, model: Self::Model, _: bool) -> Result<Sent> {
        let client = clients.msi.user_assigned_identities_client();
        Ok(sent(client.create_or_update(&clients.subscription, group, name, model).send()))
    }

    fn delete(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.msi.user_assigned_identities_client().delete(&clients.subscription, group, name).send())
    }

    fn blank(location: &str) -> Self::Model {
        models::Identity::new(models::TrackedResource::new(location.to_owned()))
    }

    fn fill(_: &UserAssignedIdentity<Closed>, _: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        Ok(())
    }

    fn tags(spec: &UserAssignedIdentity<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<UserAssignedIdentity<Closed>>> {
        let spec = UserAssignedIdentity { group: site.group_of(head), tags: tags::further(&head.tags) };
        let mut object = site.object(head, spec);
        let properties = model.properties.as_ref();
        if let Some(id) = properties.and_then(|it| it.principal_id.clone()) {
            object = object.output(UserAssignedIdentity::PRINCIPAL_ID, id);
        }
        if let Some(id) = properties.and_then(|it| it.client_id.clone()) {
            object = object.output(UserAssignedIdentity::CLIENT_ID, id);
        }
        Ok(object)
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
