//! The graph under construction, and lookups shared by all parts of the model.

use std::collections::BTreeMap;

use super::{Blueprint, Names};
use crate::bundle::StoreFiles;
use crate::extensions::MachineRole;
use crate::spec::version::{self, ApiVersion, Kind};
use crate::spec::{InstanceGroup, Networking, Path, Problems, SubnetSpec, SubnetType};
use kops_core::graph::{Expectation, GraphBuilder, Handle, Key};
use kops_core::resource::{Firewall, Network, Resource};

/// The graph under construction.
pub(super) struct Draft<'a> {
    pub(super) blueprint: &'a Blueprint<'a>,
    pub(super) names: Names<'a>,
    pub(super) graph: GraphBuilder,
    /// What machines find in the state store.
    pub(super) files: StoreFiles,
    /// Problems of the cluster; problems of a group carry the group's name as soon as they are found.
    pub(super) problems: Problems,
}

impl<'a> Draft<'a> {
    pub(super) fn new(blueprint: &'a Blueprint<'a>) -> Self {
        Self {
            blueprint,
            names: Names::of(blueprint.cluster.name()),
            graph: GraphBuilder::default(),
            files: StoreFiles::new(),
            problems: Problems::new(),
        }
    }

    pub(super) fn networking(&self) -> &'a Networking {
        &self.blueprint.cluster.spec.networking
    }

    /// Reports an error in an instance group.
    pub(super) fn group_error(&mut self, group: &InstanceGroup, path: Path, message: String, fix: String) {
        let mut problems = Problems::new();
        problems.error(path, message, fix);
        self.add_group_problems(group, problems);
    }

    /// Adds the problems of an instance group.
    pub(super) fn add_group_problems(&mut self, group: &InstanceGroup, mut problems: Problems) {
        problems.name_object(&format!("InstanceGroup/{}", group.name()));
        self.problems.extend(problems);
    }

    /// The groups of a role, in the order of the specification.
    pub(super) fn groups_of(&self, role: MachineRole) -> impl Iterator<Item = &'a InstanceGroup> {
        self.blueprint.groups.iter().filter(move |group| role_of(group) == Some(role))
    }

    pub(super) fn has(&self, role: MachineRole) -> bool {
        self.groups_of(role).next().is_some()
    }

    /// A shared firewall of the cluster's network; several settings may refer to the same one.
    pub(super) fn shared_firewall(&mut self, id: &str) -> Handle<Firewall> {
        if self.graph.contains(&Key::new(Firewall::KIND, id)) {
            return Handle::named(id);
        }
        let firewall = self.graph.share(id, id);
        let network = Handle::<Network>::named(self.names.cluster());
        let expectation = Expectation::is("network", &network.id(), "the network of the cluster");
        self.expect(&firewall, &Path::root(), expectation);
        firewall
    }

    /// A path of the cluster's specification as users write it: state stores keep it in kOps' v1alpha2.
    pub(super) fn written(path: &Path) -> String {
        version::to_version(ApiVersion::V1Alpha2, Kind::Cluster, path).to_string()
    }

    /// Compares a shared object with what the specification says of it.
    pub(super) fn expect<R: Resource>(
        &mut self,
        object: &Handle<R>,
        path: &Path,
        expectation: kops_core::Result<Expectation>,
    ) {
        match expectation {
            Ok(expectation) => self.graph.expect(object, expectation),
            Err(error) => self.problems.error(path.clone(), error.to_string(), "report this as a defect"),
        }
    }
}

/// The role of a group's machines; `None` for roles that the model does not support.
pub(super) fn role_of(group: &InstanceGroup) -> Option<MachineRole> {
    match group.role() {
        crate::spec::Role::ControlPlane => Some(MachineRole::ControlPlane),
        crate::spec::Role::Node => Some(MachineRole::Node),
        crate::spec::Role::Bastion => Some(MachineRole::Bastion),
        _ => None,
    }
}

/// Whether machines and load balancers in a subnet can have public addresses.
pub(super) fn is_open(subnet: &SubnetSpec) -> bool {
    matches!(subnet.r#type, None | Some(SubnetType::Public | SubnetType::Utility))
}

/// A map by zone; subnets without a zone are under the empty name.
pub(super) fn by_zone<'a>(
    subnets: impl IntoIterator<Item = &'a SubnetSpec>,
) -> BTreeMap<&'a str, Vec<&'a SubnetSpec>> {
    let mut zones: BTreeMap<&str, Vec<&SubnetSpec>> = BTreeMap::new();
    for subnet in subnets {
        zones.entry(subnet.zone.as_deref().unwrap_or_default()).or_default().push(subnet);
    }
    zones
}
