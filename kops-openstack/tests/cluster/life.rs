//! A cluster's life: made, found settled, changed, mended, deleted.

use kops_core::cloud::Cloud as _;
use serde_json::Value;

use crate::lab::{Site, annotate};

/// The number of calls of a plan without changes, as stated in README. If it has to grow, explain the added call here.
/// The 24th lists application credentials: those that control planes have when machines join by themselves.
const CALLS: usize = 24;

#[tokio::test]
async fn a_cluster_comes_settles_and_goes() {
    let Some(site) = Site::new().await else { return };
    site.try_apply(&site.graph()).await.unwrap();
    let made = site.lab.calls();
    println!("applied: {} calls, {} changing", made.len(), made.iter().filter(|call| call.mutates()).count());
    let calls = site.assert_settled().await;
    println!("plan without changes: {} calls", calls.len());
    assert!(calls.len() <= CALLS, "{} calls: {calls:#?}", calls.len());
    site.delete().await;
}

#[tokio::test]
#[ignore = "makes fifty machines, which takes OpenStack some minutes: run it with `-- --ignored`"]
async fn fifty_groups_cost_hardly_more_to_look_at_than_three() {
    let Some(mut site) = Site::new().await else { return };
    site.try_apply(&site.graph()).await.unwrap();
    let few = site.assert_settled().await.len();
    let nodes = site.group("nodes-b").clone();
    for number in 4..=50 {
        let mut more = nodes.clone();
        more.metadata.name = format!("nodes-{number}");
        site.files.instance_groups.push(more);
    }
    site.try_apply(&site.graph()).await.unwrap();
    let many = site.assert_settled().await.len();
    println!("plan without changes: {few} calls with 3 groups, {many} with 50");
    assert!(many * 2 <= few * 3, "{many} calls with 50 groups, {few} with 3");
    site.delete().await;
}

#[tokio::test]
async fn each_change_is_planned_as_what_it_is() {
    let Some(mut site) = Site::new().await else { return };
    site.apply().await;

    // Another machine type: the machine is replaced.
    site.group("nodes-b").spec.machine_type = Some("m1.medium".to_owned());
    assert_eq!(site.changes().await, ["replace NovaServer/nodes-b-1: flavor"]);
    site.apply().await;

    // Addresses that a machine may send from, in place; and the machines of another group kept apart.
    annotate(site.group("nodes-b"), "allowedAddressPair/pods", "100.96.0.0/11,fa:16:3e:00:00:01");
    annotate(site.group("nodes-c"), "allowedAddressPair/pods", "100.64.0.0/10");
    assert_eq!(
        site.changes().await,
        [
            "update NeutronPort/nodes-b-1: allowed_address_pairs",
            "update NeutronPort/nodes-c-1: allowed_address_pairs"
        ]
    );
    site.apply().await;

    // A machine more, and a group less.
    let group = site.group("nodes-b");
    (group.spec.min_size, group.spec.max_size) = (Some(2), Some(2));
    let gone = site.files.instance_groups.iter().position(|group| group.name() == "nodes-c").unwrap();
    site.files.instance_groups.remove(gone);
    let changes: Vec<_> =
        site.changes().await.into_iter().map(|change| change.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(
        changes,
        [
            "create NeutronPort/nodes-b-2",
            "create NovaServer/nodes-b-2",
            "delete NeutronPort/nodes-c-1",
            "delete NovaServer/nodes-c-1",
            "delete ServerGroup/nodes-c",
        ]
    );
    site.apply().await;

    drift(&site).await;
    site.delete().await;
}

/// What others change by hand is found and mended.
async fn drift(site: &Site) {
    let rest = site.lab.rest();
    let id_of = |service: &str, path: &str, items: &str, name: &str| {
        let found = rest.list(service, path, items);
        let found = found.iter().find(|it| it["name"].as_str().is_some_and(|it| it.starts_with(name)));
        found.unwrap_or_else(|| panic!("{name}")).get("id").unwrap().as_str().unwrap().to_owned()
    };
    // A server is gone, another one has failed, a rule has been removed, a member taken out of a pool.
    let server = id_of("nova", "v2.1/servers", "servers", "nodes-b-1");
    rest.call("nova", "DELETE", &format!("v2.1/servers/{server}"), &Value::Null);
    let masters = id_of("neutron", "v2.0/security-groups", "security_groups", "masters");
    let rules = rest.list(
        "neutron",
        &format!("v2.0/security-group-rules?security_group_id={masters}"),
        "security_group_rules",
    );
    let rule = rules.iter().find(|rule| rule["direction"] == "ingress").unwrap()["id"].as_str().unwrap();
    rest.call("neutron", "DELETE", &format!("v2.0/security-group-rules/{rule}"), &Value::Null);
    let pool = id_of("octavia", "v2/lbaas/pools", "pools", "api");
    let members = rest.list("octavia", &format!("v2/lbaas/pools/{pool}/members"), "members");
    let member = members[0]["id"].as_str().unwrap();
    rest.call("octavia", "DELETE", &format!("v2/lbaas/pools/{pool}/members/{member}"), &Value::Null);
    while !rest.list("nova", "v2.1/servers", "servers").iter().all(|it| it["id"] != server.as_str()) {
        site.cloud.clock().sleep(std::time::Duration::from_millis(200)).await;
    }
    let changes: Vec<_> =
        site.changes().await.into_iter().map(|change| change.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(
        changes,
        ["update SecurityGroupRules/masters", "update PoolMembers/api-443", "create NovaServer/nodes-b-1"]
    );
    site.apply().await;
}
