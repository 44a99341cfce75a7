//! An address becomes a floating one that leads nowhere yet.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Address;

use super::{Lowering, Site, external_network, tags_with};
use crate::kinds::FloatingIp;

impl Lowered<Site> for Address {
    type Native = FloatingIp;

    const OUTPUTS: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), FloatingIp::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let external_network = external_network(cx);
        let tags = tags_with(cx, []);
        cx.add(name, FloatingIp { external_network, port: None, tags });
        Ok(())
    }
}
