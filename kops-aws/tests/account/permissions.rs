//! The permission check against the emulator.
//!
//! moto knows neither permissions nor the policy simulator: the harness answers both from the list of denied
//! actions. So what is tested here is our side: which questions are asked, how answers are read, and what
//! happens when asking is not allowed. That AWS's simulator agrees with our policy is not shown by this.

use kops_aws::Aws;
use kops_core::cloud::{Context, MissingPermission, Permissions, Scope};
use kops_core::graph::{Document, Key, Lifecycle, Task, TaskGraph};
use kops_moto::{Moto, REGION};

/// A native graph that holds these kinds.
fn graph(kinds: &[&str]) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    for kind in kinds {
        let (key, spec) = (Key::new(kind, "test"), Document::default());
        graph.insert(Task::new(key, spec, Lifecycle::Managed));
    }
    graph.build().unwrap()
}

async fn connect(moto: &Moto) -> Aws {
    let builder = Aws::builder().region(REGION).endpoint(moto.endpoint());
    builder.static_credentials(moto.access_key(), "secret", None).build().await.unwrap()
}

async fn missing(moto: &Moto, kinds: &[&str]) -> Vec<MissingPermission> {
    let (scope, cx) = (Scope::new("ha.example.com"), Context::default());
    connect(moto).await.missing(&graph(kinds), &scope, &cx).await.unwrap()
}

fn lack(action: &str, kinds: &[&str]) -> MissingPermission {
    MissingPermission::new(action, kinds.iter().copied())
}

#[tokio::test]
async fn nothing_is_missing_when_all_is_allowed() {
    let moto = Moto::start();
    assert_eq!(missing(&moto, &["Vpc", "IamRole", "AutoScalingGroup"]).await, []);
    assert!(moto.calls().mutations(&[]).is_empty());
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_kinds_that_need_it() {
    let moto = Moto::start();
    moto.deny(&["ec2:CreateVpc", "ec2:DescribeRouteTables", "iam:PassRole", "ec2:DeleteKeyPair"]);
    // Nobody asked for a key pair, so what it takes is not missed.
    assert_eq!(
        missing(&moto, &["Vpc", "InstanceProfile"]).await,
        [
            lack("ec2:CreateVpc", &["Vpc"]),
            lack("ec2:DescribeRouteTables", &["RouteTable", "Route", "RouteTableAssociation"]),
            lack("iam:PassRole", &["InstanceProfile"]),
        ]
    );
}

#[tokio::test]
async fn without_the_simulator_ec2_is_asked_by_dry_runs() {
    let moto = Moto::start();
    let before = moto.snapshot();
    moto.deny(&["iam:SimulatePrincipalPolicy", "ec2:CreateVpc", "ec2:DescribeVpcs"]);
    assert_eq!(
        missing(&moto, &["Vpc", "ElasticIp", "EbsVolume"]).await,
        [
            lack("ec2:CreateVpc", &["Vpc"]),
            lack(
                "ec2:DescribeVpcs",
                &[
                    "Vpc",
                    "VpcCidrBlock",
                    "DhcpOptionsAssociation",
                    "NetworkInterface",
                    "ClassicLoadBalancer",
                    "HostedZoneAssociation",
                ]
            ),
        ]
    );
    moto.deny(&[]);
    assert_eq!(before.diff(&moto.snapshot()), Vec::<String>::new());
}

/// Marking what nobody owns takes more than managing one's own.
#[tokio::test]
async fn what_adopting_takes_is_asked_for_when_something_is_adopted() {
    let moto = Moto::start();
    let aws = connect(&moto).await;
    let mut adopting = TaskGraph::builder();
    let lifecycle = Lifecycle::Adopted { selector: "vpc-1".to_owned() };
    adopting.insert(Task::new(Key::new("Vpc", "test"), Document::default(), lifecycle));
    let adopting = adopting.build().unwrap();
    moto.deny(&["ec2:DescribeTags"]);
    let (scope, cx) = (Scope::new("ha.example.com"), Context::default());
    assert_eq!(aws.missing(&graph(&["Vpc"]), &scope, &cx).await.unwrap(), []);
    assert_eq!(aws.missing(&adopting, &scope, &cx).await.unwrap(), [lack("ec2:DescribeTags", &["Adoption"])]);
    let more = aws.adopting(&scope).unwrap();
    assert!(
        more.to_string().contains("\"Null\":{\"aws:ResourceTag/KubernetesCluster\":[\"true\"]}"),
        "{more}"
    );
}

#[tokio::test]
async fn the_least_policy_names_the_cluster() {
    let moto = Moto::start();
    let policy = connect(&moto).await.least(&Scope::new("ha.example.com"));
    assert_eq!(policy["Version"], "2012-10-17");
    assert!(policy.to_string().contains("role/kops/ha.example.com/*"), "{policy}");
}
