//! What a cluster's machines have to know of AWS.

use std::collections::BTreeMap;

use kops_cluster::cloud::{Architecture, EtcdVolume, EtcdVolumes, NodeFacts, state_store, unreadable};
use kops_cluster::{Cluster, Problems};
use kops_node::bundle::{self, Store};
use kops_node::stage0::Get;

use crate::tags::CLUSTER;

/// The Amazon Time Sync Service:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html>.
const TIME: &str = "169.254.169.123";

/// The facts of machines in a region: credentials are the instance profile's, the state store is in S3, and a member of
/// etcd attaches its own volume.
pub(super) fn facts(region: &str, cluster: &Cluster) -> Result<NodeFacts, Problems> {
    let base = state_store(cluster)?;
    let aws = bundle::Aws { region: region.to_owned(), ..bundle::Aws::default() };
    let cloud = bundle::Cloud::Aws(aws);
    let facts = match base.strip_prefix("s3://") {
        Some(place) => {
            let store = Store { url: base.to_owned(), endpoint: None, region: Some(region.to_owned()) };
            Some(NodeFacts::new(cloud, store, s3(place, region)))
        }
        None => NodeFacts::of_plain_store(cloud, base),
    };
    let facts = facts.ok_or_else(|| unreadable(base, "AWS", "s3://, file:// or https://"))?;
    Ok(facts.volumes(EtcdVolumes::Tags(volume)).architecture(architecture).time_server(TIME))
}

/// A directory of a bucket. The bucket is in the path if its name has dots: no certificate covers such a host.
fn s3(place: &str, region: &str) -> Get {
    let (bucket, path) = place.split_once('/').unwrap_or((place, ""));
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = if bucket.contains('.') {
        format!("https://s3.{region}.{suffix}/{bucket}")
    } else {
        format!("https://{bucket}.s3.{region}.{suffix}")
    };
    let base = format!("{host}/{path}");
    Get::Aws { base: base.trim_end_matches('/').to_owned(), region: region.to_owned() }
}

/// The tags by which a machine finds the volume of a member: this cluster's, and kOps' own for the member.
fn volume(volume: &EtcdVolume<'_>) -> BTreeMap<String, String> {
    BTreeMap::from([(CLUSTER.to_owned(), volume.cluster.to_owned()), volume.label()])
}

/// Graviton is in the name of a machine type: after the generation comes a `g`, as in `m7g.large` or `c6gn.xlarge`; the
/// first of them was called `a1`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html>.
fn architecture(machine_type: &str) -> Architecture {
    let family = machine_type.split('.').next().unwrap_or_default();
    let series = family.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    let attributes = series.trim_start_matches(|c: char| c.is_ascii_digit());
    let attributes = attributes.split('-').next().unwrap_or_default();
    if attributes.contains('g') || family == "a1" { Architecture::Arm64 } else { Architecture::Amd64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_the_name() {
        for arm in [
            "m7g.large",
            "c6gn.xlarge",
            "t4g.medium",
            "a1.large",
            "g5g.xlarge",
            "im4gn.large",
            "x2gd.metal",
            "r8gb.large",
        ] {
            assert_eq!(architecture(arm), Architecture::Arm64, "{arm}");
        }
        for intel in [
            "m5.large",
            "t3.medium",
            "g4dn.xlarge",
            "g5.xlarge",
            "p4d.24xlarge",
            "u-6tb1.metal",
            "m7i-flex.large",
            "inf2.xlarge",
            "mac2.metal",
            "",
        ] {
            assert_eq!(architecture(intel), Architecture::Amd64, "{intel}");
        }
    }

    #[test]
    fn a_bucket_is_a_host_unless_its_name_has_dots() {
        let base = |place: &str, region: &str| match s3(place, region) {
            Get::Aws { base, .. } => base,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            base("state/ha.example.com", "eu-central-1"),
            "https://state.s3.eu-central-1.amazonaws.com/ha.example.com"
        );
        assert_eq!(base("my.state", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn/my.state");
    }

    #[test]
    fn stores_that_machines_cannot_read_are_refused() {
        let mut cluster = Cluster::named("ha.example.com");
        let mut told = |base: Option<&str>| {
            cluster.spec.config_store.base = base.map(str::to_owned);
            facts("eu-central-1", &cluster).map(drop).map_err(|it| it.to_string())
        };
        assert!(told(Some("s3://state/ha.example.com")).is_ok());
        assert!(told(Some("file:///srv/state/ha.example.com")).is_ok());
        let why = told(Some("gs://state/ha.example.com")).unwrap_err();
        assert!(why.contains("machines on AWS cannot read a state store gs://"), "{why}");
        assert!(told(None).unwrap_err().contains("spec.configStore.base"));
    }
}
