//! What a machine may do is what its role's policies say, and who it is, it learns from the metadata service.

use kops_cluster::extensions::MachineRole;
use kops_moto::REGION;

use crate::ground::{BOOT, BUNDLE, Ground, KEY, read};
use crate::lab::{CLUSTER, Lab, ZONES};

/// Reads something of the metadata service.
const METADATA: &str =
    "T=$(curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' 169.254.169.254/latest/api/token)
    meta() { curl -fsS -H \"X-aws-ec2-metadata-token: $T\" 169.254.169.254/latest/$1; }";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_reads_what_is_meant_for_nodes_and_nothing_else() {
    let lab = Lab::bare().await;
    let Some(machines) = lab.moto.machines(&[]) else { return };
    let mut ground = Ground::new(&lab.moto);
    let name = format!("nodes.{CLUSTER}");
    ground.group(&name, MachineRole::Node, 1, |it| it);
    let bucket = ground.bucket.clone();
    lab.apply(&ground.build()).await;
    let machine = machines.wait_on(1, BOOT).remove(0);
    machines.wait_for(&machine.instance, &["cat", "/root/ran"], BOOT);
    let run = |script: &str| machines.execute(&machine.instance, &["sh", "-c", script]);
    let meta = |path: &str| run(&format!("{METADATA}; meta {path}")).stdout;

    assert_eq!(meta("meta-data/instance-id"), machine.instance);
    assert_eq!(meta("meta-data/local-ipv4"), machine.address);
    assert_eq!(meta("meta-data/placement/availability-zone"), ZONES[0]);
    assert_eq!(meta("meta-data/placement/region"), REGION);
    assert_eq!(meta("meta-data/iam/security-credentials/"), name);
    assert!(meta("user-data").starts_with("#!/bin/sh\n"), "exactly what the group has");
    let status = "curl -s -o /dev/null -w '%{http_code}' 169.254.169.254/latest/meta-data/instance-id";
    assert_eq!(run(status).stdout, "401", "version 1 is switched off");

    assert_eq!(run(&read(&bucket, BUNDLE)).stdout, "{}");
    for hidden in [KEY, "control-plane/a"] {
        let answer = run(&read(&bucket, hidden));
        assert!(answer.status != 0 && answer.stderr.contains("403"), "{hidden}: {answer:?}");
    }
    let unsigned =
        format!("curl -s -w '%{{http_code}}' https://{bucket}.s3.{REGION}.amazonaws.com/{CLUSTER}/{BUNDLE}");
    assert!(run(&unsigned).stdout.ends_with("403"), "nobody in particular may read nothing");
    let denied = |by: &str| {
        let calls = lab.moto.calls().calls;
        calls.iter().filter(|it| it.by.as_deref() == Some(by) && it.status == 403).count()
    };
    assert_eq!(denied(&machine.instance), 2);

    // A container is one hop further away than the hop limit allows.
    let pod = "ip netns add pod && ip link add pod type veth peer name eth0 netns pod && ip addr add 10.9.9.1/24 dev pod
        ip link set pod up; ip -n pod addr add 10.9.9.2/24 dev eth0; ip -n pod link set eth0 up
        ip -n pod route add default via 10.9.9.1; sysctl -qw net.ipv4.ip_forward=1
        iptables -t nat -A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE
        ip netns exec pod curl -s -m 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' 169.254.169.254/latest/api/token";
    let inside = run(pod);
    assert_eq!((inside.status, inside.stdout.as_str()), (28, ""), "no token: {}", inside.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_and_a_store_that_is_away_are_outlived() {
    let lab = Lab::bare().await;
    let Some(machines) = lab.moto.machines(&[]) else { return };
    let mut ground = Ground::new(&lab.moto);
    ground.group(&format!("nodes.{CLUSTER}"), MachineRole::Node, 1, |it| it);
    lab.apply(&ground.build()).await;
    lab.moto.deny(&["s3:GetObject"]);
    let machine = machines.wait_on(1, BOOT).remove(0);
    let tried = |status: u16| {
        let calls = lab.moto.calls().calls;
        calls
            .iter()
            .any(|it| it.by.as_deref() == Some(&machine.instance) && it.status == status)
            .then_some(())
    };
    machines.until("a denial", BOOT, || tried(403));
    lab.moto.deny(&[]);
    lab.moto.inject(kops_moto::Fault::drop("s3:*"));
    machines.until("a lost connection", BOOT, || tried(0));
    lab.moto.clear_faults();
    assert_eq!(machines.wait_for(&machine.instance, &["cat", "/root/ran"], BOOT), "install\n");
}
