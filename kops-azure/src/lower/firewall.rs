//! A firewall becomes an application security group; its rules go into the security group of its network.

use kops_core::graph::Input;
use kops_core::lower::Lowered;
use kops_core::resource::{Firewall, FirewallRules};
use kops_core::{Error, ErrorKind, Result};

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
    /// The rules of all firewalls of a network are in one object, called after the network.
    type Native = NetworkSecurityGroup;

    fn lower(_: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let walls = cx.specs::<Firewall>()?;
        let of_wall = |(name, _): &&(&str, Firewall)| match &spec.firewall {
            Input::Output(output) => output.task.name() == *name,
            _ => false,
        };
        let Some((_, wall)) = walls.iter().find(of_wall) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the rules of a shared application security group are its owner's",
            )
            .hint("put the rules into a group of its own, and machines into both groups"));
        };
        rules::security_group(&wall.network, cx).map(drop)
    }
}
