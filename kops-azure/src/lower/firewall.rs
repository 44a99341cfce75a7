//! Lowers a firewall to an application security group; its rules become part of its network's security group.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::{Firewall, FirewallRules};

use super::{Lowering, Site, group, labels, rules};
use crate::kinds::{ApplicationSecurityGroup, NetworkSecurityGroup};

impl Lowered<Site> for Firewall {
    type Native = ApplicationSecurityGroup;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let group = group(cx);
        let tags = labels(cx, []);
        cx.add(name, ApplicationSecurityGroup { group, tags });
        Ok(())
    }
}

impl Lowered<Site> for FirewallRules {
    /// The rules of all firewalls of a network are in one object, named after the network.
    type Native = NetworkSecurityGroup;

    fn lower(_: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let (_, wall) = cx.firewall_of(&spec)?;
        rules::security_group(&wall.network, cx).map(drop)
    }
}
