//! What the service does that its types do not tell.

use kops_azure::kinds::{NetworkSecurityGroup, VirtualMachineScaleSet};
use kops_cluster::extensions::NodeTemplate;
use kops_core::cloud::{Cloud as _, Context, Scope};
use kops_core::graph::{Handle, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Firewall, FirewallRule, InstanceDisk, InstanceGroup, Network, Peer, SshKey, Subnet,
};
use serde_json::{Value, json};

use crate::lab::{CLUSTER, IMAGE, KEY, Lab, SIZE, Site, rules};

const GROUP: &str = "nodes.ha.example.com";

/// One group of nodes.
fn nodes(edit: impl FnOnce(&mut InstanceGroup)) -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let mut group = site.group(&[1]);
    edit(&mut group);
    site.graph.add(GROUP, group);
    site.build()
}

/// The names of the scale sets of the cluster's group.
fn sets(lab: &Lab) -> Vec<String> {
    let found = lab.emulator.snapshot();
    let names = found.objects("virtualMachineScaleSets").map(|(name, _)| name.to_owned());
    names.filter(|name| name.contains("nodes-ha-example-com") && !name.contains("au")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_offer_is_another_scale_set_beside_the_old_one() {
    let lab = Lab::new().await;
    lab.apply(&nodes(|_| {})).await;
    let before = sets(&lab);
    let jammy = nodes(|group| {
        "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest".clone_into(&mut group.image);
    });
    let plan = lab.engine.plan(&jammy).await.unwrap();
    let change = &plan.changes[0];
    assert_eq!((change.action, plan.changes.len()), (Action::Replace, 1), "{change}");
    // The old one is deleted when the new one is there.
    lab.emulator.forget_calls();
    lab.try_apply(&jammy).await.unwrap();
    let calls = lab.emulator.calls();
    let order: Vec<_> = calls
        .mutations(&[])
        .iter()
        .filter(|call| call.action.starts_with("virtualMachineScaleSets."))
        .map(|call| call.action.clone())
        .collect();
    assert_eq!(order, ["virtualMachineScaleSets.createOrUpdate", "virtualMachineScaleSets.delete"]);
    let after = sets(&lab);
    assert_eq!((before.len(), after.len()), (1, 1), "{before:?} {after:?}");
    assert_ne!(before, after);
    // Machines are still the group's.
    let members =
        lab.azure.machines().unwrap().members(&Scope::new(CLUSTER), &Context::default()).await.unwrap();
    assert!(!members.is_empty() && members.iter().all(|it| it.group == GROUP), "{members:?}");

    // So it is for the type of the system disk; and back to a name that was in use before.
    let premium = nodes(|group| {
        "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest".clone_into(&mut group.image);
        group.root_disk.disk_type = Some("Premium_LRS".to_owned());
    });
    assert!(
        lab.changes(&premium)
            .await
            .iter()
            .all(|it| it == &format!("replace VirtualMachineScaleSet/{GROUP}: os_disk_sku"))
    );
    lab.apply(&premium).await;
    lab.apply(&nodes(|_| {})).await;
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_same_offer_is_a_change_in_place() {
    let lab = Lab::new().await;
    lab.apply(&nodes(|_| {})).await;
    let newer =
        nodes(|group| "Canonical:ubuntu-24_04-lts:server:24.04.202410170".clone_into(&mut group.image));
    assert_eq!(lab.changes(&newer).await, [format!("update VirtualMachineScaleSet/{GROUP}: image")]);
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_without_an_answer_makes_no_second_set() {
    let lab = Lab::new().await;
    lab.apply(&nodes(|_| {})).await;
    let premium = nodes(|group| group.root_disk.disk_type = Some("Premium_LRS".to_owned()));
    lab.emulator.inject(kops_azure_emulator::Fault::lose("virtualMachineScaleSets.createOrUpdate").times(1));
    lab.apply(&premium).await;
    assert_eq!(sets(&lab).len(), 1);
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_of_nodes_wins_over_what_is_derived() {
    let lab = Lab::new().await;
    let key = "k8s.io/cluster-autoscaler/node-template/label/pool";
    let graph = nodes(|group| {
        let labels =
            [("pool", "batch"), ("disk", "fast")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        group.extensions.set(&NodeTemplate::new(labels.into(), [].into())).unwrap();
        group.labels.insert(key.to_owned(), "bulk".to_owned());
    });
    lab.apply(&graph).await;
    let name = sets(&lab).remove(0);
    let found = lab.emulator.snapshot();
    let (_, set) = found.objects("virtualMachineScaleSets").find(|(it, _)| *it == name).unwrap();
    let tag = |label: &str| &set["tags"][format!("k8s.io_cluster-autoscaler_node-template_label_{label}")];
    assert_eq!((tag("pool"), tag("disk")), (&json!("bulk"), &json!("fast")));
    lab.delete().await;
}

fn put_rule(lab: &Lab, name: &str, priority: u16) {
    let path = format!(
        "resourceGroups/{CLUSTER}/providers/Microsoft.Network/networkSecurityGroups/{CLUSTER}/securityRules/{name}"
    );
    let rule = json!({ "properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": priority,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "9999",
    }});
    lab.emulator.request("PUT", &path, rule);
}

fn with_access(cidrs: &[&str]) -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let bastion = site.graph.add(&format!("bastion.{CLUSTER}"), Firewall::new(site.network.id(), "bastion"));
    let admitted =
        cidrs.iter().map(|cidr| FirewallRule::tcp(22, Peer::Cidr(cidr.parse().unwrap()))).collect();
    rules(&mut site.graph, &bastion, admitted);
    site.build()
}

fn priorities(lab: &Lab) -> std::collections::BTreeMap<String, i64> {
    let found = lab.emulator.snapshot();
    let (_, group) =
        found.objects("networkSecurityGroups").find(|(name, _)| name.ends_with(CLUSTER)).unwrap();
    let rules = group["properties"]["securityRules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            (rule["name"].as_str().unwrap().to_owned(), rule["properties"]["priority"].as_i64().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_somebody_has_is_not_taken() {
    let lab = Lab::new().await;
    lab.apply(&with_access(&["198.51.100.0/24"])).await;
    let before = priorities(&lab);
    // The next numbers are taken in the meantime.
    let highest = before.values().filter(|it| **it < 3900).max().unwrap();
    for step in 1..=3 {
        put_rule(&lab, &format!("theirs-{step}"), u16::try_from(highest + step).unwrap());
    }
    lab.apply(&with_access(&["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24"])).await;
    let after = priorities(&lab);
    for (name, priority) in &before {
        assert_eq!(after.get(name), Some(priority), "{name}");
    }
    for step in 1..=3 {
        assert_eq!(after[&format!("theirs-{step}")], highest + step);
    }
    assert_eq!(after.len(), before.len() + 3 + 2);
    for step in 1..=3 {
        let path = format!(
            "resourceGroups/{CLUSTER}/providers/Microsoft.Network/networkSecurityGroups/{CLUSTER}/securityRules/theirs-{step}"
        );
        lab.emulator.request("DELETE", &path, Value::Null);
    }
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_of_ipv6_does_not_open_ipv4() {
    let lab = Lab::new().await;
    let native =
        lab.azure.lower(&with_access(&["198.51.100.0/24", "::/0"]), &Scope::new(CLUSTER), &[]).unwrap();
    let group: NetworkSecurityGroup = native.graph().spec(CLUSTER).unwrap();
    let open = group.rules.iter().filter(|rule| rule.ports.is_some_and(|ports| ports.from == 22));
    let from: Vec<_> = open.map(|rule| serde_json::to_string(&rule.from).unwrap()).collect();
    assert_eq!(from.len(), 1, "{from:?}");
    assert!(from[0].contains("198.51.100.0/24"), "{from:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_in_a_subnet_that_is_somebody_elses() {
    in_a_subnet_of_somebody(false).await;
}

/// Both groups are asked then: the owner's is left where it is, and does not stand for the cluster's.
#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_in_a_subnet_that_has_its_owners() {
    in_a_subnet_of_somebody(true).await;
}

async fn in_a_subnet_of_somebody(has_guard: bool) {
    let mut lab = Lab::new().await;
    lab.emulator.create_group("corp");
    let network = lab.emulator.id("corp", "Microsoft.Network/virtualNetworks/corp");
    let mut body = json!({ "location": "westeurope", "properties": {
        "addressSpace": { "addressPrefixes": ["10.9.0.0/16"] },
        "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.9.0.0/20" } }],
    }});
    if has_guard {
        let theirs = lab.emulator.id("corp", "Microsoft.Network/networkSecurityGroups/theirs");
        let group = json!({ "location": "westeurope", "properties": { "securityRules": [] } });
        lab.emulator.request("PUT", &theirs, group);
        body["properties"]["subnets"][0]["properties"]["networkSecurityGroup"] = json!({ "id": theirs });
    }
    lab.emulator.request("PUT", &network, body);
    lab.before = lab.emulator.snapshot();
    let mut graph = TaskGraph::builder();
    let shared: Handle<Network> = graph.share(CLUSTER, &network);
    let subnet: Handle<Subnet> = graph.share(&format!("a.{CLUSTER}"), format!("{network}/subnets/a"));
    let wall = Firewall::new(shared.id(), "nodes");
    let wall = graph.add(&format!("nodes.{CLUSTER}"), wall);
    rules(&mut graph, &wall, vec![FirewallRule::tcp(22, Peer::Cidr("198.51.100.0/24".parse().unwrap()))]);
    let key = graph.add(&format!("kubernetes.{CLUSTER}"), SshKey::new(KEY));
    let group = InstanceGroup::new([subnet.id()], IMAGE, SIZE)
        .firewalls([wall.id()])
        .ssh_key(key.id())
        .root_disk(InstanceDisk::new(64));
    graph.add(GROUP, group.zones(["westeurope-1".to_owned()]));
    let graph = graph.build().unwrap();
    let native = lab.azure.lower(&graph, &Scope::new(CLUSTER), &[]).unwrap();
    let set: VirtualMachineScaleSet = native.graph().spec(GROUP).unwrap();
    assert!(set.security_group.is_some());
    lab.apply(&graph).await;
    let found = lab.emulator.snapshot();
    let (_, set) = found
        .objects("virtualMachineScaleSets")
        .find(|(name, _)| name.contains("nodes-ha-example-com"))
        .unwrap();
    let interface =
        &set["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0];
    let guard = interface["properties"]["networkSecurityGroup"]["id"].as_str().unwrap();
    assert!(guard.ends_with(&format!("networkSecurityGroups/{CLUSTER}")), "{guard}");
    lab.delete().await;
}
