//! Roles, their policies, instance profiles.

use kops_aws::Policy;
use kops_aws::extensions::AwsIdentity;
use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::graph::TaskGraph;
use kops_core::resource::Identity;
use kops_moto::Fault;
use serde_json::json;

use crate::lab::{CLUSTER, Lab};
use crate::site::{Site, prepared};

const NAME: &str = "nodes.ha.example.com";
const BOUNDARY: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
const EXTERNAL: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn graph(identity: Identity) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add(NAME, identity);
    graph.build().unwrap()
}

fn node() -> Identity {
    let store = Some("s3://store/ha.example.com".to_owned());
    ClusterIdentity::of(MachineRole::Node).state_store(store).identity().unwrap()
}

fn extended(extension: &AwsIdentity) -> TaskGraph {
    let mut identity = node();
    identity.extensions.set(extension).unwrap();
    graph(identity)
}

#[tokio::test]
async fn an_identity_comes_settles_and_goes() {
    let lab = Lab::new().await;
    lab.apply(&graph(node())).await;
    let iam = lab.moto.calls().calls.into_iter().filter(|call| call.action.starts_with("iam:")).count();
    assert_eq!(iam, 3, "roles, profiles, and the policy of the one role");
    let account = lab.moto.snapshot();
    let role = account.object("iam-role", NAME).unwrap();
    assert_eq!(role["Path"], "/kops/ha.example.com/us-east-1/");
    assert_eq!(crate::site::tag(role, "KubernetesCluster").as_deref(), Some(CLUSTER));
    let profile = account.object("iam-instance-profile", NAME).unwrap();
    assert_eq!(profile["Roles"][0]["RoleName"], NAME);
    lab.delete().await;
}

#[tokio::test]
async fn changes_by_hand_are_found_and_mended() {
    let lab = Lab::new().await;
    let graph = graph(node());
    lab.apply(&graph).await;
    let open = json!({ "Version": "2012-10-17",
                       "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }] });
    for (call, arguments, expected) in [
        (
            "put_role_policy",
            json!({ "RoleName": NAME, "PolicyName": NAME, "PolicyDocument": open.to_string() }),
            format!("update IamRolePolicy/{NAME}: document"),
        ),
        (
            "delete_role_policy",
            json!({ "RoleName": NAME, "PolicyName": NAME }),
            format!("create IamRolePolicy/{NAME}"),
        ),
        (
            "update_assume_role_policy",
            json!({ "RoleName": NAME, "PolicyDocument": trust.to_string() }),
            format!("update IamRole/{NAME}: trust"),
        ),
        (
            "remove_role_from_instance_profile",
            json!({ "RoleName": NAME, "InstanceProfileName": NAME }),
            format!("update InstanceProfile/{NAME}: role"),
        ),
    ] {
        lab.moto.boto("iam", call, arguments);
        assert_eq!(lab.changes(&graph).await, [expected], "{call}");
        lab.apply(&graph).await;
    }
    lab.delete().await;
}

#[tokio::test]
async fn further_policies_and_a_boundary_come_and_go() {
    let lab = Lab::new().await;
    let statement = r#"{"Statement": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}}"#;
    let extension = AwsIdentity {
        additional_policy: Some(Policy::parse(statement).unwrap()),
        policy_arns: [EXTERNAL.to_owned()].into(),
        permissions_boundary: Some(BOUNDARY.to_owned()),
        container_registry: true,
        ..AwsIdentity::default()
    };
    lab.apply(&graph(node())).await;
    let expected = [
        format!("update IamRole/{NAME}: managed_policies, permissions_boundary"),
        format!("update IamRolePolicy/{NAME}: document"),
    ];
    assert_eq!(lab.changes(&extended(&extension)).await, expected);
    lab.apply(&extended(&extension)).await;
    let account = lab.moto.snapshot();
    let policy = account.object("iam-role-policy", &format!("{NAME} {NAME}")).unwrap().to_string();
    assert!(policy.contains("sqs:SendMessage") && policy.contains("ecr:BatchGetImage"), "{policy}");
    assert!(account.object("iam-role-attachment", &format!("{NAME} {EXTERNAL}")).is_some());

    lab.moto.boto("iam", "detach_role_policy", json!({ "RoleName": NAME, "PolicyArn": EXTERNAL }));
    let expected = [format!("update IamRole/{NAME}: managed_policies")];
    assert_eq!(lab.changes(&extended(&extension)).await, expected);
    lab.apply(&extended(&extension)).await;

    lab.apply(&graph(node())).await;
    assert_eq!(lab.moto.calls().count("iam:ListAttachedRolePolicies"), 0, "nothing more to look for");
    lab.delete().await;
}

#[tokio::test]
async fn what_others_hang_on_our_role_goes_with_it() {
    let lab = Lab::new().await;
    lab.apply(&graph(node())).await;
    let open = json!({ "Version": "2012-10-17",
                       "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] })
    .to_string();
    let inline = json!({ "RoleName": NAME, "PolicyName": "theirs", "PolicyDocument": open });
    lab.moto.boto("iam", "put_role_policy", inline);
    lab.moto.boto("iam", "attach_role_policy", json!({ "RoleName": NAME, "PolicyArn": EXTERNAL }));
    lab.delete().await;
}

#[tokio::test]
async fn an_existing_profile_is_used_and_not_touched() {
    let lab = prepared(|moto| {
        moto.boto(
            "iam",
            "create_instance_profile",
            json!({ "InstanceProfileName": "theirs", "Path": "/x/" }),
        );
    })
    .await;
    let account = lab.moto.account();
    for selector in ["theirs".to_owned(), format!("arn:aws:iam::{account}:instance-profile/x/theirs")] {
        let mut site = Site::new();
        let theirs = site.graph.share::<Identity>(&selector, &selector);
        site.group(|group| group.identity = Some(theirs.id()));
        lab.apply(&site.build()).await;
    }
    lab.delete().await;
}

#[tokio::test]
async fn a_profile_that_ec2_does_not_know_yet_is_waited_for() {
    let lab = Lab::new().await;
    let call = "autoscaling:CreateAutoScalingGroup";
    let unknown = "Invalid IAM Instance Profile name";
    lab.moto.inject(Fault::fail(call, "ValidationError", 400).message(unknown).times(2));
    let mut site = Site::new();
    site.group(|_| {});
    lab.try_apply(&site.build()).await.unwrap();
    assert_eq!(lab.moto.calls().count(call), 3);
    lab.delete().await;
}
