//! Key pairs.

use async_trait::async_trait;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query, Scope, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rest;
use crate::clients::{Call, Clients, Service};
use crate::{names, tags};

/// A public key that may log in to servers. It belongs to the user, not the project, and is identified by its
/// name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The key's type and its base64 data, without a comment: the comment carries the mark.
    pub public_key: String,
}

impl KeyPair {
    /// A key pair from a public key in OpenSSH's format; its comment is dropped.
    ///
    /// # Errors
    /// `Invalid` if it does not have that format.
    pub fn new(public_key: &str) -> Result<Self> {
        let mut words = public_key.split_whitespace();
        match (words.next(), words.next()) {
            (Some(kind), Some(key)) => Ok(Self { public_key: format!("{kind} {key}") }),
            _ => Err(Error::invalid("the SSH key is not a public key in OpenSSH's format")
                .with_hint("use a line such as `ssh-ed25519 AAAA… comment`")),
        }
    }
}

impl Resource for KeyPair {
    const KIND: &'static str = "KeyPair";
    type Resolved = Self;
}

#[derive(Deserialize)]
struct Entry {
    keypair: Found,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    public_key: String,
}

#[derive(Debug)]
pub(crate) struct KeyPairs(pub(crate) Clients);

#[async_trait]
impl Handler for KeyPairs {
    type Kind = KeyPair;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<KeyPair>>> {
        // In this version all of a user's keys, which are few, are one page.
        let call = Call::get(Service::Compute, "os-keypairs");
        let found: Vec<Entry> = self.0.fetch(query.cx, call, "keypairs").await?;
        let objects = found.iter().filter_map(|it| {
            let object = observed(query.scope, &it.keypair);
            let asked_for = match query.filter {
                Filter::Ids(ids) => ids.contains(&object.id),
                Filter::Scope { wanted, shared, .. } => {
                    let taken = wanted.iter().find(|task| names::key_pair(task.name) == object.id);
                    if let (None, Some(task)) = (&object.name, taken) {
                        return Some(object.name(task.name.to_owned()));
                    }
                    object.name.is_some() || shared.contains(&object.id.as_str())
                }
            };
            asked_for.then_some(object)
        });
        Ok(objects.collect())
    }

    async fn create(&self, request: Create<'_, KeyPair>) -> Result<Object<KeyPair>> {
        let key = format!("{} {}", request.spec.public_key, Mark::of_new(&request).text());
        let body = json!({ "keypair": { "name": names::key_pair(request.name), "public_key": key } });
        let call = Call::post(Service::Compute, "os-keypairs", body);
        let made: Found = self.0.fetch(request.cx, call, "keypair").await?;
        Ok(observed(request.scope, &made))
    }

    async fn update(&self, request: Update<'_, KeyPair>) -> Result<Object<KeyPair>> {
        // No field can be changed in place.
        Ok(request.object.clone())
    }

    async fn delete(&self, request: Delete<'_, KeyPair>) -> Result<Deletion> {
        let call = Call::delete(Service::Compute, format!("os-keypairs/{}", request.object.id));
        rest::done(rest::gone_is_fine(self.0.send(request.cx, call).await))
    }
}

fn observed(scope: &Scope, found: &Found) -> Object<KeyPair> {
    let mut words = found.public_key.trim().splitn(3, ' ');
    let key = [words.next(), words.next()].map(Option::unwrap_or_default).join(" ");
    let mark = words.next().and_then(|comment| Mark::read(scope, comment));
    tags::object(mark, &found.name, KeyPair { public_key: key })
}
