//! Network security groups, with their rules.
//!
//! A rule's priority is a number that is unique in its group and direction. Controllers in a cluster add rules of their
//! own, with whatever numbers are free. So a specification says only where a rule comes in the order ([`RuleOrder`]);
//! the number is chosen when the group is written: existing rules keep theirs, and new ones get numbers that no rule,
//! whoever's, has.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use azure_mgmt_network::models;
use kops_core::cloud::{Context, Mutability, Object, Timing};
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Ports, Resource};
use kops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::arm::{ArmKind, Calls, Head, Site, calls, model, network, text};
use super::{ApplicationSecurityGroup, ResourceGroup};
use crate::clients::{Clients, Pages, Sent};
use crate::tags::{self, Tags};

/// The rules for traffic into and out of the subnets that use it.
///
/// Foreign rules are kept: ours are called `kops-…`. Azure adds default rules after all of them: traffic
/// within the virtual network, from its load balancer and to the internet is allowed, everything else is
/// denied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NetworkSecurityGroup<S: Stage = Open> {
    /// The resource group it is in.
    pub group: At<S, Id<ResourceGroup>>,
    /// Its rules.
    pub rules: BTreeSet<SecurityRule<S>>,
    /// Tags in addition to the ownership tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for NetworkSecurityGroup {
    const KIND: &'static str = "NetworkSecurityGroup";
    type Resolved = NetworkSecurityGroup<Closed>;
}

/// A rule. Of several rules that match a packet, the first in the order applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityRule<S: Stage = Open> {
    /// Its name in the group, with the prefix `kops-`.
    pub name: String,
    /// Where it comes in the order of the rules.
    pub order: RuleOrder,
    /// Whether it applies to inbound traffic; otherwise to outbound.
    pub inbound: bool,
    /// Whether it allows traffic; otherwise it denies it.
    pub allow: bool,
    /// `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah` or `*`.
    pub protocol: String,
    /// The destination ports; all if `None`.
    pub ports: Option<Ports>,
    /// The source.
    pub from: SecurityPeer<S>,
    /// The destination.
    pub to: SecurityPeer<S>,
}

/// Where a rule comes in the order of a group's rules.
///
/// | | priorities |
/// |---|---|
/// | `First` | 200 to 3899 |
/// | `Probes` | 3900 to 3999 |
/// | `Last` | 4000 to 4096 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleOrder {
    /// Rules that allow traffic.
    First,
    /// Rules that allow the probes of load balancers.
    Probes,
    /// Rules that deny everything else.
    Last,
}

impl RuleOrder {
    const ALL: [Self; 3] = [Self::First, Self::Probes, Self::Last];

    fn priorities(self) -> RangeInclusive<i32> {
        match self {
            Self::First => 200..=3899,
            Self::Probes => 3900..=3999,
            Self::Last => 4000..=4096,
        }
    }

    fn of(priority: i32) -> Self {
        Self::ALL.into_iter().find(|order| order.priorities().contains(&priority)).unwrap_or(Self::First)
    }
}

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum SecurityPeer<S: Stage = Open> {
    /// A CIDR, a service tag such as `VirtualNetwork`, or `*` for any.
    Prefix(At<S, String>),
    /// The members of an application security group.
    Group(At<S, Id<ApplicationSecurityGroup>>),
}

/// The prefix of the names of our rules.
pub(crate) const OURS: &str = "kops-";

pub(crate) struct NetworkSecurityGroups;

model!(models::NetworkSecurityGroup);

#[async_trait]
impl ArmKind for NetworkSecurityGroups {
    type Kind = NetworkSecurityGroup;
    type Model = models::NetworkSecurityGroup;
    type Around = ();

    const TYPE: &'static str = "Microsoft.Network/networkSecurityGroups";
    const CALLS: Calls = calls!("Microsoft.Network/networkSecurityGroups");

    network!(network_security_groups_client);

    fn mutability(field: &str) -> Mutability {
        if field == "group" { Mutability::Replace } else { Mutability::InPlace }
    }

    /// Subnets and machines depend on it.
    fn mends() -> bool {
        true
    }

    fn timing() -> Timing {
        Timing::new().settle(Duration::from_secs(5)).vanish(Duration::from_secs(10))
    }

    fn blank(location: &str) -> Self::Model {
        let mut model = Self::Model::new();
        model.resource.location = Some(location.to_owned());
        model
    }

    fn fill(spec: &NetworkSecurityGroup<Closed>, model: &mut Self::Model, _: &Site<'_>) -> Result<()> {
        let properties = model.properties.get_or_insert_default();
        // Azure manages these itself.
        properties.default_security_rules.clear();
        let (ours, theirs) = std::mem::take(&mut properties.security_rules).into_iter().partition(is_ours);
        properties.security_rules = theirs;
        for (rule, priority) in numbered(&spec.rules, &ours, &properties.security_rules)? {
            properties.security_rules.push(written(rule, priority)?);
        }
        Ok(())
    }

    fn tags(spec: &NetworkSecurityGroup<Closed>) -> Tags {
        spec.tags.clone()
    }

    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        (): &(),
    ) -> Result<Object<NetworkSecurityGroup<Closed>>> {
        let rules = model.properties.iter().flat_map(|it| &it.security_rules).filter(|rule| is_ours(rule));
        let spec = NetworkSecurityGroup {
            group: site.group_of(head),
            rules: rules.filter_map(|rule| read(site, rule)).collect(),
            tags: tags::further(&head.tags),
        };
        Ok(site.object(head, spec))
    }

    async fn around(_: &Clients, _: &Context, _: &str) -> Result<()> {
        Ok(())
    }
}

fn is_ours(rule: &models::SecurityRule) -> bool {
    rule.name.as_deref().is_some_and(|name| name.starts_with(OURS))
}

/// The rules with their priorities; `ours` are those of the group so far, `theirs` those of others.
fn numbered<'r>(
    rules: &'r BTreeSet<SecurityRule<Closed>>,
    ours: &[models::SecurityRule],
    theirs: &[models::SecurityRule],
) -> Result<Vec<(&'r SecurityRule<Closed>, i32)>> {
    let place = |rule: &models::SecurityRule| {
        let format = rule.properties.as_ref()?;
        Some((format.direction == models::SecurityRuleDirection::Inbound, format.priority))
    };
    let mut taken: BTreeSet<(bool, i32)> = theirs.iter().filter_map(place).collect();
    let kept = |rule: &SecurityRule<Closed>| {
        let now = ours.iter().find(|it| it.name.as_ref() == Some(&rule.name)).and_then(place)?;
        (now.0 == rule.inbound && rule.order.priorities().contains(&now.1)).then_some(now.1)
    };
    let (old, new): (Vec<_>, Vec<_>) =
        rules.iter().map(|rule| (rule, kept(rule))).partition(|it| it.1.is_some());
    let mut numbered: Vec<_> = old.into_iter().filter_map(|(rule, kept)| Some((rule, kept?))).collect();
    taken.extend(numbered.iter().map(|(rule, priority)| (rule.inbound, *priority)));
    for (rule, _) in new {
        let free = rule.order.priorities().find(|priority| !taken.contains(&(rule.inbound, *priority)));
        let priority = free.ok_or_else(|| {
            Error::new(ErrorKind::Quota, "the security group has no free priority for another rule")
                .with_hint("combine the CIDRs of access lists, or remove rules that others have added")
        })?;
        taken.insert((rule.inbound, priority));
        numbered.push((rule, priority));
    }
    Ok(numbered)
}

fn written(rule: &SecurityRule<Closed>, priority: i32) -> Result<models::SecurityRule> {
    use models::{SecurityRuleAccess, SecurityRuleDirection};
    let access = if rule.allow { SecurityRuleAccess::Allow } else { SecurityRuleAccess::Deny };
    let direction =
        if rule.inbound { SecurityRuleDirection::Inbound } else { SecurityRuleDirection::Outbound };
    let protocol = super::parsed(&rule.protocol, "a protocol of security rules")?;
    let mut format = models::SecurityRulePropertiesFormat::new(protocol, access, priority, direction);
    format.source_port_range = Some("*".to_owned());
    format.destination_port_range = Some(match rule.ports {
        None => "*".to_owned(),
        Some(Ports { from, to }) if from == to => from.to_string(),
        Some(Ports { from, to }) => format!("{from}-{to}"),
    });
    let group = |id: &Id<ApplicationSecurityGroup>| {
        let resource = models::Resource { id: Some(id.as_str().to_owned()), ..models::Resource::default() };
        vec![models::ApplicationSecurityGroup { resource, ..models::ApplicationSecurityGroup::default() }]
    };
    match &rule.from {
        SecurityPeer::Prefix(prefix) => format.source_address_prefix = Some(prefix.clone()),
        SecurityPeer::Group(id) => format.source_application_security_groups = group(id),
    }
    match &rule.to {
        SecurityPeer::Prefix(prefix) => format.destination_address_prefix = Some(prefix.clone()),
        SecurityPeer::Group(id) => format.destination_application_security_groups = group(id),
    }
    Ok(models::SecurityRule {
        name: Some(rule.name.clone()),
        properties: Some(format),
        ..models::SecurityRule::default()
    })
}

fn read(site: &Site<'_>, rule: &models::SecurityRule) -> Option<SecurityRule<Closed>> {
    let format = rule.properties.as_ref()?;
    let peer = |prefix: &Option<String>, groups: &[models::ApplicationSecurityGroup]| match groups.first() {
        Some(group) => SecurityPeer::Group(Id::new(site.id(group.resource.id.as_deref()))),
        None => SecurityPeer::Prefix(prefix.clone().unwrap_or_default()),
    };
    Some(SecurityRule {
        name: rule.name.clone().unwrap_or_default(),
        order: RuleOrder::of(format.priority),
        inbound: format.direction == models::SecurityRuleDirection::Inbound,
        allow: format.access == models::SecurityRuleAccess::Allow,
        protocol: text(Some(&format.protocol)).unwrap_or_default(),
        ports: format.destination_port_range.as_deref().and_then(ports),
        from: peer(&format.source_address_prefix, &format.source_application_security_groups),
        to: peer(&format.destination_address_prefix, &format.destination_application_security_groups),
    })
}

fn ports(text: &str) -> Option<Ports> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some(Ports { from: from.parse().ok()?, to: to.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, order: RuleOrder) -> SecurityRule<Closed> {
        let any = || SecurityPeer::Prefix("*".to_owned());
        SecurityRule {
            name: format!("{OURS}{name}"),
            order,
            inbound: true,
            allow: true,
            protocol: "Tcp".to_owned(),
            ports: None,
            from: any(),
            to: any(),
        }
    }

    #[test]
    fn rules_keep_their_numbers_and_new_ones_get_what_is_free() {
        let (a, b, last) =
            (rule("a", RuleOrder::First), rule("b", RuleOrder::First), rule("z", RuleOrder::Last));
        let ours = [written(&b, 201).unwrap()];
        let theirs = [models::SecurityRule { name: Some("theirs".to_owned()), ..written(&a, 200).unwrap() }];
        let rules = [a.clone(), b.clone(), last.clone()].into();
        let numbers = numbered(&rules, &ours, &theirs).unwrap();
        let number = |rule: &SecurityRule<Closed>| numbers.iter().find(|it| it.0 == rule).unwrap().1;
        assert_eq!((number(&b), number(&a), number(&last)), (201, 202, 4000));
        assert!([&a, &b, &last].iter().all(|it| RuleOrder::of(number(it)) == it.order));
    }

    #[test]
    fn ports_are_read_as_they_are_written() {
        assert_eq!(ports("*"), None);
        assert_eq!(ports("22"), Some(Ports { from: 22, to: 22 }));
        assert_eq!(ports("1-65535"), Some(Ports { from: 1, to: 65535 }));
    }
}
