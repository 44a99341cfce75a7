//! Objects that are taken over, tasks that are renamed, and members that are left alone.
#![expect(clippy::unwrap_used, reason = "a test can do no better")]

use std::collections::BTreeMap;
use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, Handle, Key, TaskGraph};
use kops_core::plan::{Action, Plan};
use kops_core::resource::{Network, SshKey, Subnet, Volume};
use kops_core::testing::{Call, Fault, MemoryCloud, Op};
use kops_core::{Engine, ErrorKind, Result};

fn engine(cloud: &MemoryCloud) -> Engine {
    Engine::new(Arc::new(cloud.clone()), Scope::new("shop"))
}

fn network(ipv6: bool) -> Network {
    Network::new(["10.0.0.0/16".parse().unwrap()]).ipv6(ipv6)
}

fn graph(build: impl FnOnce(&mut GraphBuilder)) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    build(&mut graph);
    graph.build().unwrap()
}

fn labelled(subnet: Subnet, labels: BTreeMap<String, String>) -> Subnet {
    labels.into_iter().fold(subnet, |subnet, (key, value)| subnet.label(key, value))
}

async fn apply(engine: &Engine, graph: &TaskGraph) -> Plan {
    let plan = engine.plan(graph).await.unwrap();
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(engine.plan(graph).await.unwrap().is_empty(), "it is not done");
    plan
}

fn only(plan: &Plan) -> (String, Option<&str>) {
    assert_eq!(plan.changes.len(), 1, "{plan}");
    (plan.changes[0].to_string(), plan.changes[0].id.as_deref())
}

#[tokio::test]
async fn an_object_of_somebody_else_is_taken_over_and_changed() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    let theirs = cloud.plant::<Network>("theirs", &network(false)).unwrap();
    let wanted = graph(|graph| {
        let network = graph.adopt("main", network(true), "theirs");
        graph.add("a", Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("zone-a"));
    });
    let plan = engine.plan(&wanted).await.unwrap();
    let adopted = plan.change(&Key::new("Network", "main")).unwrap();
    assert_eq!(
        (adopted.to_string().as_str(), adopted.id.as_deref()),
        ("adopt Network/main: ipv6", Some(theirs.as_str()))
    );
    assert_eq!(plan.headline(), "shop on memory: 1 to create, 1 to adopt; 0 unchanged.");
    apply(&engine, &wanted).await;

    // It is managed from now on: the selector says nothing any more, and who no longer wants it deletes it.
    let managed = graph(|graph| {
        let network = graph.add("main", network(true));
        graph.add("a", Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("zone-a"));
    });
    assert!(engine.plan(&managed).await.unwrap().is_empty());
    apply(&engine, &TaskGraph::default()).await;
    assert!(!cloud.exists(&theirs).unwrap());
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_said_when_planning() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    let refused = async |graph: TaskGraph| {
        let error = engine.plan(&graph).await.unwrap_err();
        (error.kind(), error.to_string())
    };
    // It is not there.
    let (kind, text) = refused(graph(|graph| drop(graph.adopt("main", network(false), "gone")))).await;
    assert_eq!(kind, ErrorKind::NotFound, "{text}");
    // The name of such an object follows from its task's.
    cloud.plant::<SshKey>("theirs", &SshKey::new("ssh-ed25519 AAAA")).unwrap();
    let (kind, text) =
        refused(graph(|graph| drop(graph.adopt("admin", SshKey::new("ssh-ed25519 AAAA"), "theirs")))).await;
    assert_eq!(kind, ErrorKind::Unsupported, "{text}");
    assert!(text.contains("SshKey/admin"), "{text}");
    // It would be another object.
    let volume = Volume::new("zone-a", 8);
    cloud.plant::<Volume>("data", &volume).unwrap();
    let elsewhere = Volume::new("zone-b", 8);
    let (kind, text) = refused(graph(|graph| drop(graph.adopt("data", elsewhere, "data")))).await;
    assert_eq!(kind, ErrorKind::Invalid, "{text}");
    // It is ours already.
    let ours = graph(|graph| drop(graph.add("old", volume.clone())));
    apply(&engine, &ours).await;
    let id = engine.observe(&ours).await.unwrap().owned().next().unwrap().1.object.id.clone();
    let (kind, text) = refused(graph(|graph| drop(graph.adopt("new", volume.clone(), id)))).await;
    assert_eq!(kind, ErrorKind::Invalid, "{text}");
    assert!(text.contains("GraphBuilder::renamed"), "{text}");
}

#[tokio::test]
async fn an_object_of_another_scope_is_not_taken_over() {
    let cloud = MemoryCloud::new();
    let theirs = Engine::new(Arc::new(cloud.clone()), Scope::new("theirs"));
    let graph_of_theirs = graph(|graph| drop(graph.add("main", network(false))));
    apply(&theirs, &graph_of_theirs).await;
    let snapshot = theirs.observe(&graph_of_theirs).await.unwrap();
    let id = snapshot.owned().next().unwrap().1.object.id.clone();
    let engine = engine(&cloud);
    let adopting = |id: &str| graph(|graph| drop(graph.adopt("main", network(false), id)));
    let error = engine.plan(&adopting(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("it belongs to scope theirs"), "{error}");

    // It becomes theirs after planning.
    let free = cloud.plant::<Network>("free", &network(false)).unwrap();
    let plan = engine.plan(&adopting("free")).await.unwrap();
    let of_theirs = graph(|graph| {
        graph.add("main", network(false));
        graph.adopt("second", network(false), "free");
    });
    apply(&theirs, &of_theirs).await;
    let error = engine.apply_now(&plan).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(theirs.plan(&of_theirs).await.unwrap().is_empty());
    assert!(cloud.exists(&free).unwrap());
}

/// A place is a part of the mark of what is adopted, too.
#[tokio::test]
async fn scopes_of_one_name_adopt_for_themselves() {
    let cloud = MemoryCloud::new();
    let within = |place| Engine::new(Arc::new(cloud.clone()), Scope::new("shop").within(place));
    let (eu, us) = (within("eu"), within("us"));
    cloud.plant::<Network>("free", &network(false)).unwrap();
    let adopting = graph(|graph| drop(graph.adopt("main", network(false), "free")));
    apply(&eu, &adopting).await;
    let error = us.plan(&adopting).await.unwrap_err();
    assert!(error.to_string().contains("it belongs to scope shop within eu"), "{error}");
    assert!(us.plan(&TaskGraph::default()).await.unwrap().is_empty());
    assert_eq!(eu.plan(&TaskGraph::default()).await.unwrap().summary.delete, 1);
}

/// Whatever befalls the marking, or the change after it: the next run does what is left, to the same object.
#[tokio::test(start_paused = true)]
async fn taking_over_survives_lost_answers_and_crashes() {
    for fault in [Fault::Lose, Fault::CrashBefore, Fault::CrashAfter] {
        for at in 1..=2 {
            let cloud = MemoryCloud::new();
            let engine = engine(&cloud);
            let theirs = cloud.plant::<Network>("theirs", &network(false)).unwrap();
            let wanted = graph(|graph| drop(graph.adopt("main", network(true), "theirs")));
            let plan = engine.plan(&wanted).await.unwrap();
            cloud.inject(move |call: &Call<'_>| (call.op == Op::Update && call.nth == at).then_some(fault));
            tokio::select! {
                biased;
                () = cloud.crashed() => {}
                report = engine.apply(&plan) => drop(report.unwrap().into_result().unwrap()),
            }
            cloud.revive();
            cloud.heal();
            apply(&engine, &wanted).await;
            let objects = cloud.objects().unwrap();
            let seen: Vec<_> = objects.iter().map(|it| (it.id.as_str(), it.scope.as_deref())).collect();
            assert_eq!(seen, [(theirs.as_str(), Some("shop"))], "{fault:?} at {at}");
        }
    }
}

#[tokio::test]
async fn a_renamed_task_keeps_its_object() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    let named = |name: &'static str, from: Option<&'static str>, labels: BTreeMap<String, String>| {
        graph(|graph| {
            let network = graph.add("main", network(false));
            let subnet = Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("zone-a");
            let subnet = graph.add(name, labelled(subnet, labels));
            if let Some(from) = from {
                graph.renamed(&subnet, from);
            }
        })
    };
    apply(&engine, &named("old", None, BTreeMap::new())).await;
    let ids = |cloud: &MemoryCloud| cloud.objects().unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>();
    let before = ids(&cloud);
    let team = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    let plan = apply(&engine, &named("new", Some("old"), team.clone())).await;
    assert_eq!(only(&plan).0, "adopt Subnet/new: labels.team");
    assert_eq!(plan.changes[0].reason.as_deref(), Some("renamed from Subnet/old"));
    assert_eq!(ids(&cloud), before, "another object");
    // What was said of the former name may go, and without it the name would have made another object.
    assert!(engine.plan(&named("new", None, team.clone())).await.unwrap().is_empty());
    let plan = engine.plan(&named("newer", None, team)).await.unwrap();
    assert_eq!((plan.summary.create, plan.summary.delete, plan.summary.adopt), (1, 1, 0));
}

#[test]
fn a_former_name_that_another_task_has_is_refused() {
    let mut graph = TaskGraph::builder();
    graph.add("old", network(false));
    let new = graph.add("new", network(false));
    graph.renamed(&new, "old");
    let error = graph.build().unwrap_err().to_string();
    assert_eq!(error, "Network/new: it was Network/old, which is in the graph, too");
    let mut graph = TaskGraph::builder();
    graph.renamed(&Handle::<Network>::named("nobody"), "old");
    assert!(graph.build().unwrap_err().to_string().contains("Network/nobody: there is no such task"));
}

#[tokio::test]
async fn an_ignored_member_is_set_once_and_left_alone() -> Result<()> {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    let sized = |size: u32, iops: u32, ignored: bool| {
        graph(|graph| {
            let volume = Volume::new("zone-a", size).iops(iops);
            let volume = graph.add("data", volume);
            if ignored {
                graph.ignore(&volume, "size_gib");
            }
        })
    };
    apply(&engine, &sized(8, 100, true)).await;
    let volume = |cloud: &MemoryCloud| cloud.objects().unwrap().remove(0);
    let id = kops_core::graph::Id::<Volume>::new(volume(&cloud).id);
    // Grown by somebody.
    cloud.alter::<Volume>(&id, |volume| volume.size_gib = 20)?;
    assert!(engine.plan(&sized(8, 100, true)).await?.is_empty());
    // Other changes leave it as it is.
    let plan = apply(&engine, &sized(8, 200, true)).await;
    assert_eq!(only(&plan).0, "update Volume/data: iops");
    assert_eq!(volume(&cloud).spec.get("size_gib").and_then(serde_json::Value::as_u64), Some(20));
    // Not ignored, it is compared.
    let plan = engine.plan(&sized(8, 200, false)).await?;
    assert_eq!(
        (plan.changes[0].action, only(&plan).0.as_str()),
        (Action::Update, "update Volume/data: size_gib")
    );
    Ok(())
}
