//! From nothing but user data to a cluster that serves.

use kops_lab::until;

use crate::cluster::{LONG, with};

#[test]
fn machines_become_a_cluster_from_user_data_alone() {
    with(|cluster| {
        let lab = &cluster.lab;
        let hello =
            include_str!("../lab/manifests/hello.yaml").replace("HOST/", &format!("{}/", lab.registry()));
        let file = lab.state().join("hello.yaml");
        std::fs::write(&file, hello).unwrap();
        lab.kubectl(&["apply", "-f", file.to_str().unwrap()]).unwrap();
        until("a Deployment of two is available", LONG, || {
            lab.kubectl(&["rollout", "status", "deployment/hello", "--timeout=1s"])
        });
        let pods = lab.objects(&["pods", "-l", "app=hello"]).unwrap();
        let on = |pod: &serde_json::Value| pod["spec"]["nodeName"].as_str().unwrap().to_owned();
        let hosts: Vec<_> = pods.iter().map(on).collect();
        let others: Vec<_> = cluster.names().into_iter().filter(|it| !hosts.contains(it)).collect();
        assert!(hosts.len() == 2 && others.len() >= 2, "{hosts:?}");
        for name in others {
            let url = format!("http://{}:30080/", cluster.address(&name));
            let answer =
                until("its NodePort answers on a machine that runs none of its pods", 60, || lab.get(&url));
            assert!(hosts.iter().any(|it| answer.contains(&format!(" on {it} "))), "{answer}");
        }
        let url =
            format!("http://{}:30080/call/hello.default.svc.cluster.local", cluster.address(&cluster.node()));
        until("a pod calls the service by its name", 60, || lab.get(&url));
        lab.kubectl(&["delete", "deployment,service", "hello"]).unwrap();
        for name in cluster.names() {
            let status = cluster.status(&name).unwrap();
            let used = status.events.iter().find(|it| it.what.contains("MB of memory")).unwrap().what.clone();
            let most: u32 = used.split(' ').find_map(|it| it.parse().ok()).unwrap();
            let address = cluster.address(&name);
            let calls = lab.calls().iter().filter(|it| it.by == address).count();
            eprintln!("{name}: {calls} requests to the state store so far; {used}");
            assert!(most < 64, "{used}");
        }
    });
}

/// What can be read by whoever reads user data, bundles or status holds no secret.
#[test]
fn nothing_secret_is_in_user_data_bundles_status_and_journals() {
    with(|cluster| {
        let lab = &cluster.lab;
        let join = std::fs::read_to_string(lab.store().join("join/nodes")).unwrap();
        let join: serde_json::Value = serde_json::from_str(&join).unwrap();
        let token = join["discovery"]["users"][0]["user"]["token"].as_str().unwrap().to_owned();
        let secret = |text: &str| {
            text.contains("PRIVATE KEY") || text.contains(&token) || text.contains("LS0tLS1CRUdJTi")
        };
        let mut seen = Vec::new();
        for name in cluster.names() {
            seen.push(std::fs::read_to_string(lab.state().join(format!("{name}.user-data"))).unwrap());
            seen.push(serde_json::to_string(&cluster.status(&name).unwrap()).unwrap());
            let journal =
                ["journalctl", "--no-pager", "-u", "kops-node", "-u", "kops-keeper", "-u", "cloud-final"];
            seen.push(lab.exec(&name, &journal).unwrap());
        }
        for folder in ["control-plane-a", "nodes"] {
            let role = if folder == "nodes" { "node" } else { "control-plane" };
            let bundles = std::fs::read_dir(lab.store().join("igconfig").join(role).join(folder)).unwrap();
            seen.extend(bundles.map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap()));
        }
        for text in seen {
            assert!(!text.is_empty() && !secret(&text), "a secret is in: {text}");
        }
    });
}

/// The keepers' snapshots reach the store, of each cluster of etcd, and what they hold is a database.
#[test]
fn snapshots_are_in_the_state_store() {
    with(|cluster| {
        for etcd in ["main", "events"] {
            let folder = cluster.lab.store().join("backups/etcd").join(etcd);
            let bytes = until(&format!("a snapshot of {etcd}"), LONG, || {
                let files = std::fs::read_dir(&folder).map_err(|e| e.to_string())?;
                let mut files = files.filter_map(|it| Some(it.ok()?.path()));
                let first = files.find(|it| it.extension().is_some_and(|it| it == "db"));
                let bytes = std::fs::read(first.ok_or("there is none yet")?).map_err(|e| e.to_string())?;
                if bytes.len() > 4096 { Ok(bytes) } else { Err("it is not whole yet".to_owned()) }
            });
            // bbolt's first page: its header of 16 bytes, then the magic number.
            assert_eq!(bytes[16..20], 0xED0C_DAED_u32.to_le_bytes(), "{etcd}");
        }
    });
}
