//! What comes out of specifications.

mod kubeadm;
mod schema;
mod settings;

use kops_node::bundle::{Bundle, Cloud};
use serde_json::Value;

use super::*;
use crate::cloud::{EtcdVolumes, NodeFacts};
use crate::pki::Keysets;
use crate::spec::{Cluster, DnsType, InstanceGroup, NewCluster, Opaque, TopologyKind, new_cluster, populate};

/// A highly available private cluster with a network plugin of the user's.
pub(super) fn ha(version: &str) -> (Cluster, Vec<InstanceGroup>) {
    let zones = ["us-test-1a", "us-test-1b", "us-test-1c"];
    let new = NewCluster::new("ha.example.com", "memory")
        .zones(zones)
        .control_plane_zones(zones)
        .topology(TopologyKind::Private)
        .networking("cni")
        .dns(DnsType::Public)
        .dns_zone("example.com")
        .kubernetes_version(version)
        .config_base("https://state.example.com/ha.example.com");
    let (cluster, groups) = new_cluster(&new).unwrap();
    populate(&cluster, &groups)
}

pub(super) fn facts() -> NodeFacts {
    let facts =
        NodeFacts::of_plain_store(Cloud::None {}, "https://state.example.com/ha.example.com").unwrap();
    facts.volumes(EtcdVolumes::Tags(|volume| [volume.label()].into()))
}

pub(super) fn keysets() -> Keysets {
    let names = ["kubernetes-ca", "apiserver-aggregator-ca", "service-account", "etcd-ca"];
    Keysets::new(names.map(|name| (name.to_owned(), vec!["7002".to_owned()])))
}

/// The bundle of a group, and what was told of the cluster and of the group.
pub(super) fn rendered(
    cluster: &Cluster,
    groups: &[InstanceGroup],
    group: &str,
) -> (Bundle, Problems, Problems) {
    let (facts, keysets) = (facts(), keysets());
    let of = BundleCluster::new(cluster, groups, &facts, &keysets);
    let group = groups.iter().find(|it| it.name() == group).unwrap();
    let mut told = Told::default();
    let bundle = render(&of, group, &mut told);
    (bundle, told.cluster, told.group)
}

/// The bundle of a group of a cluster without problems.
pub(super) fn bundle(cluster: &Cluster, groups: &[InstanceGroup], group: &str) -> Bundle {
    let (bundle, of_cluster, of_group) = rendered(cluster, groups, group);
    assert!(of_cluster.is_empty() && of_group.is_empty(), "{of_cluster}{of_group}");
    bundle
}

/// What keepers know of all groups.
pub(super) fn groups_of(cluster: &Cluster, all: &[InstanceGroup]) -> Groups {
    let (facts, keysets) = (facts(), keysets());
    groups(&BundleCluster::new(cluster, all, &facts, &keysets))
}

/// A document of kubeadm's by its kind.
pub(super) fn document<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|it| it["kind"] == kind).unwrap()
}

/// The values of an argument.
pub(super) fn args<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    let items = list.as_array().into_iter().flatten();
    items.filter(|it| it["name"] == name).map(|it| it["value"].as_str().unwrap()).collect()
}

#[test]
fn a_control_plane_of_a_highly_available_cluster() {
    let (cluster, groups) = ha("1.34.4");
    let bundle = bundle(&cluster, &groups, "control-plane-us-test-1a");
    assert_eq!(Bundle::parse(&bundle.to_bytes().unwrap()).unwrap(), bundle, "the program reads it");
    assert_eq!(bundle.kubernetes_version, "v1.34.4");
    assert_eq!((bundle.api.name.as_str(), bundle.api.port), ("api.internal.ha.example.com", 443));
    assert_eq!(bundle.api.aliases, ["api.ha.example.com"]);
    let files: Vec<_> = bundle.keysets.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(files, ["ca", "front-proxy-ca", "sa", "etcd/ca"]);

    let etcd: Vec<_> =
        bundle.etcd.iter().map(|it| (it.name.as_str(), it.client_port, it.peer_port)).collect();
    assert_eq!(etcd, [("main", 2379, 2380), ("events", 4002, 2381)]);
    let main = &bundle.etcd[0];
    assert_eq!(main.candidates.len(), 1);
    assert_eq!(
        main.members[0].url,
        format!("https://{}.etcd.internal.ha.example.com:2380", main.members[0].name)
    );
    let tags = &main.volume.tags[&main.candidates[0]];
    let names: Vec<_> = main.members.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(tags["k8s.io/etcd/main"], format!("{}/{}", main.candidates[0], names.join(",")));
    assert_ne!(main.token, bundle.etcd[1].token);

    let configuration = document(&bundle.kubeadm.cluster, "ClusterConfiguration");
    assert_eq!(configuration["controlPlaneEndpoint"], "api.internal.ha.example.com:443");
    assert_eq!(configuration["networking"]["serviceSubnet"], "100.64.0.0/13");
    let arguments = &configuration["apiServer"]["extraArgs"];
    assert_eq!(args(arguments, "etcd-servers-overrides"), ["/events#https://127.0.0.1:4002"]);
    assert_eq!(args(arguments, "authentication-config"), ["/etc/kubernetes/pki/authentication.yaml"]);
    let local = &document(&bundle.kubeadm.etcd, "ClusterConfiguration")["etcd"]["local"];
    assert_eq!(local["imageTag"], "v3.6.12");
    assert!(bundle.kubeadm.patches.contains_key("etcd0+strategic.json"));
}

/// Another group is no reason to replace control planes: their keepers read of it.
#[test]
fn groups_of_nodes_are_no_matter_of_control_planes() {
    let (cluster, all) = ha("1.34.4");
    let fewer: Vec<_> = all.iter().filter(|it| it.name() != "nodes-us-test-1b").cloned().collect();
    let control_plane = "control-plane-us-test-1a";
    assert_eq!(bundle(&cluster, &all, control_plane), bundle(&cluster, &fewer, control_plane));
    let (all, fewer) = (groups_of(&cluster, &all), groups_of(&cluster, &fewer));
    assert!(all.may_join("nodes-us-test-1b") && !fewer.may_join("nodes-us-test-1b"));
    assert!(!all.may_join(control_plane), "it comes by the keys");
    assert_eq!(all.groups["nodes-us-test-1a"].labels["node-role.kubernetes.io/node"], "");
    assert_eq!(Groups::parse(&all.to_bytes().unwrap()).unwrap(), all);
}

#[test]
fn a_node_has_nothing_of_the_control_plane() {
    let (cluster, groups) = ha("1.34.4");
    let bundle = bundle(&cluster, &groups, "nodes-us-test-1a");
    assert_eq!(Bundle::parse(&bundle.to_bytes().unwrap()).unwrap(), bundle);
    assert!(bundle.keysets.is_empty() && bundle.etcd.is_empty() && bundle.keep.is_none());
    assert!(bundle.kubeadm.cluster.is_empty() && bundle.kubeadm.etcd.is_empty());
    let join = document(&bundle.kubeadm.join, "JoinConfiguration");
    assert_eq!(join["nodeRegistration"]["criSocket"], "unix:///run/containerd/containerd.sock");
    let kubelet = &bundle.kubeadm.patches["kubeletconfiguration0+merge.json"];
    assert_eq!(kubelet["clusterDNS"], serde_json::json!(["100.64.0.10"]));
    assert!(
        bundle
            .machine
            .packages
            .iter()
            .any(|it| it.name == "kubelet" && it.version.as_deref() == Some("1.34.4-"))
    );
}

/// What differs by machine, and only that, is left to the machine: control planes of two groups differ in the member
/// they are.
#[test]
fn control_planes_are_alike_but_for_their_member() {
    let (cluster, groups) = ha("1.34.4");
    let mut one = bundle(&cluster, &groups, "control-plane-us-test-1a");
    let other = bundle(&cluster, &groups, "control-plane-us-test-1b");
    assert_ne!(one, other);
    one.group.clone_from(&other.group);
    for (here, there) in one.etcd.iter_mut().zip(&other.etcd) {
        here.candidates.clone_from(&there.candidates);
        here.volume.clone_from(&there.volume);
    }
    assert_eq!(one, other);
}

#[test]
fn it_is_always_the_same_and_changes_with_the_keys() {
    let (cluster, groups) = ha("1.34.4");
    let first = bundle(&cluster, &groups, "control-plane-us-test-1a").to_bytes().unwrap();
    assert_eq!(bundle(&cluster, &groups, "control-plane-us-test-1a").to_bytes().unwrap(), first);
    let (facts, mut ids) = (facts(), keysets());
    let group = groups.iter().find(|it| it.is_control_plane()).unwrap();
    let with = |keysets: &Keysets| {
        let of = BundleCluster::new(&cluster, &groups, &facts, keysets);
        render(&of, group, &mut Told::default())
    };
    let before = with(&ids);
    let same = ids.iter().map(|(name, ids)| (name.to_owned(), ids.to_vec()));
    let more = ("kubernetes-ca".to_owned(), vec!["7002".to_owned(), "7003".to_owned()]);
    ids = Keysets::new(same.chain([more]));
    let after = with(&ids);
    assert_ne!(before, after);
    assert_eq!(before.etcd, after.etcd, "etcd's authority is the same");
}

#[test]
fn every_minor_version_has_its_own() {
    let of = |version: &str| {
        let (cluster, groups) = ha(version);
        let bundle = bundle(&cluster, &groups, "control-plane-us-test-1a");
        let local = &document(&bundle.kubeadm.etcd, "ClusterConfiguration")["etcd"]["local"];
        let authentication =
            bundle.machine.files.iter().find(|it| it.path.ends_with("authentication.yaml")).unwrap();
        let kops_node::bundle::Content::Text(authentication) = &authentication.content else { panic!() };
        let v1 = authentication.contains("apiserver.config.k8s.io/v1\"");
        (
            local["imageTag"].as_str().unwrap().to_owned(),
            v1,
            bundle.containerd.config_v2.contains("pause:3.10.1"),
        )
    };
    let told = |tag: &str, v1: bool, pause: bool| (tag.to_owned(), v1, pause);
    assert_eq!(of("1.32.0"), told("v3.5.31", false, false));
    assert_eq!(of("1.33.5"), told("v3.5.31", false, false));
    assert_eq!(of("1.34.4"), told("v3.6.12", true, true));
    assert_eq!(of("1.35.4"), told("v3.6.12", true, true));
    assert_eq!(of("1.36.3"), told("v3.6.12", true, false));
    assert_eq!(of("1.37.2"), told("v3.7.0", true, false));
}
