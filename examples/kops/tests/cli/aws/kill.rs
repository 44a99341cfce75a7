//! Runs that are killed at any moment: the next run converges, nothing is there twice, nothing is left behind.
//!
//! The moments are right after a call has done its work and before its answer arrives: the worst there are.
//! By default only some of them are tried; `KOPS_KILL_MOMENTS=100` tries all.

use std::env;
use std::sync::Mutex;
use std::thread;

use kops_moto::Fault;

use super::account::{Account, HA};

/// A call, and how often it passes before the moment comes.
type Moment = (&'static str, u64);

/// Every call that makes or changes something in an `update --yes` from nothing, and moments by count.
const UPDATE: [Moment; 38] = [
    ("s3:PutObject", 0),
    ("ec2:CreateVpc", 0),
    ("ec2:ModifyVpcAttribute", 0),
    ("ec2:CreateDhcpOptions", 0),
    ("ec2:AssociateDhcpOptions", 0),
    ("ec2:CreateInternetGateway", 0),
    ("ec2:AttachInternetGateway", 0),
    ("ec2:CreateSubnet", 0),
    ("ec2:CreateSubnet", 4),
    ("ec2:ModifySubnetAttribute", 5),
    ("ec2:AllocateAddress", 0),
    ("ec2:AllocateAddress", 2),
    ("ec2:CreateNatGateway", 0),
    ("ec2:CreateNatGateway", 2),
    ("ec2:CreateRouteTable", 1),
    ("ec2:CreateRoute", 0),
    ("ec2:CreateRoute", 3),
    ("ec2:AssociateRouteTable", 2),
    ("ec2:CreateSecurityGroup", 1),
    ("ec2:AuthorizeSecurityGroupIngress", 0),
    ("ec2:AuthorizeSecurityGroupEgress", 2),
    ("ec2:CreateVolume", 0),
    ("ec2:CreateVolume", 5),
    ("ec2:CreateLaunchTemplate", 3),
    ("iam:CreateRole", 0),
    ("iam:PutRolePolicy", 0),
    ("iam:CreateInstanceProfile", 1),
    ("iam:AddRoleToInstanceProfile", 0),
    ("elasticloadbalancing:CreateTargetGroup", 0),
    ("elasticloadbalancing:ModifyTargetGroupAttributes", 0),
    ("elasticloadbalancing:CreateLoadBalancer", 0),
    ("elasticloadbalancing:CreateListener", 0),
    ("autoscaling:CreateAutoScalingGroup", 0),
    ("autoscaling:CreateAutoScalingGroup", 6),
    ("autoscaling:EnableMetricsCollection", 3),
    ("route53:ChangeResourceRecordSets", 0),
    ("*", 60),
    ("*", 110),
];

/// Every call that deletes something, and moments by count.
const DELETE: [Moment; 24] = [
    ("route53:ChangeResourceRecordSets", 0),
    ("autoscaling:DeleteAutoScalingGroup", 0),
    ("autoscaling:DeleteAutoScalingGroup", 5),
    ("ec2:DeleteLaunchTemplate", 0),
    ("ec2:DeleteVolume", 0),
    ("ec2:DeleteVolume", 5),
    ("elasticloadbalancing:DeleteListener", 0),
    ("elasticloadbalancing:DeleteLoadBalancer", 0),
    ("elasticloadbalancing:DeleteTargetGroup", 0),
    ("iam:RemoveRoleFromInstanceProfile", 0),
    ("iam:DeleteInstanceProfile", 0),
    ("iam:DeleteRolePolicy", 0),
    ("iam:DeleteRole", 1),
    ("ec2:DeleteNatGateway", 0),
    ("ec2:DeleteNatGateway", 2),
    ("ec2:ReleaseAddress", 0),
    ("ec2:DisassociateRouteTable", 3),
    ("ec2:DeleteRouteTable", 0),
    ("ec2:DeleteSubnet", 2),
    ("ec2:DetachInternetGateway", 0),
    ("ec2:DeleteInternetGateway", 0),
    ("ec2:DeleteSecurityGroup", 0),
    ("ec2:DeleteVpc", 0),
    ("*", 60),
];

/// Some of the moments, evenly spread.
#[expect(clippy::disallowed_methods, reason = "a test is told how thorough to be")]
fn some<T: Copy>(all: &[T]) -> Vec<T> {
    let wanted = env::var("KOPS_KILL_MOMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_usize);
    let step = all.len().div_ceil((wanted / 2).max(1)).max(1);
    all.iter().copied().step_by(step).collect()
}

/// Does something for each of the moments; most of the time goes into waiting for dead runs' locks.
#[expect(clippy::print_stdout, reason = "a test tells how thorough it was")]
fn each(moments: Vec<Moment>, act: impl Fn(Moment) + Sync) {
    let (count, moments) = (moments.len(), Mutex::new(moments.into_iter()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(moment) = { moments.lock().unwrap().next() } {
                    act(moment);
                }
            });
        }
    });
    println!("{count} moments");
}

/// Runs a command and kills it at a moment.
fn kill(it: &Account, arguments: &[&str], (call, skip): Moment) {
    it.moto.inject(Fault::hold(call).skip(skip).times(1));
    let mut run = it.desk.start(arguments);
    it.moto.wait_until_held();
    run.kill().unwrap();
    run.wait().unwrap();
    it.moto.clear_faults();
}

#[test]
fn a_killed_update_is_taken_up_again() {
    let clean = Account::with_cluster();
    clean.apply();
    let expected = clean.made();
    each(some(&UPDATE), |moment| {
        let it = Account::with_cluster();
        kill(&it, &["update", "cluster", HA, "--yes"], moment);
        it.apply();
        assert_eq!(it.made(), expected, "{moment:?}");
        it.assert_settled();
        it.delete();
        it.assert_as_before();
    });
}

#[test]
fn a_killed_deletion_is_taken_up_again() {
    each(some(&DELETE), |moment| {
        let it = Account::with_cluster();
        it.apply();
        kill(&it, &["delete", "cluster", HA, "--yes"], moment);
        it.delete();
        it.assert_as_before();
    });
}
