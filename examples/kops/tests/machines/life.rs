//! A cluster comes up, serves, and outlives the death of its machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kops_moto::{Machine, Moto};

use crate::cluster::{CLUSTER, LONG, User, VERSION, wait};

const NODE_PORT: &str = "30080";

#[test]
#[ignore = "boots five machines with Kubernetes"]
fn a_cluster_comes_up_from_user_data_alone_and_replaces_what_dies() {
    let moto = Moto::start();
    let layer = format!("v{VERSION}");
    let Some(machines) = moto.machines(&[("*", &[&layer])]) else { return };
    let user = User::new(&moto, &machines);
    let version = format!("--kubernetes-version={VERSION}");
    user.ok(&[
        "create",
        "cluster",
        CLUSTER,
        "--cloud=aws",
        "--zones=us-east-1a,us-east-1b,us-east-1c",
        "--control-plane-count=3",
        "--node-count=2",
        "--topology=private",
        "--dns=none",
        "--networking=cni",
        "--network-cidr=10.77.0.0/16",
        "--ssh-public-key=id.pub",
        // What is in the lab's registry.
        "--set=spec.etcdClusters[0].version=3.6.5",
        "--set=spec.etcdClusters[1].version=3.6.5",
        &version,
    ]);
    let started = Instant::now();
    eprintln!("{}", user.ok(&["update", "cluster", CLUSTER, "--yes"]));
    user.ok(&["export", "kubeconfig", CLUSTER, "--admin=2h"]);
    user.apply("podnet.yaml", "100.96.0.0/11");
    eprintln!("the API answers {:.0} s after the plan", started.elapsed().as_secs_f64());
    valid(&user);
    eprintln!("all Ready {:.0} s after the plan", started.elapsed().as_secs_f64());
    let again = user.ok(&["update", "cluster", CLUSTER]);
    assert!(again.contains("No changes"), "{again}");

    user.apply("hello.yaml", "");
    let all = machines.on();
    wait("a NodePort that answers from another machine", LONG, || answers(&user, &all));

    user.kubectl(&["create", "configmap", "proof", "--from-literal=kept=yes"]).unwrap();
    let victim = control_plane(&user);
    let (failed, asked) = asking(&user, || {
        machines.kill(&victim);
        wait("another machine in the place of the one that died", LONG, || {
            let on = machines.on();
            let whole = on.len() == 5 && on.iter().all(|it| it.instance != victim);
            if whole { Ok(()) } else { Err(format!("{on:?}")) }
        });
        valid(&user);
    });
    eprintln!("of {asked} requests through the balancer while a control plane died, {failed} failed");
    assert_eq!(user.kubectl(&["get", "configmap", "proof", "-o", "jsonpath={.data.kept}"]).unwrap(), "yes");
    user.ok(&["delete", "cluster", CLUSTER, "--yes"]);
    wait("the end of all machines", LONG, || {
        if machines.on().is_empty() { Ok(()) } else { Err("there are some left".to_owned()) }
    });
}

fn valid(user: &User<'_>) {
    let output = user.kops(&["validate", "cluster", CLUSTER, "--wait=15m", "--interval=5s"]);
    assert!(output.status.success(), "{output:#?}");
}

/// The instance of one of the control planes: a node is named after its instance.
fn control_plane(user: &User<'_>) -> String {
    let nodes = user.objects("nodes").unwrap();
    let control = |it: &&serde_json::Value| {
        !it["metadata"]["labels"]["node-role.kubernetes.io/control-plane"].is_null()
    };
    nodes.iter().find(control).unwrap()["metadata"]["name"].as_str().unwrap().to_owned()
}

fn answers(user: &User<'_>, all: &[Machine]) -> Result<(), String> {
    let (from, to) = (&all[0], &all[1]);
    let url = format!("http://{}:{NODE_PORT}/", to.address);
    let output = user.machines.execute(&from.instance, &["curl", "-fsS", "-m", "3", &url]);
    if output.status == 0 { Ok(()) } else { Err(output.stderr) }
}

/// Asks the API through its balancer twice a second while something happens: how many requests failed, and how many
/// there were.
fn asking(user: &User<'_>, something: impl FnOnce()) -> (u32, u32) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let (mut failed, mut asked) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(500);
                asked += 1;
                failed +=
                    u32::from(user.kubectl(&["get", "--raw", "/version", "--request-timeout=2s"]).is_err());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            (failed, asked)
        });
        something();
        done.store(true, Ordering::Relaxed);
        asker.join().unwrap()
    })
}
