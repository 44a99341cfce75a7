//! Lowers an address to a regional external address.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Address;

use super::{Lowering, Site};
use crate::kinds::GceAddress;
use crate::labels;

impl Lowered<Site> for Address {
    type Native = GceAddress;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), GceAddress::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.add(name, GceAddress { subnetwork: None, labels: labels::of(cx.scope(), []) });
        Ok(())
    }
}
