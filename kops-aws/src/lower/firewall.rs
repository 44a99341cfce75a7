//! Lowers a firewall to a security group, and its rules to a set of rules.

use kops_core::Result;
use kops_core::graph::Input;
use kops_core::lower::Lowered;
use kops_core::resource::{Firewall, FirewallRule, FirewallRules, Peer};

use super::{Lowering, Site, native, tags_with};
use crate::kinds::{RulePeer, SecurityGroup, SecurityGroupRule, SecurityGroupRules};

impl Lowered<Site> for Firewall {
    type Native = SecurityGroup;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("network", "vpc")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let group = SecurityGroup {
            vpc: native(spec.network),
            description: spec.description,
            tags: tags_with(cx, []),
        };
        cx.add(name, group);
        Ok(())
    }
}

impl Lowered<Site> for FirewallRules {
    type Native = SecurityGroupRules;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.firewall_of(&spec)?;
        let rules = SecurityGroupRules {
            group: native(spec.firewall),
            rules: spec.rules.into_iter().map(rule).collect(),
        };
        cx.add(name, rules);
        Ok(())
    }
}

fn rule(rule: FirewallRule) -> SecurityGroupRule {
    let peer = match rule.peer {
        Peer::Cidr(cidr) => RulePeer::Cidr(cidr.trunc().to_string().into()),
        Peer::Group(group) => RulePeer::Group(native(group)),
        Peer::PrefixList(list) => RulePeer::PrefixList(list),
        Peer::Address(address) => RulePeer::Cidr(Input::concat([address, "/32".into()])),
    };
    SecurityGroupRule::new(rule.direction, rule.protocol, rule.ports, peer)
}
