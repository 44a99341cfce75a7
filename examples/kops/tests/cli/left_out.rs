//! A program that is built without a cloud says so, and which feature has it. With all features nothing is left out.

use crate::common::Desk;

/// The clouds that this build leaves out: name, a zone, a state store.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    #[cfg(not(feature = "aws"))]
    ("aws", "us-east-1a", "s3://bucket"),
    #[cfg(not(feature = "azure"))]
    ("azure", "westeurope-1", "azureblob://account/container"),
    #[cfg(not(feature = "gce"))]
    ("gce", "europe-west3-a", "gs://bucket"),
    #[cfg(not(feature = "openstack"))]
    ("openstack", "nova", "swift://container"),
];

#[test]
fn a_cloud_that_is_left_out_is_refused_with_its_feature() {
    for (cloud, zone, store) in LEFT_OUT {
        let desk = Desk::new();
        let feature = format!("--features {cloud}");
        let zones = format!("--zones={zone}");
        let choice = format!("--cloud={cloud}");
        let mut create = vec!["create", "cluster", "ha.example.com", &choice, &zones];
        create.extend(["--control-plane-size=large", "--node-size=large"]);
        for arguments in [&create[..], &["get", "clusters", "--state", store]] {
            let run = desk.run(arguments);
            assert_eq!(run.code, Some(1), "{run:#?}");
            assert!(run.err.contains(&feature), "{}", run.err);
        }
        assert_eq!(desk.files("state").len(), 0, "a cluster of {cloud} was written");
    }
}
