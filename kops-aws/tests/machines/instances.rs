//! Single machines.

use kops_core::graph::TaskGraph;
use kops_core::resource::{Instance, InstanceDisk, MachineOptions, SshKey};
use kops_moto::IMAGE;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab};
use crate::site::{KEY, Site, user_data};

const NAME: &str = "tool.ha.example.com";

fn graph(change: impl FnOnce(&mut Instance)) -> TaskGraph {
    let mut site = Site::new();
    let key = site.graph.add(&format!("kubernetes.{CLUSTER}-1f"), SshKey::new(KEY));
    let mut instance = Instance::new(site.subnets[0].id(), IMAGE, "t3.medium")
        .firewalls([site.firewall.id()])
        .ssh_key(key.id())
        .user_data(user_data("hunter2"))
        .root_disk(InstanceDisk::new(32).disk_type("gp3"))
        .options(MachineOptions::new().metadata_tokens_required(true))
        .labels([("team".to_owned(), "a".to_owned())]);
    change(&mut instance);
    site.graph.add(NAME, instance);
    site.build()
}

fn made(lab: &Lab) -> Value {
    let account = lab.moto.snapshot();
    let ours = |it: &&Value| crate::site::tag(it, "Name").as_deref() == Some(NAME);
    let found: Vec<_> = account.objects("instance").map(|(_, it)| it).filter(ours).collect();
    assert_eq!(found.len(), 1);
    found[0].clone()
}

#[tokio::test]
async fn a_machine_comes_settles_and_goes() {
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let machine = made(&lab);
    assert_eq!(machine["InstanceType"], "t3.medium");
    assert_eq!(crate::site::tag(&machine, "team").as_deref(), Some("a"));
    lab.delete().await;
}

#[tokio::test]
async fn what_can_be_changed_is_changed_in_place() {
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let one = made(&lab);
    let changed = graph(|instance| {
        instance.options.detailed_monitoring = true;
        instance.labels.insert("team".to_owned(), "b".to_owned());
    });
    assert_eq!(
        lab.changes(&changed).await,
        [format!("update Ec2Instance/{NAME}: detailed_monitoring, tags.team")]
    );
    lab.apply(&changed).await;
    assert_eq!(made(&lab)["InstanceId"], one["InstanceId"]);
    lab.delete().await;
}

#[tokio::test]
async fn everything_else_takes_another_machine() {
    type Edit = fn(&mut Instance);
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let cases: [(Edit, &str); 3] = [
        (|instance| instance.machine_type = "t3.large".to_owned(), "instance_type"),
        (|instance| instance.user_data = Some(user_data("hunter3")), "user_data"),
        (|instance| instance.root_disk.size_gib = 64, "root_disk.size"),
    ];
    for (change, field) in cases {
        let other = graph(change);
        let plan = lab.engine.plan(&other).await.unwrap();
        assert_eq!(crate::lab::changes(&plan), [format!("replace Ec2Instance/{NAME}: {field}")]);
        assert!(!plan.to_string().contains("hunter"), "{plan}");
    }
    let one = made(&lab);
    let other = graph(|instance| instance.machine_type = "t3.large".to_owned());
    lab.apply(&other).await;
    assert_ne!(made(&lab)["InstanceId"], one["InstanceId"]);
    lab.delete().await;
}

#[tokio::test]
async fn a_machine_ended_by_hand_is_made_again() {
    let lab = Lab::new().await;
    let graph = graph(|_| {});
    lab.apply(&graph).await;
    let id = made(&lab)["InstanceId"].clone();
    lab.moto.boto("ec2", "terminate_instances", json!({ "InstanceIds": [id] }));
    assert_eq!(lab.changes(&graph).await, [format!("create Ec2Instance/{NAME}")]);
    lab.apply(&graph).await;
    assert_ne!(made(&lab)["InstanceId"], id);
    lab.delete().await;
}
