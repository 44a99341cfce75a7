//! Calls that are accepted, and whose operation then ends in an error.

use kops_core::ErrorKind;
use kops_gce_emulator::Fault;

use crate::lab::{CLUSTER, Lab};
use crate::site::Site;

fn graph() -> kops_core::graph::TaskGraph {
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |_| {});
    site.build()
}

#[tokio::test]
async fn a_creation_that_fails_later_is_told_with_its_reason() {
    for (method, kind) in [
        ("compute.networks.insert", "GceNetwork"),
        ("compute.addresses.insert", "GceAddress"),
        ("compute.instanceGroupManagers.insert", "InstanceGroupManager"),
    ] {
        let lab = Lab::new().await;
        lab.google.inject(Fault::fail_operation(method, "QUOTA_EXCEEDED").times(1));
        let error = lab.try_apply(&graph()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
        let text = error.to_string();
        assert!(text.contains(kind) && text.contains("QUOTA_EXCEEDED"), "{text}");
        // The next run makes it.
        lab.apply(&graph()).await;
        lab.delete().await;
    }
}

#[tokio::test]
async fn a_change_that_fails_later_is_told() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    let mut site = Site::of(CLUSTER);
    site.group("nodes", |group| (group.min, group.max) = (3, 3));
    let more = site.build();
    lab.google
        .inject(Fault::fail_operation("compute.instanceGroupManagers.resize", "QUOTA_EXCEEDED").times(1));
    let error = lab.try_apply(&more).await.unwrap_err();
    assert!(error.to_string().contains("QUOTA_EXCEEDED"), "{error}");
    lab.apply(&more).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_deletion_that_fails_for_now_is_begun_again() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    let fault = Fault::fail_operation("compute.subnetworks.delete", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE");
    lab.google.inject(fault.times(2));
    lab.delete().await;
}

#[tokio::test]
async fn a_deletion_that_fails_for_good_is_told() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    lab.google.inject(Fault::fail_operation("compute.networks.delete", "PERMISSIONS_ERROR").times(1));
    let error = lab.try_apply(&kops_core::graph::TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    lab.delete().await;
}
