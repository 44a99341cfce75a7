//! Broken input of every kind: manifests, paths of `--set`, objects of a state store, plans read back. Whatever it is,
//! the answer is a value or an error; never a panic, a hang, or memory without bounds.
//!
//! The same seeds make the same inputs. `KOPS_FUZZ_ROUNDS=1000000 cargo test --release -p kops-cluster --test fuzz`
//! runs longer, `KOPS_FUZZ_SEED` begins elsewhere.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fastrand::Rng;
use kops_cluster::registry::{ClusterRegistry, ClusterStore, SecretData};
use kops_cluster::{
    AnyObject, Cluster, ClusterFiles, InstanceGroup, Manifest, Mode, NewCluster, Path, cluster_graph,
    new_cluster, populate, set, unset, validate,
};
use kops_core::clock::{Clock, SystemClock};
use kops_core::cloud::{Machine, MachineState};
use kops_core::plan::SavedPlan;
use kops_core::store::{
    Holder, IntentLog as _, LeaseRequest, MemoryStore, Precondition, Prefix, StateStore as _, StoreKey,
};
use kops_core::testing::{FastClock, MemoryCloud};
use kops_core::{Engine, ErrorKind};

/// Rounds of each test by default: a few seconds.
const ROUNDS: u64 = 80;
/// The longest that one input may take, in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);
/// The most memory that all tests of this file may take, in KiB.
const MOST_MEMORY: u64 = 1 << 20;

const SEEDS: [&str; 5] = [
    include_str!("cluster/ha-private.yaml"),
    include_str!("cluster/ha-private-v1alpha3.yaml"),
    include_str!("cluster/new-private.yaml"),
    include_str!("cluster/other-clouds.yaml"),
    include_str!("cluster/memory.yaml"),
];

/// Words that have broken parsers and programs before.
const WORDS: [&str; 34] = [
    "null",
    "~",
    "on",
    "1e999",
    ".nan",
    "-0",
    "0x7fffffffffffffff",
    "9223372036854775808",
    "1e3",
    "0123",
    "!!binary x",
    "!!int x",
    "&a",
    "*a",
    "<<: *a",
    "? [x]",
    "|",
    ">-",
    "%YAML 3.0",
    "---",
    "...",
    "[",
    "]",
    "{}",
    "{",
    "\"",
    "'",
    "\t",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{202e}",
    "::/0",
    "10.0.0.0/33",
];

fn number(name: &str, usual: u64) -> u64 {
    std::env::var_os(name).and_then(|text| text.into_string().ok()?.parse().ok()).unwrap_or(usual)
}

/// Runs `check` with a source of randomness for each round, and names the seed of the one that fails or hangs.
fn rounds(share: u64, check: fn(&mut Rng)) {
    let (first, count) = (number("KOPS_FUZZ_SEED", 0), number("KOPS_FUZZ_ROUNDS", ROUNDS) / share);
    let (tell, told) = channel();
    // As much stack as a program's first thread has: the frames of a debug build are large.
    let worker = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        for seed in first..first + count {
            tell.send(seed).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&mut Rng::with_seed(seed))));
            assert!(outcome.is_ok(), "seed {seed}");
        }
    });
    let worker = worker.unwrap();
    let mut current = first;
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(seed) => current = seed,
            Err(RecvTimeoutError::Timeout) => panic!("seed {current} takes more than {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().unwrap();
    if let Some(peak) = peak_memory() {
        assert!(peak < MOST_MEMORY, "the peak of memory is {peak} KiB");
    }
}

/// The most memory that this process has had, in KiB; Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// A position in a text that does not cut a character.
fn position(random: &mut Rng, text: &str) -> usize {
    let mut at = random.usize(..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A text like `text`, with some damage.
fn damaged(random: &mut Rng, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..random.usize(1..=4) {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let at = random.usize(..lines.len());
        let word = *random.choice(&WORDS).unwrap();
        match random.u8(..14) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.truncate(at),
            3 => lines[at] = format!("{}{}", " ".repeat(random.usize(..6)), lines[at]),
            4 => {
                let trimmed = lines[at].trim_start().to_owned();
                lines[at] = trimmed;
            }
            5 => lines.insert(at, word.to_owned()),
            6 => {
                let cut = position(random, &lines[at]);
                lines[at].insert_str(cut, word);
            }
            7 => {
                let cut = position(random, &lines[at]);
                lines[at].truncate(cut);
            }
            8 | 9 => {
                let key = lines[at].split_once(": ").map(|(key, _)| key.to_owned());
                if let Some(key) = key {
                    lines[at] = format!("{key}: {word}");
                }
            }
            10 => {
                let other = random.usize(..lines.len());
                lines.swap(at, other);
            }
            11 => lines[at] = format!("{}{}", lines[at], "x".repeat(random.usize(..5_000))),
            12 => {
                let depth = random.usize(..200);
                lines.insert(at, format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)));
            }
            _ => {
                // Aliases of aliases: each line has ten times the one before.
                let bomb = (0..9).map(|level| match level {
                    0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned(),
                    _ => format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")),
                });
                lines.splice(at..at, bomb);
            }
        }
    }
    lines.join("\n")
}

fn seed_text(random: &mut Rng) -> String {
    let text = *random.choice(&SEEDS).unwrap();
    match random.u8(..4) {
        // Another's second half behind the first.
        0 => {
            let other = *random.choice(&SEEDS).unwrap();
            let (a, b) = (position(random, text), position(random, other));
            format!("{}{}", &text[..a], &other[b..])
        }
        1 => serde_json::to_string(&serde_saphyr::from_multiple::<serde_json::Value>(text).unwrap()).unwrap(),
        _ => text.to_owned(),
    }
}

/// Everything that is done with a specification before a cloud is asked.
fn use_files(files: &mut ClusterFiles) {
    let (full, groups) = populate(&files.cluster, &files.instance_groups);
    assert_eq!(populate(&full, &groups), (full.clone(), groups.clone()), "defaults are filled in once");
    let problems = validate(&files.cluster, &files.instance_groups);
    assert!(
        problems.errors().all(|problem| !problem.fix.is_empty() && !problem.message.is_empty()),
        "{problems}"
    );
    set(&mut files.cluster, "spec.cloudProvider", "memory").unwrap();
    if let Err(problems) = cluster_graph(files, &MemoryCloud::new()) {
        assert!(problems.has_errors());
        assert!(!problems.to_string().contains("this is a bug"), "{problems}");
    }
}

#[test]
fn manifests() {
    rounds(1, |random| {
        let text = seed_text(random);
        let text = damaged(random, &text);
        for mode in [Mode::Strict, Mode::Lenient] {
            let manifest = match Manifest::read(&text, mode) {
                Ok(manifest) => manifest,
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
                    assert!(error.hint().is_some(), "{error}");
                    continue;
                }
            };
            for object in &manifest.additional {
                object.to_yaml().unwrap();
            }
            let whole = !manifest.problems.has_errors();
            let mut files = ClusterFiles::default();
            for document in manifest.documents {
                let written = document.object.to_yaml().unwrap();
                // What cannot be read has been removed: the rest is written so that it can be read.
                let again = Manifest::read(&written, Mode::Lenient).unwrap();
                let same = again.documents.first().map(|again| &again.object) == Some(&document.object);
                assert!(same || !whole, "{written}");
                match document.object {
                    AnyObject::Cluster(cluster) => files.cluster = *cluster,
                    AnyObject::InstanceGroup(group) => files.instance_groups.push(*group),
                    AnyObject::SshCredential(key) => files.ssh_keys.push(*key),
                    AnyObject::Keyset(_) => {}
                }
            }
            use_files(&mut files);
        }
    });
}

/// Paths, some of which exist.
const PATHS: [&str; 18] = [
    "spec.kubernetesVersion",
    "spec.subnets[0].cidr",
    "spec.subnets.1",
    "spec.networking.cilium",
    "metadata.labels.a",
    "spec.kubelet.featureGates.A",
    "spec.addons[0].manifest",
    "cluster.spec.cloudProvider",
    "spec.topology.dns.type",
    "spec.etcdClusters[0].etcdMembers[0].kmsKeyId",
    "spec.api.loadBalancer",
    "spec.DisableSubnetTags",
    "spec.rootVolumeSize",
    "spec.additionalPolicies.master",
    "spec.cloudLabels[\"a.b/c\"]",
    "spec.configStore",
    "spec.role",
    "spec.nodeLabels",
];

#[test]
fn paths_and_values_of_set() {
    rounds(1, |random| {
        let (cluster, groups) =
            new_cluster(&NewCluster::new("x.example.com", "memory").zones(["zone-1a"])).unwrap();
        let (mut cluster, mut group) = (cluster, groups[0].clone());
        for _ in 0..8 {
            let mut path = (*random.choice(&PATHS).unwrap()).to_owned();
            if random.bool() {
                let at = position(random, &path);
                path.insert_str(
                    at,
                    random
                        .choice(&["[", "]", ".", "\"", "[0]", "[18446744073709551616]", "é", "x", "="])
                        .unwrap(),
                );
            }
            let value = if random.bool() {
                (*random.choice(&WORDS).unwrap()).to_owned()
            } else {
                let text = seed_text(random);
                let (a, b) = (position(random, &text), position(random, &text));
                text[a.min(b)..a.max(b)].chars().take(300).collect()
            };
            let outcomes = if random.bool() {
                [set(&mut cluster, &path, &value), set(&mut group, &path, &value)]
            } else {
                [unset(&mut cluster, &path), unset(&mut group, &path)]
            };
            for error in outcomes.into_iter().filter_map(Result::err) {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{path}={value:?}: {error}");
            }
            if let Ok(path) = path.parse::<Path>() {
                assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
            }
        }
        use_files(&mut ClusterFiles::new(cluster, [group], []));
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

#[test]
fn stores_with_broken_objects() {
    rounds(4, |random| {
        let store = Arc::new(MemoryStore::new());
        let text = seed_text(random);
        let mut bytes = damaged(random, &text).into_bytes();
        if random.u8(..4) == 0 && !bytes.is_empty() {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let (cluster, groups) =
            new_cluster(&NewCluster::new("x.example.com", "memory").zones(["zone-1a"])).unwrap();
        let broken = *random
            .choice(&[
                "config",
                "instancegroup/nodes-zone-1a",
                "pki/ssh/public/admin/00ff",
                "clusteraddons/default",
            ])
            .unwrap();
        block_on(async {
            let registry = ClusterRegistry::new(store.clone(), Arc::new(SystemClock::new()));
            let here = registry.cluster("x.example.com").unwrap();
            here.create_all(&ClusterFiles::new(cluster, groups, [])).await.unwrap();
            let key = StoreKey::new(format!("x.example.com/{broken}")).unwrap();
            store.put(&key, bytes, Precondition::Any).await.unwrap();
            match here.read().await {
                Ok(state) => use_files(&mut ClusterFiles::from(state)),
                Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{error}"),
            }
            // One broken file hides neither its own cluster's name nor other clusters.
            let listed = registry.list().await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].name, "x.example.com");
        });
    });
}

/// What programs write into a store, and nobody by hand: keys, a secret, the lock, the journal, what machines tell.
struct Written {
    objects: Vec<(StoreKey, Vec<u8>)>,
    /// What no error may quote.
    confidential: Vec<String>,
}

const STATUS: &str = r#"{
  "node": "i-1",
  "state": "waiting",
  "since": "2026-11-30T12:00:00Z",
  "kubernetesVersion": "v1.34.1",
  "bundle": "0f",
  "attempts": 3,
  "events": [
    {
      "at": "2026-11-30T12:00:00Z",
      "what": "no control plane is running yet"
    }
  ]
}"#;

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| block_on(write()))
}

async fn write() -> Written {
    let store = Arc::new(MemoryStore::new());
    let here = cluster_in(&store, Arc::new(SystemClock::new()));
    here.ensure_keysets(&Cluster::named("x.example.com")).await.unwrap();
    here.put_secret("encryptionconfig", &SecretData::new(*b"correct horse"), false).await.unwrap();
    let journal = here.journal().unwrap();
    let intent = journal.intend("Port/api", "digest", &["port-1".to_owned()]).await.unwrap();
    journal.done(&intent, "port-2").await.unwrap();
    for machine in ["i-1", "i-2"] {
        let key = StoreKey::new(format!("x.example.com/machines/nodes/{machine}/status")).unwrap();
        store.put(&key, STATUS.into(), Precondition::Absent).await.unwrap();
    }
    let lease = here.lock(LeaseRequest::new(Holder::new("ann@desk", "update cluster"))).await.unwrap();
    let mut objects = Vec::new();
    for entry in store.list(&Prefix::root(), None).await.unwrap() {
        let object = store.get(&entry.key).await.unwrap().unwrap();
        objects.push((entry.key, object.bytes));
    }
    lease.release().await.unwrap();
    // "correct horse" as kOps writes it.
    let mut confidential = vec!["Y29ycmVjdCBob3JzZQ".to_owned()];
    for (_, bytes) in &objects {
        let text = String::from_utf8(bytes.clone()).unwrap();
        for material in text.split("privateMaterial:").skip(1) {
            // Behind what all private keys have in common.
            let letters: String = material.chars().filter(|letter| !letter.is_whitespace()).collect();
            confidential.push(letters[120..160].to_owned());
        }
    }
    assert!(confidential.len() > 4, "there are four authorities and a secret");
    Written { objects, confidential }
}

fn cluster_in(store: &Arc<MemoryStore>, clock: Arc<dyn Clock>) -> ClusterStore {
    ClusterRegistry::new(store.clone(), clock).cluster("x.example.com").unwrap()
}

#[test]
fn stores_with_broken_state() {
    rounds(2, |random| {
        let written = written();
        let (broken, good) = random.choice(&written.objects).unwrap();
        let mut bytes = match random.u8(..8) {
            // Numbers at their ends.
            0 => String::from_utf8(good.clone())
                .unwrap()
                .replace("\"epoch\": 1", &format!("\"epoch\": {}", u64::MAX))
                .replace("\"attempts\": 3", &format!("\"attempts\": {}", u64::MAX))
                .into_bytes(),
            _ => damaged(random, std::str::from_utf8(good).unwrap()).into_bytes(),
        };
        if random.u8(..4) == 0 && !bytes.is_empty() {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        block_on(async {
            let store = Arc::new(MemoryStore::new());
            for (key, bytes) in &written.objects {
                store.put(key, bytes.clone(), Precondition::Any).await.unwrap();
            }
            store.put(broken, bytes.clone(), Precondition::Any).await.unwrap();
            // Leases of any length soon expire.
            let here = cluster_in(&store, Arc::new(FastClock::new(1_000_000)));
            let cluster = Cluster::named("x.example.com");
            let journal = here.journal().unwrap();
            let lease = here.lock(LeaseRequest::new(Holder::new("bob@desk", "update cluster"))).await;
            let outcomes = [
                ("its keysets", here.keysets(&cluster).await.map(drop)),
                ("all keysets", here.all_keysets().await.map(drop)),
                ("missing keysets", here.ensure_keysets(&cluster).await.map(drop)),
                ("the secret", here.secret("encryptionconfig").await.map(drop)),
                ("the journal", journal.entries().await.map(drop)),
                ("what was deleted", journal.forget("port-2").await),
                ("the lock", lease.map(drop)),
            ];
            for (what, outcome) in outcomes {
                let Err(error) = outcome else { continue };
                let kinds = [ErrorKind::Invalid, ErrorKind::Unsupported, ErrorKind::Locked];
                assert!(kinds.contains(&error.kind()), "{broken}: {what}: {error}");
                let told = error.to_string();
                assert!(!written.confidential.iter().any(|it| told.contains(it)), "{broken}: {what}: {told}");
            }
            // Whatever a keyset holds: it may be the only copy of keys.
            if broken.as_str().contains("/pki/") {
                assert_eq!(store.get(broken).await.unwrap().unwrap().bytes, bytes, "{broken}");
            }
            // A broken secret hides no names, and the status of one machine not that of another.
            assert_eq!(here.secrets().await.unwrap(), ["encryptionconfig"]);
            let machine =
                |id: &str| Machine::new(id, "nodes.x.example.com", "zone-1a", "large", MachineState::Running);
            let machines = ["i-1", "i-2"].map(machine);
            let named = machines.each_ref().map(|machine| ("nodes", machine));
            let statuses = here.machine_statuses(&named).await.unwrap();
            for (machine, status) in machines.iter().zip(statuses) {
                let status = status.unwrap_or_else(|| panic!("{broken}: nothing of {}", machine.id));
                let events = status.events.iter().map(|event| event.what.as_str());
                for text in events.chain([status.node.as_str()]) {
                    assert!(!text.contains(char::is_control), "{broken}: {text:?}");
                }
                let is_broken = broken.as_str().contains(&format!("/{}/", machine.id));
                assert!(is_broken || status.attempts == 3, "{broken}: {status:?}");
            }
        });
    });
}

#[test]
fn plans_read_back() {
    rounds(8, |random| {
        let (cluster, groups) =
            new_cluster(&NewCluster::new("x.example.com", "memory").zones(["zone-1a"])).unwrap();
        let cloud = Arc::new(MemoryCloud::new());
        let planned = cluster_graph(&ClusterFiles::new(cluster, groups, []), &*cloud).unwrap();
        let engine = Engine::new(cloud.clone(), planned.scope);
        block_on(async {
            let plan = engine.plan(&planned.graph).await.unwrap();
            let text = serde_json::to_string_pretty(&plan).unwrap();
            let text = damaged(random, &text);
            let Ok(saved) = serde_json::from_str::<SavedPlan>(&text) else { return };
            // Whatever else the text says: what is applied is what would be planned now, or nothing.
            let (scope, fingerprint) = (saved.scope().clone(), saved.fingerprint().to_owned());
            let applied = engine.apply_saved(&saved, &planned.graph).await;
            let same = scope == plan.scope && fingerprint == plan.fingerprint;
            assert!(same || applied.is_err());
        });
    });
}

#[test]
fn the_seeds_are_good() {
    for text in SEEDS {
        let manifest = Manifest::read(text, Mode::Strict).unwrap();
        assert!(!manifest.problems.has_errors(), "{}", manifest.problems);
    }
    let objects = Manifest::read(SEEDS[4], Mode::Strict).unwrap().into_objects().unwrap().0;
    let mut files = ClusterFiles::default();
    for object in objects {
        match object {
            AnyObject::Cluster(cluster) => files.cluster = *cluster,
            AnyObject::InstanceGroup(group) => files.instance_groups.push(InstanceGroup::clone(&group)),
            other => panic!("{}", other.title()),
        }
    }
    cluster_graph(&files, &MemoryCloud::new()).unwrap_or_else(|problems| panic!("{problems}"));
}
