//! SSH keys.

use async_trait::async_trait;
use azure_mgmt_compute::models;
use kops_core::Result;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::ResourceGroup;
use super::arm::{ArmKind, Calls, Head, Model, Site, calls};
use crate::clients::{Clients, Pages, Sent, pages, sent};
use crate::tags::{self, Tags};

/// A public key for logging in to machines. Machines are created with its text; Azure does not link them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SshPublicKey<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// The key in OpenSSH's format.
    pub public_key: String,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl SshPublicKey {
    /// The key in OpenSSH's format.
    pub const PUBLIC_KEY: Output<Self, String> = Output::new("public_key");
}

impl Resource for SshPublicKey {
    const KIND: &'static str = "SshPublicKey";
    const OUTPUTS: &'static [&'static str] = &[Self::PUBLIC_KEY.name()];
    type Resolved = SshPublicKey<Closed>;
}

pub(crate) struct SshPublicKeys;

impl Model for models::SshPublicKeyResource {
    fn head(&self) -> Head {
        Head {
            id: self.resource.id.clone().unwrap_or_default(),
            name: self.resource.name.clone().unwrap_or_default(),
            tags: tags::read(self.resource.tags.as_ref()),
            state: None,
        }
    }

    fn set_tags(&mut self, tags: &Tags) {
        self.resource.tags = Some(tags::write(tags));
    }
}

#[async_trait]
impl ArmKind for SshPublicKeys {
    type Kind = SshPublicKey;
    type Model = models::SshPublicKeyResource;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Compute/sshPublicKeys";
    const CALLS: Calls = calls!("Microsoft.Compute/sshPublicKeys");

    fn mutability(field: &str) -> Mutability {
        if field == "group" { Mutability::Replace } else { Mutability::InPlace }
    }

    fn volatile_outputs(changed: &std::collections::BTreeSet<String>) -> &'static [&'static str] {
        if changed.contains("public_key") { const { &[SshPublicKey::PUBLIC_KEY.name()] } } else { &[] }
    }

    fn timing() -> Timing {
        Timing::default()
    }

    fn list(clients: &Clients, group: &str) -> Pages<Self::Model> {
        let list = clients.compute.ssh_public_keys_client();
        pages(list.list_by_resource_group(group, &clients.subscription).into_stream(), |page| page.value)
    }

    fn get(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.compute.ssh_public_keys_client().get(group, name, &clients.subscription).send())
    }

    fn put(clients: &Clients, group: &str, name: &str, model: Self::Model, _: bool) -> Result<Sent> {
        let client = clients.compute.ssh_public_keys_client();
        Ok(sent(client.create(group, name, model, &clients.subscription).send()))
    }

    fn delete(clients: &Clients, group: &str, name: &str) -> Sent {
        sent(clients.compute.ssh_public_keys_client().delete(group, name, &clients.subscription).send())
    }

    fn blank(location: &str) -> Self::Model {
        models::SshPublicKeyResource::new(models::Resource::new(location.to_owned()))
    }

    fn fill(spec: &SshPublicKey<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        model.properties.get_or_insert_default().public_key = Some(spec.public_key.clone());
        Ok(())
    }

    fn tags(spec: &SshPublicKey<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<SshPublicKey<Closed>>> {
        let key = model.properties.as_ref().and_then(|it| it.public_key.clone()).unwrap_or_default();
        let key = key.trim().to_owned();
        let spec = SshPublicKey {
            group: site.group_of(head),
            public_key: key.clone(),
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec).output(SshPublicKey::PUBLIC_KEY, key))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}
