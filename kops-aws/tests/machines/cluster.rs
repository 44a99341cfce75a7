//! Clusters as users specify them.

use kops_aws::Aws;
use kops_cluster::{
    ClusterFiles, DnsType, InstanceGroup, LoadBalancerType, NewCluster, Role, SshCredential, TopologyKind,
    cluster_graph, new_cluster,
};
use kops_core::Engine;
use kops_core::graph::TaskGraph;
use kops_moto::{Fault, IMAGE, Moto};
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES, connect};
use crate::site::KEY;

/// The number of calls of a plan without changes, and of one with a hundred groups, as stated in README. If it has to
/// grow, explain the added call here.
const CALLS: (usize, usize) = (37, 38);

/// A highly available cluster: three control planes and three groups of nodes in private subnets of three
/// zones, a bastion, a public load balancer, and names in a public zone.
fn ha() -> ClusterFiles {
    let options = NewCluster::new(CLUSTER, "aws")
        .zones(ZONES)
        .control_plane_count(3)
        .control_plane_size("m5.large")
        .node_size("m5.large")
        .image(IMAGE)
        .topology(TopologyKind::Private)
        .bastion(true)
        .api_load_balancer(LoadBalancerType::Public)
        .dns(DnsType::Public)
        .dns_zone("example.com");
    let (cluster, instance_groups) = new_cluster(&options).unwrap_or_else(|problems| panic!("{problems}"));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    ClusterFiles::new(cluster, instance_groups, [key])
}

fn graph(files: &ClusterFiles, lab: &Cluster) -> TaskGraph {
    cluster_graph(files, &*lab.aws).unwrap_or_else(|problems| panic!("{problems}")).graph
}

/// An account with a zone and things of others, and the cluster to be made there.
struct Cluster {
    lab: Lab,
    aws: std::sync::Arc<Aws>,
    files: ClusterFiles,
}

async fn cluster() -> Cluster {
    let moto = Moto::start();
    moto.create_zone("example.com");
    moto.seed_foreign(CLUSTER);
    let before = moto.snapshot();
    let aws = connect(&moto).await;
    let files = ha();
    let scope = cluster_graph(&files, &*aws).unwrap_or_else(|problems| panic!("{problems}")).scope;
    let engine = Engine::new(aws.clone(), scope);
    Cluster { lab: Lab { moto, engine, before }, aws, files }
}

#[tokio::test]
async fn a_cluster_comes_settles_and_goes() {
    let cluster = cluster().await;
    let (lab, graph) = (&cluster.lab, graph(&cluster.files, &cluster));
    lab.moto.forget_calls();
    lab.try_apply(&graph).await.unwrap();
    let calls = lab.moto.calls();
    assert!(calls.total() <= 250, "{} {:#?}", calls.total(), calls.by_action());
    lab.assert_settled(&graph).await;
    let calls = lab.moto.calls();
    assert!(calls.total() <= CALLS.0, "{} {:#?}", calls.total(), calls.by_action());
    lab.delete().await;
}

#[tokio::test]
async fn each_change_is_planned_as_what_it_is() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    lab.apply(&graph(&cluster.files, &cluster)).await;
    let mut files = cluster.files.clone();

    // A machine type: a new version of the template, and the group that uses it.
    let nodes = files.instance_groups.iter_mut().find(|group| group.role() == Role::Node).unwrap();
    let name = format!("{}.{CLUSTER}", nodes.name());
    nodes.spec.machine_type = Some("m5.xlarge".to_owned());
    let expected = [
        format!("update LaunchTemplate/{name}: instance_type"),
        format!("update AutoScalingGroup/{name}: launch_template_version"),
    ];
    assert_eq!(lab.changes(&graph(&files, &cluster)).await, expected);
    lab.apply(&graph(&files, &cluster)).await;

    // Sizes.
    let nodes = files.instance_groups.iter_mut().find(|group| group.role() == Role::Node).unwrap();
    (nodes.spec.min_size, nodes.spec.max_size) = (Some(2), Some(5));
    let expected = [format!("update AutoScalingGroup/{name}: max_size, min_size")];
    assert_eq!(lab.changes(&graph(&files, &cluster)).await, expected);
    lab.apply(&graph(&files, &cluster)).await;

    // A group more.
    let nodes = files.instance_groups.iter().find(|group| group.role() == Role::Node).unwrap();
    let mut more: InstanceGroup = nodes.clone();
    "more".clone_into(&mut more.metadata.name);
    files.instance_groups.push(more);
    let expected =
        [format!("create LaunchTemplate/more.{CLUSTER}"), format!("create AutoScalingGroup/more.{CLUSTER}")];
    assert_eq!(lab.changes(&graph(&files, &cluster)).await, expected);
    lab.apply(&graph(&files, &cluster)).await;

    // And gone again.
    files.instance_groups.pop();
    let expected =
        [format!("delete AutoScalingGroup/more.{CLUSTER}"), format!("delete LaunchTemplate/more.{CLUSTER}")];
    let mut changes = lab.changes(&graph(&files, &cluster)).await;
    changes.sort_unstable();
    assert_eq!(changes, expected);
    lab.apply(&graph(&files, &cluster)).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_hundred_groups_cost_hardly_more_to_look_at_than_six() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    let mut files = cluster.files.clone();
    let nodes = files.instance_groups.iter().find(|group| group.role() == Role::Node).unwrap().clone();
    files.instance_groups.extend((0..97).map(|number| {
        let mut group = nodes.clone();
        group.metadata.name = format!("nodes-{number}");
        (group.spec.min_size, group.spec.max_size) = (Some(0), Some(0));
        group
    }));
    let graph = graph(&files, &cluster);
    lab.try_apply(&graph).await.unwrap();
    lab.assert_settled(&graph).await;
    let calls = lab.moto.calls();
    assert!(calls.total() <= CALLS.1, "{} {:#?}", calls.total(), calls.by_action());
}

#[tokio::test]
async fn names_and_tags_are_those_of_kops() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    lab.apply(&graph(&cluster.files, &cluster)).await;
    let account = lab.moto.snapshot();
    let has = |kind: &str, name: &str| {
        assert!(account.names(kind).contains(name), "{kind} {name}: {:?}", account.names(kind));
    };
    for zone in ZONES {
        has("auto-scaling-group", &format!("control-plane-{zone}.masters.{CLUSTER}"));
        has("launch-template", &format!("control-plane-{zone}.masters.{CLUSTER}"));
        has("auto-scaling-group", &format!("nodes-{zone}.{CLUSTER}"));
    }
    for role in ["masters", "nodes", "bastions"] {
        has("iam-role", &format!("{role}.{CLUSTER}"));
        has("iam-instance-profile", &format!("{role}.{CLUSTER}"));
    }
    let starts = |kind: &str, start: &str| {
        let names = account.names(kind);
        assert!(names.iter().any(|name| name.starts_with(start)), "{kind} {start}: {names:?}");
    };
    starts("key-pair", &format!("kubernetes.{CLUSTER}-"));
    starts("load-balancer", "api-ha-example-com-");
    starts("load-balancer", "bastion-ha-example-com-");
    starts("target-group", "tcp-ha-example-com-");
    starts("target-group", "bastion-ha-example-com-");

    let group = format!("control-plane-{}.masters.{CLUSTER}", ZONES[0]);
    let group = account.object("auto-scaling-group", &group).unwrap();
    let tags = group["Tags"].as_array().unwrap();
    for (key, value) in [
        ("KubernetesCluster", CLUSTER),
        ("kubernetes.io/cluster/ha.example.com", "owned"),
        ("k8s.io/role/control-plane", "1"),
        ("k8s.io/role/master", "1"),
        ("kops.k8s.io/instancegroup", "control-plane-us-east-1a"),
    ] {
        let tag = tags.iter().find(|tag| tag["Key"] == key);
        let carried = tag.map(|tag| (&tag["Value"], &tag["PropagateAtLaunch"]));
        assert_eq!(carried, Some((&json!(value), &json!(true))), "{key}");
    }
    let etcd = account.objects("volume").map(|(_, it)| it).find(|volume| {
        crate::site::tag(volume, "Name").as_deref() == Some("us-east-1a.etcd-main.ha.example.com")
            || crate::site::tag(volume, "Name").as_deref() == Some("a.etcd-main.ha.example.com")
    });
    let etcd = etcd.unwrap();
    assert_eq!(crate::site::tag(etcd, "k8s.io/role/control-plane").as_deref(), Some("1"));
    let members = crate::site::tag(etcd, "k8s.io/etcd/main").unwrap();
    assert!(members.starts_with("a/a,b,c"), "{members}");
}

#[tokio::test]
async fn a_policy_of_a_control_plane_names_the_zone_that_was_looked_up() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    lab.apply(&graph(&cluster.files, &cluster)).await;
    let account = lab.moto.snapshot();
    let of = |role: &str| {
        let policy = account.object("iam-role-policy", &format!("{role}.{CLUSTER} {role}.{CLUSTER}"));
        policy.map(ToString::to_string)
    };
    let (zone, _) = account.objects("hosted-zone").find(|(_, it)| it["Name"] == "example.com.").unwrap();
    assert!(of("masters").unwrap().contains(&format!("hostedzone/{zone}")));
    assert!(!of("nodes").unwrap().contains("hostedzone"));
    assert_eq!(of("bastions"), None);
}

#[tokio::test]
async fn what_cannot_be_is_told_before_anything_is_made() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    lab.moto.forget_calls();
    let mut files = cluster.files.clone();
    files.instance_groups[0].spec.machine_type = Some("m99.huge".to_owned());
    files.instance_groups[1].spec.image = Some("ami-00000000".to_owned());
    let error = lab.engine.plan(&graph(&files, &cluster)).await.unwrap_err().to_string();
    for what in ["m99.huge", "ami-00000000"] {
        assert!(error.contains(what), "{error}");
    }
    assert!(lab.moto.calls().mutations(&[]).is_empty());
}

#[tokio::test]
async fn throttled_calls_are_made_again() {
    let cluster = cluster().await;
    let lab = &cluster.lab;
    lab.moto.inject(Fault::throttle("*").every(7));
    lab.try_apply(&graph(&cluster.files, &cluster)).await.unwrap();
    lab.moto.clear_faults();
    lab.assert_settled(&graph(&cluster.files, &cluster)).await;
    lab.delete().await;
}
