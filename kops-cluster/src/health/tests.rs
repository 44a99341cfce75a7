use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::kube::ObjectRef;
use crate::model::cluster_graph;
use crate::registry::{ClusterRegistry, ClusterStore};
use crate::spec::{ClusterFiles, NewCluster, new_cluster};
use crate::testing::MemoryKube;
use kops_core::cloud::{Cloud as _, Context, Machine, Machines as _};
use kops_core::store::{MemoryStore, Precondition, StateStore as _, StoreKey};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Error, ErrorKind};

const NAME: &str = "ha.example.com";

/// A cluster of 3 control planes and 2 nodes, whose machines exist.
struct Case {
    files: ClusterFiles,
    memory: Arc<MemoryStore>,
    store: ClusterStore,
    cloud: Arc<MemoryCloud>,
    kube: MemoryKube,
}

impl Case {
    async fn new() -> Self {
        let mut new = NewCluster::new(NAME, "memory").zones(["zone-1a", "zone-1b", "zone-1c"]);
        new.control_plane_count = Some(3);
        new.node_count = Some(3);
        let (cluster, groups) = new_cluster(&new).unwrap();
        let files = ClusterFiles::new(cluster, groups, []);
        let cloud = Arc::new(MemoryCloud::new());
        let desired = cluster_graph(&files, &*cloud).unwrap();
        let engine = Engine::new(cloud.clone(), desired.scope);
        let plan = engine.plan(&desired.graph).await.unwrap();
        engine.apply(&plan).await.unwrap().into_result().unwrap();
        let memory = Arc::new(MemoryStore::new());
        let store = ClusterRegistry::new(memory.clone(), cloud.clock()).cluster(NAME).unwrap();
        let kube = MemoryKube::new(cloud.clock());
        Self { files, memory, store, cloud, kube }
    }

    async fn machines(&self) -> Vec<Machine> {
        let scope = crate::model::scope_of(&self.files.cluster);
        self.cloud.members(&scope, &Context::default()).await.unwrap()
    }

    async fn validate(&self) -> Health {
        self.validator().validate().await.unwrap()
    }

    fn validator(&self) -> Validator<'_> {
        Validator::new(&self.files, &self.store, &*self.cloud, &self.kube)
    }

    /// All machines are ready nodes, and everything runs.
    async fn healthy() -> Self {
        let case = Self::new().await;
        for machine in case.machines().await {
            case.join(&machine, json!({"status": "True"}));
        }
        case.kube
            .put(pod(
                "coredns-1",
                &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
            ))
            .unwrap();
        case
    }

    fn join(&self, machine: &Machine, ready: Value) {
        let mut ready = ready;
        ready["type"] = json!("Ready");
        self.kube
            .put(json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": machine.id, "labels": {"kubernetes.io/hostname": machine.id}},
                "spec": {"providerID": format!("memory:///{}/{}", machine.zone, machine.id)},
                "status": {"conditions": [ready]},
            }))
            .unwrap();
        if machine.group.contains("masters") {
            for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
                let mut pod = pod(
                    &format!("{component}-{}", machine.id),
                    &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
                );
                pod["metadata"]["labels"] = json!({"component": component});
                pod["spec"]["nodeName"] = json!(machine.id);
                self.kube.put(pod).unwrap();
            }
        }
    }

    async fn tell(&self, machine: &Machine, state: &str, event: &str) {
        let group = self.group_of(machine);
        let key = StoreKey::new(format!("{NAME}/machines/{group}/{}/status", machine.id)).unwrap();
        let status = json!({
            "node": machine.id, "state": state, "since": "2026-11-30T12:00:00Z", "kubernetesVersion": "v1.34.4",
            "bundle": "abc", "attempts": 3, "events": [{"at": "2026-11-30T12:00:00Z", "what": event}],
        });
        self.memory.put(&key, status.to_string().into_bytes(), Precondition::Any).await.unwrap();
    }

    fn group_of(&self, machine: &Machine) -> String {
        let names = crate::model::Names::of(NAME);
        let group = self.files.instance_groups.iter().find(|it| names.group(it) == machine.group).unwrap();
        group.name().to_owned()
    }
}

fn pod(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"priorityClassName": "system-cluster-critical"},
        "status": status,
    })
}

fn told(health: &Health) -> Vec<String> {
    health.failures.iter().map(|it| format!("{} {}: {}", it.kind, it.name, it.message)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_has_no_failures() {
    let case = Case::healthy().await;
    let health = case.validate().await;
    assert_eq!(told(&health), [""; 0]);
    assert_eq!(health.nodes.len(), 6);
    assert_eq!(health.nodes.iter().filter(|it| it.role == "control-plane").count(), 3);
    // One look takes three calls of the API, however many nodes there are.
    let before = case.kube.calls();
    case.validate().await;
    assert_eq!(case.kube.calls() - before, 3);
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!(json["failures"], json!([]));
    let node = &json["nodes"][0];
    assert!(
        node["zone"].is_string() && node["status"] == "True" && node["hostname"] == node["name"],
        "{node}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_did_not_join_says_why() {
    let case = Case::healthy().await;
    let machines = case.machines().await;
    let nodes: Vec<&Machine> = machines.iter().filter(|it| !it.group.contains("masters")).collect();
    for machine in &nodes {
        case.kube.remove(&ObjectRef::new("v1", "Node", &machine.id));
    }
    case.tell(nodes[0], "failed", "packages: no route to pkgs.k8s.io").await;
    case.tell(nodes[1], "waiting", "join/nodes is not in the state store").await;
    let health = case.validate().await;
    let of = |machine: &Machine| {
        let failure = health.failures.iter().find(|it| it.name == machine.id).unwrap();
        assert_eq!((failure.kind, failure.instance_group.clone()), ("Machine", Some(case.group_of(machine))));
        failure.message.clone()
    };
    assert_eq!(health.failures.len(), 3);
    assert!(
        of(nodes[0]).ends_with("it failed (3 attempts): packages: no route to pkgs.k8s.io"),
        "{}",
        of(nodes[0])
    );
    assert!(
        of(nodes[1]).contains("it has been waiting since 2026-11-30T12:00:00Z: join/nodes"),
        "{}",
        of(nodes[1])
    );
    assert!(of(nodes[2]).contains("has not reported its status"), "{}", of(nodes[2]));
    assert_eq!(health.nodes.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_machine_may_not_join_and_another_one_writes_nonsense() {
    let case = Case::healthy().await;
    let machines = case.machines().await;
    let nodes: Vec<&Machine> = machines.iter().filter(|it| !it.group.contains("masters")).collect();
    for machine in &nodes {
        case.kube.remove(&ObjectRef::new("v1", "Node", &machine.id));
    }
    let write = async |machine: &Machine, name: &str, text: String| {
        let key = format!("{NAME}/machines/{}/{}/{name}", case.group_of(machine), machine.id);
        let key = StoreKey::new(key).unwrap();
        case.memory.put(&key, text.into_bytes(), Precondition::Any).await.unwrap();
    };
    let held = |at: &str| json!({"at": at, "what": "its request is not approved: it is too old"}).to_string();
    case.tell(nodes[0], "booting", "joining the cluster").await;
    write(nodes[0], "held", held("2026-11-30T12:00:05Z")).await;
    case.tell(nodes[1], "booting", "\u{1b}[2Jjoining the cluster").await;
    write(nodes[1], "held", held("2026-11-29T12:00:00Z")).await; // an earlier machine of that name
    write(nodes[2], "status", "{\u{7}".to_owned()).await;
    let health = case.validate().await;
    let of = |machine: &Machine| {
        health.failures.iter().find(|it| it.name == machine.id).map(|it| it.message.clone()).unwrap()
    };
    assert!(of(nodes[0]).ends_with("yet: its request is not approved: it is too old"), "{}", of(nodes[0]));
    assert!(of(nodes[1]).ends_with("yet:  [2Jjoining the cluster"), "{}", of(nodes[1]));
    assert!(of(nodes[2]).contains("status cannot be read: "), "{}", of(nodes[2]));
}

#[tokio::test(start_paused = true)]
async fn nodes_and_what_runs_on_them_must_be_ready() {
    let case = Case::healthy().await;
    let machines = case.machines().await;
    let control_plane = machines.iter().find(|it| it.group.contains("masters")).unwrap();
    let node = machines.iter().find(|it| !it.group.contains("masters")).unwrap();
    case.join(
        node,
        json!({"status": "False", "reason": "KubeletNotReady", "message": "cni plugin not initialized"}),
    );
    let scheduler = format!("kube-scheduler-{}", control_plane.id);
    case.kube.remove(&ObjectRef::new("v1", "Pod", scheduler).in_namespace("kube-system"));
    let crashing = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses":
        [{"name": "coredns", "ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
    case.kube.put(pod("coredns-1", &crashing)).unwrap();
    let pending = json!({"phase": "Pending", "conditions":
        [{"type": "PodScheduled", "status": "False", "message": "0/6 nodes are available"}]});
    case.kube.put(pod("coredns-2", &pending)).unwrap();
    case.kube.put(pod("done", &json!({"phase": "Succeeded"}))).unwrap();
    let mut unimportant = pod("mine", &json!({"phase": "Pending"}));
    unimportant["spec"] = json!({});
    case.kube.put(unimportant).unwrap();
    assert_eq!(
        told(&case.validate().await),
        [
            format!("Node {}: the control plane's node has no pod of kube-scheduler", control_plane.id),
            format!("Node {}: the node is not ready: KubeletNotReady: cni plugin not initialized", node.id),
            "Pod kube-system/coredns-1: the system-cluster-critical pod is not ready: coredns (CrashLoopBackOff)".to_owned(),
            "Pod kube-system/coredns-2: the system-cluster-critical pod is pending: 0/6 nodes are available".to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_with_too_few_machines_is_named() {
    let mut case = Case::healthy().await;
    let group = case.files.instance_groups.iter_mut().find(|it| it.name().starts_with("nodes")).unwrap();
    group.spec.min_size = Some(4);
    let name = group.name().to_owned();
    assert_eq!(
        told(&case.validate().await),
        [format!("InstanceGroup {name}: the group has 1 of at least 4 machines")]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_api_is_a_failure_and_a_refusing_one_an_error() {
    let case = Case::healthy().await;
    let machines = case.machines().await;
    case.tell(&machines[0], "joined", "done").await;
    case.tell(&machines[1], "booting", "kubeadm: certs").await;
    case.kube.set_outage(Some(Error::new(ErrorKind::Unavailable, "connection refused")));
    let health = case.validate().await;
    assert_eq!((health.failures[0].kind, health.failures[0].name.as_str()), ("APIServer", NAME));
    assert!(health.failures[0].message.contains("connection refused"));
    assert!(health.failures.iter().all(|it| it.name != machines[0].id), "it says that it is a member");
    assert!(
        told(&health).iter().any(|it| it.ends_with("has not joined the cluster yet: kubeadm: certs")),
        "{health:?}"
    );

    case.kube.set_outage(Some(Error::new(ErrorKind::Denied, "nodes is forbidden")));
    assert_eq!(case.validator().validate().await.unwrap_err().kind(), ErrorKind::Denied);

    case.kube.set_outage(None);
    case.kube.set_failing_checks(["etcd"]);
    assert_eq!(told(&case.validate().await), ["APIServer etcd: the API server's check \"etcd\" fails"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_takes_virtual_time_only() {
    let case = Case::new().await;
    let clock = case.cloud.clock();
    let begun = clock.elapsed();
    let mut looks = 0;
    let wait = WaitOptions::at_most(Duration::from_mins(15)).count(2);
    let joins = async {
        clock.sleep(Duration::from_secs(95)).await;
        for machine in case.machines().await {
            case.join(&machine, json!({"status": "True"}));
        }
    };
    let validator = case.validator();
    let (health, ()) = tokio::join!(validator.wait(wait, |_| looks += 1), joins);
    assert!(health.unwrap().is_healthy());
    // Looks at 0, 10, … 90 fail, at 100 and 110 seconds the cluster is healthy.
    assert_eq!(looks, 12);
    let took = clock.elapsed().checked_sub(begun).unwrap().as_secs();
    assert!((110..115).contains(&took), "{took}");

    let never = Case::new().await;
    let health = never.validator().wait(WaitOptions::at_most(Duration::from_mins(15)), |_| ()).await.unwrap();
    assert_eq!(health.failures.len(), 6);
    never.kube.set_outage(Some(Error::new(ErrorKind::Unauthenticated, "no")));
    let error =
        never.validator().wait(WaitOptions::at_most(Duration::from_mins(15)), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
}
