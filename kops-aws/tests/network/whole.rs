//! The whole network of a cluster.

use kops_core::graph::TaskGraph;
use kops_core::resource::{Address, FirewallRules, InternetGateway, NatGateway, Network, Subnet};
use kops_moto::Moto;
use serde_json::json;

use crate::lab::{CLUSTER, INTERNAL, Lab, PUBLIC, ZONES, ha, small};

#[tokio::test]
async fn a_network_comes_settles_and_goes() {
    let lab = Lab::new().await;
    let graph = ha().build().unwrap();
    lab.moto.forget_calls();
    lab.try_apply(&graph).await.unwrap();
    let calls = lab.moto.calls();
    // One creating call for each object, and one for what it cannot set: attributes of the VPC, a gateway's
    // attachment, two attributes of each subnet, rules by direction; the rest is looking.
    let by_action = calls.by_action();
    assert_eq!(calls.mutations(&[]).len(), 53, "{by_action:#?}");
    assert!(calls.total() <= 53 + 23 + 3, "{by_action:#?}");

    lab.assert_settled(&graph).await;
    let calls = lab.moto.calls();
    assert!(calls.total() <= 23, "{:#?}", calls.by_action());

    lab.delete().await;
}

#[tokio::test]
async fn names_tags_and_attributes_are_those_of_kops() {
    let lab = Lab::new().await;
    lab.apply(&ha().build().unwrap()).await;
    let account = lab.moto.snapshot();
    let ours = |kind: &str, name: &str| {
        let tagged = |it: &serde_json::Value| {
            let tags = it["Tags"].as_array().cloned().unwrap_or_default();
            let has = |key: &str, value: &str| tags.contains(&json!({ "Key": key, "Value": value }));
            has("Name", name)
                && has("KubernetesCluster", CLUSTER)
                && has("kubernetes.io/cluster/ha.example.com", "owned")
        };
        let found: Vec<_> =
            account.objects(kind).map(|(_, it)| it).filter(|it| tagged(it)).cloned().collect();
        assert_eq!(found.len(), 1, "{kind} {name}");
        found[0].clone()
    };
    let tag = |object: &serde_json::Value, key: &str| {
        let tags = object["Tags"].as_array().cloned().unwrap_or_default();
        tags.iter().find(|it| it["Key"] == key).map(|it| it["Value"].as_str().unwrap().to_owned())
    };
    ours("vpc", CLUSTER);
    ours("internet-gateway", CLUSTER);
    let options = ours("dhcp-options", CLUSTER);
    assert!(options.to_string().contains("ec2.internal"), "{options}");
    assert_eq!(tag(&ours("route-table", CLUSTER), "kubernetes.io/kops/role").as_deref(), Some("public"));
    for zone in ZONES {
        let private = ours("route-table", &format!("private-{zone}.{CLUSTER}"));
        let role = tag(&private, "kubernetes.io/kops/role");
        assert_eq!(role, Some(format!("private-{zone}")));
        ours("address", &format!("{zone}.{CLUSTER}"));
        ours("nat-gateway", &format!("{zone}.{CLUSTER}"));
        let private = ours("subnet", &format!("{zone}.{CLUSTER}"));
        assert_eq!(tag(&private, INTERNAL).as_deref(), Some("1"));
        assert_eq!(tag(&private, PUBLIC), None);
        assert_eq!(private["AvailabilityZone"], zone);
        let names = &private["PrivateDnsNameOptionsOnLaunch"];
        assert_eq!(names["HostnameType"], "resource-name");
        assert_eq!(names["EnableResourceNameDnsARecord"], true);
        let utility = ours("subnet", &format!("utility-{zone}.{CLUSTER}"));
        assert_eq!(tag(&utility, PUBLIC).as_deref(), Some("1"));
        assert_eq!(tag(&utility, INTERNAL), None);
    }
    for role in ["masters", "nodes", "bastion"] {
        assert_eq!(
            ours("security-group", &format!("{role}.{CLUSTER}"))["GroupName"],
            format!("{role}.{CLUSTER}")
        );
    }
    lab.delete().await;
}

#[tokio::test]
async fn what_is_shared_is_used_and_not_touched() {
    let lab = Lab::new().await;
    let vpc = boto_id(&lab.moto, "create_vpc", json!({ "CidrBlock": "10.7.0.0/16" }), "Vpc");
    let door = boto_id(&lab.moto, "create_internet_gateway", json!({}), "InternetGateway");
    let attachment = json!({ "InternetGatewayId": door, "VpcId": vpc });
    lab.moto.boto("ec2", "attach_internet_gateway", attachment);
    let arguments = json!({ "VpcId": vpc, "CidrBlock": "10.7.0.0/24", "AvailabilityZone": ZONES[0] });
    let theirs = boto_id(&lab.moto, "create_subnet", arguments, "Subnet");
    let before = lab.moto.snapshot();

    let mut graph = TaskGraph::builder();
    let network = graph.share::<Network>(CLUSTER, &vpc);
    // A network has one gateway, so its identifier selects the gateway.
    let gateway = graph.share::<InternetGateway>(CLUSTER, &vpc);
    let shared = graph.share::<Subnet>(&format!("utility.{CLUSTER}"), &theirs);
    let subnet =
        Subnet::new(network.id(), "10.7.1.0/24".parse().unwrap()).zone(ZONES[1]).public(gateway.id());
    graph.add(&format!("public.{CLUSTER}"), subnet);
    let address = graph.add(CLUSTER, Address::new());
    let nat = NatGateway::new(network.id(), address.id()).subnet(shared.id());
    let nat = graph.add(CLUSTER, nat);
    let subnet = Subnet::new(network.id(), "10.7.2.0/24".parse().unwrap()).zone(ZONES[1]).behind(nat.id());
    graph.add(&format!("private.{CLUSTER}"), subnet);
    let graph = graph.build().unwrap();

    lab.try_apply(&graph).await.unwrap();
    assert_eq!(lab.changes(&graph).await, Vec::<String>::new());
    let after = lab.moto.snapshot();
    // A network ACL lists the subnets of its VPC, new ones too.
    let lost: Vec<_> =
        before.lost_in(&after).into_iter().filter(|line| !line.starts_with("~ network-acl")).collect();
    assert_eq!(lost, Vec::<String>::new());
    assert!(after.objects("route").any(|(_, route)| route["GatewayId"] == door.as_str()));
    assert_eq!(after.names("vpc"), before.names("vpc"));
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    assert_eq!(before.diff(&lab.moto.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_shared_network_that_is_not_there_is_told_before_anything_is_made() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    let network = graph.share::<Network>(CLUSTER, "vpc-0123456789abcdef0");
    graph.add("a", Subnet::new(network.id(), "10.7.1.0/24".parse().unwrap()).zone("us-east-9z"));
    let graph = graph.build().unwrap();
    let error = lab.engine.plan(&graph).await.unwrap_err().to_string();
    assert!(error.contains("vpc-0123456789abcdef0") && error.contains("us-east-9z"), "{error}");
    assert_eq!(lab.before.diff(&lab.moto.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_subnet_more_and_one_less_are_just_that() {
    let lab = Lab::new().await;
    lab.apply(&small().build().unwrap()).await;
    let mut graph = small();
    let network = kops_core::graph::Handle::<Network>::named(CLUSTER);
    let door = kops_core::graph::Handle::<InternetGateway>::named(CLUSTER);
    let name = format!("{}.{CLUSTER}", ZONES[1]);
    let subnet = Subnet::new(network.id(), "172.20.1.0/24".parse().unwrap()).zone(ZONES[1]).public(door.id());
    graph.add(&name, subnet);
    let larger = graph.build().unwrap();
    let expected = [format!("create Ec2Subnet/{name}"), format!("create RouteTableAssociation/{name}")];
    assert_eq!(lab.changes(&larger).await, expected);
    lab.apply(&larger).await;
    let expected = [format!("delete RouteTableAssociation/{name}"), format!("delete Ec2Subnet/{name}")];
    let mut changes = lab.changes(&small().build().unwrap()).await;
    changes.sort();
    let mut sorted = expected.to_vec();
    sorted.sort();
    assert_eq!(changes, sorted);
    lab.apply(&small().build().unwrap()).await;
    lab.delete().await;
}

#[tokio::test]
async fn rules_of_a_shared_group_are_refused() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    let group = graph.share("theirs", "sg-1");
    graph.add("theirs", FirewallRules::new(group.id(), []));
    let error = lab.engine.plan(&graph.build().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), kops_core::ErrorKind::Unsupported);
    assert!(error.to_string().contains("FirewallRules/theirs"), "{error}");
}

pub(crate) fn boto_id(moto: &Moto, call: &str, arguments: serde_json::Value, what: &str) -> String {
    moto.boto("ec2", call, arguments)[what][format!("{what}Id")].as_str().unwrap().to_owned()
}
