//! The whole life of a cluster: made, looked at, changed by its owner and by others, deleted.

use std::time::Duration;

use kops_moto::Moto;
use serde_json::{Value, json};

use super::account::{HA, account};
use crate::common::summary;

/// The most calls of a plan that wait for each other: at 50 ms each, a quarter of a second. They are four; on a machine
/// that plans for longer than a call takes, listings that were begun ahead count as a fifth.
const MOST_IN_TURN: usize = 5;

/// The number of calls to the cloud of a plan without changes, as stated in README.
const CALLS: usize = 37;

#[test]
fn a_cluster_is_made_settles_and_goes() {
    let it = account();
    it.cloud.forget_calls();
    let out = it.apply();
    let calls = it.cloud.calls();
    let by_action = calls.by_action();
    let of_store = |name: &&str| name.starts_with("s3:");
    let store: usize = by_action.iter().filter(|(name, _)| of_store(name)).map(|(_, count)| count).sum();
    assert!(calls.total() - store <= 250, "{by_action:#?}");
    assert!(out.contains("78 to create"), "{out}");

    it.assert_settled();
    let calls = it.cloud.calls();
    let cloud = calls.calls.iter().filter(|call| !call.action.starts_with("s3:")).count();
    assert!(cloud <= CALLS, "{cloud} calls: {:#?}", calls.by_action());
    // Each object of the state store once: the cluster, seven groups, the key, four keysets; and one list.
    assert_eq!(calls.count("s3:GetObject"), 13, "{:#?}", calls.by_action());
    assert_eq!(calls.count("s3:ListObjectsV2"), 1);

    // When every answer takes a second, nothing else counts: the plan takes as many seconds as calls wait in turn.
    it.cloud.set_latency(Duration::from_secs(1));
    it.assert_settled();
    it.cloud.set_latency(Duration::ZERO);
    let calls = it.cloud.calls();
    assert!(calls.in_turn() <= MOST_IN_TURN, "{calls:#?}");

    it.delete();
    it.assert_as_before();
}

#[test]
fn each_change_is_planned_as_exactly_what_it_is() {
    let it = account();
    it.apply();
    let group = |name: &str| format!("{name}.{HA}");
    let template = |name: &str| format!("update LaunchTemplate/{}", group(name));
    let scaling = |name: &str| format!("update AutoScalingGroup/{}", group(name));
    let change = |arguments: &[&str], expected: &[String]| {
        it.desk.ok(arguments);
        let mut changes = it.changes();
        changes.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(changes, expected, "{arguments:?}");
        it.apply();
        it.assert_settled();
    };

    let (a, b) = ("nodes-us-east-1a", "nodes-us-east-1b");
    change(&["edit", "ig", a, "--name", HA, "--set=spec.machineType=m5.xlarge"], &[template(a), scaling(a)]);
    change(&["edit", "ig", b, "--name", HA, "--set=spec.minSize=2", "--set=spec.maxSize=5"], &[scaling(b)]);

    let mut cluster: Value =
        serde_json::from_str(&it.desk.ok(&["get", "cluster", HA, "-o", "json"])).unwrap();
    if let Some(first) = cluster.get_mut(0) {
        cluster = first.take();
    }
    let subnets = cluster["spec"]["subnets"].as_array_mut().unwrap();
    let mut another = subnets.iter().find(|it| it["type"] == "Private").unwrap().clone();
    another["name"] = json!("more-us-east-1a");
    another["cidr"] = json!("172.20.32.0/24");
    subnets.push(another);
    let file = it.desk.write("cluster.json", &cluster.to_string());
    let subnet = format!("more-us-east-1a.{HA}");
    change(
        &["replace", "-f", &file],
        &[format!("create Ec2Subnet/{subnet}"), format!("create RouteTableAssociation/{subnet}")],
    );

    let created = |name: &str| {
        ["LaunchTemplate", "AutoScalingGroup"].map(|kind| format!("create {kind}/{}", group(name)))
    };
    let more = ["create", "ig", "more", "--name", HA, "--subnet=us-east-1a", "--role=node"];
    change(&more, &created("more"));
    let run = it.desk.run(&["delete", "ig", "more", "--name", HA, "--yes"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    it.assert_settled();

    it.delete();
    it.assert_as_before();
}

/// The identifier of the one object of ours of a kind that has this name.
fn id(moto: &Moto, kind: &str, name: &str) -> String {
    let account = moto.snapshot();
    let tagged = |it: &Value| {
        let tags = it["Tags"].as_array().cloned().unwrap_or_default();
        let has = |key: &str, value: &str| tags.contains(&json!({ "Key": key, "Value": value }));
        has("Name", name) && has("KubernetesCluster", HA)
    };
    let mut found = account.objects(kind).filter(|(_, object)| tagged(object)).map(|(id, _)| id.to_owned());
    found.next().unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn changes_by_hand_are_found_and_mended() {
    let it = account();
    it.apply();
    let group = format!("nodes-us-east-1c.{HA}");
    let masters = id(&it.cloud, "security-group", &format!("masters.{HA}"));
    let everybody = json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
                             "IpRanges": [{ "CidrIp": "0.0.0.0/0", "Description": HA }] }]);
    for (service, call, arguments, expected) in [
        (
            "autoscaling",
            "update_auto_scaling_group",
            json!({ "AutoScalingGroupName": group, "MaxSize": 9,
                    "LaunchTemplate": { "LaunchTemplateName": group, "Version": "1" } }),
            format!("update AutoScalingGroup/{group}"),
        ),
        (
            "ec2",
            "revoke_security_group_ingress",
            json!({ "GroupId": masters, "IpPermissions": it.cloud.boto("ec2", "describe_security_groups",
                    json!({ "GroupIds": [masters] }))["SecurityGroups"][0]["IpPermissions"] }),
            format!("create SecurityGroupRules/masters.{HA}"),
        ),
        (
            "iam",
            "remove_role_from_instance_profile",
            json!({ "RoleName": format!("nodes.{HA}"), "InstanceProfileName": format!("nodes.{HA}") }),
            format!("update InstanceProfile/nodes.{HA}"),
        ),
    ] {
        it.cloud.boto(service, call, arguments);
        let changes = it.changes();
        // Rules of the other direction are still there: then it is an update.
        let update = expected.replace("create", "update");
        assert!(changes == [expected.clone()] || changes == [update], "{call}: {changes:?}");
        it.apply();
        it.assert_settled();
    }
    // What others add beside our rules is theirs.
    it.cloud.boto(
        "ec2",
        "authorize_security_group_ingress",
        json!({ "GroupId": masters, "IpPermissions": everybody.as_array().map(|all| {
            let mut all = all.clone();
            all[0]["IpRanges"][0]["Description"] = json!("theirs");
            all
        }) }),
    );
    it.assert_settled();
    assert_eq!(summary(&it.plan())[..4], [0, 0, 0, 0]);
    it.delete();
    it.assert_as_before();
}
