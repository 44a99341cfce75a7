//! A small cluster whose machines read a container, and what a machine of it does at its first boot.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kops_cluster::bootstrap::{KopsNode, NodeProgram, sha256};
use kops_cluster::cloud::Architecture;
use kops_cluster::pki::Keysets;
use kops_cluster::registry::ClusterRegistry;
use kops_cluster::{
    ClusterFiles, ClusterGraph, DnsType, InstanceGroup, LoadBalancerType, NewCluster, Role,
    cluster_graph_with, new_cluster,
};
use kops_core::clock::SystemClock;
use kops_core::plan::Plan;
use kops_core::store::{Precondition, StateStore, StoreKey, Stores};
use kops_core::{Engine, Result};
use kops_node::bundle::Bundle;
use kops_node::clock::{Clock, SystemClock as MachineClock};
use kops_node::machine::Real;
use kops_node::world::World;
use kops_openstack::{Openstack, SwiftStores};
use kops_openstack_lab::{FLAVORS, IMAGE, Lab, Snapshot, ZONE};
use serde_json::Value;

use crate::lab::{changes, connect, connect_as};

/// What stands for the program: it says that it was started.
const PROGRAM: &str = "#!/bin/sh\nexit 0\n";

/// A cluster of one control plane and one node, with its state in Swift.
pub(crate) struct Fleet {
    pub(crate) lab: Lab,
    pub(crate) engine: Engine,
    pub(crate) files: ClusterFiles,
    pub(crate) store: Arc<dyn StateStore>,
    cloud: Arc<Openstack>,
    program: Vec<u8>,
    keysets: Keysets,
    /// The project before anything was done.
    before: Snapshot,
}

impl Fleet {
    /// The cluster, with what stands for the program and keys.
    pub(crate) async fn new() -> Option<Self> {
        Some(Self::of(Lab::start()?, PROGRAM.as_bytes().to_vec(), |new| new).await)
    }

    /// A cluster with changes, whose machines run a program.
    pub(crate) async fn of(
        lab: Lab,
        program: Vec<u8>,
        change: impl FnOnce(NewCluster) -> NewCluster,
    ) -> Self {
        lab.rest().call("swift", "PUT", "v1/AUTH_{project}/state", &Value::Null);
        let before = lab.inventory();
        let cloud = connect(&lab).await;
        let name = format!("ha.{}.example.com", lab.name());
        let new = NewCluster::new(&name, "openstack")
            .zones([ZONE])
            .control_plane_count(1)
            .control_plane_size(FLAVORS[1])
            .node_size(FLAVORS[1])
            .node_count(1)
            .image(IMAGE)
            .networking("cni")
            .api_load_balancer(LoadBalancerType::Internal)
            .dns(DnsType::None)
            .config_base(format!("swift://state/{name}"));
        let (cluster, groups) = new_cluster(&change(new)).unwrap_or_else(|problems| panic!("{problems}"));
        let files = ClusterFiles::new(cluster, groups, []);
        let stores = SwiftStores::new(Openstack::builder().auth(lab.entry()), Arc::new(SystemClock::new()));
        let base = format!("swift://state/{name}");
        let store = Stores::new().with("swift", stores).open(&base).await.unwrap();
        let engine = Engine::new(cloud.clone(), kops_cluster::scope_of(&files.cluster));
        let keysets = Keysets::new([("etcd-ca".to_owned(), vec!["1".to_owned()])]);
        Self { lab, engine, files, store, cloud, program, keysets, before }
    }

    /// Creates the cluster's keys.
    #[allow(dead_code, reason = "for real machines")]
    pub(crate) async fn create_keysets(&mut self) {
        let stores =
            SwiftStores::new(Openstack::builder().auth(self.lab.entry()), Arc::new(SystemClock::new()));
        let store = Stores::new().with("swift", stores).open("swift://state").await.unwrap();
        let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
        self.keysets =
            registry.cluster(self.name()).unwrap().ensure_keysets(&self.files.cluster).await.unwrap();
    }

    /// The same, by another user of the project.
    pub(crate) async fn of_a_colleague(&self) -> Engine {
        let cloud = connect_as(self.lab.colleagues_entry()).await;
        Engine::new(cloud, kops_cluster::scope_of(&self.files.cluster))
    }

    pub(crate) fn name(&self) -> &str {
        self.files.cluster.name()
    }

    pub(crate) fn control_planes(&mut self) -> &mut InstanceGroup {
        self.files.instance_groups.iter_mut().find(|group| group.role() == Role::ControlPlane).unwrap()
    }

    pub(crate) fn planned(&self) -> ClusterGraph {
        let program = NodeProgram::new().with_hash(Architecture::Amd64, &sha256(&self.program)).unwrap();
        let machines = KopsNode::new(program, self.keysets.clone());
        cluster_graph_with(&self.files, &*self.cloud, &machines)
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The changes that the cluster needs, as `action Kind/name: fields`.
    pub(crate) async fn changes(&self) -> Vec<String> {
        changes(&self.engine.plan(&self.planned().graph).await.unwrap(), self.name())
    }

    pub(crate) async fn try_apply(&self) -> Result<Plan> {
        let planned = self.planned();
        self.put(&format!("kops-node/amd64/{}", sha256(&self.program)), &self.program).await;
        for (key, bytes) in planned.files.iter() {
            self.put(key, bytes).await;
        }
        let plan = self.engine.plan(&planned.graph).await?;
        self.engine.apply_now(&plan).await?.into_result()?;
        Ok(plan)
    }

    /// Applies the cluster and makes sure that it is settled then.
    pub(crate) async fn apply(&self) -> Plan {
        let plan = self.try_apply().await.unwrap();
        assert_eq!(self.changes().await, Vec::<String>::new());
        plan
    }

    /// Deletes everything and makes sure that the project is as it was.
    pub(crate) async fn delete(&self) {
        let nothing = kops_core::graph::TaskGraph::default();
        let plan = self.engine.plan(&nothing).await.unwrap();
        self.engine.apply_now(&plan).await.unwrap().into_result().unwrap();
        assert_eq!(self.before.diff(&self.lab.inventory()), Vec::<String>::new());
    }

    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) {
        self.store.put(&StoreKey::new(key).unwrap(), bytes.to_vec(), Precondition::Any).await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Value> {
        let found = self.store.get(&StoreKey::new(key).unwrap()).await.unwrap()?;
        Some(serde_json::from_slice(&found.bytes).unwrap())
    }

    /// The server of a role.
    pub(crate) fn server(&self, role: &str) -> Value {
        let all = self.lab.rest().list("nova", "v2.1/servers/detail", "servers");
        let role = format!("k8s.io_role_{role}");
        all.into_iter().find(|it| it["metadata"][&role] == "1").unwrap_or_else(|| panic!("no {role}"))
    }

    /// A server's user data, as it is there.
    pub(crate) fn user_data(&self, role: &str) -> String {
        let id = self.server(role)["id"].as_str().unwrap().to_owned();
        String::from_utf8(STANDARD.decode(self.lab.user_data(&id)).unwrap()).unwrap()
    }

    /// A machine after its stage 0.
    pub(crate) fn boot(&self, role: &str) -> Machine {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("var/lib/kops");
        std::fs::create_dir_all(&directory).unwrap();
        let script = root.path().join("user-data");
        std::fs::write(&script, self.user_data(role)).unwrap();
        let output = Command::new("sh")
            .arg(&script)
            .env("KOPS_DIR", &directory)
            .env("KOPS_PAUSE", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        Machine { root }
    }
}

/// A machine.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::parse(&std::fs::read(self.path().join("var/lib/kops/bundle.json")).unwrap()).unwrap()
    }

    /// What its program works with.
    pub(crate) fn world(&self) -> kops_node::error::Result<World> {
        self.world_of(&self.bundle())
    }

    pub(crate) fn world_of(&self, bundle: &Bundle) -> kops_node::error::Result<World> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock::new());
        World::open(bundle, &Real::new(self.path()), &clock)
    }
}
