//! A cluster comes up, serves, and outlives the death of its machines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kops_moto::{Fault, Machine, Machines, Moto};
use serde_json::{Value, json};

use crate::cluster::{CLUSTER, LONG, User, VERSION, wait};

const NODE_PORT: &str = "30080";
/// How many machines the cluster has: three control planes and two nodes.
const ALL: usize = 5;
/// A group of one node.
const GROUP: &str = "nodes-us-east-1a";
/// How long all requests may fail when a control plane dies: until its balancer has noticed, with much to spare.
const MISSING: Duration = Duration::from_mins(2);
/// How long the state store is away: longer than the first pauses of whoever tries again.
const AWAY: Duration = Duration::from_mins(5);

#[test]
#[ignore = "boots five machines with Kubernetes, for an hour or more"]
fn a_cluster_comes_up_from_user_data_alone_and_outlives_what_may_happen() {
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
    user.ok(&["export", "kubeconfig", CLUSTER, "--admin=12h"]);
    user.apply("podnet.yaml", "100.96.0.0/11");
    eprintln!("the API answers {:.0} s after the plan", started.elapsed().as_secs_f64());
    valid(&user);
    eprintln!("all Ready {:.0} s after the plan", started.elapsed().as_secs_f64());
    let again = user.ok(&["update", "cluster", CLUSTER]);
    assert!(again.contains("nothing to do"), "{again}");
    tell_calls(&moto);

    user.apply("hello.yaml", "");
    let all = machines.on();
    let node_port = format!("http://{}:{NODE_PORT}/", all[1].address);
    wait("a NodePort that answers from another machine", LONG, || {
        ask(&user, &all[0].instance, &node_port).map(drop)
    });
    no_pod_has_metadata(&user, &all);
    nothing_secret_is_shown(&moto, &user, &machines);
    user.kubectl(&["create", "configmap", "proof", "--from-literal=kept=yes"]).unwrap();

    let one = control_planes(&user)[..1].to_vec();
    let requests = asking(&user, || replaced(&user, &machines, &one));
    eprintln!("requests through the balancer while a control plane died: {requests:?}");
    assert!(requests.failing < MISSING, "{requests:?}");
    proven(&user);

    // Of three there is no quorum until another machine has one of the disks.
    let two = control_planes(&user)[1..].to_vec();
    let requests = asking(&user, || replaced(&user, &machines, &two));
    eprintln!("requests through the balancer while two control planes died: {requests:?}");
    proven(&user);

    power_fails(&user, &machines);
    proven(&user);
    the_store_is_away(&moto, &user, &machines);
    proven(&user);
    a_group_grows_and_shrinks(&user, &machines);

    user.ok(&["delete", "cluster", CLUSTER, "--yes"]);
    wait("the end of all machines", LONG, || {
        if machines.on().is_empty() { Ok(()) } else { Err("there are some left".to_owned()) }
    });
}

fn valid(user: &User<'_>) {
    let output = user.kops(&["validate", "cluster", CLUSTER, "--wait=15m", "--interval=5s"]);
    assert!(output.status.success(), "{output:#?}");
}

/// What was written in the beginning is still there.
fn proven(user: &User<'_>) {
    assert_eq!(user.kubectl(&["get", "configmap", "proof", "-o", "jsonpath={.data.kept}"]).unwrap(), "yes");
}

/// The instances of the control planes that are on: a node is named after its instance.
fn control_planes(user: &User<'_>) -> Vec<String> {
    let control = |it: &&Value| !it["metadata"]["labels"]["node-role.kubernetes.io/control-plane"].is_null();
    let (nodes, on) = (user.objects("nodes").unwrap(), user.machines.on());
    let names = nodes.iter().filter(control).map(|it| it["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| on.iter().any(|it| it.instance == *name)).collect()
}

/// Machines die at once, and their groups replace them.
fn replaced(user: &User<'_>, machines: &Machines<'_>, victims: &[String]) {
    for victim in victims {
        machines.kill(victim);
    }
    wait("other machines in the place of those that died", LONG, || {
        let on = machines.on();
        let whole = on.len() == ALL && on.iter().all(|it| !victims.contains(&it.instance));
        if whole { Ok(()) } else { Err(format!("{on:?}")) }
    });
    valid(user);
}

/// All machines lose their power at once.
fn power_fails(user: &User<'_>, machines: &Machines<'_>) {
    let all = machines.on();
    for machine in &all {
        machines.cut_power(&machine.instance);
    }
    assert!(user.kubectl(&["get", "--raw", "/version", "--request-timeout=5s"]).is_err());
    for machine in &all {
        machines.restore_power(&machine.instance);
    }
    wait("the API to answer after a power failure", LONG, || {
        user.kubectl(&["get", "--raw", "/readyz", "--request-timeout=5s"])
    });
    valid(user);
    let now = machines.on().into_iter().map(|it| it.instance);
    assert!(now.eq(all.into_iter().map(|it| it.instance)), "they are the same machines");
}

/// A running cluster needs no store, nor does a control plane that was off for a moment.
fn the_store_is_away(moto: &Moto, user: &User<'_>, machines: &Machines<'_>) {
    let start = Instant::now();
    moto.inject(Fault::drop("s3:*"));
    let off = control_planes(user).remove(0);
    machines.cut_power(&off);
    machines.restore_power(&off);
    let etcd = ["sh", "-c", "[ -n \"$(crictl ps -q --name '^etcd$')\" ]"];
    machines.wait_for(&off, &etcd, LONG);
    wait("the API to take something while the store is away", LONG, || {
        // One that failed may have been carried out.
        let created = user.kubectl(&["create", "configmap", "meanwhile"]);
        created.or_else(|_| user.kubectl(&["get", "configmap", "meanwhile"]))
    });
    std::thread::sleep(AWAY.saturating_sub(start.elapsed()));
    // Its balancer may still have the API server that was off.
    wait("the API to delete something while the store is away", LONG, || {
        user.kubectl(&["delete", "configmap", "meanwhile", "--ignore-not-found"])
    });
    moto.clear_faults();
    valid(user);
}

fn a_group_grows_and_shrinks(user: &User<'_>, machines: &Machines<'_>) {
    for (size, all) in [("2", ALL + 1), ("1", ALL)] {
        let (min, max) = (format!("--set=spec.minSize={size}"), format!("--set=spec.maxSize={size}"));
        user.ok(&["edit", "ig", GROUP, "--name", CLUSTER, &min, &max]);
        user.ok(&["update", "cluster", CLUSTER, "--yes"]);
        machines.wait_on(all, LONG);
        valid(user);
        // The Node of a machine that is gone goes, too.
        wait(&format!("{all} Nodes"), LONG, || {
            let nodes = user.objects("nodes")?.len();
            if nodes == all { Ok(()) } else { Err(format!("there are {nodes}")) }
        });
    }
}

/// The status code that a machine gets from a URL.
fn ask(user: &User<'_>, instance: &str, url: &str) -> Result<String, String> {
    let command = ["curl", "-s", "-m", "15", "-o", "/dev/null", "-w", "%{http_code}", url];
    let output = user.machines.execute(instance, &command);
    if output.status == 0 { Ok(output.stdout) } else { Err(format!("{output:?}")) }
}

/// The pods of `hello`: the instance that each is on, which its node is named after, and its address.
fn pods(user: &User<'_>) -> Result<Vec<(String, String)>, String> {
    let all = user.objects("pods")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let ours = all.iter().filter(|it| it["metadata"]["labels"]["app"] == "hello");
    let pods: Vec<_> =
        ours.filter_map(|it| Some((text(&it["spec"]["nodeName"])?, text(&it["status"]["podIP"])?))).collect();
    if pods.len() == 2 { Ok(pods) } else { Err(format!("{pods:?}")) }
}

/// Pods do not reach the metadata service, which gives away the machine's user data and identity; machines do.
fn no_pod_has_metadata(user: &User<'_>, all: &[Machine]) {
    // Each is asked at its own address: through a service, one of them might never answer.
    for (instance, pod) in wait("two pods", LONG, || pods(user)) {
        let call = |host: &str| ask(user, &instance, &format!("http://{pod}:8080/call/{host}"));
        wait("a pod that calls a service", LONG, || {
            let code = call("hello.default.svc.cluster.local")?;
            if code == "200" { Ok(()) } else { Err(code) }
        });
        // A service that is reached answers, be it with 401.
        let code = wait("a pod that calls the metadata service", LONG, || call("169.254.169.254"));
        assert_eq!(code, "502", "a pod reaches the metadata service");
    }
    let own = "http://169.254.169.254/latest/meta-data/";
    wait("a machine that calls the metadata service", LONG, || ask(user, &all[0].instance, own));
}

/// Nothing secret is in user data, journals, and objects that are not there for secrets.
fn nothing_secret_is_shown(moto: &Moto, user: &User<'_>, machines: &Machines<'_>) {
    let control_plane = &control_planes(user)[0];
    let read = |key: &str| {
        // The function `get` of stage 0 is in the user data, which cloud-init keeps.
        let script = format!(
            "sed '/^DIR=/,$d' /var/lib/cloud/instance/user-data.txt >/root/get.sh; . /root/get.sh
             BASE=https://{}.s3.us-east-1.amazonaws.com/clusters/{CLUSTER}
             get {key} /root/object && cat /root/object",
            user.bucket
        );
        machines.wait_for(control_plane, &["sh", "-c", &script], LONG)
    };
    let join: Value = serde_json::from_str(&read("join/nodes")).unwrap();
    let token = join["discovery"]["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let prefix = format!("clusters/{CLUSTER}/");
    let listed = moto.boto("s3", "list_objects_v2", json!({ "Bucket": user.bucket, "Prefix": prefix }));
    let keys = listed["Contents"].as_array().unwrap().iter();
    let keys: Vec<_> = keys.map(|it| it["Key"].as_str().unwrap().trim_start_matches(&prefix)).collect();
    let secrets = ["backups/", "join/", "kops-node/", "pki/private/", "secrets/"];
    let mut seen = Vec::new();
    for key in keys.iter().filter(|key| !secrets.iter().any(|it| key.starts_with(it))) {
        seen.push(((*key).to_owned(), read(key)));
    }
    let statuses = seen.iter().filter(|(key, _)| key.ends_with("/status")).count();
    assert!(statuses >= ALL && seen.iter().any(|(key, _)| key.starts_with("igconfig/")), "{keys:?}");
    let journal = ["journalctl", "--no-pager", "-u", "kops-node", "-u", "kops-keeper", "-u", "cloud-final"];
    for machine in machines.on() {
        for command in [&["cat", "/var/lib/cloud/instance/user-data.txt"][..], &journal] {
            let output = machines.execute(&machine.instance, command);
            seen.push((format!("{} of {}", command.join(" "), machine.instance), output.stdout));
        }
    }
    for (what, text) in seen {
        // The base64 of `-----BEGIN`, too.
        let secret = ["PRIVATE KEY", "LS0tLS1CRUdJTi", token.as_str()].iter().any(|it| text.contains(it));
        assert!(!text.is_empty() && !secret, "a secret, or nothing at all, is in {what}");
    }
}

/// How many calls each machine has made of each service.
fn tell_calls(moto: &Moto) {
    let mut counts = std::collections::BTreeMap::new();
    for call in &moto.calls().calls {
        if let Some(machine) = &call.by {
            *counts.entry((machine.clone(), call.service().to_owned())).or_insert(0) += 1;
        }
    }
    eprintln!("calls until all are Ready: {counts:?}");
}

/// What became of requests to the API.
#[derive(Debug, Default)]
struct Requests {
    asked: u32,
    failed: u32,
    /// The longest time in which each of them failed: from the start of the first to the end of the last.
    failing: Duration,
}

/// Set when it goes, also by a panic: a scope waits for its threads whatever happens.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks the API through its balancer twice a second while something happens.
fn asking(user: &User<'_>, something: impl FnOnce()) -> Requests {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let (mut requests, mut since) = (Requests::default(), None);
            while !over.load(Ordering::Relaxed) {
                let start = Instant::now();
                requests.asked += 1;
                if user.kubectl(&["get", "--raw", "/version", "--request-timeout=2s"]).is_err() {
                    requests.failed += 1;
                    let failing = since.get_or_insert(start).elapsed();
                    requests.failing = requests.failing.max(failing);
                } else {
                    since = None;
                }
                let next = start + Duration::from_millis(500);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            requests
        });
        let done = Done(&over);
        something();
        drop(done);
        asker.join().unwrap()
    })
}
