//! Lowers an address to a public IP address.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Address;

use super::{Lowering, Site, group, labels};
use crate::kinds::PublicIpAddress;

impl Lowered<Site> for Address {
    type Native = PublicIpAddress;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::IP.name(), PublicIpAddress::ADDRESS.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let group = group(cx);
        let tags = labels(cx, []);
        cx.add(name, PublicIpAddress { group, tags });
        Ok(())
    }
}
