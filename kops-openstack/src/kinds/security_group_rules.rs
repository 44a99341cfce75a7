//! Rules of security groups.
//!
//! One task has all rules of a group, because they are created in one call, and listed with their group.
//! Others write to the same groups: the cloud controller opens ports for services. So of the rules in the
//! scope's own groups, these are owned by the scope:
//!
//! - those with the mark in their description;
//! - those that the graph requests, whoever created them: there can be no duplicates;
//! - the default rules of every new group, which allow all outgoing traffic, if the graph has any rules for
//!   the group: what the graph does not allow is not allowed.
//!
//! The others are neither returned nor removed; they are deleted with the group.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mark, Mutability, Object, Query,
    Update, refers_to,
};
use kops_core::graph::{Closed, Id, Open};
use kops_core::resource::{Direction, Ports, Protocol};
use kops_core::{ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::security_group::{self, FoundGroup};
use super::{SecurityGroup, rest};
use crate::clients::{Call, Clients, Service};

/// The rules of one security group that the scope owns; foreign ones are neither returned nor removed.
pub type SecurityGroupRules<S = Open> = kops_core::cloud::SecurityGroupRules<SecurityGroup, S>;
/// An allow rule.
pub type SecurityGroupRule<S = Open> = kops_core::cloud::SecurityGroupRule<SecurityGroup, S>;
/// The other side of a rule; a group's members by IPv4. OpenStack has no prefix lists.
pub type RulePeer<S = Open> = kops_core::cloud::RulePeer<SecurityGroup, S>;

type Rule = SecurityGroupRule<Closed>;
type Rules = BTreeSet<Rule>;

/// A rule as returned by Networking.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FoundRule {
    id: String,
    direction: String,
    ethertype: String,
    protocol: Option<String>,
    port_range_min: Option<u32>,
    port_range_max: Option<u32>,
    remote_ip_prefix: Option<String>,
    remote_group_id: Option<String>,
    #[serde(default)]
    remote_address_group_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

impl FoundRule {
    /// The rule in the kind's form; `None` for forms that only foreign rules have.
    fn rule(&self) -> Option<Rule> {
        let v6 = self.ethertype == "IPv6";
        let peer = match (&self.remote_group_id, &self.remote_ip_prefix) {
            _ if self.remote_address_group_id.is_some() => return None,
            // The scope's rules for groups are for IPv4.
            (Some(_), _) if v6 => return None,
            (Some(group), _) => RulePeer::Group(Id::new(group)),
            (None, Some(cidr)) => RulePeer::Cidr(cidr.clone()),
            (None, None) => RulePeer::Cidr(if v6 { "::/0" } else { "0.0.0.0/0" }.to_owned()),
        };
        let direction = if self.direction == "egress" { Direction::Egress } else { Direction::Ingress };
        let port = |port: Option<u32>| port.and_then(|port| u16::try_from(port).ok());
        // An ICMP type without a code has no maximum.
        let ports = port(self.port_range_min)
            .map(|from| Ports { from, to: port(self.port_range_max).unwrap_or_default() });
        Some(SecurityGroupRule::new(direction, protocol(self.protocol.as_deref(), v6), ports, peer))
    }
}

/// Networking accepts names and numbers, and returns what it was given.
fn protocol(name: Option<&str>, v6: bool) -> Protocol {
    match name {
        None | Some("any" | "0") => Protocol::Any,
        Some("tcp" | "6") => Protocol::Tcp,
        Some("udp" | "17") => Protocol::Udp,
        Some("icmp" | "1") if v6 => Protocol::IcmpV6,
        Some("icmp" | "1") => Protocol::Icmp,
        Some("ipv6-icmp" | "icmpv6" | "58") => Protocol::IcmpV6,
        Some("ipip") => Protocol::Number(4),
        Some("esp") => Protocol::Number(50),
        Some("ah") => Protocol::Number(51),
        Some(number) => number.parse().map_or(Protocol::Any, Protocol::Number),
    }
}

fn write(group: &str, rule: &Rule, mark: &Mark) -> Result<Value> {
    let (cidr, remote) = match &rule.peer {
        RulePeer::Cidr(cidr) => (Some(cidr.as_str()), None),
        RulePeer::Group(remote) => (None, Some(remote.as_str())),
        RulePeer::PrefixList(list) => {
            let why = format!("{list} is a prefix list, which OpenStack's rules do not support");
            return Err(
                kops_core::Error::new(ErrorKind::Unsupported, why).with_hint("list the CIDRs instead")
            );
        }
    };
    let v6 = cidr.is_some_and(|cidr| cidr.contains(':')) || rule.protocol == Protocol::IcmpV6;
    let protocol = match rule.protocol {
        Protocol::Any => None,
        Protocol::Tcp => Some("tcp".to_owned()),
        Protocol::Udp => Some("udp".to_owned()),
        Protocol::Icmp => Some("icmp".to_owned()),
        Protocol::IcmpV6 => Some("ipv6-icmp".to_owned()),
        Protocol::Number(number) => Some(number.to_string()),
    };
    Ok(json!({
        "security_group_id": group,
        "direction": if rule.direction == Direction::Egress { "egress" } else { "ingress" },
        "ethertype": if v6 { "IPv6" } else { "IPv4" },
        "protocol": protocol,
        "port_range_min": rule.ports.map(|ports| ports.from),
        "port_range_max": rule.ports.map(|ports| ports.to),
        "remote_ip_prefix": cidr.filter(|cidr| !["0.0.0.0/0", "::/0"].contains(cidr)),
        "remote_group_id": remote,
        "description": mark.text(),
    }))
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
            Filter::Scope { .. } => security_group::of_project(&self.0, query).await?,
            Filter::Ids(ids) => security_group::with_ids(&self.0, query.cx, ids).await?.into(),
        };
        let marks: HashMap<&str, Mark> = groups
            .iter()
            .filter_map(|it| Some((it.common.id.as_str(), it.common.mark(&self.0, query.scope)?)))
            .collect();
        let wanted = query.wanted_as::<SecurityGroupRules>()?;
        let object = |group: &FoundGroup| {
            let id = group.common.id.as_str();
            let mark = marks.get(id)?;
            let asked_for = wanted.iter().find(|(_, it)| refers_to(&it.group, id, Some(&mark.task)));
            let task_of = |id: &str| marks.get(id).map(|mark| mark.task.as_str());
            let wants = |rule: &Rule| asked_for.is_some_and(|(_, wanted)| wanted.want(rule, task_of));
            let is_ours = |it: &FoundRule| {
                it.description.as_deref().is_some_and(|text| Mark::read(query.scope, text).is_some())
            };
            let rules: Rules = group
                .security_group_rules
                .iter()
                .filter_map(|it| Some((it, it.rule()?)))
                .filter(|(it, rule)| {
                    is_ours(it) || wants(rule) || (asked_for.is_some() && is_default(it, rule))
                })
                .map(|(_, rule)| rule)
                .collect();
            // Without rules it does not exist, unless an empty set is requested.
            if rules.is_empty() && asked_for.is_none_or(|(_, wanted)| !wanted.rules.is_empty()) {
                return None;
            }
            let name = asked_for.map_or(mark.task.as_str(), |(name, _)| name);
            let spec = SecurityGroupRules { group: Id::new(id), rules };
            Some(Object::owned(id, name, spec).retained(mark.retained))
        };
        Ok(groups.iter().filter_map(object).collect())
    }

    async fn create(
        &self,
        request: Create<'_, SecurityGroupRules<Closed>>,
    ) -> Result<Object<SecurityGroupRules<Closed>>> {
        let SecurityGroupRules { group, rules } = request.spec;
        let there = self.there(group, request.cx).await?;
        let mut now: Rules = there.iter().filter_map(FoundRule::rule).collect();
        let missing: Vec<_> = rules.difference(&now).cloned().collect();
        self.add(group, &missing, &Mark::of_new(&request), request.cx).await?;
        now.retain(|rule| rules.contains(rule) || rule.lets_everything_out());
        now.extend(missing);
        let spec = SecurityGroupRules { group: group.clone(), rules: now };
        Ok(Object::owned(group.as_str(), request.name, spec).retained(request.retained))
    }

    async fn update(
        &self,
        request: Update<'_, SecurityGroupRules<Closed>>,
    ) -> Result<Object<SecurityGroupRules<Closed>>> {
        let Update { scope, name, object, spec, cx, .. } = request;
        let there = self.there(&spec.group, cx).await?;
        let present: Rules = there.iter().filter_map(FoundRule::rule).collect();
        // New rules are added first, so that no traffic is blocked in between.
        let missing: Vec<_> = spec.rules.difference(&present).cloned().collect();
        self.add(&spec.group, &missing, &Mark::of(scope, name, object), cx).await?;
        let surplus: Rules = object.spec.rules.difference(&spec.rules).cloned().collect();
        self.remove(&there, &surplus, cx).await?;
        Ok(object.clone().spec(spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, SecurityGroupRules<Closed>>) -> Result<Deletion> {
        let SecurityGroupRules { group, rules } = &request.object.spec;
        let there = self.there(group, request.cx).await?;
        rest::done(self.remove(&there, rules, request.cx).await)
    }
}

impl RuleSets {
    /// All rules of a group, owned or not; none if the group is gone.
    async fn there(&self, group: &Id<SecurityGroup>, cx: &Context) -> Result<Vec<FoundRule>> {
        let found = security_group::with_ids(&self.0, cx, &[group.as_str()]).await?;
        Ok(found.into_iter().flat_map(|group| group.security_group_rules).collect())
    }

    /// Creates rules, all or none, in one call.
    async fn add(&self, group: &Id<SecurityGroup>, rules: &[Rule], mark: &Mark, cx: &Context) -> Result<()> {
        if rules.is_empty() {
            return Ok(());
        }
        let rules: Vec<_> =
            rules.iter().map(|rule| write(group.as_str(), rule, mark)).collect::<Result<_>>()?;
        let body = json!({ "security_group_rules": rules });
        match self.0.send(cx, Call::post(Service::Network, "security-group-rules", body)).await {
            // One of them was created after they were listed: the next look finds which.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(kops_core::Error::new(ErrorKind::Unavailable, error.message().to_owned())
                    .with_source(error))
            }
            answer => answer.map(drop),
        }
    }

    /// Removes rules; there is no call for several.
    async fn remove(&self, there: &[FoundRule], rules: &Rules, cx: &Context) -> Result<()> {
        let surplus = there.iter().filter(|it| it.rule().is_some_and(|rule| rules.contains(&rule)));
        let calls = surplus.map(|it| {
            let call = Call::delete(Service::Network, format!("security-group-rules/{}", it.id));
            async move { rest::gone_is_fine(self.0.send(cx, call).await) }
        });
        try_join_all(calls).await.map(drop)
    }
}

/// Whether it is one of the default rules of a new group.
fn is_default(it: &FoundRule, rule: &Rule) -> bool {
    it.description.as_deref().unwrap_or_default().is_empty() && rule.lets_everything_out()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mark = Mark::new(&kops_core::cloud::Scope::new("c"), "t");
        let cidr = |cidr: &str| RulePeer::<Closed>::Cidr(cidr.to_owned());
        let ports = |from, to| Some(Ports { from, to });
        for rule in [
            SecurityGroupRule::new(Direction::Ingress, Protocol::Tcp, ports(22, 22), cidr("10.0.0.0/8")),
            SecurityGroupRule::new(Direction::Ingress, Protocol::Udp, None, cidr("0.0.0.0/0")),
            SecurityGroupRule::new(Direction::Egress, Protocol::Any, None, cidr("0.0.0.0/0")),
            SecurityGroupRule::new(Direction::Egress, Protocol::Any, None, cidr("::/0")),
            SecurityGroupRule::new(Direction::Ingress, Protocol::Icmp, ports(3, 4), cidr("10.0.0.0/8")),
            SecurityGroupRule::new(Direction::Ingress, Protocol::IcmpV6, ports(2, 0), cidr("2001:db8::/32")),
            SecurityGroupRule::new(
                Direction::Ingress,
                Protocol::Number(4),
                None,
                RulePeer::Group(Id::new("g")),
            ),
        ] {
            let mut written = write("group", &rule, &mark).unwrap();
            written["id"] = "r".into();
            let found: FoundRule = serde_json::from_value(written).unwrap();
            assert_eq!(found.rule(), Some(rule));
        }
    }
}
