//! A group's machine boots from its user data, keeps its volume's data over its own death, and is replaced.

use std::time::Duration;

use kops_cluster::extensions::MachineRole;
use kops_core::graph::TaskGraph;
use kops_core::resource::Volume;
use kops_moto::{Machines, Output, REGION};
use serde_json::json;

use crate::ground::{BOOT, Ground};
use crate::lab::{CLUSTER, Lab, ZONES};

const SOON: Duration = Duration::from_secs(30);

/// A machine attaches a volume to itself, by its own role.
fn attach(machines: &Machines<'_>, volume: &str, instance: &str) -> Output {
    let parameters =
        [format!("VolumeId={volume}"), format!("InstanceId={instance}"), "Device=/dev/xvdu".to_owned()];
    let words = ["python3", "-c", include_str!("ec2.py"), REGION, "AttachVolume"];
    let command: Vec<_> = words.into_iter().chain(parameters.iter().map(String::as_str)).collect();
    machines.execute(instance, &command)
}

/// The names of the device: NVMe shows the volume's serial number.
fn device(volume: &str) -> String {
    format!("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{}", volume.replace('-', ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_dies_and_its_group_replaces_it() {
    let lab = Lab::bare().await;
    let Some(machines) = lab.moto.machines(&[]) else { return };
    let mut ground = Ground::new(&lab.moto);
    let name = format!("control-plane.{CLUSTER}");
    ground.group(&name, MachineRole::ControlPlane, 1, |it| it);
    let data = format!("a.etcd-main.{CLUSTER}");
    ground.graph.add(&data, Volume::new(ZONES[0], 1));
    let graph = ground.build();
    lab.apply(&graph).await;

    let first = machines.wait_on(1, BOOT).remove(0);
    let ran = machines.wait_for(&first.instance, &["cat", "/root/ran"], BOOT);
    assert_eq!(ran, "install\n", "stage 0 has fetched the program and the bundle, and has run it");
    let volume = lab.id(&graph, "EbsVolume", &data).await;
    let foreign = lab.moto.boto("ec2", "create_volume", json!({ "Size": 1, "AvailabilityZone": ZONES[0] }));
    let denied = attach(&machines, foreign["VolumeId"].as_str().unwrap(), &first.instance);
    assert!(denied.status == 22 && denied.stdout.contains("UnauthorizedOperation"), "{denied:?}");
    let attached = attach(&machines, &volume, &first.instance);
    assert_eq!(attached.status, 0, "{attached:?}");
    let device = device(&volume);
    machines.wait_for(&first.instance, &["test", "-b", &device], SOON);
    let format = format!("mkfs.ext4 -q {device} && mount {device} /mnt && echo kept >/mnt/data && sync");
    assert_eq!(machines.execute(&first.instance, &["sh", "-c", &format]).status, 0);

    machines.kill(&first.instance);
    let second = machines.until("another machine", BOOT, || {
        machines.on().into_iter().find(|it| it.instance != first.instance)
    });
    assert_ne!(second.address, first.address);
    assert_eq!(machines.wait_for(&second.instance, &["cat", "/root/ran"], BOOT), "install\n");
    let attached = attach(&machines, &volume, &second.instance);
    assert_eq!(attached.status, 0, "{attached:?}");
    machines.wait_for(&second.instance, &["test", "-b", &device], SOON);
    let read = format!("mount {device} /mnt && cat /mnt/data");
    assert_eq!(machines.execute(&second.instance, &["sh", "-c", &read]).stdout, "kept\n");

    machines.cut_power(&second.instance);
    machines.restore_power(&second.instance);
    let booted = machines.wait_on(1, BOOT).remove(0);
    assert_eq!(booted.instance, second.instance, "a host that restarts is not the end of an instance");
    machines.wait_for(&second.instance, &["test", "-b", &device], SOON);

    let gets = |instance: &str| {
        let calls = lab.moto.calls().calls;
        calls.iter().filter(|it| it.by.as_deref() == Some(instance) && it.action == "s3:GetObject").count()
    };
    assert_eq!((gets(&first.instance), gets(&second.instance)), (2, 2), "a boot reads two objects, once");
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    machines.until("the end of all machines", BOOT, || machines.on().is_empty().then_some(()));
}
