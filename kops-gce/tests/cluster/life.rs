//! What is made, changed by hand, mended and deleted.

use kops_core::ErrorKind;
use kops_core::resource::Scheme;
use kops_gce_emulator::Fault;
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::{Site, listener, user_data};

fn all(text: &str, machine_type: &str) -> kops_core::graph::TaskGraph {
    let mut site = Site::of(CLUSTER);
    let balancer = site.balancer(Scheme::Internal, vec![listener(443)]);
    site.group("nodes", |group| {
        group.zones = ZONES.map(str::to_owned).into();
        (group.min, group.max) = (4, 6);
        group.load_balancers.insert(balancer.id());
        group.user_data = Some(user_data(text));
        machine_type.clone_into(&mut group.machine_type);
    });
    site.build()
}

#[tokio::test]
async fn a_small_cluster_comes_settles_and_goes() {
    let lab = Lab::new().await;
    lab.apply(&all("hello", "n2-standard-2")).await;
    lab.delete().await;
}

#[tokio::test]
async fn the_size_is_divided_among_zones() {
    let lab = Lab::new().await;
    lab.apply(&all("hello", "n2-standard-2")).await;
    let found = lab.google.snapshot();
    let sizes: Vec<_> = found
        .objects("instanceGroupManagers")
        .filter(|(name, _)| name.contains("nodes-ha-example-com") && !name.contains("-au"))
        .map(|(_, group)| group["targetSize"].as_i64().unwrap())
        .collect();
    assert_eq!(sizes, [2, 1, 1]);
}

#[tokio::test]
async fn another_template_comes_beside_the_old_one_and_machines_stay() {
    let lab = Lab::new().await;
    lab.apply(&all("hello", "n2-standard-2")).await;
    lab.google.settle();
    let machines = |lab: &Lab| {
        lab.google.snapshot().names("instances").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = machines(&lab);
    let graph = all("hello", "n2-standard-4");
    let changes = lab.changes(&graph).await;
    assert_eq!(
        changes.iter().filter(|change| change.starts_with("replace")).collect::<Vec<_>>(),
        [&format!("replace InstanceTemplate/nodes.{CLUSTER}: machine.machine_type")]
    );
    lab.apply(&graph).await;
    assert_eq!(machines(&lab), before);
    // The old one stays as long as there are machines of it; nothing is planned about it meanwhile.
    let templates = |lab: &Lab| {
        let found = lab.google.snapshot();
        found.names("instanceTemplates").iter().filter(|it| it.starts_with("nodes-ha-example-com-")).count()
    };
    assert_eq!(templates(&lab), 2 + 1, "one is the sibling's");
    lab.delete().await;
}

#[tokio::test]
async fn what_is_changed_by_hand_is_mended() {
    let lab = Lab::new().await;
    let graph = all("hello", "n2-standard-2");
    lab.apply(&graph).await;
    let group = json!({ "zone": ZONES[1], "instanceGroupManager": "c-nodes-ha-example-com", "size": 7 });
    lab.google.call("compute.instanceGroupManagers.resize", group, json!(null));
    let rule = json!({ "firewall": "tcp-22-to-nodes-ha-example-com" });
    lab.google.call(
        "compute.firewalls.patch",
        rule,
        json!({ "name": "tcp-22-to-nodes-ha-example-com", "sourceRanges": ["0.0.0.0/0"] }),
    );
    lab.google.call(
        "compute.forwardingRules.delete",
        json!({ "region": "europe-west1", "forwardingRule": "api-ha-example-com" }),
        json!(null),
    );
    let changes = lab.changes(&graph).await;
    assert_eq!(
        changes,
        [
            format!("update GceFirewall/tcp-22-to-nodes.{CLUSTER}: source_ranges"),
            format!("update InstanceGroupManager/c.nodes.{CLUSTER}: size.max, size.min"),
            format!("create ForwardingRule/api.{CLUSTER}"),
        ],
        "{changes:#?}"
    );
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_size_within_the_bounds_is_left_to_autoscalers() {
    let lab = Lab::new().await;
    let graph = all("hello", "n2-standard-2");
    lab.apply(&graph).await;
    let group = json!({ "zone": ZONES[1], "instanceGroupManager": "c-nodes-ha-example-com", "size": 2 });
    lab.google.call("compute.instanceGroupManagers.resize", group, json!(null));
    lab.assert_settled(&graph).await;
}

#[tokio::test]
async fn groups_come_and_go() {
    let lab = Lab::new().await;
    let with = |groups: &[&str]| {
        let mut site = Site::of(CLUSTER);
        for group in groups {
            site.group(group, |_| {});
        }
        site.build()
    };
    lab.apply(&with(&["one"])).await;
    let added = lab.changes(&with(&["one", "two"])).await;
    assert!(added.iter().all(|change| change.starts_with("create ") && change.contains("two.")), "{added:?}");
    lab.apply(&with(&["one", "two"])).await;
    lab.apply(&with(&["two"])).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_name_that_others_hold_is_told_and_left_alone() {
    let lab = Lab::bare().await;
    let network = json!({ "name": "ha-example-com", "autoCreateSubnetworks": false });
    lab.google.call("compute.networks.insert", json!({}), network);
    let before = lab.google.snapshot();
    let error = lab.engine.plan(&Site::of(CLUSTER).build()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(
        error.to_string().contains("global/networks/ha-example-com exists, but is not owned by this scope"),
        "{error}"
    );
    assert_eq!(before.diff(&lab.google.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    for fault in [
        Fault::lose("*.insert"),
        Fault::lose("*.create"),
        Fault::lose("*.setIamPolicy"),
        Fault::drop("*.insert"),
    ] {
        let lab = Lab::new().await;
        lab.google.inject(fault.every(2));
        let graph = all("hello", "n2-standard-2");
        lab.try_apply(&graph).await.unwrap();
        lab.google.clear_faults();
        lab.assert_settled(&graph).await;
        lab.delete().await;
    }
}

#[tokio::test]
async fn what_is_throttled_or_not_visible_yet_is_repeated() {
    let lab = Lab::new().await;
    lab.google.inject(Fault::throttle("*").every(5));
    lab.google.set_list_delay(std::time::Duration::from_millis(30));
    lab.google.set_account_delay(std::time::Duration::from_millis(200));
    let graph = all("hello", "n2-standard-2");
    lab.try_apply(&graph).await.unwrap();
    lab.google.clear_faults();
    lab.google.set_list_delay(std::time::Duration::ZERO);
    lab.assert_settled(&graph).await;
    lab.delete().await;
}
