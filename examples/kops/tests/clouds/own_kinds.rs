//! A kind of one's own beside each provider's: its references point to the objects that stand for the agnostic tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use kops_cluster::{ClusterCloud, cluster_graph};
use kops_core::ErrorKind;
use kops_core::Result;
use kops_core::cloud::{Class, Cloud, DynHandler, Lookup, Object, Query, Scope, With, lookup};
use kops_core::graph::{Closed, Key, Open, Stage, TaskGraph};
use kops_core::resource::{Address, At, Instance, InternetGateway, Resource};
use serde::{Deserialize, Serialize};

use crate::ground::{self, Ground};
use crate::offline::{self, Offline};

/// A user of a database on a machine, who comes from an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
struct DatabaseUser<S: Stage = Open> {
    host: Option<At<S, String>>,
    from: At<S, String>,
}

impl Resource for DatabaseUser {
    const KIND: &'static str = "DatabaseUser";
    type Resolved = DatabaseUser<Closed>;
}

/// Lowering needs a handler to be there, not one that does anything.
struct Users;

#[async_trait]
impl Lookup for Users {
    type Kind = DatabaseUser;

    async fn look_up(&self, _: &[&str], _: &Query<'_>) -> Result<Vec<Object<DatabaseUser<Closed>>>> {
        Ok(Vec::new())
    }
}

fn with_users(offline: &Offline) -> With<Arc<dyn ClusterCloud>> {
    let users: Arc<dyn DynHandler> = lookup(Users);
    With::new(offline.cloud.clone(), [users]).unwrap().class("DatabaseUser", Class::Data)
}

/// A machine, if the cloud has single ones, an address, and a user who waits for the way to the internet.
fn graph(offline: &Offline) -> TaskGraph {
    let mut ground = Ground::new(offline);
    let machine = Instance::new(ground.subnet.id(), "image", "large")
        .ssh_key(ground.key.id())
        .label("topology.kubernetes.io/zone", offline.zones[0]);
    let machine = (offline.title != "Azure").then(|| ground.graph.add("db", machine));
    let door = ground.graph.add("door", Address::new());
    let way = ground.graph.add("main", InternetGateway::new(ground.network.id()));
    let host = machine.map(|machine| machine.get(Instance::PRIVATE_IP));
    let user = ground.graph.add("ada", DatabaseUser { host, from: door.get(Address::IP) });
    ground.graph.after(&user, &way);
    ground.graph.build().unwrap()
}

#[tokio::test]
async fn own_kinds_refer_to_what_stands_for_agnostic_tasks() {
    let expected = BTreeMap::from([
        ("AWS", ["Ec2Instance/db.private_ip", "ElasticIp/door.ip", "Ec2InternetGateway/main"]),
        ("GCE", ["GceInstance/db.private_ip", "GceAddress/door.ip", "DefaultInternetGateway/main"]),
        ("OpenStack", ["NeutronPort/db.ip", "FloatingIp/door.ip", "Router/main"]),
        // No single machines; what does without an object is waited for by what it would wait for itself.
        ("Azure", ["", "PublicIpAddress/door.address", "VirtualNetwork/main"]),
        ("in-memory", ["Instance/db.private_ip", "Address/door.ip", "InternetGateway/main"]),
    ]);
    for offline in offline::all().await.unwrap() {
        let cloud = with_users(&offline);
        let graph = graph(&offline);
        let native = cloud.lower(&graph, &Scope::new("demo"), &[]).unwrap();
        let user = native.graph().get(&Key::new("DatabaseUser", "ada")).unwrap();
        let [host, from, way] = expected[offline.title];
        let outputs: BTreeSet<_> =
            user.spec.outputs().iter().map(|it| format!("{}.{}", it.task, it.output)).collect();
        let wanted = [host, from].into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect();
        assert_eq!(outputs, wanted, "{}", offline.title);
        assert!(user.edges.iter().any(|edge| edge.on.as_str() == way), "{}: {:?}", offline.title, user.edges);

        // The mapping says the same.
        let door = Key::new("Address", "door");
        let (task, output) = native.output(&door, "ip").unwrap();
        assert_eq!(format!("{task}.{output}"), from, "{}", offline.title);
        let stand_in = native.stands_for(&door).unwrap();
        assert_eq!(native.origin(stand_in), Some(&door), "{}", offline.title);
        assert_eq!(Cloud::class(&cloud, "DatabaseUser"), Some(Class::Data));
    }
}

#[tokio::test]
async fn an_output_of_what_is_fulfilled_without_an_object_is_refused() {
    let all = offline::all().await.unwrap();
    let azure = all.iter().find(|it| it.title == "Azure").unwrap();
    let mut ground = Ground::new(azure);
    let way = ground.graph.add("main", InternetGateway::new(ground.network.id()));
    ground.graph.add("ada", DatabaseUser { host: None, from: way.id().into_text() });
    let graph = ground.graph.build().unwrap();
    let error = with_users(azure).lower(&graph, &Scope::new("demo"), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("InternetGateway/main has no object on Azure"), "{error}");
}

/// Without the wrapper nobody knows the kind.
#[tokio::test]
async fn a_kind_without_a_handler_is_refused() {
    for offline in offline::all().await.unwrap() {
        let error = offline.cloud.lower(&graph(&offline), &Scope::new("demo"), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{}: {error}", offline.title);
        assert!(error.to_string().contains("DatabaseUser"), "{}: {error}", offline.title);
    }
}

/// What a cluster asks of the provider comes through the wrapper.
#[tokio::test]
async fn clusters_are_built_beside_own_kinds() {
    for offline in offline::all().await.unwrap() {
        let files = ground::cluster(&offline, |_, _| {}, |_, _| {}).unwrap();
        let plain = cluster_graph(&files, &*offline.cloud).unwrap_or_else(|it| panic!("{it}"));
        let wrapped = cluster_graph(&files, &with_users(&offline)).unwrap_or_else(|it| panic!("{it}"));
        assert!(plain.graph == wrapped.graph, "{}", offline.title);
        with_users(&offline).lower(&wrapped.graph, &wrapped.scope, &[]).unwrap();
    }
}

/// Every native task of a cluster is there for a task of the cluster's graph.
#[tokio::test]
async fn what_a_cluster_becomes_has_an_origin() {
    for offline in offline::all().await.unwrap() {
        let files = ground::cluster(&offline, |_, _| {}, |_, _| {}).unwrap();
        let planned = cluster_graph(&files, &*offline.cloud).unwrap_or_else(|it| panic!("{it}"));
        let native = offline.cloud.lower(&planned.graph, &planned.scope, &[]).unwrap();
        for task in native.graph().tasks() {
            let origin = native.origin(&task.key);
            assert!(
                origin.is_some_and(|origin| planned.graph.get(origin).is_some()),
                "{}: {} is made for {origin:?}",
                offline.title,
                task.key
            );
        }
        // All that is known of an agnostic task can be asked for.
        for task in planned.graph.tasks() {
            assert!(native.has(&task.key), "{}: {}", offline.title, task.key);
        }
    }
}

/// No policy overlooks a kind: each has a class, and data is called so everywhere.
#[tokio::test]
async fn every_kind_of_every_cloud_has_a_class() {
    for offline in offline::all().await.unwrap() {
        let class = |handler: &Arc<dyn DynHandler>| (handler.kind(), offline.cloud.class(handler.kind()));
        let classes: Vec<_> = offline.cloud.handlers().iter().map(class).collect();
        let missing: Vec<_> = classes.iter().filter(|(_, class)| class.is_none()).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", offline.title);
        for wanted in [Class::Data, Class::Compute, Class::Network, Class::Dns] {
            assert!(classes.iter().any(|(_, it)| *it == Some(wanted)), "{}: no {wanted}", offline.title);
        }
        assert_eq!(offline.cloud.class("DatabaseUser"), None, "{}", offline.title);
    }
}
