//! What a cluster's machines have to know of Google Cloud.

use kops_cluster::cloud::{Architecture, EtcdVolume, EtcdVolumes, NodeFacts, state_store, unreadable};
use kops_cluster::{Cluster, Problems};
use kops_node::bundle::{self, Store};
use kops_node::stage0::Get;

/// Google's time server: <https://cloud.google.com/compute/docs/instances/configure-ntp>.
const TIME: &str = "metadata.google.internal";

/// The facts of machines in a project: credentials are the service account's, the state store is in Cloud Storage.
pub(super) fn facts(project: &str, cluster: &Cluster) -> Result<NodeFacts, Problems> {
    let base = state_store(cluster)?;
    let cloud = bundle::Cloud::Gce(bundle::Gce { project: project.to_owned(), ..bundle::Gce::default() });
    let facts = match base.strip_prefix("gs://") {
        Some(place) => {
            let store = Store { url: base.to_owned(), endpoint: None, region: None };
            let get = Get::Gce { base: format!("https://storage.googleapis.com/{place}") };
            Some(NodeFacts::new(cloud, store, get))
        }
        None => NodeFacts::of_plain_store(cloud, base),
    };
    let facts = facts.ok_or_else(|| unreadable(base, "Google Cloud", "gs://, file:// or https://"))?;
    let facts = facts.volumes(EtcdVolumes::Device(device)).architecture(architecture).time_server(TIME);
    Ok(facts.incomplete(
        "nothing attaches the disks of etcd's members to control planes",
        "attach each disk with its own name as device name",
    ))
}

/// A disk that is attached under its own name.
fn device(volume: &EtcdVolume<'_>) -> String {
    let task = format!("{}.etcd-{}.{}", volume.member, volume.etcd, volume.cluster);
    format!("/dev/disk/by-id/google-{}", task.replace('.', "-"))
}

/// Arm processors have series of their own: <https://cloud.google.com/compute/docs/instances/arm-on-compute>.
fn architecture(machine_type: &str) -> Architecture {
    const ARM: [&str; 5] = ["t2a", "c4a", "n4a", "a4x", "x4a"];
    let series = machine_type.split('-').next().unwrap_or_default();
    if ARM.contains(&series) { Architecture::Arm64 } else { Architecture::Amd64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_is_told_by_the_series() {
        assert_eq!(architecture("t2a-standard-4"), Architecture::Arm64);
        assert_eq!(architecture("c4a-highmem-2"), Architecture::Arm64);
        assert_eq!(architecture("c4-highmem-2"), Architecture::Amd64);
        assert_eq!(architecture("e2-medium"), Architecture::Amd64);
    }

    #[test]
    fn the_state_store_is_in_cloud_storage_or_plain() {
        let mut cluster = Cluster::named("ha.example.com");
        cluster.spec.config_store.base = Some("gs://state/ha.example.com/".to_owned());
        let known = facts("my-project", &cluster).unwrap();
        assert_eq!(
            known.get,
            Get::Gce { base: "https://storage.googleapis.com/state/ha.example.com".to_owned() }
        );
        cluster.spec.config_store.base = Some("s3://state/ha.example.com".to_owned());
        assert!(facts("my-project", &cluster).is_err());
    }
}
