//! One machine through whole rows, with a pretended etcd.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::bundle::Volume;
use crate::error::ErrorKind;
use crate::etcd::Peer;
use crate::machine::testing::TestHost;
use crate::store::{Directory, Object};
use crate::testing::{TestClock, http, ok, serve};

const CLUSTER: u64 = 99;

/// The other members, and this machine's own etcd once it runs.
#[derive(Default)]
struct Pretended {
    /// None: no quorum.
    members: Option<Vec<Value>>,
    calls: Vec<String>,
}

struct Machine<'a> {
    host: &'a TestHost,
    url: String,
    state: Arc<Mutex<Pretended>>,
    running: bool,
    /// The names that are known, once any are.
    named: Option<Vec<String>>,
    events: Vec<String>,
    /// How often a restore fails before there is data; `None`: it never fails, and there is none.
    failures: Option<u32>,
}

impl Environment for Machine<'_> {
    fn start(&mut self, start: &Start) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(format!("start {start:?}"));
        self.running = true;
        let all = state.members.get_or_insert_with(|| vec![json!({"ID": "7", "name": "a"})]);
        let mine = all
            .iter_mut()
            .find(|it| it["name"] == "a" || it["peerURLs"][0] == "https://a.etcd:2380")
            .unwrap();
        mine["name"] = json!("a");
        mine["clientURLs"] = json!(["https://a.etcd:2379"]);
        let id = mine["ID"].as_str().unwrap().parse().unwrap();
        if *start != Start::WithData {
            write_log(self.host, id, CLUSTER);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.running = false;
        Ok(())
    }

    fn started(&mut self) -> Result<bool> {
        Ok(self.running)
    }

    fn names(&mut self, records: &[(String, Record)]) -> Result<()> {
        self.named = Some(records.iter().map(|(name, _)| name.clone()).collect());
        Ok(())
    }

    fn restore(&mut self, _: &str) -> Result<()> {
        match &mut self.failures {
            None => {}
            Some(0) => write_log(self.host, 7, CLUSTER),
            Some(left) => {
                *left -= 1;
                return Err(Error::failed("pulling the image", format!("request {left}")));
            }
        }
        Ok(())
    }

    fn event(&mut self, what: &str) {
        self.events.push(what.to_owned());
    }

    fn client_url(&self, member: Option<&str>) -> String {
        let known = self.named.as_ref().expect("names come before calls");
        assert!(
            known.is_empty() || member.is_none_or(|it| known.iter().any(|known| known == it)),
            "{member:?}"
        );
        self.url.clone()
    }

    fn peer_address(&self, _: &Member) -> Option<String> {
        Some(self.url.trim_start_matches("http://").to_owned())
    }
}

fn write_log(host: &TestHost, member: u64, cluster: u64) {
    let small = |it: u64| u8::try_from(it).unwrap();
    let record = [8, 1, 3 << 3 | 2, 4, 8, small(member), 16, small(cluster)];
    let path = host.path("/mnt/etcd/member/wal");
    std::fs::create_dir_all(&path).unwrap();
    let frame = [&(record.len() as u64).to_le_bytes()[..], &record].concat();
    std::fs::write(path.join("0.wal"), frame).unwrap();
}

fn etcd_server(state: &Arc<Mutex<Pretended>>) -> String {
    let state = state.clone();
    serve(move |seen| {
        let mut state = state.lock().unwrap();
        let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let path = seen.path.trim_start_matches("/v3/cluster/member/").to_owned();
        if path != "list" && path != "/health" {
            state.calls.push(format!("{path} {body}"));
        }
        let Some(members) = &mut state.members else { return (503, vec![], b"{}".to_vec()) };
        match path.as_str() {
            "remove" => members.retain(|it| it["ID"] != body["ID"]),
            "add" => members.push(json!({"ID": "8", "peerURLs": body["peerURLs"], "isLearner": true})),
            "promote" => members.iter_mut().for_each(|it| it["isLearner"] = json!(false)),
            _ => {}
        }
        ok(json!({"header": {"cluster_id": CLUSTER.to_string()}, "members": members, "health": "true"})
            .to_string())
    })
}

/// A store some of whose calls fail, by their key and what they write.
struct Faulty<F>(Directory, F);

impl<F> std::fmt::Debug for Faulty<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Faulty").field(&self.0).finish_non_exhaustive()
    }
}

impl<F: Fn(&str, &[u8]) -> Result<()> + Send + Sync> Store for Faulty<F> {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        (self.1)(key, b"")?;
        self.0.read(key)
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        (self.1)(key, bytes)?;
        self.0.write(key, bytes, precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        self.0.upload(key, file)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        self.0.fetch(key, into)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.0.delete(key)
    }
}

struct Case {
    host: TestHost,
    root: tempfile::TempDir,
    etcd: Etcd,
    state: Arc<Mutex<Pretended>>,
    clock: TestClock,
    failures: Option<u32>,
}

impl Case {
    fn new(members: Option<Vec<Value>>) -> Self {
        let peer = |it: &str| Peer { name: it.to_owned(), url: format!("https://{it}.etcd:2380") };
        let volume = Volume {
            path: "/mnt".to_owned(),
            devices: std::collections::BTreeMap::default(),
            tags: std::collections::BTreeMap::default(),
            format: None,
        };
        let etcd = Etcd {
            name: "main".to_owned(),
            members: ["a", "b", "c"].map(peer).into(),
            candidates: vec!["a".to_owned()],
            token: "t".to_owned(),
            client_port: 2379,
            peer_port: 1,
            metrics_port: 2381,
            volume,
            backup: None,
        };
        let case = Self {
            host: TestHost::quiet(),
            root: tempfile::tempdir().unwrap(),
            etcd,
            state: Arc::new(Mutex::new(Pretended { members, calls: Vec::new() })),
            clock: TestClock::real(),
            failures: None,
        };
        let record = Record {
            instance: "i-1".to_owned(),
            address: "127.0.0.1".to_owned(),
            since: case.clock.now(),
            began: std::collections::BTreeMap::default(),
            restored: std::collections::BTreeMap::default(),
            restoring: std::collections::BTreeMap::default(),
        };
        record.write(&case.store(), "a").unwrap();
        record.write(&case.store(), "b").unwrap();
        case
    }

    fn store(&self) -> Directory {
        Directory::new(self.root.path())
    }

    fn run(&self, predecessor: Option<&str>) -> (Vec<String>, Vec<String>) {
        let (result, calls, events) = self.try_run(predecessor);
        result.unwrap();
        (calls, events)
    }

    fn try_run(&self, predecessor: Option<&str>) -> (Result<()>, Vec<String>, Vec<String>) {
        self.run_with(&self.store(), predecessor)
    }

    fn run_with(
        &self,
        store: &dyn Store,
        predecessor: Option<&str>,
    ) -> (Result<()>, Vec<String>, Vec<String>) {
        let gateway = Gateway::new(http());
        let mut machine = Machine {
            host: &self.host,
            url: etcd_server(&self.state),
            state: self.state.clone(),
            running: false,
            named: None,
            events: Vec::new(),
            failures: self.failures,
        };
        let runner = Runner {
            host: &self.host,
            store,
            clock: &self.clock,
            gateway: &gateway,
            etcd: &self.etcd,
            member: "a",
            instance: "i-1",
            data: "/mnt/etcd".to_owned(),
            predecessor: predecessor.map(str::to_owned),
        };
        let result = runner.run(&mut machine);
        (result, std::mem::take(&mut self.state.lock().unwrap().calls), machine.events)
    }
}

fn member(id: &str, name: &str) -> Value {
    json!({"ID": id, "name": name, "peerURLs": [format!("https://{name}.etcd:2380")], "clientURLs": ["https://x"]})
}

#[test]
fn a_new_cluster_begins_is_marked_and_serves() {
    let case = Case::new(None);
    let (calls, events) = case.run(None);
    assert_eq!(calls, ["start New"]);
    assert!(events.last().unwrap().ends_with("serving"), "{events:?}");
    let marker = case.store().read("control-plane/initialized").unwrap().unwrap();
    assert_eq!(String::from_utf8(marker.bytes).unwrap(), r#"{"cluster":99,"by":"i-1"}"#);
    let record = Record::read(&case.store(), "a").unwrap().unwrap();
    assert!(record.began["main"].new && !record.began["main"].disk.is_empty());
}

fn marked(case: &Case) {
    case.store()
        .write("control-plane/initialized", br#"{"cluster":99,"by":"x"}"#, Precondition::None)
        .unwrap();
}

#[test]
fn a_member_with_its_disk_just_starts() {
    let case = Case::new(Some(vec![member("7", "a"), member("2", "b"), member("3", "c")]));
    marked(&case);
    write_log(&case.host, 7, CLUSTER);
    assert_eq!(case.run(None).0, ["start WithData"]);
}

#[test]
fn a_lost_disk_is_replaced_after_a_minute_of_silence() {
    let case = Case::new(Some(vec![member("7", "a"), member("2", "b"), member("3", "c")]));
    marked(&case);
    let before = case.clock.elapsed();
    let (calls, events) = case.run(Some("127.0.0.1"));
    assert!(case.clock.elapsed() >= before + crate::etcd::SILENCE);
    assert_eq!(calls[0], r#"remove {"ID":"7"}"#);
    // Members of a JSON object have no order to rely on.
    let added: serde_json::Value = serde_json::from_str(calls[1].strip_prefix("add ").unwrap()).unwrap();
    assert_eq!(added, serde_json::json!({"peerURLs": ["https://a.etcd:2380"], "isLearner": true}));
    assert!(calls[2].starts_with("start Existing") && calls[2].contains("a.etcd"), "{calls:?}");
    assert_eq!(calls[3], r#"promote {"ID":"8"}"#);
    assert!(events.iter().any(|it| it.contains("row 7")), "{events:?}");
    let leases = Leases { store: &case.store(), holder: "i-2" };
    assert_eq!(leases.look(CHANGE, case.clock.now()).unwrap(), Held::Free);
}

#[test]
fn a_machine_that_has_served_starts_without_the_store() {
    let case = Case::new(Some(vec![member("7", "a"), member("2", "b"), member("3", "c")]));
    marked(&case);
    write_log(&case.host, 7, CLUSTER);
    case.run(None);
    let directory = case.root.path().join("control-plane");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "no directory any more").unwrap();
    assert!(case.store().write("control-plane/a", b"", Precondition::None).is_err());
    let (calls, events) = case.run(None);
    assert_eq!(calls, ["start WithData"]);
    let told =
        events.iter().filter(|it| it.starts_with("etcd, without the state store: control-plane/")).count();
    assert_eq!(told, 1, "once, and why: {events:?}");
}

#[test]
fn why_the_store_cannot_be_read_is_told_once_though_every_answer_is_another_text() {
    let case = Case::new(Some(vec![member("7", "a"), member("2", "b"), member("3", "c")]));
    marked(&case);
    write_log(&case.host, 7, CLUSTER);
    case.run(None);
    let asked = AtomicU32::new(0);
    let store = Faulty(case.store(), |_: &str, _: &[u8]| {
        let answer = format!("<RequestId>{}</RequestId>", asked.fetch_add(1, Ordering::SeqCst));
        Err::<(), _>(Error::status("reading the state store", 500, answer.as_bytes()))
    });
    let (result, calls, events) = case.run_with(&store, None);
    result.unwrap();
    assert_eq!(calls, ["start WithData"]);
    assert!(asked.load(Ordering::SeqCst) > 1);
    let told = events.iter().filter(|it| it.contains("<RequestId>")).count();
    assert_eq!(told, 1, "{events:?}");
}

/// The restore itself fails a few times, and the store is out of reach just when it has succeeded.
#[test]
fn a_snapshot_is_restored_to_one_disk_only_whatever_fails() {
    let mut case = Case::new(None);
    case.etcd.members.truncate(1);
    case.failures = Some(3);
    marked(&case);
    case.store().write("control/restore", b"backups/etcd/main/1.db", Precondition::None).unwrap();
    let store = Faulty(case.store(), |_: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        if text.contains("restored") && !text.contains("restoring") {
            return Err(Error::new(ErrorKind::Unreachable, "writing the record", "no route to host"));
        }
        Ok(())
    });
    let (result, calls, events) = case.run_with(&store, None);
    result.unwrap();
    assert_eq!(calls, ["start WithData"]);
    for told in ["restoring backups/etcd/main/1.db", "pulling the image", "no route to host"] {
        assert_eq!(events.iter().filter(|it| it.contains(told)).count(), 1, "{told}: {events:?}");
    }
    std::fs::remove_dir_all(case.host.path("/mnt/etcd")).unwrap();
    case.state.lock().unwrap().members = None;
    let error = case.try_run(None).0.unwrap_err().to_string();
    assert!(error.contains("has been restored before"), "{error}");
}

#[test]
fn each_cluster_restores_its_own_snapshot_once() {
    let text = "backups/etcd/events/2.db\n\n backups/etcd/main/1.db \n";
    let of = |cluster, before: Option<&str>| Restore::of(text, cluster, before.map(str::to_owned).as_ref());
    assert_eq!(of("main", None).key(), Some("backups/etcd/main/1.db"));
    assert_eq!(of("events", Some("backups/etcd/main/1.db")).key(), Some("backups/etcd/events/2.db"));
    assert_eq!(of("cilium", None).why.unwrap(), "control/restore names nothing below backups/etcd/cilium/");
    let again =
        Restore::of("backups/etcd/main/1.db again", "main", Some(&"backups/etcd/main/1.db".to_owned()));
    assert_eq!(again.key(), Some("backups/etcd/main/1.db"));
    assert!(Restore::of(" \n", "main", None).why.is_none());

    let mut case = Case::new(None);
    case.etcd.members.truncate(1);
    marked(&case);
    case.store().write("control/restore", text.as_bytes(), Precondition::None).unwrap();
    let (result, _, events) = case.try_run(None); // nothing is on the pretended disk after it
    assert_eq!(
        events.iter().filter(|it| it.ends_with("restoring backups/etcd/main/1.db")).count(),
        1,
        "{events:?}"
    );
    let error = result.unwrap_err().to_string();
    assert!(error.contains("attach the right disk") && error.contains("has been restored before"), "{error}");
    assert_eq!(Record::read(&case.store(), "a").unwrap().unwrap().restored["main"], "backups/etcd/main/1.db");
}

#[test]
fn data_of_a_removed_member_is_set_aside() {
    let case = Case::new(Some(vec![member("8", "a"), member("2", "b"), member("3", "c")]));
    marked(&case);
    write_log(&case.host, 7, CLUSTER);
    case.run(None);
    let kept = case.host.list("/mnt").unwrap();
    assert!(kept.iter().any(|it| it.starts_with("etcd.aside-")), "{kept:?}");
}
