//! Lowers an SSH key: it becomes part of the metadata of machines, and no object is created.

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
