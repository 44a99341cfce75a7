//! Restoring a snapshot as the data of a cluster with one member: an operator's decision, in the object
//! `control/restore`.

use std::fs::File;

use super::Boot;
use crate::bundle::Etcd;
use crate::error::{Error, Result};
use crate::etcd::runner::DISK_ID;
use crate::kubeadm::documents::data;
use crate::machine::WORK;

/// Restores a snapshot with `etcdutl` from etcd's image, which the machine has or pulls with containerd.
pub(super) fn run(boot: &Boot<'_>, etcd: &Etcd, member: &str, snapshot: &str) -> Result<()> {
    let doing = format!("restoring {snapshot}");
    let image = image(boot).ok_or_else(|| Error::invalid(&doing, "the bundle names no etcd image"))?;
    let directory = format!("{WORK}/restore");
    boot.host.make_directory(&directory, 0o700)?;
    let mut file = File::create(boot.host.path(&format!("{directory}/snapshot.db")))
        .map_err(|e| Error::failed(&doing, e.to_string()))?;
    boot.world.store.fetch(snapshot, &mut file)?;
    drop(file);
    let url = etcd.members.iter().find(|it| it.name == member).map_or("", |it| it.url.as_str());
    let fetched = boot.host.run(&crate::machine::Command::new([
        "ctr",
        "-n",
        "k8s.io",
        "images",
        "check",
        &format!("name=={image}"),
    ]))?;
    if !fetched.stdout.contains(&image) {
        boot.host.must(["ctr", "-n", "k8s.io", "images", "pull", &image])?;
    }
    let (volume, data) = (&etcd.volume.path, data(etcd));
    let fresh = format!("{data}.restored");
    // Watchers must notice: revisions that clients have seen must not be reused (etcd, `etcdutl snapshot
    // restore`).
    let words = [
        "ctr",
        "-n",
        "k8s.io",
        "run",
        "--rm",
        "--mount",
        &format!("type=bind,src={directory},dst={directory},options=rbind:ro"),
        "--mount",
        &format!("type=bind,src={volume},dst={volume},options=rbind:rw"),
        &image,
        "kops-restore",
        "etcdutl",
        "snapshot",
        "restore",
        &format!("{directory}/snapshot.db"),
        "--name",
        member,
        "--initial-cluster",
        &format!("{member}={url}"),
        "--initial-advertise-peer-urls",
        url,
        "--initial-cluster-token",
        &etcd.token,
        "--bump-revision",
        "1000000000",
        "--mark-compacted",
        "--data-dir",
        &fresh,
    ];
    boot.host.must(words)?;
    // The disk's identifier stays, because the record contains that this member starts on it.
    let id = boot.host.read(&format!("{data}/{DISK_ID}"))?.unwrap_or_default();
    boot.host.write(&format!("{fresh}/{DISK_ID}"), &id, 0o600)?;
    let stamp = boot.clock.now().strftime("%Y%m%dT%H%M%SZ");
    boot.host.rename(&data, &format!("{data}.aside-{stamp}"))?;
    boot.host.rename(&fresh, &data)?;
    boot.host.remove(&format!("{directory}/snapshot.db")).map(drop)
}

/// The image in the document that etcd's manifest is rendered from.
fn image(boot: &Boot<'_>) -> Option<String> {
    let documents = &boot.bundle.kubeadm.etcd;
    let cluster = documents.iter().find(|it| it["kind"] == "ClusterConfiguration")?;
    let local = &cluster["etcd"]["local"];
    let repository = local["imageRepository"].as_str().or_else(|| cluster["imageRepository"].as_str());
    Some(format!("{}/etcd:{}", repository.unwrap_or("registry.k8s.io"), local["imageTag"].as_str()?))
}
