//! Answers that are lost, and work that is broken off: the next run finds what was made.

use kops_aws::extensions::{AwsInstanceGroup, Hook, Transition};
use kops_core::graph::TaskGraph;
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, RecordType, Volume};
use kops_core::{Engine, RetryPolicy, cloud::Scope};
use kops_moto::Fault;

use crate::lab::{CLUSTER, Lab, ZONES, connect};
use crate::site::Site;

/// Something of every kind.
fn everything() -> TaskGraph {
    let mut site = Site::new();
    let balancer = site.balancer(|_| {});
    let hook = Hook { transition: Transition::Terminating, timeout: 300, go_on: true };
    let extension = AwsInstanceGroup {
        lifecycle_hooks: [("drain".to_owned(), hook)].into(),
        suspended_processes: ["AZRebalance".to_owned()].into(),
        ..AwsInstanceGroup::default()
    };
    site.group(|group| {
        group.load_balancers.insert(balancer.id());
        group.extensions.set(&extension).unwrap();
    });
    let zone = ZONES[0].to_owned();
    site.graph.add(&format!("a.etcd-main.{CLUSTER}"), Volume::new(zone, 20));
    let zone = site.graph.share::<DnsZone>("example.com", "example.com");
    let api = DnsRecord::new(
        zone.id(),
        format!("api.{CLUSTER}"),
        RecordType::A,
        DnsTarget::LoadBalancer(balancer.id()),
    )
    .ttl_seconds(60);
    site.graph.add(&format!("api.{CLUSTER}"), api);
    site.build()
}

async fn lab() -> Lab {
    crate::site::prepared(|moto| drop(moto.create_zone("example.com"))).await
}

/// Has the next call of each of these names do its work and give no answer.
fn lose(lab: &Lab, calls: &[&str]) {
    for call in calls {
        lab.moto.inject(Fault::lose(call).times(1));
    }
}

/// An engine that gives up at once: what a killed run leaves behind.
async fn impatient(lab: &Lab) -> Engine {
    Engine::new(connect(&lab.moto).await, Scope::new(CLUSTER)).retry(RetryPolicy::NEVER)
}

/// Makes the graph real in as many runs as it takes, and says how many of them broke off: each where answers were lost.
async fn runs_broken_off(lab: &Lab, graph: &TaskGraph) -> usize {
    let engine = impatient(lab).await;
    for broken_off in 0..MAKES.len() {
        let plan = engine.plan(graph).await.unwrap();
        if engine.apply_now(&plan).await.unwrap().into_result().is_ok() {
            return broken_off;
        }
    }
    panic!("no run is whole");
}

const MAKES: [&str; 19] = [
    "ec2:ImportKeyPair",
    "ec2:CreateVolume",
    "ec2:ModifyLaunchTemplate",
    "ec2:CreateLaunchTemplate",
    "autoscaling:CreateAutoScalingGroup",
    "autoscaling:SuspendProcesses",
    "autoscaling:EnableMetricsCollection",
    "autoscaling:PutLifecycleHook",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:CreateListener",
    "route53:ChangeResourceRecordSets",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:CreateInstanceProfile",
    "iam:AddRoleToInstanceProfile",
    "ec2:CreateSecurityGroup",
];

const DELETES: [&str; 13] = [
    "ec2:DeleteKeyPair",
    "ec2:DeleteVolume",
    "ec2:DeleteLaunchTemplate",
    "autoscaling:DeleteAutoScalingGroup",
    "autoscaling:DeleteLifecycleHook",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeleteListener",
    "route53:ChangeResourceRecordSets",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DeleteInstanceProfile",
    "iam:RemoveRoleFromInstanceProfile",
];

#[tokio::test]
async fn lost_answers_make_no_second_object() {
    let lab = lab().await;
    lose(&lab, &MAKES);
    let graph = everything();
    lab.try_apply(&graph).await.unwrap();
    lab.moto.clear_faults();
    lab.assert_settled(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn runs_that_break_off_are_taken_up_again() {
    let lab = lab().await;
    lose(&lab, &MAKES);
    let graph = everything();
    let broken_off = runs_broken_off(&lab, &graph).await;
    assert!(broken_off > 3, "only {broken_off}");
    lab.moto.clear_faults();
    lab.assert_settled(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn deletions_that_break_off_are_taken_up_again() {
    let lab = lab().await;
    lab.try_apply(&everything()).await.unwrap();
    lose(&lab, &DELETES);
    let broken_off = runs_broken_off(&lab, &TaskGraph::default()).await;
    assert!(broken_off > 3, "only {broken_off}");
    let calls = lab.moto.calls();
    assert!(DELETES.iter().all(|call| calls.count(call) > 0), "each was to be lost once");
    // Nothing is left.
    lab.delete().await;
}

#[tokio::test]
async fn a_version_that_was_made_and_not_made_default_is_taken_up() {
    let lab = lab().await;
    let with = |size| {
        let mut site = Site::new();
        site.group(|group| group.root_disk.size_gib = size);
        site.build()
    };
    lab.apply(&with(100)).await;
    for call in ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"] {
        lab.moto.inject(Fault::lose(call).times(1));
        let size = if call.contains("Create") { 200 } else { 300 };
        let engine = impatient(&lab).await;
        let plan = engine.plan(&with(size)).await.unwrap();
        assert!(engine.apply_now(&plan).await.unwrap().into_result().is_err(), "{call}");
        lab.apply(&with(size)).await;
    }
    lab.delete().await;
}
