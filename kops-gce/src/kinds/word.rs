//! Agnostic kinds without an object on Google Cloud: a name is enough.
//!
//! A tag exists because it is set on a machine; a network's route to the internet is part of the network; an
//! SSH key is a line in a machine's metadata. Agnostic graphs have tasks for all three, to which others
//! refer; so they are kinds that are looked up, and whose lookup always succeeds. No call is made for them.

use std::marker::PhantomData;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

/// A network tag, to which firewall rules apply: the firewall of an agnostic graph. Its identifier is the
/// tag.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkTag {}

impl Resource for NetworkTag {
    const KIND: &'static str = "NetworkTag";
    type Resolved = Self;
}

/// A network's default route to the internet.
/// <https://cloud.google.com/vpc/docs/routes#routingpacketsinternet>
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DefaultInternetGateway {}

impl Resource for DefaultInternetGateway {
    const KIND: &'static str = "DefaultInternetGateway";
    type Resolved = Self;
}

/// A public key in machines' metadata.
/// <https://cloud.google.com/compute/docs/connect/add-ssh-keys>
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetadataSshKey {}

impl Resource for MetadataSshKey {
    const KIND: &'static str = "MetadataSshKey";
    type Resolved = Self;
}

/// Finds whatever is requested, under the name that a function derives from it.
pub(crate) struct Words<R> {
    id: fn(&str) -> String,
    kind: PhantomData<fn() -> R>,
}

impl<R> Words<R> {
    pub(crate) fn new(id: fn(&str) -> String) -> Self {
        Self { id, kind: PhantomData }
    }
}

#[async_trait]
impl<R> Lookup for Words<R>
where
    R: Resource<Resolved = R> + Default,
{
    type Kind = R;

    async fn look_up(&self, selectors: &[&str], _: &Query<'_>) -> Result<Vec<Object<R>>> {
        let mut found: Vec<Object<R>> = Vec::new();
        for selector in selectors {
            let id = (self.id)(selector);
            // Two forms of a name may refer to the same object.
            match found.iter_mut().find(|it| it.id == id) {
                Some(same) => same.aliases.push((*selector).to_owned()),
                None => found.push(Object::foreign(id, R::default()).alias(*selector)),
            }
        }
        Ok(found)
    }
}
