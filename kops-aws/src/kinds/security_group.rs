//! Security groups.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType};
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope, Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Vpc, listing};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// A set of network interfaces that share rules; its name is the task's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroup<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// A description for users.
    pub description: String,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for SecurityGroup {
    const KIND: &'static str = "SecurityGroup";
    type Resolved = SecurityGroup<Closed>;
}

#[derive(Debug)]
pub(crate) struct SecurityGroups(pub(crate) Clients);

#[async_trait]
impl Handler for SecurityGroups {
    type Kind = SecurityGroup;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        match field {
            // Its machines cannot move with it.
            "vpc" => Mutability::Immutable,
            // It cannot be changed, and a different text is no reason to replace the group.
            "description" => Mutability::WriteOnly,
            _ => Mutability::InPlace,
        }
    }

    fn delete_after(&self) -> &'static [&'static str] {
        // They refer to groups in ways of their own, and their network interfaces linger for a while.
        &["AutoScalingGroup", "NetworkLoadBalancer"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<SecurityGroup<Closed>>>> {
        let describe = |filter| listing::security_groups(&self.0, query.cx, filter);
        let found: Vec<_> = match query.filter {
            Filter::Scope { shared, .. } => {
                let shared = listing::find(listing::any_of("group-id", shared), describe);
                let (owned, shared) = try_join(owned(&self.0, query), shared).await?;
                owned.iter().cloned().chain(shared).collect()
            }
            Filter::Ids(ids) => listing::find(listing::any_of("group-id", ids), describe).await?,
        };
        Ok(listing::each_once(found.iter().map(|group| observed(query.scope, group)).collect()))
    }

    async fn create(
        &self,
        request: Create<'_, SecurityGroup<Closed>>,
    ) -> Result<Object<SecurityGroup<Closed>>> {
        let spec = request.spec;
        let tags = tags::of_new(&request, &spec.tags);
        let call = self.0.ec2.create_security_group().group_name(request.name);
        let call = call.description(&spec.description).vpc_id(spec.vpc.as_str());
        let call = call.tag_specifications(tags::specification(ResourceType::SecurityGroup, &tags));
        let made = self.0.call(request.cx, "ec2:CreateSecurityGroup", call.send()).await?;
        let id = made.group_id().ok_or_else(|| listing::unanswered("ec2:CreateSecurityGroup"))?;
        let spec = SecurityGroup { tags: tags::further(&tags), ..spec.clone() };
        Ok(tags::object(request.scope, id, &tags, spec))
    }

    async fn update(
        &self,
        request: Update<'_, SecurityGroup<Closed>>,
    ) -> Result<Object<SecurityGroup<Closed>>> {
        let mut now = request.object.clone();
        tags::set(&self.0, request.cx, &now.id, &request.spec.tags).await?;
        now.spec.tags.extend(request.spec.tags.clone());
        Ok(now)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        request: Adopt<'_, SecurityGroup<Closed>>,
    ) -> Result<Object<SecurityGroup<Closed>>> {
        tags::adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, SecurityGroup<Closed>>) -> Result<Deletion> {
        let call = self.0.ec2.delete_security_group().group_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteSecurityGroup", call.send()).await?;
        Ok(Deletion::Done)
    }
}

/// The groups that the scope may own; their rules are read from the same response.
pub(super) async fn owned(clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<types::SecurityGroup>>> {
    let describe = |filter| listing::security_groups(clients, query.cx, filter);
    listing::of_scope(query, "ec2:DescribeSecurityGroups", describe).await
}

fn observed(scope: &Scope, group: &types::SecurityGroup) -> Object<SecurityGroup<Closed>> {
    let tags = tags::read(group.tags());
    let spec = SecurityGroup {
        vpc: Id::new(group.vpc_id().unwrap_or_default()),
        description: group.description().unwrap_or_default().to_owned(),
        tags: tags::further(&tags),
    };
    tags::object(scope, group.group_id().unwrap_or_default(), &tags, spec)
}
