//! Two processes, one plan.
#![expect(clippy::unwrap_used, reason = "a helper of tests is a test")]

use std::path::Path;
use std::process::{Command, Output};

use kops_core::graph::Id;
use kops_core::resource::Network;
use kops_core::testing::MemoryCloud;

fn saved_plan(directory: &Path, verb: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saved_plan"));
    command.arg(directory.join("cloud.json")).arg(verb).arg(directory.join("plan.json")).output().unwrap()
}

#[test]
fn another_process_applies_exactly_what_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let shown = saved_plan(directory.path(), "plan");
    assert!(String::from_utf8_lossy(&shown.stdout).starts_with("shop on memory: 2 to create"));
    let applied = saved_plan(directory.path(), "apply");
    assert!(applied.status.success(), "{applied:?}");
    assert!(String::from_utf8_lossy(&applied.stdout).contains("2 done"));
    // The plan is stale once it has been applied.
    let again = saved_plan(directory.path(), "apply");
    assert!(!again.status.success());
}

#[test]
fn a_plan_that_the_cloud_no_longer_fits_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(saved_plan(directory.path(), "plan").status.success());
    assert!(saved_plan(directory.path(), "apply").status.success());
    // Changed manually: the next plan reverts the network.
    let cloud = MemoryCloud::builder().file(directory.path().join("cloud.json")).build();
    let network = cloud.objects().unwrap().into_iter().find(|it| it.kind == "Network").unwrap();
    let id = Id::<Network>::new(network.id);
    cloud.alter(&id, |network| network.ipv6 = true).unwrap();
    assert!(saved_plan(directory.path(), "plan").status.success());
    // Someone else is faster.
    cloud.alter(&id, |network| network.ipv6 = false).unwrap();
    let applied = saved_plan(directory.path(), "apply");
    assert!(!applied.status.success());
    let error = String::from_utf8_lossy(&applied.stderr).into_owned();
    assert!(error.contains("conflict"), "{error}");
}
