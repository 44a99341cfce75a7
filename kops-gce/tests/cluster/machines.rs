//! Single kinds of machines and disks.

use kops_core::ErrorKind;
use kops_core::graph::{Handle, TaskGraph};
use kops_core::resource::{Address, Instance, InstanceDisk, InstanceGroup, MachineOptions, Scheme, Volume};
use kops_gce::extensions::GceInstanceGroup;
use kops_gce_emulator::IMAGE;
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::{Site, listener};

fn disk(size: u32, labels: &[(&str, &str)]) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let volume = Volume::new(ZONES[0], size).labels(labels);
    graph.add(&format!("a.etcd-main.{CLUSTER}"), volume);
    graph.build().unwrap()
}

#[tokio::test]
async fn disks_grow_in_place_and_carry_kops_labels() {
    let lab = Lab::new().await;
    let etcd = ("k8s.io/etcd/main", "a/a,b,c");
    lab.apply(&disk(20, &[etcd])).await;
    let found = lab.google.snapshot();
    let made = found.object("disks", &format!("{}/a-etcd-main-ha-example-com", ZONES[0])).unwrap();
    assert_eq!(made["labels"]["k8s-io-etcd-main"], "a-2fa-2cb-2cc");
    assert_eq!(made["labels"]["k8s-io-cluster-name"], "ha-example-com");
    let wanted = disk(40, &[etcd, ("team", "a")]);
    assert_eq!(lab.changes(&wanted).await, [format!("update Disk/a.etcd-main.{CLUSTER}: labels.team, size")]);
    lab.apply(&wanted).await;
    let error = lab.try_apply(&disk(10, &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    lab.delete().await;
}

#[tokio::test]
async fn what_google_does_not_have_is_told_when_planning() {
    let lab = Lab::bare().await;
    for (edit, says) in [
        (
            Box::new(|group: &mut InstanceGroup| "nobody/nothing".clone_into(&mut group.image))
                as Box<dyn Fn(&mut InstanceGroup)>,
            "there is no Image \"nobody/nothing\"",
        ),
        (
            Box::new(|group: &mut InstanceGroup| "x9-huge".clone_into(&mut group.machine_type)),
            "there is no MachineType \"europe-west1-b/x9-huge\"",
        ),
        (
            Box::new(|group: &mut InstanceGroup| group.zones = ["europe-west1-x".to_owned()].into()),
            "there is no Zone \"europe-west1-x\"",
        ),
        (
            Box::new(|group: &mut InstanceGroup| group.zones = ["us-east1-b".to_owned()].into()),
            "the zone us-east1-b is not in the region europe-west1",
        ),
    ] {
        let mut site = Site::of(CLUSTER);
        site.group("nodes", |group| edit(group));
        let error = lab.engine.plan(&site.build()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn spot_machines_and_startup_scripts_are_as_asked() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |group| {
        group.spot = Some(kops_core::resource::SpotOptions::default());
        group.options = MachineOptions::new().public_ip(true);
        group.disks = [("/dev/sdb".to_owned(), InstanceDisk::new(100))].into();
        let extension = GceInstanceGroup { startup_script: true, ..GceInstanceGroup::default() };
        group.extensions.set(&extension).unwrap();
    });
    lab.apply(&site.build()).await;
    let found = lab.google.snapshot();
    let (_, template) = found
        .objects("instanceTemplates")
        .find(|(name, _)| name.starts_with("nodes-ha-example-com-") && !name.contains("-au"))
        .unwrap();
    let properties = &template["properties"];
    assert_eq!(properties["scheduling"]["provisioningModel"], "SPOT");
    assert_eq!(properties["disks"].as_array().unwrap().len(), 2);
    let keys: Vec<_> = properties["metadata"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["key"].as_str().unwrap())
        .collect();
    assert!(keys.contains(&"startup-script") && !keys.contains(&"user-data"), "{keys:?}");
    lab.delete().await;
}

#[tokio::test]
async fn a_single_machine_comes_and_goes() {
    let lab = Lab::new().await;
    let mut site = Site::of(CLUSTER);
    let tool = Instance::new(site.subnet.id(), IMAGE, "e2-medium")
        .firewalls([site.firewall.id()])
        .ssh_key(site.key.id())
        .root_disk(InstanceDisk::new(32))
        .labels([("topology.kubernetes.io/zone".to_owned(), ZONES[2].to_owned())]);
    site.graph.add(&format!("tool.{CLUSTER}"), tool);
    lab.apply(&site.build()).await;
    lab.delete().await;
}

/// A machine behind a load balancer, beside a group, with an address of its own; both, or neither.
fn served(is: bool) -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let balancer = site.balancer(Scheme::Public, vec![listener(443)]);
    site.group("nodes", |group| group.load_balancers = [balancer.id()].into());
    let name = format!("tool.{CLUSTER}");
    let address = site.graph.add(&name, Address::new());
    let tool = Instance::new(site.subnet.id(), IMAGE, "e2-medium")
        .root_disk(InstanceDisk::new(32))
        .labels([("topology.kubernetes.io/zone".to_owned(), ZONES[2].to_owned())])
        .load_balancers(is.then(|| balancer.id()))
        .address(is.then(|| address.id()));
    site.graph.add(&name, tool);
    site.build()
}

#[tokio::test]
async fn a_machine_is_behind_a_load_balancer_and_has_an_address() {
    const TOOL: &str = "tool-ha-example-com";
    let lab = Lab::new().await;
    lab.apply(&served(true)).await;
    let outputs = lab.engine.outputs(&served(true)).await.unwrap();
    let name = format!("tool.{CLUSTER}");
    let ip = outputs.get(&Handle::<Instance>::named(&name), Instance::PUBLIC_IP).unwrap();
    assert!(ip.is_some() && ip == outputs.get(&Handle::<Address>::named(&name), Address::IP).unwrap());
    let of_tool = json!({ "zone": ZONES[2], "instance": TOOL });
    let machine = |lab: &Lab| lab.google.call("compute.instances.get", of_tool.clone(), json!({}));
    assert_eq!(machine(&lab)["networkInterfaces"][0]["accessConfigs"][0]["natIP"], json!(ip));
    let backends = |lab: &Lab| {
        let found = lab.google.snapshot();
        let (_, service) =
            found.objects("backendServices").find(|(name, _)| name.contains("api-ha-example-com")).unwrap();
        service["backends"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(backends(&lab), 2, "the group and the machine");

    // Somebody takes it out of its group, and its address away.
    let group = json!({ "zone": ZONES[2], "instanceGroup": TOOL });
    let member = json!({ "instances": [{ "instance": machine(&lab)["selfLink"] }] });
    lab.google.call("compute.instanceGroups.removeInstances", group, member);
    let access = json!({
        "zone": ZONES[2], "instance": TOOL, "networkInterface": "nic0", "accessConfig": "Fixed NAT",
    });
    lab.google.call("compute.instances.deleteAccessConfig", access, json!({}));
    assert_eq!(
        lab.changes(&served(true)).await,
        [
            format!("update GceInstance/{name}: address, public_ip"),
            format!("update UnmanagedInstanceGroup/{name}: instances"),
        ]
    );
    lab.apply(&served(true)).await;
    assert_eq!(machine(&lab)["networkInterfaces"][0]["accessConfigs"][0]["natIP"], json!(ip));

    let before = machine(&lab)["id"].clone();
    lab.apply(&served(false)).await;
    assert_eq!(machine(&lab)["id"], before, "another machine");
    assert_eq!(machine(&lab)["networkInterfaces"][0]["accessConfigs"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(backends(&lab), 1);
    lab.delete().await;
}
