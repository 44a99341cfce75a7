//! An SSH key is written into the metadata of the machines that have it: there is nothing to make.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::SshKey;

use super::{Lowering, Site};
use crate::kinds::MetadataSshKey;

impl Lowered<Site> for SshKey {
    type Native = MetadataSshKey;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.looked_up::<MetadataSshKey>(name);
        Ok(())
    }
}
