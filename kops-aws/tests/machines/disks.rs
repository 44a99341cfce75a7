//! Volumes and key pairs.

use kops_core::graph::TaskGraph;
use kops_core::resource::{SshKey, Volume};
use kops_core::{ErrorKind, graph::Lifecycle};
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::{KEY, Site};

const NAME: &str = "a.etcd-main.ha.example.com";

fn volume(change: impl FnOnce(&mut Volume)) -> Volume {
    let mut volume = Volume::new(ZONES[0], 20)
        .iops(3000)
        .throughput_mibps(125)
        .encrypted(true)
        .labels([("k8s.io/etcd/main".to_owned(), "a/a,b,c".to_owned())]);
    change(&mut volume);
    volume
}

fn graph(volume: Volume) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add(NAME, volume);
    graph.build().unwrap()
}

fn made(lab: &Lab) -> Value {
    let account = lab.moto.snapshot();
    let ours = |volume: &&Value| crate::site::tag(volume, "Name").as_deref() == Some(NAME);
    let found: Vec<_> = account.objects("volume").map(|(_, it)| it).filter(ours).collect();
    assert_eq!(found.len(), 1);
    found[0].clone()
}

#[tokio::test]
async fn a_volume_comes_grows_and_goes() {
    let lab = Lab::new().await;
    lab.apply(&graph(volume(|_| {}))).await;
    let one = made(&lab);
    assert_eq!(
        (&one["VolumeType"], &one["Size"], &one["Encrypted"]),
        (&json!("gp3"), &json!(20), &json!(true))
    );
    let larger = graph(volume(|volume| volume.size_gib = 40));
    assert_eq!(lab.changes(&larger).await, [format!("update EbsVolume/{NAME}: size")]);
    lab.apply(&larger).await;
    let other = made(&lab);
    assert_eq!(other["Size"], 40);
    assert_eq!(other["VolumeId"], one["VolumeId"], "what it holds stays");
    lab.delete().await;
}

#[tokio::test]
async fn what_would_lose_data_is_refused() {
    let lab = Lab::new().await;
    lab.apply(&graph(volume(|_| {}))).await;
    let moved = graph(volume(|volume| volume.zone = ZONES[1].to_owned()));
    assert!(lab.engine.plan(&moved).await.unwrap_err().to_string().contains("zone"));
    let plain = graph(volume(|volume| volume.encrypted = false));
    assert!(lab.engine.plan(&plain).await.unwrap_err().to_string().contains("encrypted"));
    let smaller = graph(volume(|volume| volume.size_gib = 10));
    let error = lab.try_apply(&smaller).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("cannot shrink"), "{error}");
    assert_eq!(made(&lab)["Size"], 20);
    lab.delete().await;
}

#[tokio::test]
async fn an_unknown_zone_is_told_before_anything_is_made() {
    let lab = Lab::new().await;
    let nowhere = graph(volume(|volume| volume.zone = "us-east-1z".to_owned()));
    assert!(lab.engine.plan(&nowhere).await.unwrap_err().to_string().contains("us-east-1z"));
}

#[tokio::test]
async fn a_retained_volume_stays() {
    let lab = Lab::new().await;
    let mut graph = TaskGraph::builder();
    graph.add_as(NAME, volume(|_| {}), Lifecycle::Retained);
    lab.apply(&graph.build().unwrap()).await;
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    made(&lab);
}

#[tokio::test]
async fn disks_of_machines_are_not_taken_for_volumes() {
    let lab = Lab::new().await;
    let mut site = Site::new();
    site.group(|_| {});
    site.graph.add(NAME, volume(|_| {}));
    let graph = site.build();
    lab.apply(&graph).await;
    let snapshot = lab.engine.observe(&graph).await.unwrap();
    let ours = snapshot.owned().filter(|(key, _)| key.kind() == "EbsVolume").count();
    assert_eq!(ours, 1);
    lab.delete().await;
}

#[tokio::test]
async fn a_key_comes_and_another_is_another_pair() {
    let lab = Lab::new().await;
    let key = |name: &str, key: &str| {
        let mut graph = TaskGraph::builder();
        graph.add(name, SshKey::new(key));
        graph.build().unwrap()
    };
    let name = format!("kubernetes.{CLUSTER}-1f");
    lab.apply(&key(&name, KEY)).await;
    // The comment is ignored.
    lab.assert_settled(&key(&name, &KEY.replace("ann@desk", "bob@home"))).await;
    let other = KEY.replace("AAAAIAAB", "AAAAIBBB");
    assert_eq!(lab.changes(&key(&name, &other)).await, [format!("replace KeyPair/{name}: public_key")]);
    lab.apply(&key(&name, &other)).await;
    let broken = lab.engine.plan(&key(&name, "no key")).await.unwrap_err();
    assert!(broken.to_string().contains("OpenSSH"), "{broken}");
    lab.delete().await;
}

#[tokio::test]
async fn an_existing_pair_can_be_used() {
    let lab = Lab::new().await;
    let pair = json!({ "KeyName": "theirs", "PublicKeyMaterial": KEY });
    lab.moto.boto("ec2", "import_key_pair", pair);
    let before = lab.moto.snapshot();
    let mut site = Site::new();
    let theirs = site.graph.share::<SshKey>("theirs", "theirs");
    site.group(|group| group.ssh_key = Some(theirs.id()));
    let graph = site.build();
    lab.apply(&graph).await;
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    assert_eq!(before.diff(&lab.moto.snapshot()), Vec::<String>::new());
}
