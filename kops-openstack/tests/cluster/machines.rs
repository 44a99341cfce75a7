//! Machines become a cluster from user data alone: what they log in with, and the volumes that they have.

use std::collections::BTreeSet;
use std::time::Duration;

use kops_core::ErrorKind;
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::cloud::{Context, Permissions as _};
use kops_core::plan::TextOptions;
use kops_node::error::ErrorKind as OnMachine;
use kops_node::store::Precondition;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::lab::connect_as;

const CREDENTIAL: &str = "openstack/control-plane.json";

#[tokio::test]
async fn a_control_plane_sees_its_cluster_and_nothing_else() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    for (key, text) in [("pki/private/kubernetes-ca/keyset.yaml", "key"), ("join/nodes", "{}")] {
        fleet.put(key, text.as_bytes()).await;
    }
    fleet.lab.rest().call("swift", "PUT", "v1/AUTH_{project}/state/other.example.com/config", &Value::Null);

    let machine = fleet.boot("control-plane");
    let world = machine.world().unwrap();
    // The cloud: who is there.
    let mut groups: Vec<_> =
        world.cloud.machines(fleet.name()).unwrap().into_iter().map(|it| it.group).collect();
    groups.sort();
    assert_eq!(groups, ["control-plane-nova", "nodes-nova"]);
    // Its volumes.
    let bundle = machine.bundle();
    assert_eq!(bundle.etcd.len(), 2);
    for etcd in &bundle.etcd {
        let found = attached(&fleet, &etcd.name);
        let device = format!("dev/disk/by-id/virtio-{}", &found["id"].as_str().unwrap()[..20]);
        let me = identity();
        let waiting = world.cloud.volume(&etcd.candidates, &etcd.volume, &me).unwrap_err();
        assert_eq!(waiting.kind(), OnMachine::Waiting, "{waiting}");
        std::fs::create_dir_all(machine.path().join("dev/disk/by-id")).unwrap();
        std::fs::write(machine.path().join(&device), "").unwrap();
        let volume = world.cloud.volume(&etcd.candidates, &etcd.volume, &me).unwrap();
        assert_eq!((volume.member, volume.devices), (etcd.candidates[0].clone(), vec![format!("/{device}")]));
    }
    // The store: everything of the cluster is read, some of it written, backups alone are deleted.
    let store = &world.store;
    assert_eq!(store.read("pki/private/kubernetes-ca/keyset.yaml").unwrap().unwrap().bytes, b"key");
    assert!(store.list("pki/").unwrap().contains(&"pki/private/kubernetes-ca/keyset.yaml".to_owned()));
    for key in ["control-plane/a", "join/nodes", "machines/g/i/status", "backups/etcd/main/1.db"] {
        assert!(store.write(key, b"x", Precondition::None).unwrap(), "{key}");
    }
    assert!(!store.write("control-plane/a", b"y", Precondition::Absent).unwrap(), "it is there");
    store.delete("backups/etcd/main/1.db").unwrap();
    for key in
        ["pki/private/kubernetes-ca/keyset.yaml", "igconfig/node/x.json", "kops-node/amd64/x", CREDENTIAL]
    {
        assert_eq!(
            store.write(key, b"x", Precondition::None).unwrap_err().kind(),
            OnMachine::Denied,
            "{key}"
        );
    }
    assert_eq!(store.delete("control-plane/a").unwrap_err().kind(), OnMachine::Denied);
    let mut other = machine.bundle();
    other.store.url = "swift://state/other.example.com".to_owned();
    let elsewhere = machine.world_of(&other).unwrap().store;
    assert_eq!(elsewhere.read("config").unwrap_err().kind(), OnMachine::Denied);
    assert_eq!(
        elsewhere.write("join/nodes", b"x", Precondition::None).unwrap_err().kind(),
        OnMachine::Denied
    );
    fleet.delete().await;
}

#[tokio::test]
async fn a_node_joins_tells_how_it_fares_and_no_more() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    fleet.put("join/nodes", b"{}").await;
    fleet.put("pki/private/kubernetes-ca/keyset.yaml", b"key").await;
    let machine = fleet.boot("node");
    let world = machine.world().unwrap();
    assert!(world.store.read("join/nodes").unwrap().is_some());
    assert!(world.store.write("machines/nodes-nova/i/status", b"x", Precondition::None).unwrap());
    assert_eq!(world.cloud.machines(fleet.name()).unwrap_err().kind(), OnMachine::Denied);
    // Whatever one does with its URLs, they are good for what they were signed for.
    let path = machine.path().join("var/lib/kops/openstack.json");
    let access: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let client = reqwest::Client::new();
    for url in access["urls"].as_array().unwrap() {
        let text = |name: &str| url[name].as_str().unwrap().to_owned();
        let (method, prefix) = (text("method"), text("prefix"));
        for (verb, key) in [
            ("GET", "pki/private/kubernetes-ca/keyset.yaml"),
            ("GET", CREDENTIAL),
            ("GET", "igconfig/control-plane/control-plane-nova/x.json"),
            ("PUT", "join/nodes"),
            ("PUT", "machines/control-plane-nova/i/status"),
            ("PUT", "control-plane/a"),
            ("DELETE", "join/nodes"),
        ] {
            let at = format!("{}/{key}?{}", text("base"), text("query"));
            let status = client.request(verb.parse().unwrap(), at).send().await.unwrap().status();
            assert_eq!(status, 401, "{method} {prefix}: {verb} {key}");
        }
        // The listing of the container is nobody's.
        let container = text("base").replace(&format!("/{}", fleet.name()), "");
        let status = client.get(format!("{container}?{}", text("query"))).send().await.unwrap().status();
        assert_eq!(status, 401, "{method} {prefix}");
    }
    fleet.delete().await;
}

#[tokio::test]
async fn a_members_server_is_made_anew_and_its_volumes_stay() {
    let Some(mut fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    let (main, events) = (attached(&fleet, "main"), attached(&fleet, "events"));
    let server = fleet.server("control-plane");
    for volume in [&main, &events] {
        assert_eq!(volume["attachments"][0]["server_id"], server["id"]);
    }

    // Another machine type: the volumes are the new server's.
    fleet.control_planes().spec.machine_type = Some("m1.medium".to_owned());
    assert_eq!(fleet.changes().await, ["replace NovaServer/control-plane-nova.masters-1: flavor"]);
    fleet.apply().await;
    let replaced = fleet.server("control-plane");
    assert_ne!(replaced["id"], server["id"]);
    for (etcd, before) in [("main", &main), ("events", &events)] {
        let now = attached(&fleet, etcd);
        assert_eq!(
            (&now["id"], &now["attachments"][0]["server_id"]),
            (&before["id"], &replaced["id"]),
            "{etcd}"
        );
    }

    // Taken away by hand: it comes back to the running server.
    let (rest, server) = (fleet.lab.rest(), replaced["id"].as_str().unwrap().to_owned());
    let id = main["id"].as_str().unwrap();
    let path = format!("v2.1/servers/{server}/os-volume_attachments/{id}");
    rest.call("nova", "DELETE", &path, &Value::Null);
    until(|| !fleet.server("control-plane")["os-extended-volumes:volumes_attached"].to_string().contains(id))
        .await;
    assert_eq!(fleet.changes().await, ["update NovaServer/control-plane-nova.masters-1: attached"]);
    fleet.apply().await;

    // The server dies: so do neither its port nor its volumes.
    rest.call("nova", "DELETE", &format!("v2.1/servers/{server}"), &Value::Null);
    until(|| !rest.list("nova", "v2.1/servers", "servers").iter().any(|it| it["id"] == server.as_str()))
        .await;
    let told = fleet.changes().await;
    assert!(
        told.len() == 1 && told[0].starts_with("create NovaServer/control-plane-nova.masters-1"),
        "{told:?}"
    );
    fleet.apply().await;
    assert_eq!(attached(&fleet, "main")["id"], main["id"]);
    fleet.delete().await;
}

#[tokio::test]
async fn a_credential_is_replaced_with_its_machines_and_goes_with_the_cluster() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    let all = fleet.lab.application_credentials();
    let [first] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!(first["unrestricted"], false);
    // Keystone adds what a role implies.
    let roles: Vec<_> =
        first["roles"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(roles.contains(&"member") && !roles.contains(&"load-balancer_member"), "{roles:?}");
    let stored = fleet.get(CREDENTIAL).await.unwrap();
    assert_eq!(stored["credential"]["id"], first["id"]);
    let old = fleet.boot("control-plane");
    assert!(old.world().unwrap().store.list("").is_ok());

    // An operator revokes it.
    fleet.lab.delete_application_credential(first["id"].as_str().unwrap());
    assert_eq!(rotation(&fleet.changes().await), ["create ApplicationCredential", "replace NovaServer"]);
    fleet.apply().await;
    let second = fleet.get(CREDENTIAL).await.unwrap();
    assert_ne!(second["credential"]["id"], stored["credential"]["id"]);
    assert_eq!(old.world().unwrap().store.list("").unwrap_err().kind(), OnMachine::Denied);
    assert!(fleet.boot("control-plane").world().unwrap().store.list("").is_ok());

    // Its secret is lost: there is a new one before the old one goes.
    let own = format!("v1/AUTH_{{project}}/state/{}/{CREDENTIAL}", fleet.name());
    fleet.lab.rest().call("swift", "DELETE", &own, &Value::Null);
    assert_eq!(rotation(&fleet.changes().await), ["replace ApplicationCredential", "replace NovaServer"]);
    fleet.apply().await;
    assert_eq!(fleet.lab.application_credentials().len(), 1);
    assert!(fleet.boot("control-plane").world().unwrap().store.list("").is_ok());

    fleet.delete().await;
    assert_eq!(fleet.get(CREDENTIAL).await, None);
    let left = fleet.lab.access_rules();
    assert!(!left.iter().any(|rule| rule.contains(fleet.name())), "{left:#?}");
}

/// Changes without names and fields.
fn rotation(changes: &[String]) -> Vec<String> {
    changes.iter().map(|it| it.split('/').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn another_user_of_the_project_plans_the_same() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    let colleague = fleet.of_a_colleague().await;
    let plan = colleague.plan(&fleet.planned().graph).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.text(TextOptions::default()));
    fleet.delete().await;
}

#[tokio::test]
async fn what_is_another_users_is_that_users_to_delete() {
    let Some(fleet) = Fleet::new().await else { return };
    fleet.apply().await;
    let colleague = fleet.of_a_colleague().await;
    // Without its machines the credential is still wanted by nobody.
    let mut graph = kops_core::graph::TaskGraph::builder();
    let stored = fleet.get(CREDENTIAL).await.unwrap();
    let another = kops_openstack::kinds::ApplicationCredential {
        access_rules: BTreeSet::new(),
        container: "state".to_owned(),
        object: format!("{}/{CREDENTIAL}", fleet.name()),
    };
    graph.add(&format!("masters.{}", fleet.name()), another);
    let plan = colleague.prune(false).plan(&graph.build().unwrap()).await.unwrap();
    let told = plan.text(TextOptions::default());
    assert!(told.contains("access_rules"), "{told}");
    let (user, id) = (stored["user"].as_str().unwrap(), stored["credential"]["id"].as_str().unwrap());
    assert_eq!(plan.changes[0].id.as_deref(), Some(format!("{user}/{id}").as_str()));
    fleet.delete().await;
}

#[tokio::test]
async fn who_may_not_make_credentials_is_told_before() {
    let Some(fleet) = Fleet::new().await else { return };
    let everything = connect_as(fleet.lab.entry()).await.least(&kops_core::cloud::Scope::new("least"));
    let humble = connect_as(fleet.lab.humble_entry(&everything)).await;
    let engine = kops_core::Engine::new(humble.clone(), kops_cluster::scope_of(&fleet.files.cluster));
    let native = engine.lower(&fleet.planned().graph).unwrap();
    let scope = kops_cluster::scope_of(&fleet.files.cluster);
    let missing = humble.missing(native.graph(), &scope, &Context::default()).await.unwrap();
    let [missing] = missing.as_slice() else { panic!("{missing:?}") };
    assert!(missing.action.contains("not `unrestricted`"), "{missing:?}");
    assert_eq!(missing.needed_for, ["ApplicationCredential"]);
    let plan = engine.plan(&fleet.planned().graph).await.unwrap();
    let error = engine.apply_now(&plan).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("--unrestricted"), "{error}");
    fleet.delete().await;
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let Some(fleet) = Fleet::new().await else { return };
    let plan = fleet.apply().await;
    let stored = fleet.get(CREDENTIAL).await.unwrap();
    let key = fleet.lab.container_key("state");
    let secrets = [stored["credential"]["secret"].as_str().unwrap(), &key, "temp_url_sig="];
    let shown = [
        plan.text(TextOptions::new().full(true)),
        serde_json::to_string(&plan).unwrap(),
        serde_json::to_string(&plan.saved()).unwrap(),
        format!("{plan:?}"),
        fleet.server("control-plane").to_string(),
        fleet.server("node").to_string(),
        fleet.lab.application_credentials()[0].to_string(),
    ];
    for (at, text) in shown.iter().enumerate() {
        assert!(text.len() > 100, "{at}");
        for secret in secrets {
            assert!(!text.contains(secret), "{at}");
        }
    }
    for role in ["control-plane", "node"] {
        let data = fleet.user_data(role);
        assert!(data.len() <= 5 << 10, "{} bytes", data.len());
        assert!(data.contains("temp_url_sig=") && !data.contains("<kops-signed"), "{data}");
        for secret in &secrets[..2] {
            assert!(!data.contains(secret), "{role}");
        }
    }
    fleet.delete().await;
}

/// The volume of etcd's member.
fn attached(fleet: &Fleet, etcd: &str) -> Value {
    let all = fleet.lab.rest().list("cinder", "v3/{project}/volumes/detail", "volumes");
    let label = format!("k8s.io/etcd/{etcd}");
    all.into_iter().find(|it| it["metadata"][&label].is_string()).unwrap_or_else(|| panic!("no {label}"))
}

fn identity() -> kops_node::cloud::Identity {
    kops_node::cloud::Identity {
        id: "i".to_owned(),
        node_name: "n".to_owned(),
        provider_id: None,
        address: "10.0.0.1".to_owned(),
        zone: None,
    }
}

async fn until(done: impl Fn() -> bool) {
    let clock = SystemClock::new();
    for _ in 0..300 {
        if done() {
            return;
        }
        clock.sleep(Duration::from_millis(200)).await;
    }
    panic!("it did not happen within a minute");
}
