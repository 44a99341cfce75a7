//! Runs that fail or lose an answer half way: the next one, or the same, ends where it should.

use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_moto::{Fault, Snapshot};

use crate::lab::{Lab, ZONES, cluster};

/// Every call that makes or changes something when the network comes up; none before one that it waits for.
const CALLS: [&str; 16] = [
    "ec2:CreateVpc",
    "ec2:ModifyVpcAttribute",
    "ec2:CreateDhcpOptions",
    "ec2:AssociateDhcpOptions",
    "ec2:CreateInternetGateway",
    "ec2:AttachInternetGateway",
    "ec2:CreateSubnet",
    "ec2:ModifySubnetAttribute",
    "ec2:AllocateAddress",
    "ec2:CreateNatGateway",
    "ec2:CreateRouteTable",
    "ec2:CreateRoute",
    "ec2:AssociateRouteTable",
    "ec2:CreateSecurityGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:AuthorizeSecurityGroupEgress",
];

/// Every call that takes something away when it goes down; none before one that it waits for.
const DELETES: [&str; 11] = [
    "ec2:DeleteNatGateway",
    "ec2:ReleaseAddress",
    "ec2:DetachInternetGateway",
    "ec2:DeleteInternetGateway",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:DeleteSecurityGroup",
    "ec2:DisassociateRouteTable",
    "ec2:DeleteRouteTable",
    "ec2:DeleteDhcpOptions",
    "ec2:DeleteSubnet",
    "ec2:DeleteVpc",
];

fn counts(lab: &Lab, now: &Snapshot) -> Vec<(String, usize)> {
    let before = lab.before.counts();
    now.counts()
        .into_iter()
        .map(|(kind, count)| (kind.to_owned(), count - before.get(kind).copied().unwrap_or_default()))
        .collect()
}

/// Denies all of the calls, then one less in each run, until nothing is denied.
async fn in_runs_that_break_off(lab: &Lab, graph: &TaskGraph, calls: &[&str]) {
    lab.moto.forget_calls();
    for at in 0..calls.len() {
        lab.moto.clear_faults();
        for call in &calls[at..] {
            lab.moto.inject(Fault::fail(call, "UnauthorizedOperation", 403));
        }
        assert_eq!(lab.try_apply(graph).await.unwrap_err().kind(), ErrorKind::Denied, "{}", calls[at]);
    }
    lab.moto.clear_faults();
    lab.try_apply(graph).await.unwrap();
    let made = lab.moto.calls();
    for call in calls {
        let answered = |status| made.calls.iter().any(|made| made.action == *call && made.status == status);
        assert!(answered(403), "{call} was to be denied");
        assert!(answered(200), "{call} was to be made after all");
    }
}

#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    let clean = Lab::bare().await;
    let graph = cluster(&ZONES[..1]).build().unwrap();
    clean.apply(&graph).await;
    let expected = counts(&clean, &clean.moto.snapshot());

    let lab = Lab::bare().await;
    for call in CALLS {
        lab.moto.inject(Fault::lose(call).times(2));
    }
    lab.apply(&graph).await;
    assert_eq!(counts(&lab, &lab.moto.snapshot()), expected);
    for call in DELETES {
        lab.moto.inject(Fault::lose(call).times(1));
    }
    lab.delete().await;
}

#[tokio::test]
async fn a_run_that_broke_off_is_taken_up() {
    let clean = Lab::bare().await;
    let graph = cluster(&ZONES[..1]).build().unwrap();
    clean.apply(&graph).await;
    let expected = counts(&clean, &clean.moto.snapshot());

    let lab = Lab::bare().await;
    in_runs_that_break_off(&lab, &graph, &CALLS).await;
    lab.assert_settled(&graph).await;
    assert_eq!(counts(&lab, &lab.moto.snapshot()), expected);
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_taken_up() {
    let lab = Lab::bare().await;
    lab.apply(&cluster(&ZONES[..1]).build().unwrap()).await;
    in_runs_that_break_off(&lab, &TaskGraph::default(), &DELETES).await;
    lab.delete().await;
}
