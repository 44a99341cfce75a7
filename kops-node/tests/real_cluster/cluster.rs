//! A cluster of three control planes and a node, which the tests of this process share: each finds it whole, and
//! leaves it whole. One that fails takes it away, and the next makes another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use kops_lab::{Lab, Machine, Stopwatch};
use kops_node::bundle::{Bundle, Group, Groups, Role};
use kops_node::hash::sha256;
use kops_node::stage0::{Get, Object, script};
use kops_node::status::Status;
use kops_node::store::{Directory, Precondition, Store as _};
use serde_json::{Value, json};

use crate::bundles::{Facts, MEMBERS, network};
use crate::keysets;

/// Kubernetes' version, unless `KOPS_LAB_VERSION` names another one that the lab can build.
const VERSION: &str = "v1.34.4";
/// Machines' numbers in the lab's network: control planes are behind the balancer.
const CONTROL_PLANES: std::ops::Range<u8> = 11..20;
const NODES: std::ops::Range<u8> = 21..100;
/// How long a machine may take to become a member, and a cluster to become whole, in seconds. Five times what was seen.
pub(crate) const LONG: u64 = 600;

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The machine of a member of etcd.
    Member(&'static str),
    Node,
}

/// A machine that is there.
#[derive(Clone, Debug)]
struct Present {
    part: Part,
    number: u8,
    started: jiff::Timestamp,
    /// Whether operators have listed it.
    listed: bool,
}

pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    facts: Facts,
    program: Object,
    machines: BTreeMap<String, Present>,
    /// How many machines there have been: each has a name of its own.
    made: u32,
    /// The object that was written when the cluster was new, and that no failure may lose.
    proof: String,
}

/// Runs a test with the cluster, if machines can be had here.
pub(crate) fn with(test: impl FnOnce(&mut Cluster)) {
    static SHARED: Mutex<Option<Cluster>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut cluster) = shared.take().or_else(Cluster::up) else { return };
    test(&mut cluster);
    cluster.whole(&Stopwatch::start(), "whole when the test is over");
    *shared = Some(cluster);
}

impl Cluster {
    /// Makes the store's objects, boots all four machines at once, and waits for a whole cluster.
    fn up() -> Option<Self> {
        let version =
            std::env::var_os("KOPS_LAB_VERSION").map_or(VERSION.into(), |it| it.to_string_lossy().into());
        let mut cluster = Self::empty("kops-node", version)?;
        let watch = Stopwatch::start();
        for member in MEMBERS {
            cluster.boot(Part::Member(member));
        }
        cluster.boot(Part::Node);
        cluster.wait_for_admin(&watch);
        cluster.whole(&watch, "whole: all Nodes Ready, three voters, CoreDNS available");
        cluster.write_proof();
        Some(cluster)
    }

    /// A lab with the store's objects, and no machine yet.
    pub(crate) fn empty(name: &str, version: String) -> Option<Self> {
        let lab = Lab::start(name, &version)?;
        let keysets = keysets::make(&lab.store());
        let images = Command::new(lab.program("kubeadm"))
            .args(["config", "images", "list", "--kubernetes-version", &version])
            .output()
            .unwrap();
        let images = String::from_utf8(images.stdout).unwrap();
        let pause = images.lines().find(|it| it.contains("/pause:")).unwrap().to_owned();
        let word = fastrand::u32(..).to_string();
        let facts = Facts { version, pause, word, keysets, manifests: network(&lab.registry()) };
        let program = publish_program(&lab.store());
        let (machines, proof) = (BTreeMap::new(), String::new());
        let cluster = Self { lab, facts, program, machines, made: 0, proof };
        let nodes = Group { role: Role::Node, labels: BTreeMap::new() };
        let groups = Groups { groups: BTreeMap::from([("nodes".to_owned(), nodes)]) };
        cluster.write(Groups::KEY, &groups.to_bytes().unwrap());
        Some(cluster)
    }

    /// Waits until a control plane's kubeconfig opens the API through the balancer.
    pub(crate) fn wait_for_admin(&self, watch: &Stopwatch) {
        watch.until("the API answers through the balancer", LONG, || {
            let names = self.control_planes();
            let first = names.iter().find(|it| self.lab.become_admin(it).is_ok());
            first.ok_or("no control plane has a kubeconfig yet")?;
            self.lab.kubectl(&["get", "--raw", "/readyz"])
        });
    }

    fn write_proof(&mut self) {
        self.lab.kubectl(&["create", "configmap", "proof", "--from-literal=a=b"]).unwrap();
        self.proof = self.uid_of_proof().unwrap();
    }

    fn uid_of_proof(&self) -> Result<String, String> {
        self.lab.kubectl(&["get", "configmap", "proof", "-o", "jsonpath={.metadata.uid}"])
    }

    // ---------------------------------------------------------------- machines

    /// Boots a new machine, and tells its name.
    pub(crate) fn boot(&mut self, part: Part) -> String {
        self.made += 1;
        let prefix = if part == Part::Node { "w" } else { "m" };
        let name = format!("{prefix}{}", self.made);
        self.place(&name, part, true);
        name
    }

    /// A node that operators have not listed.
    pub(crate) fn boot_unlisted(&mut self) -> String {
        self.made += 1;
        let name = format!("x{}", self.made);
        self.place(&name, Part::Node, false);
        name
    }

    /// At an address that no machine has had lately.
    fn place(&mut self, name: &str, part: Part, listed: bool) {
        let numbers = if part == Part::Node { NODES } else { CONTROL_PLANES };
        let free = |it: &u8| self.machines.values().all(|other| other.number != *it);
        // Round the range, so that a new machine has another address than the one whose place it takes.
        let turn = usize::try_from(self.made).unwrap() % numbers.len();
        let number = numbers.clone().cycle().skip(turn).take(numbers.len()).find(free).unwrap();
        let (bundle, volumes) = match &part {
            Part::Member(member) => {
                let volumes = self.volumes(member);
                (self.facts.control_plane(member), Vec::from(volumes))
            }
            Part::Node => (self.facts.node(), Vec::new()),
        };
        let get = Get::Plain { base: kops_lab::STORE.to_owned() };
        let user_data = script(&get, &self.program, &self.publish(&bundle));
        let present = Present { part, number, started: jiff::Timestamp::now(), listed };
        self.machines.insert(name.to_owned(), present);
        self.list();
        self.lab.boot(&Machine { name: name.to_owned(), number, user_data, volumes });
    }

    /// The machine dies for good; its volume stays.
    pub(crate) fn lose(&mut self, name: &str) {
        self.lab.delete(name);
        self.machines.remove(name);
        self.list();
    }

    /// The volumes of a member, with the names of their mount points.
    fn volumes(&self, member: &str) -> [(String, PathBuf); 2] {
        let folder = self.lab.state().join("volumes");
        ["main", "events"].map(|it| (format!("etcd-{it}"), folder.join(format!("{member}-{it}"))))
    }

    /// The volumes of a member that no machine has at the moment are lost.
    pub(crate) fn lose_volume(&self, member: &str) {
        for (_, folder) in self.volumes(member) {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// The machine that is this member.
    pub(crate) fn machine_of(&self, member: &'static str) -> String {
        let found = self.machines.iter().find(|(_, it)| it.part == Part::Member(member));
        found.map(|(name, _)| name.clone()).unwrap()
    }

    /// The machine that is a node.
    pub(crate) fn node(&self) -> String {
        self.machines.iter().find(|(_, it)| it.part == Part::Node).map(|(name, _)| name.clone()).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.machines.keys().cloned().collect()
    }

    pub(crate) fn control_planes(&self) -> Vec<String> {
        let members = self.machines.iter().filter(|(_, it)| it.part != Part::Node);
        members.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn address(&self, name: &str) -> String {
        format!("10.77.0.{}", self.machines[name].number)
    }

    /// What a cloud would say: all machines that are there.
    fn list(&self) {
        let entry = |(name, it): (&String, &Present)| {
            let group = match it.part {
                Part::Member(member) => format!("control-plane-{member}"),
                Part::Node => "nodes".to_owned(),
            };
            let address = format!("10.77.0.{}", it.number);
            json!({"nodeName": name, "group": group, "addresses": [address], "started": it.started.to_string()})
        };
        let list: Vec<_> = self.machines.iter().filter(|(_, it)| it.listed).map(entry).collect();
        self.write("control/machines", Value::Array(list).to_string().as_bytes());
    }

    // ---------------------------------------------------------------- the store

    fn write(&self, key: &str, bytes: &[u8]) {
        assert!(Directory::new(self.lab.store()).write(key, bytes, Precondition::None).unwrap());
    }

    fn publish(&self, bundle: &Bundle) -> Object {
        let bytes = bundle.to_bytes().unwrap();
        let hash = sha256(&bytes);
        let role = serde_json::to_value(bundle.role).unwrap();
        let key = format!("igconfig/{}/{}/{hash}.json", role.as_str().unwrap(), bundle.group);
        self.write(&key, &bytes);
        Object { key, sha256: hash }
    }

    /// What a machine tells of itself, if it has told anything yet.
    pub(crate) fn status(&self, name: &str) -> Option<Status> {
        let store = Directory::new(self.lab.store());
        let keys = store.list("machines/").unwrap();
        let read = |key: &String| store.read(key).unwrap().map(|it| it.bytes);
        let all = keys.iter().filter(|it| it.ends_with("/status")).filter_map(read);
        let all = all.map(|it| serde_json::from_slice::<Status>(&it).unwrap());
        all.filter(|it| it.node == name).max_by_key(|it| it.since)
    }

    /// What a machine told last.
    pub(crate) fn last_words(&self, name: &str) -> String {
        let status = self.status(name);
        let event = status.as_ref().and_then(|it| it.events.last());
        event.map_or_else(|| "nothing".to_owned(), |it| it.what.clone())
    }

    // ---------------------------------------------------------------- what holds of a whole cluster

    /// Waits until every machine is a Ready Node and no other Node is there, three voters serve, CoreDNS is available and
    /// what was written before is still there. Tells when, counted from the beginning.
    pub(crate) fn whole(&self, watch: &Stopwatch, what: &str) {
        watch.until(what, LONG, || {
            self.nodes_are_ready().map_err(|why| self.explain(&why))?;
            self.voters()?;
            let available = ["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=1s"];
            self.lab.kubectl(&available)?;
            if !self.proof.is_empty() && self.uid_of_proof()? != self.proof {
                return Err("what was written before is lost".to_owned());
            }
            Ok(())
        });
    }

    fn explain(&self, why: &str) -> String {
        let words: Vec<_> =
            self.names().iter().map(|it| format!("\n  {it}: {}", self.last_words(it))).collect();
        format!("{why}; what machines told last:{}", words.concat())
    }

    fn nodes_are_ready(&self) -> Result<(), String> {
        let mut ready = Vec::new();
        for node in self.lab.objects(&["nodes"])? {
            let name = node["metadata"]["name"].as_str().unwrap_or_default();
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            let is = conditions.filter(|it| it["type"] == "Ready").any(|it| it["status"] == "True");
            ready.push(format!("{name}{}", if is { "" } else { " (not ready)" }));
        }
        ready.sort();
        if ready == self.names() { Ok(()) } else { Err(format!("Nodes: {}", ready.join(", "))) }
    }

    /// The ids of the voters, by name; an error unless all three are, and answer.
    pub(crate) fn voters(&self) -> Result<BTreeMap<String, u64>, String> {
        let machine = self.machine_of("a");
        let list = self.etcdctl(&machine, "member list -w json")?;
        let list: Value = serde_json::from_str(&list).map_err(|e| e.to_string())?;
        let mut voters = BTreeMap::new();
        for member in list["members"].as_array().into_iter().flatten() {
            if member["isLearner"] != true && member["clientURLs"].is_array() {
                let name = member["name"].as_str().unwrap_or_default().to_owned();
                voters.insert(name, member["ID"].as_u64().unwrap_or_default());
            }
        }
        if !voters.keys().eq(MEMBERS) || list["members"].as_array().map(Vec::len) != Some(3) {
            return Err(format!("etcd's members: {list}"));
        }
        self.etcdctl(&machine, "endpoint health --cluster")?;
        Ok(voters)
    }

    fn etcdctl(&self, machine: &str, words: &str) -> Result<String, String> {
        let shell = format!(
            "P=/etc/kubernetes/pki/etcd; C=$(crictl ps -q --name '^etcd$' | head -1); [ -n \"$C\" ] || exit 1; \
             exec crictl exec $C etcdctl --endpoints https://127.0.0.1:2379 --cacert $P/ca.crt \
             --cert $P/healthcheck-client.crt --key $P/healthcheck-client.key {words}"
        );
        self.lab.exec(machine, &["sh", "-c", &shell])
    }
}

/// Puts the program into the store, without its symbols if there is a tool for that.
fn publish_program(store: &Path) -> Object {
    let program = std::fs::read(stripped()).unwrap();
    let hash = sha256(&program);
    let key = format!("kops-node/amd64/{hash}");
    assert!(Directory::new(store).write(&key, &program, Precondition::None).unwrap());
    Object { key, sha256: hash }
}

fn stripped() -> std::path::PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_kops-node"));
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kops-node");
    let done = Command::new("strip").arg("-o").arg(&into).arg(built).status();
    if done.is_ok_and(|it| it.success()) { into } else { built.to_owned() }
}
