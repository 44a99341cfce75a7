//! Key pairs: public keys that EC2 installs on machines.

use async_trait::async_trait;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{Filter as By, KeyPairInfo, ResourceType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kops_core::cloud::{
    Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::named;
use crate::clients::Clients;
use crate::tags;

/// A public key that EC2 installs on machines. Its identifier is its name, by which machines refer to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The public key: its type and its base64 data, without a comment. See [`KeyPair::new`].
    pub public_key: String,
}

impl KeyPair {
    /// A key pair from a public key in OpenSSH's format.
    ///
    /// # Errors
    /// `Invalid` if the text is not such a key.
    pub fn new(public_key: &str) -> Result<Self> {
        let mut words = public_key.split_whitespace();
        match (words.next(), words.next()) {
            (Some(algorithm), Some(digits))
                if !public_key.trim().contains('\n') && is_key_of(algorithm, digits) =>
            {
                Ok(Self { public_key: format!("{algorithm} {digits}") })
            }
            _ => Err(Error::invalid("the SSH key is not a public key in OpenSSH's format")
                .with_hint("it is one line, as in ~/.ssh/id_ed25519.pub: `ssh-ed25519 AAAA… comment`")),
        }
    }
}

/// Whether this is the base64 data of a key with this algorithm as its own type.
/// <https://www.rfc-editor.org/rfc/rfc4253#section-6.6>
fn is_key_of(algorithm: &str, digits: &str) -> bool {
    let Ok(key) = STANDARD.decode(digits) else { return false };
    let Some((length, rest)) = key.split_first_chunk() else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    rest.get(..length).is_some_and(|name| name == algorithm.as_bytes())
}

impl Resource for KeyPair {
    const KIND: &'static str = "KeyPair";
    type Resolved = Self;
}

pub(crate) struct KeyPairs(pub(crate) Clients);

impl KeyPairs {
    /// The listing is not paginated.
    async fn describe(&self, query: &Query<'_>, by: By) -> Result<Vec<KeyPairInfo>> {
        let request = self.0.ec2.describe_key_pairs().include_public_key(true).filters(by);
        let found = self.0.call(query.cx, "ec2:DescribeKeyPairs", request.send()).await?;
        Ok(found.key_pairs.unwrap_or_default())
    }
}

#[async_trait]
impl Handler for KeyPairs {
    type Kind = KeyPair;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, _field: &str) -> Mutability {
        Mutability::Replace
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<KeyPair>>> {
        let found = match query.filter {
            Filter::Ids(names) => self.describe(query, by_name(names)).await?,
            Filter::Scope { wanted, shared, .. } => {
                let mut found = self.describe(query, tags::filter(query.scope)).await?;
                let known = found.iter().filter_map(|pair| pair.key_name.as_deref());
                let names = named::missing(known, wanted, shared);
                if !names.is_empty() {
                    found.extend(self.describe(query, by_name(&names)).await?);
                }
                found
            }
        };
        Ok(found.iter().filter_map(|pair| object(query.scope, pair)).collect())
    }

    async fn create(&self, request: Create<'_, KeyPair>) -> Result<Object<KeyPair>> {
        let tags = tags::of_new(&request, &tags::Tags::new());
        let import = self
            .0
            .ec2
            .import_key_pair()
            .key_name(request.name)
            .public_key_material(Blob::new(request.spec.public_key.as_bytes()))
            .tag_specifications(tags::specification(ResourceType::KeyPair, &tags));
        self.0.call(request.cx, "ec2:ImportKeyPair", import.send()).await?;
        Ok(Object::owned(request.name, request.name, request.spec.clone()))
    }

    async fn update(&self, request: Update<'_, KeyPair>) -> Result<Object<KeyPair>> {
        Err(Error::internal("a key pair cannot be changed in place").with_task(request.name))
    }

    async fn delete(&self, request: Delete<'_, KeyPair>) -> Result<Deletion> {
        let delete = self.0.ec2.delete_key_pair().key_name(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteKeyPair", delete.send()).await?;
        Ok(Deletion::Done)
    }
}

fn by_name(names: &[String]) -> By {
    By::builder().name("key-name").set_values(Some(names.to_vec())).build()
}

fn object(scope: &Scope, pair: &KeyPairInfo) -> Option<Object<KeyPair>> {
    let name = pair.key_name.as_deref()?;
    // A key pair that EC2 generated before 2022 has no public key in its description.
    let spec = KeyPair::new(pair.public_key.as_deref().unwrap_or_default())
        .unwrap_or_else(|_| KeyPair { public_key: String::new() });
    let tags = tags::read(pair.tags());
    Some(named::show(tags::object(scope, name, &tags, spec), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_space_do_not_matter() {
        let key = KeyPair::new(" ssh-ed25519  AAAAC3NzaC1lZDI1NTE5 ada@example.com\n").unwrap();
        assert_eq!(key.public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in
            ["", "ssh-ed25519", "no key", "ssh-rsa AAAAC3NzaC1lZDI1NTE5", "ssh-rsa AAAA a\nssh-rsa BBBB b"]
        {
            assert!(KeyPair::new(text).is_err(), "{text:?}");
        }
    }
}
