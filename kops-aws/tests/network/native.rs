//! AWS's own kinds in a graph: what no agnostic kind has, and what a cluster rarely does.

use kops_aws::kinds::{EgressOnlyInternetGateway, Route, RouteTable, RouteTarget, Vpc};
use kops_core::ErrorKind;
use kops_core::graph::{Handle, Setting, TaskGraph};
use kops_core::resource::{
    Egress, Firewall, FirewallRule, FirewallRules, InternetGateway, Network, Peer, Route as Way, Subnet,
};
use kops_moto::Fault;
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES, small};
use crate::whole::boto_id;

#[tokio::test]
async fn native_tasks_pass_through() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    let mut vpc = Vpc::new("10.1.0.0/16".parse().unwrap());
    vpc.tags.insert("team".to_owned(), "a".to_owned());
    let vpc = graph.add("one", vpc);
    let table = graph.add("one", RouteTable { vpc: vpc.id(), tags: [].into() });
    let door = graph.add("one", EgressOnlyInternetGateway { vpc: vpc.id(), tags: [].into() });
    let route = Route {
        table: table.id(),
        destination: "2001:db8::/32".parse().unwrap(),
        target: RouteTarget::EgressOnlyInternetGateway(door.id()),
    };
    // A name of one's own choice.
    graph.add("documentation", route);
    let graph = graph.build().unwrap();
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn ipv6_ranges_come_and_go() {
    let lab = Lab::new().await;
    let network = |ipv6| {
        let mut graph = TaskGraph::builder();
        graph.add(CLUSTER, Network::new(["10.1.0.0/16".parse().unwrap()]).ipv6(ipv6));
        graph.build().unwrap()
    };
    lab.apply(&network(false)).await;
    let expected = ["update Vpc/ha.example.com: ipv6", "create EgressOnlyInternetGateway/ha.example.com"];
    assert_eq!(lab.changes(&network(true)).await, expected);
    lab.apply(&network(true)).await;
    lab.apply(&network(false)).await;
    lab.apply(&network(true)).await;
    lab.delete().await;
}

#[tokio::test]
async fn further_ranges_come_and_go() {
    let lab = Lab::new().await;
    let network = |cidrs: &[&str]| {
        let mut graph = TaskGraph::builder();
        let cidrs = cidrs.iter().map(|cidr| cidr.parse().unwrap());
        graph.add(CLUSTER, Network::new(cidrs));
        graph.build().unwrap()
    };
    lab.apply(&network(&["10.1.0.0/16", "10.2.0.0/16"])).await;
    let expected =
        ["create VpcCidrBlock/ha.example.com:10.3.0.0/16", "delete VpcCidrBlock/ha.example.com:10.2.0.0/16"];
    let other = network(&["10.1.0.0/16", "10.3.0.0/16"]);
    assert_eq!(lab.changes(&other).await, expected);
    lab.apply(&other).await;
    // The first one cannot be changed, and everything lives in it.
    let error = lab.engine.plan(&network(&["10.9.0.0/16"])).await.unwrap_err();
    assert!(error.to_string().contains("cidr"), "{error}");
    lab.delete().await;
}

#[tokio::test]
async fn routes_to_elsewhere_come_and_go() {
    let lab = Lab::new().await;
    let other = boto_id(&lab.moto, "create_vpc", json!({ "CidrBlock": "10.8.0.0/16" }), "Vpc");
    lab.apply(&small().build().unwrap()).await;
    let vpc = lab.id(&small().build().unwrap(), "Vpc", CLUSTER).await;
    let peering =
        lab.moto.boto("ec2", "create_vpc_peering_connection", json!({ "VpcId": vpc, "PeerVpcId": other }));
    let peering = &peering["VpcPeeringConnection"]["VpcPeeringConnectionId"];
    let way = Way::new("10.8.0.0/16".parse().unwrap(), peering.as_str().unwrap());
    let with_route = || {
        let mut graph = small();
        let network = Handle::<Network>::named(CLUSTER);
        let subnet =
            Subnet::new(network.id(), "172.20.9.0/24".parse().unwrap()).zone(ZONES[1]).routes([way.clone()]);
        graph.add(&format!("peered.{CLUSTER}"), subnet);
        graph.build().unwrap()
    };
    let without_route = || {
        let mut graph = small();
        let network = Handle::<Network>::named(CLUSTER);
        let door = Handle::<InternetGateway>::named(CLUSTER);
        let subnet = Subnet::new(network.id(), "172.20.9.0/24".parse().unwrap()).zone(ZONES[1]);
        let subnet = subnet.egress(Egress::Internet(door.id()));
        graph.add(&format!("peered.{CLUSTER}"), subnet);
        graph.build().unwrap()
    };
    lab.apply(&with_route()).await;
    let account = lab.moto.snapshot();
    assert!(account.objects("route").any(|(_, it)| it["VpcPeeringConnectionId"] == *peering));
    // The route is known as ours although no task wants it any more.
    let changes = lab.changes(&without_route()).await;
    assert!(
        changes.contains(&"delete Route/private-peered.ha.example.com:10.8.0.0/16".to_owned()),
        "{changes:?}"
    );
    lab.apply(&without_route()).await;
    lab.moto.boto("ec2", "delete_vpc_peering_connection", json!({ "VpcPeeringConnectionId": peering }));
    lab.try_apply(&TaskGraph::default()).await.unwrap();
}

#[tokio::test]
async fn rules_of_all_forms_are_seen_as_they_were_made() {
    let lab = Lab::new().await;
    let mut graph = small();
    let network = Handle::<Network>::named(CLUSTER);
    let group = graph.add("g", Firewall::new(network.id(), "all forms"));
    let cidr = |text: &str| Peer::Cidr(text.parse().unwrap());
    let list = lab.moto.boto(
        "ec2",
        "create_managed_prefix_list",
        json!({ "PrefixListName": "x", "MaxEntries": 1, "AddressFamily": "IPv4",
                "Entries": [{ "Cidr": "192.0.2.0/24" }] }),
    );
    let list = list["PrefixList"]["PrefixListId"].as_str().unwrap().to_owned();
    let rules = vec![
        FirewallRule::tcp(443, cidr("10.1.2.3/8")),
        FirewallRule::tcp_range(0, 65535, cidr("192.0.2.0/24")),
        FirewallRule::udp_range(8472, 8472, Peer::Group(group.id())),
        FirewallRule::packet_too_big(cidr("0.0.0.0/0")),
        FirewallRule::packet_too_big(cidr("::/0")),
        FirewallRule::protocol(kops_core::resource::Protocol::Number(4), Peer::Group(group.id())),
        FirewallRule::tcp(22, cidr("2001:db8::/32")),
        FirewallRule::tcp(22, Peer::PrefixList(list)),
    ];
    graph.add("g", FirewallRules::new(group.id(), rules));
    let graph = graph.build().unwrap();
    lab.try_apply(&graph).await.unwrap();
    let plan = lab.engine.plan(&graph).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    // Nothing is let out: the graph does not say so.
    let account = lab.moto.snapshot();
    let made: Vec<_> = account.objects("security-group").filter(|(_, it)| it["GroupName"] == "g").collect();
    assert_eq!(made[0].1["IpPermissionsEgress"], json!([]));
    assert_eq!(lab.moto.calls().count("ec2:AuthorizeSecurityGroupIngress"), 1);
}

#[tokio::test]
async fn a_group_without_rules_of_ours_is_left_as_it_comes() {
    let lab = Lab::new().await;
    let mut graph = small();
    let network = Handle::<Network>::named(CLUSTER);
    graph.add("g", Firewall::new(network.id(), "bare"));
    let graph = graph.build().unwrap();
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn what_aws_refuses_is_told_as_it_is() {
    for (call, code, kind) in [
        ("ec2:CreateVpc", "VpcLimitExceeded", ErrorKind::Quota),
        ("ec2:CreateSubnet", "InvalidSubnet.Conflict", ErrorKind::Conflict),
        ("ec2:CreateSubnet", "InvalidSubnet.Range", ErrorKind::Invalid),
        ("ec2:CreateSecurityGroup", "UnauthorizedOperation", ErrorKind::Denied),
    ] {
        let lab = Lab::new().await;
        lab.moto.inject(Fault::fail(call, code, 400));
        let mut graph = small();
        let network = Handle::<Network>::named(CLUSTER);
        graph.add("g", Firewall::new(network.id(), "x"));
        let error = lab.try_apply(&graph.build().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(lab.moto.calls().count(call), 1, "{code} was repeated");
    }
}

#[tokio::test]
async fn settings_that_are_not_managed_are_left_alone() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    graph.add("one", Vpc::new("10.1.0.0/16".parse().unwrap()));
    let graph = graph.build().unwrap();
    lab.apply(&graph).await;
    let vpc = lab.id(&graph, "Vpc", "one").await;
    let value = json!({ "VpcId": vpc, "EnableDnsSupport": { "Value": false } });
    lab.moto.boto("ec2", "modify_vpc_attribute", value);
    assert_eq!(lab.changes(&graph).await, Vec::<String>::new());
    let mut graph = TaskGraph::builder();
    let vpc = Vpc { dns_support: Setting::To(true), ..Vpc::new("10.1.0.0/16".parse().unwrap()) };
    graph.add("one", vpc);
    assert_eq!(lab.changes(&graph.build().unwrap()).await, ["update Vpc/one: dns_support"]);
    lab.delete().await;
}

/// A VPC that somebody made is adopted with its tags; one of another cluster is not.
#[tokio::test]
async fn what_nobody_owns_is_adopted() {
    let lab = Lab::new().await;
    let make = |tags: serde_json::Value| {
        let tags = json!([{ "ResourceType": "vpc", "Tags": tags }]);
        let arguments = json!({ "CidrBlock": "10.9.0.0/16", "TagSpecifications": tags });
        boto_id(&lab.moto, "create_vpc", arguments, "Vpc")
    };
    let (free, theirs) = (
        make(json!([{ "Key": "team", "Value": "a" }])),
        make(json!([{ "Key": "KubernetesCluster", "Value": "theirs.example.com" }])),
    );
    let adopting = |id: &str| {
        let mut graph = TaskGraph::builder();
        graph.adopt(CLUSTER, Network::new(["10.9.0.0/16".parse().unwrap()]), id);
        graph.build().unwrap()
    };
    let error = lab.engine.plan(&adopting(&theirs)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("it belongs to scope theirs.example.com"), "{error}");
    lab.try_apply(&adopting(&free)).await.unwrap();
    assert_eq!(lab.changes(&adopting(&free)).await, Vec::<String>::new());
    let vpcs = lab.moto.boto("ec2", "describe_vpcs", json!({ "VpcIds": [free] }));
    assert!(vpcs.to_string().contains("\"team\""), "{vpcs}");
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    let account = lab.moto.snapshot();
    let left: Vec<_> = account.objects("vpc").filter(|(_, it)| it["CidrBlock"] == "10.9.0.0/16").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
