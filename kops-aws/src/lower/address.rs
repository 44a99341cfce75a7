//! An address becomes an elastic address.

use kops_core::Result;
use kops_core::resource::Address;

use super::{Lowered, Lowering};
use crate::kinds::ElasticIp;

impl Lowered for Address {
    type Native = ElasticIp;

    const OUTPUTS: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), ElasticIp::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let address = ElasticIp { tags: cx.tags([]) };
        cx.add(name, address);
        Ok(())
    }
}
