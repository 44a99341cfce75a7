//! Security groups.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType};
use futures_util::future::try_join;
use kops_core::Result;
use kops_core::cloud::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Owner, Query, Scope,
    Update,
};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Vpc, listing, vpc};
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
        &["AutoScalingGroup", "NetworkLoadBalancer", "ClassicLoadBalancer"]
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<SecurityGroup<Closed>>>> {
        let describe = |filter| listing::security_groups(&self.0, query.cx, filter);
        let found: Vec<_> = match query.filter {
            Filter::Scope { shared, .. } => {
                let shared = listing::find(listing::any_of("group-id", shared), describe);
                let (owned, shared) = try_join(owned(&self.0, query), shared).await?;
                let around = self.dependents(query).await?;
                owned.iter().cloned().chain(shared).chain(around).collect()
            }
            Filter::Ids(ids) => listing::find(listing::any_of("group-id", ids), describe).await?,
        };
        let objects = found.iter().map(|group| {
            let object = observed(query.scope, group);
            if listing::is_dissolving(query) { dependent(query.scope, group, object) } else { object }
        });
        Ok(listing::each_once(objects.collect()))
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
        if request.object.dependent.is_some() {
            self.revoke_references(&request).await?;
        }
        let call = self.0.ec2.delete_security_group().group_id(&request.object.id);
        self.0.call(request.cx, "ec2:DeleteSecurityGroup", call.send()).await?;
        Ok(Deletion::Done)
    }
}

impl SecurityGroups {
    /// The groups that controllers of the cluster have created, and foreign ones in the scope's networks,
    /// which stand in the way; nothing unless everything of the scope is to go.
    async fn dependents(&self, query: &Query<'_>) -> Result<Vec<types::SecurityGroup>> {
        if !listing::is_dissolving(query) {
            return Ok(Vec::new());
        }
        let own: Vec<_> = vpc::ids(&self.0, query).await?.into_iter().collect();
        let mut filters = listing::any_of("vpc-id", &own);
        filters.push(tags::filter_dependents(query.scope));
        let found =
            listing::find(filters, |filter| listing::security_groups(&self.0, query.cx, filter)).await?;
        // That of the network goes with it.
        Ok(found.into_iter().filter(|group| group.group_name() != Some("default")).collect())
    }

    /// Revokes the rules by which other groups of the cluster refer to a group: such groups cannot be deleted in any
    /// order.
    async fn revoke_references(&self, request: &Delete<'_, SecurityGroup<Closed>>) -> Result<()> {
        let id = &request.object.id;
        let (scope, cx) = (request.scope, &request.cx.fresh());
        for (name, incoming) in [("ip-permission.group-id", true), ("egress.ip-permission.group-id", false)] {
            let filters = listing::any_of(name, &[id]);
            let users =
                listing::find(filters, |filter| listing::security_groups(&self.0, cx, filter)).await?;
            for user in users.iter().filter(|user| user.group_id() != Some(id)) {
                let tags = tags::read(user.tags());
                if tags::task(scope, &tags).is_none() && tags::dependent(scope, &tags, id).is_none() {
                    // Somebody else's; the deletion says so.
                    continue;
                }
                let rules = if incoming { user.ip_permissions() } else { user.ip_permissions_egress() };
                let rules: Vec<_> = rules.iter().filter_map(|rule| only_for(rule, id)).collect();
                let user = user.group_id().unwrap_or_default();
                if incoming {
                    let call = self.0.ec2.revoke_security_group_ingress().group_id(user);
                    let call = call.set_ip_permissions(Some(rules)).send();
                    self.0.call(cx, "ec2:RevokeSecurityGroupIngress", call).await?;
                } else {
                    let call = self.0.ec2.revoke_security_group_egress().group_id(user);
                    let call = call.set_ip_permissions(Some(rules)).send();
                    self.0.call(cx, "ec2:RevokeSecurityGroupEgress", call).await?;
                }
            }
        }
        Ok(())
    }
}

/// The part of a rule that refers to a group.
fn only_for(rule: &types::IpPermission, group: &str) -> Option<types::IpPermission> {
    let pair = rule.user_id_group_pairs().iter().find(|pair| pair.group_id() == Some(group))?;
    let pair = types::UserIdGroupPair::builder().group_id(group).set_user_id(pair.user_id.clone()).build();
    let ports = types::IpPermission::builder().set_ip_protocol(rule.ip_protocol.clone());
    let ports = ports.set_from_port(rule.from_port).set_to_port(rule.to_port);
    Some(ports.user_id_group_pairs(pair).build())
}

/// A group of the cluster's controllers, or one of others, with its name.
fn dependent(
    scope: &Scope,
    group: &types::SecurityGroup,
    object: Object<SecurityGroup<Closed>>,
) -> Object<SecurityGroup<Closed>> {
    let name = group.group_name.clone();
    let object = if object.owner == Owner::Other { object.name(name.clone()) } else { object };
    let object = tags::with_dependents(scope, &tags::read(group.tags()), object);
    if object.dependent.is_some() { object.name(name) } else { object }
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
