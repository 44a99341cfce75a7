//! A cluster's life, the same on all clouds: made, left alone, changed by its owner, deleted.

use super::account::{Account, Cloud};
use crate::common::summary;

/// The most calls for a plan without changes, those to the state store left out.
const MOST_CALLS: usize = 40;
/// So many objects are read from the state store at most: the cluster, its groups, the key, and lists.
const STORE_CALLS: usize = 14;

/// Makes, changes and deletes a cluster; `type_of_more` is another machine type than the usual.
#[expect(clippy::print_stdout, reason = "a test tells what it counted")]
pub(crate) fn of_a_cluster<C: Cloud>(type_of_more: &str) {
    let Some(it) = Account::<C>::with_cluster() else { return };
    let planned = summary(&it.plan())[0];
    it.cloud.watch().forget_calls();
    it.apply();
    let (calls, mutations) = it.cloud.watch().count_calls();
    let again = it.assert_settled();
    println!(
        "{planned} tasks: {calls} calls to apply, {mutations} changing; {again} for a plan without changes"
    );
    assert!(again <= MOST_CALLS + STORE_CALLS, "{again} calls");

    let whole = summary(&it.plan());

    // A group more, another machine type for it, and it goes again: nothing else is touched.
    let nodes = it.desk.ok(&["get", "instancegroups", "--name", &it.cluster, "-o", "json"]);
    let nodes: Vec<serde_json::Value> = serde_json::from_str(&nodes).unwrap();
    let node = nodes.iter().find(|group| group["spec"]["role"] == "Node").unwrap();
    let subnet = format!("--subnet={}", node["spec"]["subnets"][0].as_str().unwrap());
    let mut create =
        ["create", "ig", "more", "--name", &it.cluster, &subnet, "--role=node"].map(str::to_owned).to_vec();
    for (field, value) in [
        ("machineType", &node["spec"]["machineType"]),
        ("image", &node["spec"]["image"]),
        ("zones", &node["spec"]["zones"][0]),
    ] {
        create.extend(value.as_str().map(|value| format!("--set=spec.{field}={value}")));
    }
    it.desk.ok(&create.iter().map(String::as_str).collect::<Vec<_>>());
    let added = it.changes();
    assert!(!added.is_empty() && added.iter().all(|change| is_of_more(change, "create")), "{added:?}");
    it.apply();
    it.assert_settled();

    let machine_type = format!("--set=spec.machineType={type_of_more}");
    it.desk.ok(&["edit", "ig", "more", "--name", &it.cluster, &machine_type]);
    let changed = it.changes();
    assert!(!changed.is_empty() && changed.iter().all(|change| change.contains("more")), "{changed:?}");
    it.apply();
    it.assert_settled();

    let run = it.desk.run(&["delete", "ig", "more", "--name", &it.cluster, "--yes"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    it.assert_settled();
    assert_eq!(summary(&it.plan()), whole, "all that there was is there");

    it.delete();
    it.assert_as_before();
}

/// Whether a change is of this action and about the group, or about something that lists the groups.
fn is_of_more(change: &str, action: &str) -> bool {
    change.starts_with(action) && change.contains("more")
}
