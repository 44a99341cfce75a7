//! What holds of every specification that can be made from the schema, on the in-memory cloud.
//!
//! `KOPS_GENERATED=100000 cargo test --release -p kops-cluster --test generated` runs more of them. The same is tested
//! on the other clouds by the tests of the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod generator;

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;
use kops_cluster::{
    AnyObject, ApiObject as _, ClusterFiles, Manifest, Mode, cluster_graph, validate, write_manifest,
};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, ErrorKind};

const ZONES: [&str; 3] = ["zone-1a", "zone-1b", "zone-1c"];

fn cases() -> u64 {
    let more = std::env::var_os("KOPS_GENERATED").and_then(|text| text.into_string().ok()?.parse().ok());
    more.unwrap_or(60)
}

#[tokio::test]
async fn what_is_accepted_is_planned_and_what_is_refused_has_a_fix() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..cases() {
        let mut random = Rng::with_seed(seed);
        let mut files = generator::usual(&mut random, "memory", ZONES);
        let changes = generator::change(&mut random, &mut files, 4);
        let problems = validate(&files.cluster, &files.instance_groups);
        for problem in &problems {
            assert!(!problem.fix.is_empty() && !problem.path.is_root(), "{problem}: {changes:?}");
        }
        let cloud = Arc::new(MemoryCloud::new());
        match cluster_graph(&files, &*cloud) {
            Ok(planned) => {
                assert!(!problems.has_errors());
                let plan = Engine::new(cloud, planned.scope).plan(&planned.graph).await;
                // The cloud has no networks, subnets and images of these names; anything else would be a mistake.
                if let Err(error) = plan {
                    assert!(
                        matches!(
                            error.kind(),
                            ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::Invalid
                        ),
                        "{error}: {changes:?}"
                    );
                }
                accepted += 1;
            }
            Err(problems) => {
                assert!(problems.has_errors());
                assert!(!problems.to_string().contains("this is a bug"), "{problems}: {changes:?}");
                refused += 1;
            }
        }
    }
    assert!(accepted > refused / 4 && refused > accepted / 20, "{accepted} accepted, {refused} refused");
}

#[test]
fn what_is_written_is_read_again_and_changes_nothing() {
    for seed in 0..cases() {
        let mut random = Rng::with_seed(seed);
        let mut files = generator::usual(&mut random, "memory", ZONES);
        let changes = generator::change(&mut random, &mut files, 6);
        let objects = objects(&files);
        let text = write_manifest(&objects).unwrap();
        let (again, _) = Manifest::read(&text, Mode::Strict)
            .and_then(Manifest::into_objects)
            .unwrap_or_else(|error| panic!("{error}: {changes:?}\n{text}"));
        assert_eq!(again, objects, "{changes:?}");
        assert_eq!(write_manifest(&again).unwrap(), text);
        let json =
            serde_json::to_string(&again.iter().map(|it| it.to_document().unwrap()).collect::<Vec<_>>())
                .unwrap();
        let (of_json, _) = Manifest::read(&json, Mode::Strict).and_then(Manifest::into_objects).unwrap();
        assert_eq!(of_json, objects, "{changes:?}");
    }
}

fn objects(files: &ClusterFiles) -> Vec<AnyObject> {
    let groups = files.instance_groups.iter().cloned().map(AnyObject::from);
    std::iter::once(AnyObject::from(files.cluster.clone())).chain(groups).collect()
}

#[test]
fn defaults_never_make_a_usual_cluster_invalid() {
    let mut kinds = BTreeSet::new();
    for seed in 0..cases() {
        let files = generator::usual(&mut Rng::with_seed(seed), "memory", ZONES);
        let problems = validate(&files.cluster, &files.instance_groups);
        assert!(!problems.has_errors(), "{problems}");
        kinds.insert(files.cluster.to_yaml().unwrap());
    }
    assert!(kinds.len() > 20, "{} different clusters", kinds.len());
}
