//! Networks that people bring: what the specification leaves open is looked up, and what it says is compared.

use kops_moto::Moto;
use serde_json::{Value, json};

use super::account::HA;
use crate::clouds::account::Account;
use crate::common::changes;

/// A network of somebody else's, whose first half is in use: a subnet in us-east-1a, another in us-east-1b.
struct Theirs {
    account: Account<Moto>,
    network: String,
    a: String,
    b: String,
}

fn text(document: &Value, pointer: &str) -> String {
    document.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

impl Theirs {
    fn new() -> Self {
        let account = Account::<Moto>::new().unwrap();
        let make = |call: &str, request: Value| account.cloud.boto("ec2", call, request);
        let network = text(&make("create_vpc", json!({ "CidrBlock": "172.20.0.0/16" })), "/Vpc/VpcId");
        let subnet = |zone: &str, cidr: &str| {
            let request = json!({ "VpcId": network, "CidrBlock": cidr, "AvailabilityZone": zone });
            text(&make("create_subnet", request), "/Subnet/SubnetId")
        };
        let (a, b) = (subnet("us-east-1a", "172.20.0.0/18"), subnet("us-east-1b", "172.20.64.0/18"));
        let gateway = make("create_internet_gateway", json!({}));
        let gateway = text(&gateway, "/InternetGateway/InternetGatewayId");
        make("attach_internet_gateway", json!({ "InternetGatewayId": gateway, "VpcId": network }));
        Self { account, network, a, b }
    }
}

/// Arguments that make a cluster in us-east-1a.
fn create<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["create", "cluster", HA, "--cloud=aws", "--zones=us-east-1a", "--dns=none"];
    [&usual[..], more].concat()
}

#[test]
fn ranges_of_existing_networks_are_looked_up() {
    let it = Theirs::new();
    let desk = &it.account.desk;
    let internal = "--api-loadbalancer-type=internal";
    let (network, subnet) = (format!("--network-id={}", it.network), format!("--subnets={}", it.a));
    desk.ok(&create(&[&network, internal]));
    let written = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    assert!(written.contains("networkCIDR: 172.20.0.0/16"), "{written}");
    assert!(written.contains("cidr: 172.20.128.0/17"), "{written}");
    desk.ok(&["delete", "cluster", HA, "--unregister", "--yes"]);

    // The network of an existing subnet is looked up, too.
    desk.ok(&create(&[&subnet, internal]));
    let written = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    assert!(written.contains(&format!("networkID: {}", it.network)), "{written}");
    desk.ok(&["delete", "cluster", HA, "--unregister", "--yes"]);

    // What is printed without a look at the cloud needs both.
    let error = desk.fails(&create(&[&subnet, "--dry-run", "-o", "yaml"]));
    assert!(error.contains("--network-id: existing subnets require an existing network"), "{error}");
    let error = desk.fails(&create(&["--network-id=vpc-0123456789abcdef0"]));
    assert!(error.contains("there is no VPC vpc-0123456789abcdef0"), "{error}");
}

#[test]
fn zones_of_existing_subnets_are_looked_up_or_compared() {
    let it = Theirs::new();
    let desk = &it.account.desk;
    let (network, subnets) = (format!("--network-id={}", it.network), format!("--subnets={},{}", it.a, it.b));
    let zones = "--zones=us-east-1a,us-east-1b";
    let create = ["create", "cluster", HA, "--cloud=aws", zones, "--dns=none", &network, &subnets];
    desk.ok(&[&create[..], &["--api-loadbalancer-type=internal"]].concat());
    let planned = changes(&desk.plan(HA, &[]));

    let written = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    let without = written.replace("    zone: us-east-1b\n", "");
    assert_ne!(without, written);
    desk.ok(&["replace", "-f", &desk.write("cluster.yaml", &without)]);
    let kept = desk.ok(&["get", "cluster", HA, "-o", "yaml"]);
    assert!(!kept.contains("zone: us-east-1b"), "it stays open: {kept}");
    assert_eq!(changes(&desk.plan(HA, &[])), planned);

    let wrong = written.replace("zone: us-east-1b", "zone: us-east-1c");
    desk.ok(&["replace", "-f", &desk.write("cluster.yaml", &wrong)]);
    let error = desk.fails(&["update", "cluster", HA, "--yes"]);
    let told = format!("the zone of {} is us-east-1b, but spec.subnets[1].zone is us-east-1c", it.b);
    assert!(error.contains(&told), "{error}");
}
