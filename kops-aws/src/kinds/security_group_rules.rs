//! Rules of security groups.
//!
//! One task has all rules of a group, because AWS accepts up to 1,000 of them in a call. Others write to the
//! same groups: the cloud controller opens ports for the services it balances. So of the rules in the scope's
//! own groups, these are owned by the scope:
//!
//! - those with the mark in their description ([`mark`]). They carry tags as well, for users and policies;
//!   but descriptions are part of the listing of groups, whereas tags would need another one;
//! - those that the graph requests, whoever created them: AWS does not allow duplicates;
//! - the default rule of every new group, which allows all outgoing traffic, if the graph has any rules for
//!   the group: what the graph does not allow is not allowed.
//!
//! The others are neither returned nor removed; they are deleted with the group.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, IpPermission, ResourceType};
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope,
    Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open};
use kops_core::resource::Direction;
use kops_core::{ErrorKind, Result};

use super::ip_permission::{self, Described};
use super::{SecurityGroup, child, listing, security_group};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// The rules of one security group that the scope owns; foreign ones are neither returned nor removed.
pub type SecurityGroupRules<S = Open> = kops_core::cloud::SecurityGroupRules<SecurityGroup, S>;
/// An allow rule.
pub type SecurityGroupRule<S = Open> = kops_core::cloud::SecurityGroupRule<SecurityGroup, S>;
/// The other side of a rule.
pub type RulePeer<S = Open> = kops_core::cloud::RulePeer<SecurityGroup, S>;

/// The maximum number of rules in a call.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>
const MOST_RULES: usize = 1000;
/// The maximum length of a rule's description.
const LONGEST_DESCRIPTION: usize = 255;

type Rule = SecurityGroupRule<Closed>;
type Rules = BTreeSet<Rule>;

/// The description of the scope's rules.
fn mark(scope: &Scope) -> String {
    let mut mark = format!("kops.k8s.io/cluster={}", scope.name());
    mark.truncate(LONGEST_DESCRIPTION);
    mark
}

#[derive(Debug)]
pub(crate) struct RuleSets(pub(crate) Clients);

#[async_trait]
impl Handler for RuleSets {
    type Kind = SecurityGroupRules;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    fn mutability(&self, field: &str) -> Mutability {
        if field == "rules" { Mutability::InPlace } else { Mutability::Replace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<SecurityGroupRules<Closed>>>> {
        let groups = match query.filter {
            Filter::Scope { .. } => security_group::owned(&self.0, query).await?,
            Filter::Ids(ids) => {
                let describe = |filter| listing::security_groups(&self.0, query.cx, filter);
                listing::find(listing::any_of("group-id", ids), describe).await?.into()
            }
        };
        let tasks: HashMap<&str, String> = groups
            .iter()
            .filter_map(|group| {
                let tags = tags::read(group.tags());
                Some((group.group_id()?, tags::task(query.scope, &tags)?.to_owned()))
            })
            .collect();
        let wanted = query.wanted_as::<SecurityGroupRules>()?;
        let mark = mark(query.scope);
        let object = |group: &types::SecurityGroup| {
            let id = group.group_id()?;
            let task = tasks.get(id)?;
            let asked_for = wanted.iter().find(|(_, it)| refers_to(&it.group, id, Some(task)));
            let task_of = |id: &str| tasks.get(id).map(String::as_str);
            let wants = |rule: &Rule| asked_for.is_some_and(|(_, wanted)| wanted.want(rule, task_of));
            let rules: Rules = all_rules(group)
                .filter(|it| {
                    it.description.as_ref() == Some(&mark)
                        || (asked_for.is_some() && is_default(it))
                        || wants(&it.rule)
                })
                .map(|it| it.rule)
                .collect();
            // Without rules it does not exist, unless an empty set is requested.
            if rules.is_empty() && asked_for.is_none_or(|(_, wanted)| !wanted.rules.is_empty()) {
                return None;
            }
            let name = asked_for.map_or(task.as_str(), |(name, _)| name);
            let spec = SecurityGroupRules { group: Id::new(id), rules };
            Some(child::inside(&tags::read(group.tags()), Object::owned(id, name, spec)))
        };
        Ok(groups.iter().filter_map(object).collect())
    }

    async fn create(
        &self,
        request: Create<'_, SecurityGroupRules<Closed>>,
    ) -> Result<Object<SecurityGroupRules<Closed>>> {
        let SecurityGroupRules { group, rules } = request.spec;
        let tags = tags::of_new(&request, &Tags::new());
        let mut now = self.there(group, request.cx).await?;
        now.retain(|rule| rules.contains(rule) || rule.lets_everything_out());
        // One direction here; the rest is an update.
        let missing: Rules = rules.difference(&now).cloned().collect();
        let into = missing.iter().any(|rule| rule.direction == Direction::Ingress);
        let direction = if into { Direction::Ingress } else { Direction::Egress };
        let missing: Vec<_> = missing.iter().filter(|rule| rule.direction == direction).collect();
        self.authorize(group, missing.clone(), request.scope, &tags, request.cx).await?;
        now.extend(missing.into_iter().cloned());
        let spec = SecurityGroupRules { group: group.clone(), rules: now };
        Ok(Object::owned(group.as_str(), request.name, spec))
    }

    async fn update(
        &self,
        request: Update<'_, SecurityGroupRules<Closed>>,
    ) -> Result<Object<SecurityGroupRules<Closed>>> {
        let Update { scope, name, object, spec, cx, .. } = request;
        let (have, want) = (&object.spec.rules, &spec.rules);
        let named = Create::new(scope, name, spec, "", cx);
        let tags = tags::of_new(&named, &Tags::new());
        // New rules are added first, so that no traffic is blocked in between.
        self.authorize(&spec.group, want.difference(have).collect(), scope, &tags, cx).await?;
        self.revoke(&spec.group, have.difference(want).collect(), cx).await?;
        Ok(object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, SecurityGroupRules<Closed>>) -> Result<Deletion> {
        let SecurityGroupRules { group, rules } = &request.object.spec;
        self.revoke(group, rules.iter().collect(), request.cx).await?;
        Ok(Deletion::Done)
    }
}

impl RuleSets {
    /// Adds rules. A call with an existing rule fails as a whole: it is then a repeated call, or someone else
    /// was faster, and the rules that are still missing are added.
    async fn authorize(
        &self,
        group: &Id<SecurityGroup>,
        mut rules: Vec<&Rule>,
        scope: &Scope,
        tags: &Tags,
        cx: &Context,
    ) -> Result<()> {
        match self.authorize_all(group, &rules, scope, tags, cx).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let there = self.there(group, cx).await?;
                rules.retain(|rule| !there.contains(rule));
                self.authorize_all(group, &rules, scope, tags, cx).await
            }
            answer => answer,
        }
    }

    async fn authorize_all(
        &self,
        group: &Id<SecurityGroup>,
        rules: &[&Rule],
        scope: &Scope,
        tags: &Tags,
        cx: &Context,
    ) -> Result<()> {
        let mark = mark(scope);
        let tags = || tags::specification(ResourceType::SecurityGroupRule, tags);
        for permissions in permissions(rules, Direction::Ingress, Some(&mark)) {
            let call = self.0.ec2.authorize_security_group_ingress().group_id(group.as_str());
            let call = call.set_ip_permissions(Some(permissions)).tag_specifications(tags());
            self.0.call(cx, "ec2:AuthorizeSecurityGroupIngress", call.send()).await?;
        }
        for permissions in permissions(rules, Direction::Egress, Some(&mark)) {
            let call = self.0.ec2.authorize_security_group_egress().group_id(group.as_str());
            let call = call.set_ip_permissions(Some(permissions)).tag_specifications(tags());
            self.0.call(cx, "ec2:AuthorizeSecurityGroupEgress", call.send()).await?;
        }
        Ok(())
    }

    /// Removes rules. As with [`authorize`](Self::authorize), one missing rule fails the call.
    async fn revoke(&self, group: &Id<SecurityGroup>, mut rules: Vec<&Rule>, cx: &Context) -> Result<()> {
        match self.revoke_all(group, &rules, cx).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let there = self.there(group, cx).await?;
                rules.retain(|rule| there.contains(rule));
                self.revoke_all(group, &rules, cx).await
            }
            answer => answer,
        }
    }

    async fn revoke_all(&self, group: &Id<SecurityGroup>, rules: &[&Rule], cx: &Context) -> Result<()> {
        for permissions in permissions(rules, Direction::Ingress, None) {
            let call = self.0.ec2.revoke_security_group_ingress().group_id(group.as_str());
            let call = call.set_ip_permissions(Some(permissions));
            self.0.call(cx, "ec2:RevokeSecurityGroupIngress", call.send()).await?;
        }
        for permissions in permissions(rules, Direction::Egress, None) {
            let call = self.0.ec2.revoke_security_group_egress().group_id(group.as_str());
            let call = call.set_ip_permissions(Some(permissions));
            self.0.call(cx, "ec2:RevokeSecurityGroupEgress", call.send()).await?;
        }
        Ok(())
    }

    /// All rules of a group, owned or not.
    async fn there(&self, group: &Id<SecurityGroup>, cx: &Context) -> Result<Rules> {
        let filters = listing::any_of("group-id", &[group.as_str()]);
        let found = listing::find(filters, |filter| listing::security_groups(&self.0, cx, filter)).await?;
        Ok(found.iter().flat_map(all_rules).map(|it| it.rule).collect())
    }
}

fn all_rules(group: &types::SecurityGroup) -> impl Iterator<Item = Described> {
    let ingress = ip_permission::read(Direction::Ingress, group.ip_permissions());
    let egress = ip_permission::read(Direction::Egress, group.ip_permissions_egress());
    ingress.into_iter().chain(egress)
}

/// The rules of one direction, in batches for one call each.
fn permissions(rules: &[&Rule], direction: Direction, mark: Option<&str>) -> Vec<Vec<IpPermission>> {
    let rules = rules.iter().filter(|rule| rule.direction == direction);
    let all: Vec<_> = rules.map(|rule| ip_permission::write(rule, mark)).collect();
    all.chunks(MOST_RULES).map(<[_]>::to_vec).collect()
}

/// Whether it is one of the default rules of a new group: for IPv6 as well, in a VPC that has it.
fn is_default(it: &Described) -> bool {
    it.description.is_none() && it.rule.lets_everything_out()
}
