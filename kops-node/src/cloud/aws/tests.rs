//! Against moto: real S3 and EC2 as far as it goes, with a metadata service of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use kops_moto::{Moto, REGION};
use serde_json::json;

use super::*;
use crate::bundle::{Aws, Volume};
use crate::cloud::{Cloud as _, Identity};
use crate::error::ErrorKind;
use crate::testing::{TestClock, http, ok, serve};

fn imds(moto: &Moto) -> (Imds, Arc<TestClock>) {
    let key = moto.access_key();
    let url = serve(move |seen| {
        match (seen.method.as_str(), seen.path.as_str()) {
        ("PUT", "/latest/api/token") if seen.header("x-aws-ec2-metadata-token-ttl-seconds") == "300" => ok("session"),
        _ if seen.header("x-aws-ec2-metadata-token") != "session" => (401, vec![], vec![]),
        (_, "/latest/meta-data/instance-id") => ok("i-0abc"),
        (_, "/latest/meta-data/local-ipv4") => ok("10.0.0.7"),
        (_, "/latest/meta-data/placement/availability-zone") => ok("us-east-1a"),
        (_, "/latest/meta-data/iam/security-credentials/") => ok("nodes.ha.example.com"),
        (_, "/latest/meta-data/iam/security-credentials/nodes.ha.example.com") => ok(json!({
            "AccessKeyId": key, "SecretAccessKey": "secret", "Token": "t", "Expiration": "2999-01-01T00:00:00Z",
        }).to_string()),
        _ => (404, vec![], vec![]),
    }
    });
    let clock = Arc::new(TestClock::real());
    (Imds::new(http(), Some(&url), clock.clone()), clock)
}

#[test]
fn a_machine_is_named_by_its_instance_id() {
    let moto = Moto::start();
    let identity = imds(&moto).0.identity().unwrap();
    assert_eq!((identity.node_name.as_str(), identity.address.as_str()), ("i-0abc", "10.0.0.7"));
    assert_eq!(identity.provider_id.as_deref(), Some("aws:///us-east-1a/i-0abc"));
}

#[test]
fn no_instance_profile_yet_is_something_to_wait_for() {
    let url = serve(|seen| if seen.method == "PUT" { ok("s") } else { ok("") });
    let imds = Imds::new(http(), Some(&url), Arc::new(TestClock::real()));
    assert_eq!(imds.credentials().unwrap_err().kind(), ErrorKind::Waiting);
}

#[test]
fn s3_is_a_store() {
    let moto = Moto::start();
    let bucket = moto.create_bucket("state");
    let (imds, clock) = imds(&moto);
    let place = (bucket.as_str(), "ha.example.com");
    let store = S3::new(http(), imds, clock, REGION, place, Some(&moto.endpoint()));
    crate::store::tests::conformance(&store, true);
}

#[test]
fn a_bucket_is_addressed_as_aws_wants_it() {
    let (imds, clock) = imds(&Moto::start());
    let at = |bucket: &str, region: &str| {
        let place = (bucket, "ha.example.com");
        let it = S3::new(http(), imds.clone(), clock.clone(), region, place, None);
        format!("{}{}{}", it.origin, it.bucket, it.prefix)
    };
    assert_eq!(at("state", "eu-west-1"), "https://state.s3.eu-west-1.amazonaws.com/ha.example.com/");
    assert_eq!(at("a.b", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn/a.b/ha.example.com/");
}

#[test]
fn machines_and_volumes_are_those_of_the_cluster() {
    let moto = Moto::start();
    let (imds, clock) = imds(&moto);
    let settings = Aws { region: REGION.to_owned(), ec2_endpoint: Some(moto.endpoint()), metadata: None };
    let ec2 = Ec2::new(http(), imds, clock, &settings);
    let tags = |kind: &str, all: &[(&str, &str)]| {
        let tags: Vec<_> = all.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        json!([{"ResourceType": kind, "Tags": tags}])
    };
    let run = |cluster| {
        let tags =
            tags("instance", &[("KubernetesCluster", cluster), ("kops.k8s.io/instancegroup", "nodes")]);
        let it = moto.boto(
            "ec2",
            "run_instances",
            json!({
                "ImageId": kops_moto::IMAGE, "MinCount": 1, "MaxCount": 1, "TagSpecifications": tags,
            }),
        );
        let zone = it["Instances"][0]["Placement"]["AvailabilityZone"].as_str().unwrap().to_owned();
        (it["Instances"][0]["InstanceId"].as_str().unwrap().to_owned(), zone)
    };
    let (mine, zone) = run("ha.example.com");
    let (other, _) = run("other.example.com");
    let machines = ec2.machines("ha.example.com").unwrap();
    assert_eq!(machines.len(), 1);
    assert_eq!((machines[0].node_name.as_str(), machines[0].group.as_str()), (mine.as_str(), "nodes"));
    assert!(machines[0].age.unwrap() < crate::joining::NEW && !machines[0].addresses.is_empty());

    let made = moto.boto("ec2", "create_volume", json!({
        "AvailabilityZone": zone, "Size": 1,
        "TagSpecifications": tags("volume", &[("KubernetesCluster", "ha.example.com"), ("k8s.io/etcd/main", "a/a,b,c")]),
    }));
    let id = made["VolumeId"].as_str().unwrap();
    let wanted = BTreeMap::from([
        ("KubernetesCluster".to_owned(), "ha.example.com".to_owned()),
        ("k8s.io/etcd/main".to_owned(), "a/a,b,c".to_owned()),
    ]);
    let volume = Volume {
        path: "/mnt/etcd-main".to_owned(),
        devices: BTreeMap::new(),
        tags: BTreeMap::from([("a".to_owned(), wanted)]),
        format: None,
    };
    let identity = |id: &str| Identity {
        id: id.to_owned(),
        node_name: id.to_owned(),
        provider_id: None,
        address: String::new(),
        zone: Some(zone.clone()),
    };
    let candidates = ["a".to_owned()];
    let attached = ec2.volume(&candidates, &volume, &identity(&mine)).unwrap();
    let device = format!("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{}", id.replace('-', ""));
    assert_eq!((attached.member.as_str(), attached.devices), ("a", vec![device, "/dev/xvdu".to_owned()]));
    let taken = ec2.volume(&candidates, &volume, &identity(&other)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Waiting, "{taken}");
    assert!(taken.to_string().contains(&format!("still attached to {mine}")));
}
