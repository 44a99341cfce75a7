//! A cluster from its specification to OpenStack's own tasks, without a cloud.

use std::collections::HashSet;

use kops_cluster::bootstrap::{KopsNode, NodeProgram};

use kops_cluster::cloud::Architecture;
use kops_cluster::model::{Blueprint, build};
use kops_cluster::pki::Keysets;
use kops_cluster::{
    Cluster, DnsType, LoadBalancerType, NewCluster, TopologyKind, new_cluster, populate, scope_of,
};
use kops_core::cloud::Capabilities;
use kops_core::graph::{Handle, Input, Key, Part, Setting, TaskGraph};
use kops_core::resource::Resource;

use super::OpenstackDialect;
use super::machines::{facts, tests::site};
use crate::kinds::{ApplicationCredential, CinderVolume, NovaServer, TempUrlKey};
use crate::lower::lower;

/// A cluster with a state store, three control planes, a node and a bastion; and its native tasks.
fn native(store: &str) -> (Cluster, TaskGraph) {
    let new = NewCluster::new("ha.example.com", "openstack")
        .zones(["nova"])
        .control_plane_count(3)
        .topology(TopologyKind::Private)
        .bastion(true)
        .dns(DnsType::None)
        .api_load_balancer(LoadBalancerType::Internal)
        .image("debian-12")
        .control_plane_size("m1.large")
        .node_size("m1.large")
        .networking("cni")
        .config_base(store);
    let (cluster, groups) = new_cluster(&new).unwrap_or_else(|problems| panic!("{problems}"));
    let (cluster, groups) = populate(&cluster, &groups);
    let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64)).unwrap();
    let machines = KopsNode::new(program, Keysets::to_be_created(&cluster));
    let site = site();
    let capabilities = Capabilities::new().public_load_balancers(true).internal_load_balancers(true);
    let facts = facts(&site, &cluster);
    let blueprint =
        Blueprint::new(&cluster, &groups, &[], capabilities, &OpenstackDialect, &machines, facts.as_ref());
    let model = build(&blueprint).unwrap_or_else(|problems| panic!("{problems}"));
    let native = lower(&model.graph, &scope_of(&cluster), &site, &HashSet::new()).unwrap();
    (cluster, native.into_graph())
}

/// The only server whose name begins so.
fn server(graph: &TaskGraph, beginning: &str) -> NovaServer {
    let names = graph.tasks().map(|it| &it.key).filter(|it| it.kind() == <NovaServer>::KIND);
    let found: Vec<_> = names.filter(|it| it.name().starts_with(beginning)).collect();
    let [key] = found[..] else { panic!("{beginning}: {found:?}") };
    graph.get(key).unwrap().spec_as().unwrap()
}

fn spec<R: Resource>(graph: &TaskGraph, name: &str) -> R {
    graph.get(&Key::new(R::KIND, name)).unwrap_or_else(|| panic!("no {name}")).spec_as().unwrap()
}

/// A server's user data, with the tasks in place of what is not known yet.
fn user_data(server: &NovaServer) -> String {
    match &server.user_data {
        Some(Input::Known(secret)) => secret.expose().to_owned(),
        Some(Input::Concat(parts)) => parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Secret(secret) => secret.expose().to_owned(),
                Part::Output { output } => format!("<{}>", output.task),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn control_planes_have_a_credential_and_the_volumes_of_their_member() {
    let (cluster, graph) = native("swift://state/ha.example.com");
    let credential: ApplicationCredential = spec(&graph, "masters.ha.example.com");
    assert_eq!(credential.container, "state");
    assert_eq!(credential.object, "ha.example.com/openstack/control-plane.json");
    assert_eq!(spec::<TempUrlKey>(&graph, "state").container, "state");
    let members = &cluster.spec.etcd_clusters[0].members;
    assert_eq!(members.len(), 3);
    for member in members {
        let group = member.instance_group.as_deref().unwrap();
        let server = server(&graph, &format!("{group}.masters-1."));
        let volumes = ["main", "events"].map(|etcd| {
            Handle::<CinderVolume>::named(&format!("{}.etcd-{etcd}.ha.example.com", member.name))
        });
        assert_eq!(server.attached, Setting::To(volumes.each_ref().map(Handle::id).into()), "{group}");
        assert_eq!(server.temp_url_key, Some(Handle::<TempUrlKey>::named("state").id()));
        let own = Handle::<ApplicationCredential>::named("masters.ha.example.com");
        assert_eq!(server.credential, Some(own.id()));
        let data = user_data(&server);
        for line in [
            format!("VOLUMES='/mnt/etcd-main {} <{}>\n", member.name, volumes[0].key()),
            format!("<kops-signed GET 86400 ha.example.com/igconfig/control-plane/{group}/>"),
            "<kops-signed GET 86400 ha.example.com/openstack/>".to_owned(),
            "<kops-signed GET 86400 ha.example.com/kops-node/amd64/>".to_owned(),
        ] {
            assert!(data.contains(&line), "{line}\n{data}");
        }
        assert!(!data.contains("<kops-signed PUT"), "a control plane writes with its credential");
    }
}

#[test]
fn nodes_have_urls_alone_and_bastions_nothing() {
    let (_, graph) = native("swift://state/ha.example.com");
    let node = server(&graph, "nodes-nova-1.");
    assert_eq!((node.credential.clone(), node.attached.clone()), (None, Setting::Unmanaged));
    assert_eq!(node.temp_url_key, Some(Handle::<TempUrlKey>::named("state").id()));
    let data = user_data(&node);
    for slot in ["GET 86400 ha.example.com/join/>", "PUT 315619200 ha.example.com/machines/nodes-nova/>"] {
        assert!(data.contains(&format!("<kops-signed {slot}")), "{slot}\n{data}");
    }
    assert!(!data.contains("/openstack/") && !data.contains("VOLUMES='"), "{data}");
    let bastion = server(&graph, "bastion");
    assert_eq!((bastion.temp_url_key, bastion.credential), (None, None));
    assert_eq!(graph.tasks().filter(|it| it.key.kind() == ApplicationCredential::KIND).count(), 1);
}

#[test]
fn another_store_needs_no_credential() {
    let (cluster, graph) = native("https://state.example.com/ha.example.com");
    let kinds = [ApplicationCredential::KIND, TempUrlKey::KIND];
    assert!(!graph.tasks().any(|it| kinds.contains(&it.key.kind())));
    let group = cluster.spec.etcd_clusters[0].members[0].instance_group.as_deref().unwrap();
    let server = server(&graph, &format!("{group}.masters-1."));
    assert!(server.temp_url_key.is_none() && server.credential.is_none());
    assert!(user_data(&server).contains("VOLUMES='/mnt/etcd-main "), "volumes are attached all the same");
}
