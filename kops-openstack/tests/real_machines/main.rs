//! A cluster of real machines from user data alone, on OpenStack's own services.
//!
//! On demand, since it boots machines with Kubernetes:
//! `cargo build -p kops-node && cargo test -p kops-openstack --test real_machines -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

#[path = "../cluster/fleet.rs"]
#[allow(dead_code, reason = "the cluster's own tests use the rest")]
mod fleet;
#[path = "../cluster/lab.rs"]
#[allow(dead_code, reason = "the cluster's own tests use the rest")]
mod lab;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kops_core::ipnet::IpNet;
use kops_openstack_lab::{Lab, Machines};

use fleet::Fleet;

/// The version of Kubernetes that is in the machines' image.
const VERSION: &str = "1.34.4";
/// What a small cluster may take on two busy processors, with much to spare.
const LONG: Duration = Duration::from_mins(20);

#[tokio::test]
#[ignore = "boots machines with Kubernetes"]
async fn a_cluster_comes_up_from_user_data_alone_and_outlives_its_control_plane() {
    let Some(lab) = Lab::start() else { return };
    let Some(machines) = lab.machines(&[&format!("v{VERSION}")]) else { return };
    let mut fleet = Fleet::of(lab, program(), |new| {
        new.network_cidr("10.77.0.0/16".parse::<IpNet>().unwrap()).kubernetes_version(VERSION)
    })
    .await;
    for etcd in &mut fleet.files.cluster.spec.etcd_clusters {
        etcd.version = Some("3.6.5".to_owned()); // what is in the machines' registry
    }
    fleet.create_keysets().await;
    fleet.apply().await;
    let control_plane = fleet.server("control-plane")["id"].as_str().unwrap().to_owned();
    machines.wait("the API", LONG, || kubectl(&machines, &control_plane, "get --raw /readyz", ""));
    machines.wait("the network plugin", LONG, || {
        kubectl(&machines, &control_plane, "apply -f -", &manifest(&machines, "podnet.yaml"))
    });
    machines.wait("both nodes to be Ready", LONG, || ready(&machines, &control_plane));
    kubectl(&machines, &control_plane, "create configmap proof --from-literal=kept=yes", "").unwrap();
    assert_eq!(fleet.changes().await, Vec::<String>::new());
    no_pod_has_metadata(&machines, &control_plane);

    // The control plane's host fails; an operator deletes its server and applies.
    machines.kill(&control_plane);
    let path = format!("v2.1/servers/{control_plane}");
    fleet.lab.rest().call("nova", "DELETE", &path, &serde_json::Value::Null);
    machines.wait("the end of its server", LONG, || {
        let servers = fleet.lab.rest().list("nova", "v2.1/servers", "servers");
        if servers.iter().any(|it| it["id"] == control_plane.as_str()) {
            Err("it is there".to_owned())
        } else {
            Ok(())
        }
    });
    fleet.apply().await;
    let control_plane = fleet.server("control-plane")["id"].as_str().unwrap().to_owned();
    machines.wait("both nodes to be Ready again", LONG, || ready(&machines, &control_plane));
    let kept = kubectl(&machines, &control_plane, "get configmap proof -o jsonpath={.data.kept}", "");
    assert_eq!(kept.unwrap(), "yes", "the data is on the member's volume");
}

/// The program for machines, without what debuggers need.
fn program() -> Vec<u8> {
    let built = std::env::current_exe().unwrap().with_file_name("../kops-node");
    assert!(built.is_file(), "{} is not there: cargo build -p kops-node", built.display());
    let into = tempfile::tempdir().unwrap();
    let stripped = into.path().join("kops-node");
    let done = Command::new("strip").arg("-o").arg(&stripped).arg(&built).status();
    std::fs::read(if done.is_ok_and(|it| it.success()) { stripped } else { built }).unwrap()
}

/// Pods do not reach the metadata service, which gives away the machine's user data; machines do.
fn no_pod_has_metadata(machines: &Machines, server: &str) {
    let hello = manifest(machines, "hello.yaml");
    machines.wait("the API to take a manifest", LONG, || kubectl(machines, server, "apply -f -", &hello));
    // Each is asked at its own address: through a service, one of them might never answer.
    for (node, pod) in machines.wait("two pods", LONG, || pods(machines, server)) {
        let on = machines.on().into_iter().find(|it| it.name == node).unwrap().server;
        let ask = |host: &str| {
            let url = format!("http://{pod}:8080/call/{host}");
            machines.execute(&on, &["curl", "-s", "-m", "15", "-o", "/dev/null", "-w", "%{http_code}", &url])
        };
        machines.wait("a pod that calls a service", LONG, || {
            let code = ask("hello.default.svc.cluster.local")?;
            if code == "200" { Ok(()) } else { Err(code) }
        });
        // A service that is reached answers, be it with 404.
        let code = machines.wait("a pod that calls the metadata service", LONG, || ask("169.254.169.254"));
        assert_eq!(code, "502", "a pod reaches the metadata service");
    }
    machines.wait("a machine that calls the metadata service", LONG, || {
        machines.execute(server, &["curl", "-fsS", "-m", "10", "http://169.254.169.254/"])
    });
}

/// The pods of `hello`: the node that each is on, and its address.
fn pods(machines: &Machines, server: &str) -> Result<Vec<(String, String)>, String> {
    let path = r#"jsonpath={range .items[*]}{.spec.nodeName} {.status.podIP}{"\n"}{end}"#;
    let said = kubectl(machines, server, &format!("get pods -l app=hello -o '{path}'"), "")?;
    let pod = |line: &str| line.split_once(' ').map(|(node, pod)| (node.to_owned(), pod.to_owned()));
    let pods: Vec<_> = said.lines().filter_map(pod).filter(|(_, pod)| !pod.is_empty()).collect();
    if pods.len() == 2 { Ok(pods) } else { Err(said) }
}

/// What kubectl says on a control plane.
fn kubectl(machines: &Machines, server: &str, arguments: &str, input: &str) -> Result<String, String> {
    let script = format!("kubectl --kubeconfig /etc/kubernetes/admin.conf {arguments} <<'END'\n{input}\nEND");
    machines.execute(server, &["sh", "-c", &script])
}

/// A manifest of the machines' lab.
fn manifest(machines: &Machines, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kops-node/tests/lab/manifests");
    let registry = std::fs::read_to_string(machines.cache().join("ca/registry")).unwrap();
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.replace("HOST/", &format!("{}/", registry.trim())).replace("POD_CIDR_VALUE", "100.96.0.0/11")
}

fn ready(machines: &Machines, server: &str) -> Result<(), String> {
    let path = r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}"#;
    let said = kubectl(machines, server, &format!("get nodes -o '{path}'"), "")?;
    if said.split_whitespace().eq(["True", "True"]) {
        Ok(())
    } else {
        Err(format!("nodes are Ready: {said:?}"))
    }
}
