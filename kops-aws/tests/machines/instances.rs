//! Single machines.

use kops_core::graph::{Handle, TaskGraph};
use kops_core::resource::{Address, Instance, InstanceDisk, MachineOptions, SshKey};
use kops_moto::IMAGE;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab};
use crate::site::{KEY, Site, listener, user_data};

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

/// A machine behind a load balancer with two ports, with an address of its own; both, or neither.
fn served(is: bool) -> TaskGraph {
    let mut site = Site::new();
    let balancer = site.balancer(|balancer| balancer.listeners = vec![listener(443), listener(8443)]);
    site.group(|group| group.load_balancers = [balancer.id()].into());
    let address = site.graph.add(NAME, Address::new());
    let tool = Instance::new(site.subnets[0].id(), IMAGE, "t3.medium")
        .firewalls([site.firewall.id()])
        .root_disk(InstanceDisk::new(32).disk_type("gp3"))
        .load_balancers(is.then(|| balancer.id()))
        .address(is.then(|| address.id()));
    site.graph.add(NAME, tool);
    site.build()
}

/// The machines of each target group.
fn targets(lab: &Lab) -> Vec<Vec<String>> {
    let groups = lab.moto.boto("elbv2", "describe_target_groups", json!({}));
    let groups = groups["TargetGroups"].as_array().unwrap().clone();
    let network = made(lab)["VpcId"].clone();
    let ours = groups.into_iter().filter(|it| it["VpcId"] == network);
    ours.map(|group| {
        let arn = json!({ "TargetGroupArn": group["TargetGroupArn"] });
        let health = lab.moto.boto("elbv2", "describe_target_health", arn);
        let all = health["TargetHealthDescriptions"].as_array().unwrap();
        all.iter().map(|it| it["Target"]["Id"].as_str().unwrap().to_owned()).collect()
    })
    .collect()
}

#[tokio::test]
async fn a_machine_is_behind_a_load_balancer_and_has_an_address() {
    let lab = Lab::new().await;
    lab.apply(&served(true)).await;
    let machine = made(&lab)["InstanceId"].as_str().unwrap().to_owned();
    let members = targets(&lab);
    assert_eq!(members.len(), 2, "{members:?}");
    assert!(members.iter().all(|group| group.contains(&machine) && group.len() > 1), "{members:?}");

    // Its public address is known by its agnostic name, and is the address's own.
    let outputs = lab.engine.outputs(&served(true)).await.unwrap();
    let ip = outputs.get(&Handle::<Instance>::named(NAME), Instance::PUBLIC_IP).unwrap();
    let fixed = outputs.get(&Handle::<Address>::named(NAME), Address::IP).unwrap();
    assert!(ip.is_some() && ip == fixed, "{ip:?} {fixed:?}");
    assert_eq!(made(&lab)["PublicIpAddress"].as_str(), ip.as_deref());

    // Somebody takes both away.
    let addresses = lab.moto.boto("ec2", "describe_addresses", json!({}));
    let address = addresses["Addresses"].as_array().unwrap().iter().find(|it| it["InstanceId"] == *machine);
    let association = address.unwrap()["AssociationId"].clone();
    lab.moto.boto("ec2", "disassociate_address", json!({ "AssociationId": association }));
    let groups = lab.moto.boto("elbv2", "describe_target_groups", json!({}));
    let mut groups = groups["TargetGroups"].as_array().unwrap().iter();
    let group = groups.find(|it| it["Port"] == 8443 && it["VpcId"] == made(&lab)["VpcId"]).unwrap();
    let target = json!({ "TargetGroupArn": group["TargetGroupArn"], "Targets": [{ "Id": machine }] });
    lab.moto.boto("elbv2", "deregister_targets", target);
    assert_eq!(
        lab.changes(&served(true)).await,
        [format!("update Ec2Instance/{NAME}: address, target_groups")]
    );
    lab.apply(&served(true)).await;
    assert_eq!(targets(&lab), members);

    // The machines of groups stay where they are.
    lab.apply(&served(false)).await;
    let left = targets(&lab);
    assert!(left.iter().all(|group| !group.contains(&machine) && !group.is_empty()), "{left:?}");
    assert_eq!(made(&lab)["InstanceId"], *machine);
    lab.delete().await;
}
