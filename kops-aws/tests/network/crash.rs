//! Runs that fail or lose an answer half way: the next one, or the same, ends where it should.

use kops_core::ErrorKind;
use kops_moto::{Fault, Snapshot};

use crate::lab::{Lab, ZONES, cluster};

/// Every call that makes or changes something when the network comes up.
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

fn counts(lab: &Lab, now: &Snapshot) -> Vec<(String, usize)> {
    let before = lab.before.counts();
    now.counts()
        .into_iter()
        .map(|(kind, count)| (kind.to_owned(), count - before.get(kind).copied().unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    let clean = Lab::bare().await;
    let graph = cluster(&ZONES[..1]).build().unwrap();
    clean.apply(&graph).await;
    let expected = counts(&clean, &clean.moto.snapshot());
    for call in CALLS {
        let lab = Lab::bare().await;
        lab.moto.inject(Fault::lose(call).times(2));
        lab.apply(&graph).await;
        assert_eq!(counts(&lab, &lab.moto.snapshot()), expected, "{call}");
    }
    clean.delete().await;
}

#[tokio::test]
async fn a_run_that_broke_off_is_taken_up() {
    let clean = Lab::bare().await;
    let graph = cluster(&ZONES[..1]).build().unwrap();
    clean.apply(&graph).await;
    let expected = counts(&clean, &clean.moto.snapshot());
    for call in CALLS {
        let lab = Lab::bare().await;
        lab.moto.inject(Fault::fail(call, "UnauthorizedOperation", 403));
        assert_eq!(lab.try_apply(&graph).await.unwrap_err().kind(), ErrorKind::Denied, "{call}");
        lab.moto.clear_faults();
        lab.apply(&graph).await;
        assert_eq!(counts(&lab, &lab.moto.snapshot()), expected, "{call}");
    }
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_taken_up() {
    let graph = cluster(&ZONES[..1]).build().unwrap();
    for call in [
        "ec2:DeleteNatGateway",
        "ec2:ReleaseAddress",
        "ec2:DetachInternetGateway",
        "ec2:DeleteInternetGateway",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteRouteTable",
        "ec2:DisassociateRouteTable",
        "ec2:DeleteDhcpOptions",
        "ec2:DeleteSubnet",
        "ec2:DeleteVpc",
    ] {
        let lab = Lab::bare().await;
        lab.apply(&graph).await;
        lab.moto.inject(Fault::lose(call).times(1));
        lab.delete().await;

        lab.apply(&graph).await;
        lab.moto.inject(Fault::fail(call, "UnauthorizedOperation", 403).times(1));
        lab.try_apply(&kops_core::graph::TaskGraph::default()).await.unwrap_err();
        lab.delete().await;
    }
}
