//! A highly available private cluster to start from, and ways to look at graphs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ClusterFiles;
use crate::bootstrap::{KopsNode, NodeBootstrap, NodeProgram};
use crate::cloud::{Architecture, NoDialect, NodeFacts};
use crate::model::{Blueprint, ClusterModel, build};
use crate::pki::Keysets;
use crate::spec::{InstanceGroup, Manifest, Mode, Problems, Role, RootVolumeSpec};
use kops_core::cloud::Capabilities;
use kops_core::graph::{Lifecycle, TaskGraph};

/// Three zones, private machines, a public load balancer, public DNS, a bastion.
pub(super) fn ha_private() -> ClusterFiles {
    let mut files = read(include_str!("../testdata/ha-private.yaml"));
    for zone in ["us-test-1a", "us-test-1b", "us-test-1c"] {
        files.instance_groups.push(group(&format!("control-plane-{zone}"), Role::ControlPlane, zone));
    }
    for zone in ["us-test-1a", "us-test-1b", "us-test-1c"] {
        files.instance_groups.push(group(&format!("nodes-{zone}"), Role::Node, zone));
    }
    files.instance_groups.push(group("bastions", Role::Bastion, "utility-us-test-1a"));
    files
}

/// The same cluster with public machines and no bastion.
pub(super) fn ha_public() -> ClusterFiles {
    let mut files = ha_private();
    let networking = &mut files.cluster.spec.networking;
    networking.subnets.truncate(3);
    for subnet in &mut networking.subnets {
        subnet.r#type = Some(crate::spec::SubnetType::Public);
    }
    if let Some(topology) = &mut networking.topology {
        topology.bastion = None;
    }
    files.instance_groups.retain(|group| !group.is_bastion());
    files
}

pub(super) fn read(text: &str) -> ClusterFiles {
    let (objects, _) = Manifest::read(text, Mode::Strict).unwrap().into_objects().unwrap();
    ClusterFiles::from_objects(objects).unwrap()
}

pub(super) fn group(name: &str, role: Role, subnet: &str) -> InstanceGroup {
    let mut group = InstanceGroup::named(name, role, "ha.example.com");
    group.spec.subnets = vec![subnet.to_owned()];
    group.spec.image = Some("ubuntu-24.04".to_owned());
    group.spec.machine_type = Some("medium".to_owned());
    group.spec.min_size = Some(1);
    group.spec.max_size = Some(1);
    group.spec.root_volume = Some(RootVolumeSpec { size: Some(64), ..RootVolumeSpec::default() });
    group
}

/// A cloud that can do everything, zone by zone.
pub(super) fn zonal() -> Capabilities {
    Capabilities::new()
        .nat_gateways(true)
        .public_load_balancers(true)
        .internal_load_balancers(true)
        .public_dns(true)
        .private_dns(true)
        .prefix_lists(true)
        .spot(true)
        .shared_networks(true)
        .zonal_subnets(true)
        .zonal_nat_gateways(true)
        .surge(true)
}

/// The same with subnets and NAT gateways that span the zones.
pub(super) fn regional() -> Capabilities {
    zonal().zonal_subnets(false).zonal_nat_gateways(false)
}

pub(super) fn try_build(files: &ClusterFiles, capabilities: Capabilities) -> Result<ClusterModel, Problems> {
    build_with(files, capabilities, &machines())
}

pub(super) fn build_with(
    files: &ClusterFiles,
    capabilities: Capabilities,
    bootstrap: &dyn NodeBootstrap,
) -> Result<ClusterModel, Problems> {
    let facts = facts();
    build(&Blueprint::new(
        &files.cluster,
        &files.instance_groups,
        &files.ssh_keys,
        capabilities,
        &NoDialect,
        bootstrap,
        Ok(&facts),
    ))
}

/// Machines that become members of the cluster.
pub(super) fn machines() -> KopsNode {
    let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64)).unwrap();
    let ids = ["kubernetes-ca", "apiserver-aggregator-ca", "service-account", "etcd-ca"];
    KopsNode::new(program, Keysets::new(ids.map(|name| (name.to_owned(), vec!["1".to_owned()]))))
}

/// A cloud that machines do not ask.
pub(super) fn facts() -> NodeFacts {
    let cloud = kops_node::bundle::Cloud::None {};
    NodeFacts::of_plain_store(cloud, "https://state.example.com/ha.example.com").unwrap()
}

pub(super) fn graph(files: &ClusterFiles) -> TaskGraph {
    try_build(files, zonal()).unwrap_or_else(|problems| panic!("{problems}")).graph
}

/// The names of the tasks of a kind, sorted.
pub(super) fn names<'a>(graph: &'a TaskGraph, kind: &str) -> Vec<&'a str> {
    let mut names: Vec<_> =
        graph.tasks().filter(|task| task.key.kind() == kind).map(|task| task.key.name()).collect();
    names.sort_unstable();
    names
}

/// How many tasks there are of each kind.
pub(super) fn counts(graph: &TaskGraph) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for task in graph.tasks() {
        *counts.entry(task.key.kind()).or_default() += 1;
    }
    counts
}

/// The tasks by kind and name, one to a line, with what is special about their lifecycle.
pub(super) fn summary(graph: &TaskGraph) -> String {
    let mut tasks: Vec<_> = graph.tasks().collect();
    tasks.sort_by(|a, b| a.key.cmp(&b.key));
    tasks.iter().fold(String::new(), |mut text, task| {
        let lifecycle = match &task.lifecycle {
            Lifecycle::Managed => String::new(),
            Lifecycle::Shared { selector, .. } => format!("  (shared: {selector})"),
            other => format!("  ({other:?})"),
        };
        writeln!(text, "{}{lifecycle}", task.key).unwrap();
        text
    })
}

/// The errors as text, one to a line.
pub(super) fn errors(files: &ClusterFiles, capabilities: Capabilities) -> Vec<String> {
    match try_build(files, capabilities) {
        Ok(built) => panic!("a graph of {} tasks came out", built.graph.len()),
        Err(problems) => problems.errors().map(ToString::to_string).collect(),
    }
}

/// The warnings as text.
pub(super) fn warnings(files: &ClusterFiles, capabilities: Capabilities) -> Vec<String> {
    let built = try_build(files, capabilities).unwrap_or_else(|problems| panic!("{problems}"));
    built.warnings.iter().map(ToString::to_string).collect()
}

/// Whether `text` has a line with all of `words`.
pub(super) fn has(lines: &[String], words: &[&str]) -> bool {
    lines.iter().any(|line| words.iter().all(|word| line.contains(word)))
}
