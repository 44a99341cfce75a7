//! The machines of groups: which there are, whether they are up to date, and what can be done with one.

use kops_core::ErrorKind;
use kops_core::cloud::{Cloud, Context, Machine, MachineState, Machines, Scope};
use kops_core::graph::TaskGraph;
use serde_json::json;

use crate::lab::{CLUSTER, Lab, connect};
use crate::site::{Site, user_data};

const GROUP: &str = "nodes.ha.example.com";

fn graph(secret: &str) -> TaskGraph {
    let mut site = Site::new();
    let balancer = site.balancer(|_| {});
    site.group(|group| {
        group.min = 2;
        group.user_data = Some(user_data(secret));
        group.load_balancers.insert(balancer.id());
    });
    site.build()
}

struct Members {
    lab: Lab,
    aws: std::sync::Arc<kops_aws::Aws>,
    scope: Scope,
    cx: Context,
}

impl Members {
    async fn new() -> Self {
        let lab = Lab::new().await;
        lab.apply(&graph("one")).await;
        let aws = connect(&lab.moto).await;
        Self { lab, aws, scope: Scope::new(CLUSTER), cx: Context::default() }
    }

    async fn all(&self) -> Vec<Machine> {
        self.aws.members(&self.scope, &self.cx).await.unwrap()
    }
}

#[tokio::test]
async fn members_are_shown_in_two_calls() {
    let it = Members::new().await;
    assert!(it.aws.machines().is_some());
    it.lab.moto.forget_calls();
    let all = it.all().await;
    assert_eq!(it.lab.moto.calls().total(), 2);
    assert_eq!(all.len(), 2);
    for machine in &all {
        assert_eq!((machine.group.as_str(), machine.state), (GROUP, MachineState::Running));
        assert_eq!(machine.machine_type, "m5.large");
        assert_eq!(machine.outdated, Vec::<String>::new());
        assert!(machine.private_ip.is_some());
    }
    it.lab.delete().await;
}

#[tokio::test]
async fn members_of_an_older_version_are_out_of_date() {
    let it = Members::new().await;
    it.lab.apply(&graph("two")).await;
    for machine in it.all().await {
        let expected = "it was created from launch template version 1; the current version is 2";
        assert_eq!(machine.outdated, [expected]);
    }
    it.lab.delete().await;
}

#[tokio::test]
async fn a_detached_member_stays_the_clusters_and_another_takes_its_place() {
    let it = Members::new().await;
    let one = it.all().await[0].id.clone();
    for _ in 0..2 {
        it.aws.detach(&it.scope, &one, &it.cx).await.unwrap();
    }
    assert_eq!(it.lab.moto.calls().count("autoscaling:DetachInstances"), 1);
    let all = it.all().await;
    assert_eq!(all.len(), 3);
    let detached: Vec<_> = all.iter().filter(|it| it.state == MachineState::Detached).collect();
    assert_eq!(detached.len(), 1);
    assert_eq!((detached[0].id.as_str(), detached[0].group.as_str()), (one.as_str(), GROUP));
    assert!(!detached[0].outdated.is_empty());
    for _ in 0..2 {
        it.aws.terminate(&it.scope, &one, &it.cx).await.unwrap();
    }
    assert_eq!(it.all().await.len(), 2);
    it.lab.delete().await;
}

#[tokio::test]
async fn a_member_that_ends_is_replaced() {
    let it = Members::new().await;
    let one = it.all().await[0].id.clone();
    it.aws.terminate(&it.scope, &one, &it.cx).await.unwrap();
    let all = it.all().await;
    assert_eq!(all.iter().filter(|it| it.state == MachineState::Running).count(), 2);
    assert!(all.iter().all(|it| it.id != one || it.state == MachineState::Terminating));
    it.lab.delete().await;
}

#[tokio::test]
async fn a_member_leaves_every_target_group() {
    let it = Members::new().await;
    let one = it.all().await[0].id.clone();
    let targets = || {
        let account = it.lab.moto.snapshot();
        let mut groups = account.objects("target-group");
        let (_, group) = groups.find(|(name, _)| name.starts_with("api-443-ha-example-com-")).unwrap();
        group["Targets"].as_array().unwrap().iter().map(|it| it["Id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(targets().len(), 2);
    for _ in 0..2 {
        it.aws.deregister(&it.scope, &one, &it.cx).await.unwrap();
    }
    assert_eq!(targets().len(), 1);
    assert!(!targets().contains(&json!(one)));
    it.lab.delete().await;
}

#[tokio::test]
async fn machines_of_others_are_neither_shown_nor_touched() {
    let it = Members::new().await;
    let account = it.lab.moto.snapshot();
    let ours: Vec<_> = it.all().await.into_iter().map(|it| it.id).collect();
    let theirs =
        account.objects("instance").map(|(id, _)| id).find(|id| !ours.iter().any(|it| it == id)).unwrap();
    it.lab.moto.forget_calls();
    for result in [
        it.aws.detach(&it.scope, theirs, &it.cx).await,
        it.aws.deregister(&it.scope, theirs, &it.cx).await,
        it.aws.terminate(&it.scope, theirs, &it.cx).await,
        it.aws.terminate(&it.scope, "i-00000000000000000", &it.cx).await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(it.lab.moto.calls().mutations(&[]).is_empty());
}
