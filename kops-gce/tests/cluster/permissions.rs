//! What credentials may do, asked before anything is made.

use kops_core::cloud::{Cloud as _, Context, Permissions as _, Scope};
use kops_core::graph::TaskGraph;
use kops_core::resource::Network;
use kops_core::{Engine, ErrorKind};
use kops_gce::Gce;
use kops_gce_emulator::{Emulator, REGION};

async fn connect(google: &Emulator) -> Gce {
    let builder =
        Gce::builder().install_ring().project(google.project()).region(REGION).endpoint(google.endpoint());
    builder.anonymous().build().await.unwrap()
}

fn graph() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("main", Network::default());
    graph.build().unwrap()
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_needs_it() {
    let google = Emulator::start();
    let gce = connect(&google).await;
    let scope = Scope::new("ha.example.com");
    let native = gce.lower(&graph(), &scope, &[]).unwrap();
    let cx = Context::default();
    assert!(gce.missing(native.graph(), &scope, &cx).await.unwrap().is_empty());
    google.deny(&["compute.networks.create", "compute.disks.*"]);
    let missing = gce.missing(native.graph(), &scope, &cx).await.unwrap();
    let missing: Vec<_> = missing.iter().map(|it| (it.action.as_str(), it.needed_for.join(" "))).collect();
    assert_eq!(
        missing,
        [
            ("compute.disks.list", "Disk UnmanagedObject".to_owned()),
            ("compute.networks.create", "GceNetwork".to_owned())
        ]
    );
    assert!(google.calls().mutations(&[]).is_empty());
}

#[tokio::test]
async fn a_denied_call_names_the_permission() {
    let google = Emulator::start();
    google.deny(&["compute.networks.create"]);
    let engine = Engine::new(std::sync::Arc::new(connect(&google).await), Scope::new("ha.example.com"));
    let plan = engine.plan(&graph()).await.unwrap();
    let error = engine.apply_now(&plan).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("compute.networks.create"), "{error}");
}

#[tokio::test]
async fn the_least_is_a_custom_role() {
    let google = Emulator::start();
    let gce = connect(&google).await;
    let role = gce.least(&Scope::new("ha.example.com"));
    let permissions = role["includedPermissions"].as_array().unwrap();
    for needed in ["compute.networks.create", "iam.serviceAccounts.actAs", "storage.objects.get"] {
        assert!(permissions.iter().any(|it| it == needed), "{needed}");
    }
}
