//! Rejects single machines: a scale set of one works as well, and can be replaced.

use kops_core::lower::Lowered;
use kops_core::resource::Instance;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};
use crate::kinds::VirtualMachineScaleSet;

impl Lowered<Site> for Instance {
    type Native = VirtualMachineScaleSet;

    fn lower(_: &str, _: Self, _: &mut Lowering<'_>) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "single machines are not supported on Azure")
            .with_hint("use an instance group of one machine"))
    }
}
