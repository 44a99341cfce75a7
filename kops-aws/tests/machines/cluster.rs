//! Clusters as users specify them.

use kops_aws::Aws;
use kops_core::Engine;
use kops_core::cluster::{
    ClusterFiles, DnsType, LoadBalancerType, NewCluster, SshCredential, TopologyKind, new_cluster, plan_graph,
};
use kops_core::graph::TaskGraph;
use kops_moto::Moto;
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES, connect};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk";

/// An image that the emulator knows.
pub(crate) fn image(moto: &Moto) -> String {
    let images = moto.boto("ec2", "describe_images", json!({ "Owners": ["amazon"] }));
    images["Images"][0]["ImageId"].as_str().unwrap().to_owned()
}

/// A highly available cluster: three control planes and three groups of nodes in private subnets of three
/// zones, a bastion, a public load balancer, and names in a public zone.
pub(crate) fn ha(moto: &Moto) -> ClusterFiles {
    let options = NewCluster {
        name: CLUSTER.to_owned(),
        cloud: "aws".to_owned(),
        zones: ZONES.map(str::to_owned).to_vec(),
        control_plane_count: Some(3),
        control_plane_size: Some("m5.large".to_owned()),
        node_size: Some("m5.large".to_owned()),
        image: Some(image(moto)),
        topology: TopologyKind::Private,
        bastion: true,
        api_load_balancer: Some(LoadBalancerType::Public),
        dns: DnsType::Public,
        dns_zone: Some("example.com".to_owned()),
        ..NewCluster::default()
    };
    let (cluster, instance_groups) = new_cluster(&options).unwrap_or_else(|problems| panic!("{problems}"));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    ClusterFiles { cluster, instance_groups, ssh_keys: vec![key] }
}

pub(crate) fn graph(files: &ClusterFiles, aws: &Aws) -> TaskGraph {
    plan_graph(files, aws).unwrap_or_else(|problems| panic!("{problems}")).graph
}

#[tokio::test]
async fn a_cluster_comes_settles_and_goes() {
    let moto = Moto::start();
    moto.create_zone("example.com");
    moto.seed_foreign(CLUSTER);
    let before = moto.snapshot();
    let aws = connect(&moto).await;
    let files = ha(&moto);
    let scope = plan_graph(&files, &*aws).unwrap_or_else(|problems| panic!("{problems}")).scope;
    let graph = graph(&files, &aws);
    let lab = Lab { engine: Engine::new(aws, scope), moto, before };
    lab.moto.forget_calls();
    lab.try_apply(&graph).await.unwrap();
    let calls = lab.moto.calls();
    assert!(calls.total() <= 250, "{} {:#?}", calls.total(), calls.by_action());
    lab.assert_settled(&graph).await;
    let calls = lab.moto.calls();
    assert!(calls.total() <= 45, "{} {:#?}", calls.total(), calls.by_action());
    lab.delete().await;
}
