//! The test harness itself: what the other tests rely on.

use std::time::Duration;

use kops_aws::Aws;
use kops_core::ErrorKind;
use kops_moto::{Fault, Moto, REGION};
use serde_json::json;

const IDENTITY: &str = "sts:GetCallerIdentity";

async fn connect(moto: &Moto) -> Aws {
    let builder = Aws::builder().region(REGION).endpoint(moto.endpoint());
    builder.static_credentials(moto.access_key(), "secret", None).build().await.unwrap()
}

#[test]
fn accounts_are_apart() {
    let (one, other) = (Moto::start(), Moto::start());
    let before = other.snapshot();
    one.boto("ec2", "create_vpc", json!({ "CidrBlock": "10.9.0.0/16" }));
    one.seed_foreign("ha.example.com");
    assert_eq!(before.diff(&other.snapshot()), Vec::<String>::new());
    assert_eq!(one.calls().total(), 0, "the harness's own calls are not counted");
}

#[test]
fn foreign_objects_are_of_every_kind() {
    let moto = Moto::start();
    let before = moto.snapshot();
    moto.seed_foreign("ha.example.com");
    let after = moto.snapshot();
    for kind in [
        "vpc",
        "subnet",
        "route-table",
        "route",
        "security-group",
        "security-group-rule",
        "internet-gateway",
        "egress-only-gateway",
        "address",
        "nat-gateway",
        "volume",
        "dhcp-options",
        "instance",
        "key-pair",
        "network-interface",
        "launch-template",
        "launch-template-version",
        "auto-scaling-group",
        "lifecycle-hook",
        "iam-role",
        "iam-role-policy",
        "iam-instance-profile",
        "load-balancer",
        "listener",
        "target-group",
        "hosted-zone",
        "dns-record",
    ] {
        assert!(after.names(kind).len() >= before.names(kind).len() + 2, "{kind}");
    }
    assert_eq!(after.diff(&moto.snapshot()), Vec::<String>::new(), "looking changes nothing");
}

#[tokio::test]
async fn faults_hit_the_calls_they_are_meant_for() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    moto.inject(Fault::throttle(IDENTITY).skip(1).every(2).times(2));
    let mut failed = Vec::new();
    for call in 0..8 {
        if aws.identity().await.is_err() {
            failed.push(call);
        }
    }
    assert_eq!(failed, [1, 3]);
}

#[tokio::test]
async fn denied_actions_are_denied() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    moto.deny(&["sts:*"]);
    assert_eq!(aws.identity().await.unwrap_err().kind(), ErrorKind::Denied);
    moto.deny(&[]);
    aws.identity().await.unwrap();
}

#[tokio::test]
async fn latency_is_added_to_each_call() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    moto.set_latency(Duration::from_millis(200));
    aws.identity().await.unwrap();
    assert!(moto.calls().calls[0].seconds >= 0.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_held_until_it_is_released() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    moto.inject(Fault::hold(IDENTITY).times(1));
    let call = tokio::spawn(async move { aws.identity().await });
    moto.wait_until_held();
    assert!(!call.is_finished());
    moto.release();
    call.await.unwrap().unwrap();
}
