//! Machines that kops does not make join the cluster.

use kops_core::graph::{Input, Secret};

use super::{BootCluster, BootMachine, NodeBootstrap, with_additions};
use crate::bundle::StoreFiles;
use crate::spec::{Path, Problems};

/// Machines boot their image unmodified, with only their group's `additionalUserData` as user data: the image
/// or that user data has to make them join the cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainImages;

impl NodeBootstrap for PlainImages {
    fn check(&self, _: &BootCluster<'_>, problems: &mut Problems) {
        problems.warn(
            Path::of("spec"),
            "its machines do not join the cluster: they boot unmodified images",
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
