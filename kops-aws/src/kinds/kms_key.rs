//! Encryption keys.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::managed_policy::named;
use crate::clients::Clients;

/// A key of the Key Management Service; looked up by its identifier, its alias (`alias/name`), or the ARN of either,
/// which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KmsKey {
    /// Its state: `Enabled`, `Disabled`, `PendingDeletion`, …; `None` if it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl Resource for KmsKey {
    const KIND: &'static str = "KmsKey";
    type Resolved = Self;
}

/// The state of a key that encrypts.
pub(crate) const ENABLED: &str = "Enabled";

pub(crate) struct KmsKeys(pub(crate) Clients);

impl KmsKeys {
    async fn find(&self, selector: &str, query: &Query<'_>) -> Result<Option<KmsKey>> {
        let request = self.0.kms.describe_key().key_id(selector);
        let answer = self.0.call(query.cx, "kms:DescribeKey", request.send()).await;
        named(answer, |found| {
            let state = found.key_metadata.and_then(|metadata| metadata.key_state);
            KmsKey { state: state.map(|state| state.as_str().to_owned()) }
        })
    }
}

#[async_trait]
impl Lookup for KmsKeys {
    type Kind = KmsKey;

    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<KmsKey>>> {
        let found = try_join_all(selectors.iter().map(async |selector| {
            let key = self.find(selector, query).await?;
            Ok::<_, Error>(key.map(|key| Object::foreign(*selector, key)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}
