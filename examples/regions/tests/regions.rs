//! The program as CI runs it.
#![expect(clippy::unwrap_used, reason = "a helper of tests is a test")]

use std::path::Path;
use std::process::{Command, Output};

use kops_core::graph::Id;
use kops_core::resource::Network;
use kops_core::testing::MemoryCloud;

fn regions(file: &Path, verb: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_regions")).arg(file).arg(verb).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn both_regions_are_applied_and_drift_is_an_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cloud.json");
    assert_eq!(regions(&file, "check").status.code(), Some(2));

    let applied = regions(&file, "apply");
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert!(text(&applied).contains("shop within eu on memory: 4 to create"), "{}", text(&applied));
    let addresses: Vec<_> =
        text(&applied).lines().filter(|line| line.starts_with("us: ")).map(str::len).collect();
    assert!(addresses[0] > "us: ".len());
    let checked = regions(&file, "check");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));

    // One region is changed manually; the other is not affected.
    let account = MemoryCloud::builder().file(&file).build();
    let network = account.objects().unwrap().into_iter().find(|it| {
        it.kind == "Network" && it.spec.get("cidrs").is_some_and(|cidrs| cidrs[0] == "10.2.0.0/16")
    });
    account.alter(&Id::<Network>::new(network.unwrap().id), |network| network.ipv6 = true).unwrap();
    let checked = regions(&file, "check");
    assert_eq!(checked.status.code(), Some(2));
    let text = text(&checked);
    assert!(
        text.contains("shop within us on memory: 1 to") && text.contains("shop within eu on memory: nothing"),
        "{text}"
    );

    assert_eq!(regions(&file, "destroy").status.code(), Some(1));
}
