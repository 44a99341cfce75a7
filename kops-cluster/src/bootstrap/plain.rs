//! Machines that are not made members of the cluster.

use kops_core::graph::{Input, Secret};

use super::{BootCluster, BootMachine, NodeBootstrap, with_additions};
use crate::bundle::StoreFiles;
use crate::spec::{Path, Problems};

/// Machines boot their image as it is, with their group's `additionalUserData` and nothing of ours: whatever makes
/// members of the cluster of them is in the image or in that.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainImages;

impl NodeBootstrap for PlainImages {
    fn check(&self, _: &BootCluster<'_>, problems: &mut Problems) {
        problems.warn(
            Path::of("spec"),
            "its machines are not made members of the cluster: they boot their images as they are",
            "plan with a KopsNode, or use images that join by themselves",
        );
    }

    fn user_data(
        &self,
        machine: &BootMachine<'_>,
        _: &mut StoreFiles,
        problems: &mut Problems,
    ) -> Option<Input<Secret>> {
        with_additions(None, &machine.group.spec, problems)
    }
}
