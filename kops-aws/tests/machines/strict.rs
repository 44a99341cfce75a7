//! What the emulator refuses although moto does not (`moto/server/strict.py`), by AWS' own codes: without it, tests of
//! what is refused when planning, or waited for when deleting, would pass whatever the code did.

use kops_moto::{IMAGE, Moto};
use serde_json::{Value, json};

/// Asserts that a call is refused with a code, and gives the message.
fn refused(moto: &Moto, service: &str, call: &str, arguments: Value, code: &str) -> String {
    let (actual, message) = moto.boto_refused(service, call, arguments);
    assert_eq!(actual, code, "{service}.{call}: {message}");
    message
}

fn id(answer: &Value, pointer: &str) -> String {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{pointer} in {answer}")).to_owned()
}

/// A network and a subnet of it.
fn network(moto: &Moto) -> (String, String) {
    let network = id(&moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "10.8.0.0/16" })), "/Vpc/VpcId");
    let request = json!({ "VpcId": network, "CidrBlock": "10.8.0.0/20" });
    let subnet = id(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId");
    (network, subnet)
}

fn security_group(moto: &Moto, network: &str, name: &str) -> String {
    let request = json!({ "GroupName": name, "Description": name, "VpcId": network });
    id(&moto.boto("ec2", "create_security_group", request), "/GroupId")
}

#[test]
fn a_subnet_with_something_in_it_stays() {
    let moto = Moto::start();
    let (_, subnet) = network(&moto);
    let delete = json!({ "SubnetId": subnet });
    let interface = moto.boto("ec2", "create_network_interface", json!({ "SubnetId": subnet }));
    refused(&moto, "ec2", "delete_subnet", delete.clone(), "DependencyViolation");
    let interface = id(&interface, "/NetworkInterface/NetworkInterfaceId");
    moto.boto("ec2", "delete_network_interface", json!({ "NetworkInterfaceId": interface }));
    let request = json!({ "Name": "theirs", "Type": "network", "Subnets": [subnet] });
    let balancer = moto.boto("elbv2", "create_load_balancer", request);
    refused(&moto, "ec2", "delete_subnet", delete.clone(), "DependencyViolation");
    let balancer = id(&balancer, "/LoadBalancers/0/LoadBalancerArn");
    moto.boto("elbv2", "delete_load_balancer", json!({ "LoadBalancerArn": balancer }));
    moto.boto("ec2", "delete_subnet", delete);
}

#[test]
fn a_group_that_others_refer_to_stays() {
    let moto = Moto::start();
    let (network, subnet) = network(&moto);
    let [group, other] = ["one", "other"].map(|name| security_group(&moto, &network, name));
    let delete = json!({ "GroupId": group });
    let pair = json!([{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
                        "UserIdGroupPairs": [{ "GroupId": group }] }]);
    let rule = json!({ "GroupId": other, "IpPermissions": pair });
    moto.boto("ec2", "authorize_security_group_ingress", rule.clone());
    refused(&moto, "ec2", "delete_security_group", delete.clone(), "DependencyViolation");
    moto.boto("ec2", "revoke_security_group_ingress", rule);
    let request = json!({ "SubnetId": subnet, "Groups": [group] });
    let interface = moto.boto("ec2", "create_network_interface", request);
    refused(&moto, "ec2", "delete_security_group", delete.clone(), "DependencyViolation");
    let interface = id(&interface, "/NetworkInterface/NetworkInterfaceId");
    moto.boto("ec2", "delete_network_interface", json!({ "NetworkInterfaceId": interface }));
    moto.boto("ec2", "delete_security_group", delete);
}

#[test]
fn a_network_with_something_of_its_own_stays() {
    let moto = Moto::start();
    let (network, subnet) = network(&moto);
    moto.boto("ec2", "delete_subnet", json!({ "SubnetId": subnet }));
    let delete = json!({ "VpcId": network });
    let group = security_group(&moto, &network, "one");
    refused(&moto, "ec2", "delete_vpc", delete.clone(), "DependencyViolation");
    moto.boto("ec2", "delete_security_group", json!({ "GroupId": group }));
    let gateway = moto.boto("ec2", "create_internet_gateway", json!({}));
    let gateway = id(&gateway, "/InternetGateway/InternetGatewayId");
    let both = json!({ "InternetGatewayId": gateway, "VpcId": network });
    moto.boto("ec2", "attach_internet_gateway", both.clone());
    refused(&moto, "ec2", "delete_vpc", delete.clone(), "DependencyViolation");
    moto.boto("ec2", "detach_internet_gateway", both);
    moto.boto("ec2", "delete_vpc", delete);
}

#[test]
fn a_subnet_lies_within_its_network() {
    let moto = Moto::start();
    let (network, _) = network(&moto);
    let request = json!({ "VpcId": network, "CidrBlock": "10.9.0.0/20" });
    refused(&moto, "ec2", "create_subnet", request, "InvalidSubnet.Range");
}

#[test]
fn an_object_has_fifty_tags() {
    let moto = Moto::start();
    let (network, _) = network(&moto);
    let tags = |count: usize| -> Value {
        let tags = (0..count).map(|number| json!({ "Key": format!("label-{number}"), "Value": "v" }));
        json!({ "Resources": [network], "Tags": tags.collect::<Vec<_>>() })
    };
    refused(&moto, "ec2", "create_tags", tags(51), "TagLimitExceeded");
    moto.boto("ec2", "create_tags", tags(50));
}

#[test]
fn disks_have_the_operations_of_their_type() {
    let moto = Moto::start();
    let volume = |kind: &str, iops: Option<u32>| {
        let mut request = json!({ "AvailabilityZone": "us-east-1a", "Size": 100, "VolumeType": kind });
        if let Some(iops) = iops {
            request["Iops"] = iops.into();
        }
        request
    };
    refused(&moto, "ec2", "create_volume", volume("io1", None), "MissingParameter");
    refused(&moto, "ec2", "create_volume", volume("gp2", Some(3000)), "InvalidParameterCombination");
    moto.boto("ec2", "create_volume", volume("io1", Some(100)));
}

/// The first version of a template and every further one, which is what a change of a group makes.
#[test]
fn versions_of_a_template_are_such_as_machines_can_have() {
    let moto = Moto::start();
    let disk = |ebs: Value| json!({ "BlockDeviceMappings": [{ "DeviceName": "/dev/xvda", "Ebs": ebs }] });
    // Three bytes for every "AAAA", and one more: 5461 of them are the 16384 bytes that EC2 takes.
    let user_data = |threes: usize| json!({ "UserData": format!("{}AA==", "AAAA".repeat(threes)) });
    let wrong = [
        (disk(json!({ "VolumeType": "io1", "VolumeSize": 100 })), "MissingParameter"),
        (
            disk(json!({ "VolumeType": "gp2", "VolumeSize": 100, "Iops": 3000 })),
            "InvalidParameterCombination",
        ),
        (user_data(5462), "InvalidParameterValue"),
    ];
    let template = |data: &Value| json!({ "LaunchTemplateName": "nodes", "LaunchTemplateData": data });
    for (data, code) in &wrong {
        refused(&moto, "ec2", "create_launch_template", template(data), code);
    }
    moto.boto("ec2", "create_launch_template", template(&user_data(5461)));
    for (data, code) in &wrong {
        refused(&moto, "ec2", "create_launch_template_version", template(data), code);
    }
    let better = disk(json!({ "VolumeType": "io1", "VolumeSize": 100, "Iops": 100 }));
    let made = moto.boto("ec2", "create_launch_template_version", template(&better));
    assert_eq!(made["LaunchTemplateVersion"]["VersionNumber"], 2, "what is refused leaves no version behind");
}

#[test]
fn a_machine_runs_images_of_its_architecture() {
    let moto = Moto::start();
    let run = |kind: &str| json!({ "ImageId": IMAGE, "InstanceType": kind, "MinCount": 1, "MaxCount": 1 });
    let told = refused(&moto, "ec2", "run_instances", run("m6g.large"), "InvalidParameterValue");
    assert!(told.contains("'arm64'") && told.contains("'x86_64'"), "{told}");
    moto.boto("ec2", "run_instances", run("m5.large"));
}

#[test]
fn an_alias_is_alone_at_its_name() {
    let moto = Moto::start();
    let zone = moto.create_zone("example.com");
    let change = |action: &str, kind: &str, value: &str| {
        let record = json!({ "Name": "api.example.com", "Type": kind, "TTL": 60,
                             "ResourceRecords": [{ "Value": value }] });
        let changes = json!([{ "Action": action, "ResourceRecordSet": record }]);
        json!({ "HostedZoneId": zone, "ChangeBatch": { "Changes": changes } })
    };
    let alias = |action: &str| change(action, "CNAME", "elsewhere.example.org");
    let address = |action: &str| change(action, "A", "192.0.2.1");
    let call = "change_resource_record_sets";
    moto.boto("route53", call, alias("CREATE"));
    refused(&moto, "route53", call, address("CREATE"), "InvalidChangeBatch");
    moto.boto("route53", call, alias("DELETE"));
    moto.boto("route53", call, address("CREATE"));
    refused(&moto, "route53", call, alias("UPSERT"), "InvalidChangeBatch");
}

#[test]
fn a_network_load_balancer_is_in_no_local_zone() {
    let moto = Moto::start();
    let (network, _) = network(&moto);
    for (zone, cidr) in [("us-east-1-atl-1a", "10.8.16.0/20"), ("us-east-1-wl1-bos-wlz-1", "10.8.32.0/20")] {
        let request = json!({ "VpcId": network, "CidrBlock": cidr, "AvailabilityZone": zone });
        let subnet = id(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId");
        let request =
            json!({ "Name": "ours", "Type": "network", "SubnetMappings": [{ "SubnetId": subnet }] });
        refused(&moto, "elbv2", "create_load_balancer", request, "InvalidConfigurationRequest");
    }
}

#[test]
fn a_zone_of_a_balancer_is_left_before_it_is_entered_again() {
    let moto = Moto::start();
    let (network, _) = network(&moto);
    let subnets = [("a", 16), ("a", 32), ("b", 48), ("b", 64), ("-atl-1a", 80)];
    let [one, other, further, second, edge] = subnets.map(|(zone, third)| {
        let (zone, cidr) = (format!("us-east-1{zone}"), format!("10.8.{third}.0/20"));
        let request = json!({ "VpcId": network, "CidrBlock": cidr, "AvailabilityZone": zone });
        id(&moto.boto("ec2", "create_subnet", request), "/Subnet/SubnetId")
    });
    let request = json!({ "Name": "ours", "Type": "network", "SubnetMappings": [{ "SubnetId": one }] });
    let balancer = moto.boto("elbv2", "create_load_balancer", request);
    let balancer = id(&balancer, "/LoadBalancers/0/LoadBalancerArn");
    let address = moto.boto("ec2", "allocate_address", json!({ "Domain": "vpc" }));
    let address = id(&address, "/AllocationId");
    let to = |mappings: Value| json!({ "LoadBalancerArn": balancer, "SubnetMappings": mappings });
    let wrong = [
        json!([{ "SubnetId": other }]),
        json!([{ "SubnetId": one, "AllocationId": address }]),
        // Two of a zone, and one at the edge.
        json!([{ "SubnetId": one }, { "SubnetId": further }, { "SubnetId": second }]),
        json!([{ "SubnetId": one }, { "SubnetId": edge }]),
    ];
    for wrong in wrong {
        refused(&moto, "elbv2", "set_subnets", to(wrong), "InvalidConfigurationRequest");
    }
    refused(&moto, "elbv2", "set_subnets", to(json!([])), "ValidationError");
    moto.boto("elbv2", "set_subnets", to(json!([{ "SubnetId": one }, { "SubnetId": further }])));
    moto.boto("elbv2", "set_subnets", to(json!([{ "SubnetId": further }])));
    moto.boto("elbv2", "set_subnets", to(json!([{ "SubnetId": other }, { "SubnetId": further }])));
}
