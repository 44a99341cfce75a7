//! One machine through whole rows, with a pretended etcd.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::bundle::Volume;
use crate::etcd::Peer;
use crate::machine::testing::TestHost;
use crate::store::Directory;
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

struct Case {
    host: TestHost,
    root: tempfile::TempDir,
    etcd: Etcd,
    state: Arc<Mutex<Pretended>>,
    clock: TestClock,
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
        };
        let record = Record {
            instance: "i-1".to_owned(),
            address: "127.0.0.1".to_owned(),
            since: case.clock.now(),
            began: std::collections::BTreeMap::default(),
        };
        record.write(&case.store(), "a").unwrap();
        record.write(&case.store(), "b").unwrap();
        case
    }

    fn store(&self) -> Directory {
        Directory::new(self.root.path())
    }

    fn run(&self, predecessor: Option<&str>) -> (Vec<String>, Vec<String>) {
        let (gateway, store) = (Gateway::new(http()), self.store());
        let mut machine = Machine {
            host: &self.host,
            url: etcd_server(&self.state),
            state: self.state.clone(),
            running: false,
            named: None,
            events: Vec::new(),
        };
        let runner = Runner {
            host: &self.host,
            store: &store,
            clock: &self.clock,
            gateway: &gateway,
            etcd: &self.etcd,
            member: "a",
            instance: "i-1",
            data: "/mnt/etcd".to_owned(),
            predecessor: predecessor.map(str::to_owned),
        };
        runner.run(&mut machine).unwrap();
        (std::mem::take(&mut self.state.lock().unwrap().calls), machine.events)
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
    assert_eq!(case.run(None).0, ["start WithData"]);
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
