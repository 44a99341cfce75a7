//! Managed policies of IAM.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{Lookup, Object, Query};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;

/// A managed policy, AWS's or the account's; looked up by its ARN, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {}

impl Resource for ManagedPolicy {
    const KIND: &'static str = "ManagedPolicy";
    type Resolved = Self;
}

pub(crate) struct ManagedPolicies(pub(crate) Clients);

#[async_trait]
impl Lookup for ManagedPolicies {
    type Kind = ManagedPolicy;

    /// A call for each: listings would read all policies of AWS.
    async fn look_up(&self, selectors: &[&str], query: &Query<'_>) -> Result<Vec<Object<ManagedPolicy>>> {
        let found = try_join_all(selectors.iter().map(async |arn| {
            let request = self.0.iam.get_policy().policy_arn(*arn);
            let answer = self.0.call(query.cx, "iam:GetPolicy", request.send()).await;
            let policy = named(answer, |_| ManagedPolicy {})?;
            Ok::<_, Error>(policy.map(|policy| Object::foreign(*arn, policy)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }
}

/// Something named by a specification, by the answer of a call that reads it; `None` if it does not exist. Of what may not
/// be read nothing is known: the call that uses it tells.
pub(super) fn named<T, K: Default>(answer: Result<T>, read: impl FnOnce(T) -> K) -> Result<Option<K>> {
    match answer {
        Ok(found) => Ok(Some(read(found))),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Some(K::default())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Ok(None),
        Err(error) => Err(error),
    }
}
