//! Lowers an address to an elastic IP address.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Address;

use super::{Lowering, Site, tags_with};
use crate::kinds::ElasticIp;

impl Lowered<Site> for Address {
    type Native = ElasticIp;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), ElasticIp::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let address = ElasticIp { tags: tags_with(cx, []) };
        cx.add(name, address);
        Ok(())
    }
}
