//! What is changed by hand is found, shown as what it is, and mended; what others add is left alone.

use serde_json::{Value, json};

use crate::lab::{CLUSTER, INTERNAL, Lab, ZONES, ha};

/// A change by hand: the call with its arguments, and what the next plan has to say.
struct Change {
    call: &'static str,
    arguments: Value,
    plan: Vec<String>,
}

fn change(call: &'static str, arguments: Value, plan: &[&str]) -> Change {
    Change { call, arguments, plan: plan.iter().map(|line| (*line).to_owned()).collect() }
}

#[tokio::test]
async fn changes_by_hand_are_found_and_mended() {
    let lab = Lab::new().await;
    let graph = ha().build().unwrap();
    lab.apply(&graph).await;
    let zone = format!("{}.{CLUSTER}", ZONES[0]);
    let vpc = lab.id(&graph, "Vpc", CLUSTER).await;
    let subnet = lab.id(&graph, "Ec2Subnet", &zone).await;
    let door = lab.id(&graph, "Ec2InternetGateway", CLUSTER).await;
    let private = lab.id(&graph, "RouteTable", &format!("private-{zone}")).await;
    let public = lab.id(&graph, "RouteTable", CLUSTER).await;
    let masters = lab.id(&graph, "SecurityGroup", &format!("masters.{CLUSTER}")).await;
    let association = lab.id(&graph, "RouteTableAssociation", &zone).await;
    let ssh = |cidr: &str| json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{ "CidrIp": cidr }] }]);
    let bastion = lab.id(&graph, "SecurityGroup", &format!("bastion.{CLUSTER}")).await;
    let all = json!([{ "IpProtocol": "-1", "UserIdGroupPairs": [{ "GroupId": masters }] }]);
    let changes = [
        change(
            "modify_vpc_attribute",
            json!({ "VpcId": vpc, "EnableDnsHostnames": { "Value": false } }),
            &["update Vpc/ha.example.com: dns_hostnames"],
        ),
        change(
            "associate_dhcp_options",
            json!({ "VpcId": vpc, "DhcpOptionsId": "default" }),
            &["create DhcpOptionsAssociation/ha.example.com"],
        ),
        change(
            "detach_internet_gateway",
            json!({ "VpcId": vpc, "InternetGatewayId": door }),
            &["update Ec2InternetGateway/ha.example.com: vpc"],
        ),
        change(
            "modify_subnet_attribute",
            json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": true } }),
            &["update Ec2Subnet/us-east-1a.ha.example.com: map_public_ip"],
        ),
        change(
            "create_tags",
            json!({ "Resources": [subnet], "Tags": [{ "Key": INTERNAL, "Value": "0" }] }),
            &["update Ec2Subnet/us-east-1a.ha.example.com: tags.kubernetes.io/role/internal-elb"],
        ),
        change(
            "delete_tags",
            json!({ "Resources": [private], "Tags": [{ "Key": "kubernetes.io/kops/role" }] }),
            &["update RouteTable/private-us-east-1a.ha.example.com: tags.kubernetes.io/kops/role"],
        ),
        change(
            "replace_route",
            json!({ "RouteTableId": private, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": door }),
            &["update Route/private-us-east-1a.ha.example.com:0.0.0.0/0: target.NatGateway"],
        ),
        change(
            "delete_route",
            json!({ "RouteTableId": private, "DestinationCidrBlock": "0.0.0.0/0" }),
            &["create Route/private-us-east-1a.ha.example.com:0.0.0.0/0"],
        ),
        change(
            "replace_route_table_association",
            json!({ "AssociationId": association, "RouteTableId": public }),
            &["update RouteTableAssociation/us-east-1a.ha.example.com: table"],
        ),
        change(
            "revoke_security_group_ingress",
            json!({ "GroupId": masters, "IpPermissions": all }),
            &["update SecurityGroupRules/masters.ha.example.com: rules"],
        ),
        change(
            "revoke_security_group_ingress",
            json!({ "GroupId": bastion, "IpPermissions": ssh("0.0.0.0/0") }),
            &["update SecurityGroupRules/bastion.ha.example.com: rules"],
        ),
        // Somebody else's rules and routes, as the cloud controller adds them.
        change(
            "authorize_security_group_ingress",
            json!({ "GroupId": masters, "IpPermissions": ssh("192.0.2.0/24") }),
            &[],
        ),
        change(
            "create_route",
            json!({ "RouteTableId": private, "DestinationCidrBlock": "100.96.1.0/24", "GatewayId": door }),
            &[],
        ),
        // Another name for people; and a tag of others.
        change(
            "create_tags",
            json!({ "Resources": [subnet], "Tags": [{ "Key": "Name", "Value": "mine" }, { "Key": "x", "Value": "y" }] }),
            &[],
        ),
    ];
    for Change { call, arguments, plan } in changes {
        lab.moto.boto("ec2", call, arguments.clone());
        assert_eq!(lab.changes(&graph).await, plan, "{call} {arguments}");
        if !plan.is_empty() {
            lab.apply(&graph).await;
        }
    }
    let account = lab.moto.snapshot();
    assert!(account.object("route", &format!("{private} 100.96.1.0/24")).is_some(), "a route of others");
    assert!(account.object("security-group", &masters).unwrap().to_string().contains("192.0.2.0/24"));
    lab.delete().await;
}

#[tokio::test]
async fn what_was_deleted_by_hand_comes_again() {
    let lab = Lab::new().await;
    let graph = ha().build().unwrap();
    lab.apply(&graph).await;
    let zone = format!("{}.{CLUSTER}", ZONES[2]);
    let gateway = lab.id(&graph, "Ec2NatGateway", &zone).await;
    lab.moto.boto("ec2", "delete_nat_gateway", json!({ "NatGatewayId": gateway }));
    let expected = [
        "create Ec2NatGateway/us-east-1c.ha.example.com",
        "update Route/private-us-east-1c.ha.example.com:0.0.0.0/0: target.NatGateway",
    ];
    assert_eq!(lab.changes(&graph).await, expected);
    lab.apply(&graph).await;
    // The same task, the same content, and yet not the token that means the gateway that is gone.
    assert_ne!(lab.id(&graph, "Ec2NatGateway", &zone).await, gateway);
    lab.delete().await;
}
