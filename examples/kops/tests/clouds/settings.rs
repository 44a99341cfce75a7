//! Settings that not every cloud acts on: on each cloud they change what is made, are refused, or are warned of.

use kops_cluster::{ClusterFiles, cluster_graph, set};

use crate::ground;
use crate::offline::{self, Offline};

/// What a plan is made of, and what is warned of; or why it is refused.
fn outcome(offline: &Offline, files: &ClusterFiles) -> Result<(String, Vec<String>), String> {
    let planned = cluster_graph(files, &*offline.cloud).map_err(|problems| problems.to_string())?;
    let native = offline.cloud.lower(&planned.graph, &planned.scope, &[]);
    let native = native.map_err(|error| error.to_string())?;
    let warnings = planned.warnings.iter().map(|warning| warning.path.to_string()).collect();
    Ok((serde_json::to_string(&**native.graph()).unwrap(), warnings))
}

/// Settings of groups, with values of which at least one is not what is done anyway.
const OF_GROUPS: &[(&str, &[&str])] = &[
    ("spec.detailedInstanceMonitoring", &["true"]),
    ("spec.instanceMetadata.httpTokens", &["required", "optional"]),
    ("spec.instanceMetadata.httpPutResponseHopLimit", &["3"]),
    ("spec.maxInstanceLifetime", &["48h"]),
    ("spec.cpuCredits", &["unlimited"]),
    ("spec.tenancy", &["dedicated"]),
];

/// Settings of clusters.
const OF_CLUSTERS: &[(&str, &[&str])] = &[
    ("spec.api.loadBalancer.crossZoneLoadBalancing", &["true", "false"]),
    ("spec.api.loadBalancer.idleTimeoutSeconds", &["300"]),
    ("spec.api.loadBalancer.sslPolicy", &["ELBSecurityPolicy-TLS13-1-2-2021-06"]),
];

#[tokio::test]
async fn no_setting_of_some_clouds_is_silent_on_another() {
    for offline in offline::all().await.unwrap() {
        let plain = ground::cluster(&offline, |_, _| {}, |_, _| {}).unwrap();
        let before = outcome(&offline, &plain).unwrap();
        // A refusal for another reason tells nothing of the setting.
        let is_told = |files: &ClusterFiles, path: &str| match outcome(&offline, files) {
            Ok(after) => after != before,
            Err(why) => why.contains(path.rsplit('.').next().unwrap_or(path)),
        };
        for (path, values) in OF_GROUPS {
            let told = values.iter().any(|value| {
                let mut files = plain.clone();
                for group in &mut files.instance_groups {
                    set(group, path, value).unwrap();
                }
                is_told(&files, path)
            });
            assert!(told, "{}: nothing becomes of {path}", offline.title);
        }
        for (path, values) in OF_CLUSTERS {
            let told = values.iter().any(|value| {
                let mut files = plain.clone();
                set(&mut files.cluster, path, value).unwrap();
                is_told(&files, path)
            });
            assert!(told, "{}: nothing becomes of {path}", offline.title);
        }
    }
}
