//! What controllers of a cluster have made goes with the cluster, and what others keep in its network is told.

use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::plan::Action;
use kops_moto::Moto;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab};
use crate::site::Site;

/// What a cloud controller, its successor and a disk driver tag theirs with.
fn owned() -> Value {
    json!([{ "Key": format!("kubernetes.io/cluster/{CLUSTER}"), "Value": "owned" }])
}

fn tagged(kind: &str, tags: &Value) -> Value {
    json!([{ "ResourceType": kind, "Tags": tags }])
}

fn id(document: &Value, pointer: &str) -> String {
    document
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {document}"))
        .to_owned()
}

/// The network and the first subnet of the cluster.
async fn place(lab: &Lab, graph: &TaskGraph) -> (String, String) {
    let subnet = format!("us-east-1a.{CLUSTER}");
    (lab.id(graph, "Vpc", CLUSTER).await, lab.id(graph, "Ec2Subnet", &subnet).await)
}

fn group(moto: &Moto, network: &str, name: &str, tags: &Value) -> String {
    let request = json!({ "GroupName": name, "Description": "a Service", "VpcId": network,
                          "TagSpecifications": tagged("security-group", tags) });
    id(&moto.boto("ec2", "create_security_group", request), "/GroupId")
}

fn classic(moto: &Moto, subnet: &str, group: &str, name: &str, tags: &Value) {
    let listener = json!({ "Protocol": "tcp", "LoadBalancerPort": 80, "InstanceProtocol": "tcp", "InstancePort": 30080 });
    let mut request = json!({ "LoadBalancerName": name, "Listeners": [listener], "Subnets": [subnet],
                              "SecurityGroups": [group] });
    if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
        request["Tags"] = tags.clone();
    }
    moto.boto("elb", "create_load_balancer", request);
}

#[tokio::test]
async fn what_controllers_made_is_shown_and_goes_with_the_cluster() {
    let lab = Lab::new().await;
    let mut site = Site::new();
    site.group(|_| {});
    let graph = site.build();
    lab.apply(&graph).await;
    let (network, subnet) = place(&lab, &graph).await;
    let moto = &lab.moto;

    // A Service by the cloud controller: its group may reach the nodes, and the nodes' group is reached from it.
    let service = group(moto, &network, "k8s-elb-a1b2", &owned());
    classic(moto, &subnet, &service, "a1b2", &owned());
    let nodes = lab.id(&graph, "SecurityGroup", &format!("nodes.{CLUSTER}")).await;
    let from = |group: &str| {
        json!([{ "IpProtocol": "tcp", "FromPort": 30000, "ToPort": 32767,
                                      "UserIdGroupPairs": [{ "GroupId": group }] }])
    };
    for (to, from) in [(&nodes, from(&service)), (&service, from(&nodes))] {
        let request = json!({ "GroupId": to, "IpPermissions": from });
        moto.boto("ec2", "authorize_security_group_ingress", request);
    }
    // One by the load balancer controller.
    let request =
        json!({ "Name": "k8s-web-0123456789", "Type": "network", "Subnets": [subnet], "Tags": owned() });
    moto.boto("elbv2", "create_load_balancer", request);
    let request = json!({ "Name": "k8s-web-targets", "Protocol": "TCP", "Port": 80, "VpcId": network, "Tags": owned() });
    moto.boto("elbv2", "create_target_group", request);
    // A claim, an address, an interface.
    let request = json!({ "AvailabilityZone": "us-east-1a", "Size": 10,
                          "TagSpecifications": tagged("volume", &owned()) });
    moto.boto("ec2", "create_volume", request);
    let request = json!({ "Domain": "vpc", "TagSpecifications": tagged("elastic-ip", &owned()) });
    moto.boto("ec2", "allocate_address", request);
    let request = json!({ "SubnetId": subnet, "TagSpecifications": tagged("network-interface", &owned()) });
    moto.boto("ec2", "create_network_interface", request);

    // Nothing of it matters while the cluster lives.
    assert_eq!(lab.changes(&graph).await, Vec::<String>::new());
    let plan = lab.engine.plan(&TaskGraph::default()).await.unwrap();
    let made: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.reason.as_deref() == Some("created by a controller of the cluster"))
        .inspect(|change| assert_eq!(change.action, Action::Delete))
        .map(|change| change.task.kind())
        .collect();
    for kind in [
        "ClassicLoadBalancer",
        "NetworkLoadBalancer",
        "TargetGroup",
        "SecurityGroup",
        "EbsVolume",
        "ElasticIp",
        "NetworkInterface",
    ] {
        assert_eq!(made.iter().filter(|it| **it == kind).count(), 1, "{kind}: {made:?}");
    }
    lab.delete().await;
}

#[tokio::test]
async fn what_is_shared_or_another_clusters_stays() {
    let lab = Lab::new().await;
    let graph = Site::new().build();
    lab.apply(&graph).await;
    let moto = &lab.moto;
    // Elsewhere, since whatever is in the network would stand in the way.
    let network = id(&moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "10.8.0.0/16" })), "/Vpc/VpcId");
    let request = json!({ "VpcId": network, "CidrBlock": "10.8.0.0/24", "AvailabilityZone": "us-east-1a" });
    let subnet = id(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId");
    for (number, (cluster, value)) in [
        (CLUSTER.to_owned(), "shared"),
        (format!("{CLUSTER}.au"), "owned"),
        (format!("big-{CLUSTER}"), "owned"),
        (format!("b.{CLUSTER}"), "owned"),
    ]
    .into_iter()
    .enumerate()
    {
        let tags = json!([{ "Key": format!("kubernetes.io/cluster/{cluster}"), "Value": value }]);
        let group = group(moto, &network, &format!("k8s-elb-{number}"), &tags);
        classic(moto, &subnet, &group, &format!("a{number}"), &tags);
        let request = json!({ "AvailabilityZone": "us-east-1a", "Size": 10,
                              "TagSpecifications": tagged("volume", &tags) });
        moto.boto("ec2", "create_volume", request);
        let request = json!({ "Name": format!("k8s-web-{number}"), "Protocol": "TCP", "Port": 80,
                              "VpcId": network, "Tags": tags });
        moto.boto("elbv2", "create_target_group", request);
    }
    let before = moto.snapshot();
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    let lost = before.lost_in(&moto.snapshot());
    assert!(lost.iter().all(|object| !object.contains("k8s-") && !object.contains("10.8.0")), "{lost:?}");
    let balancers = moto.boto("elb", "describe_load_balancers", json!({}));
    assert_eq!(balancers["LoadBalancerDescriptions"].as_array().unwrap().len(), 4);
    assert_eq!(lab.before.lost_in(&moto.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_before_anything_is_deleted() {
    let lab = Lab::new().await;
    let graph = Site::new().build();
    lab.apply(&graph).await;
    let (network, subnet) = place(&lab, &graph).await;
    let moto = &lab.moto;
    let theirs = group(moto, &network, "theirs", &json!([{ "Key": "Name", "Value": "theirs" }]));
    classic(moto, &subnet, &theirs, "their-balancer", &json!([]));
    let request = json!({ "SubnetId": subnet, "Description": "their database" });
    moto.boto("ec2", "create_network_interface", request);
    let request = json!({ "VpcId": network, "CidrBlock": "172.20.9.0/24", "AvailabilityZone": "us-east-1c" });
    let their_subnet = id(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId");

    moto.forget_calls();
    let error = lab.engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation, "{error}");
    let text = error.to_string();
    for what in [theirs.as_str(), "their-balancer", "their database", their_subnet.as_str()] {
        assert!(text.contains(what), "{what}: {text}");
    }
    assert!(moto.calls().mutations(&[]).is_empty());
}
