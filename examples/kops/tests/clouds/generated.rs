//! What holds of every specification that can be made from the schema, on every cloud: what is accepted is lowered, and
//! what is refused is refused with a fix. `KOPS_GENERATED=10000` makes more of them.

use fastrand::Rng;
use kops_cluster::{cluster_graph, validate};
use kops_core::ErrorKind;

use crate::{generator, offline};

#[tokio::test]
async fn what_is_accepted_is_lowered_on_every_cloud_and_what_is_refused_has_a_fix() {
    let more = std::env::var_os("KOPS_GENERATED").and_then(|text| text.into_string().ok()?.parse().ok());
    for offline in offline::all().await.unwrap() {
        let (mut accepted, mut refused) = (0, 0);
        for seed in 0..more.unwrap_or(120_u64) {
            let mut random = Rng::with_seed(seed);
            let mut files = generator::usual(&mut random, offline.cloud.name(), offline.zones);
            let changes = generator::change(&mut random, &mut files, 4);
            let context = || format!("{}, seed {seed}: {changes:?}", offline.title);
            for problem in &validate(&files.cluster, &files.instance_groups) {
                assert!(!problem.fix.is_empty(), "{problem}\n{}", context());
            }
            match cluster_graph(&files, &*offline.cloud) {
                Ok(planned) => {
                    accepted += 1;
                    if let Err(error) = offline.cloud.lower(&planned.graph, &planned.scope, &[]) {
                        assert_ne!(error.kind(), ErrorKind::Internal, "{error}\n{}", context());
                    }
                }
                Err(problems) => {
                    refused += 1;
                    assert!(
                        problems.has_errors() && problems.iter().all(|it| !it.fix.is_empty()),
                        "{problems}"
                    );
                    assert!(!problems.to_string().contains("this is a bug"), "{problems}\n{}", context());
                }
            }
        }
        assert!(accepted > 0 && refused > 0, "{}: {accepted} accepted, {refused} refused", offline.title);
    }
}
