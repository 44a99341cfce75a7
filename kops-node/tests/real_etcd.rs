//! The runner over real etcd processes on the loopback.
//!
//! `KOPS_ETCD=/path/to/etcd cargo test -p kops-node --test real_etcd -- --ignored` (3.5 or 3.6).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's harness can do no better than panic")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use kops_node::bundle::{Etcd, Volume};
use kops_node::clock::{Clock as _, SystemClock};
use kops_node::error::Result;
use kops_node::etcd::gateway::Gateway;
use kops_node::etcd::record::Record;
use kops_node::etcd::runner::{Environment, Runner};
use kops_node::etcd::{Disk, Member, Peer, Start, wal};
use kops_node::http::{Http, Tls};
use kops_node::machine::{Host as _, Real};
use kops_node::store::{Directory, Store as _};

const DATA: &str = "/mnt/etcd";

/// A cluster's machines, each a directory, and the store.
struct Lab {
    root: tempfile::TempDir,
    etcd: Etcd,
    clients: BTreeMap<String, u16>,
    running: Arc<Mutex<BTreeMap<String, Child>>>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.running.lock().unwrap().values_mut().for_each(|it| drop(it.kill()));
    }
}

impl Lab {
    fn new() -> Self {
        let sockets: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut ports = sockets.iter().map(|it| it.local_addr().unwrap().port());
        let names = ["a", "b", "c"];
        let clients = names.iter().map(|it| ((*it).to_owned(), ports.next().unwrap())).collect();
        let peer = |name: &&str| Peer {
            name: (*name).to_owned(),
            url: format!("http://127.0.0.1:{}", ports.next().unwrap()),
        };
        let members = names.iter().map(peer).collect();
        let (devices, tags) = (BTreeMap::new(), BTreeMap::new());
        let volume = Volume { path: "/mnt".to_owned(), devices, tags, format: None };
        let etcd = Etcd {
            name: "main".to_owned(),
            members,
            candidates: Vec::new(),
            token: "lab-7".to_owned(),
            client_port: 2379,
            peer_port: 1,
            metrics_port: 2381,
            volume,
            backup: None,
        };
        Self { root: tempfile::tempdir().unwrap(), etcd, clients, running: Arc::default() }
    }

    fn host(&self, member: &str) -> Real {
        Real::new(self.root.path().join(member))
    }

    fn store(&self) -> Directory {
        Directory::new(self.root.path().join("store"))
    }

    fn url(&self, member: &str) -> String {
        format!("http://127.0.0.1:{}", self.clients[member])
    }

    /// Boots a member until it serves, and gives what was told.
    fn boot(&self, member: &str) -> Vec<String> {
        let (host, store, clock) = (self.host(member), self.store(), SystemClock::new());
        if Record::read(&store, member).unwrap().is_none() {
            let record = Record {
                instance: member.to_owned(),
                address: "127.0.0.1".to_owned(),
                since: clock.now(),
                began: BTreeMap::new(),
                restored: BTreeMap::default(),
                restoring: BTreeMap::default(),
            };
            record.write(&store, member).unwrap();
        }
        let gateway = Gateway::new(Http::direct(&Tls::default()).unwrap());
        let mut machine = Machine { lab: self, member, events: Vec::new() };
        let runner = Runner {
            host: &host,
            store: &store,
            clock: &clock,
            gateway: &gateway,
            etcd: &self.etcd,
            member,
            instance: member,
            data: DATA.to_owned(),
            predecessor: None,
        };
        runner.run(&mut machine).unwrap();
        machine.events
    }

    /// Boots several at once.
    fn boot_all(&self, members: &[&str]) -> Vec<Vec<String>> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = members.iter().map(|it| scope.spawn(move || self.boot(it))).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }

    /// The power goes.
    fn kill(&self, member: &str) {
        let mut child = self.running.lock().unwrap().remove(member).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// And with it the disk.
    fn lose(&self, member: &str) {
        self.kill(member);
        std::fs::remove_dir_all(self.root.path().join(member)).unwrap();
    }

    fn members(&self, at: &str) -> Vec<Member> {
        let gateway = Gateway::new(Http::direct(&Tls::default()).unwrap());
        gateway.members(&self.url(at), true).unwrap().members
    }

    fn key_value(&self, at: &str, path: &str, body: &str) -> String {
        let http = Http::direct(&Tls::default()).unwrap();
        let url = format!("{}/v3/kv/{path}", self.url(at));
        let request = kops_node::http::Request::new("POST", &url).body(body.as_bytes());
        String::from_utf8(http.send(&request).unwrap().success("a call of etcd").unwrap()).unwrap()
    }
}

struct Machine<'a> {
    lab: &'a Lab,
    member: &'a str,
    events: Vec<String>,
}

impl Environment for Machine<'_> {
    fn start(&mut self, start: &Start) -> Result<()> {
        let lab = self.lab;
        let peer = &lab.etcd.members.iter().find(|it| it.name == self.member).unwrap().url;
        let spec = || lab.etcd.members.iter().map(|it| (it.name.clone(), it.url.clone())).collect();
        let (state, initial): (_, Vec<(String, String)>) = match start {
            Start::New => ("new", spec()),
            Start::WithData => ("existing", spec()),
            Start::Existing(list) => ("existing", list.clone()),
        };
        let initial: Vec<_> = initial.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let client = lab.url(self.member);
        let host = lab.host(self.member);
        #[expect(clippy::disallowed_methods, reason = "where etcd is comes from the environment")]
        let program = std::env::var("KOPS_ETCD").expect("KOPS_ETCD is the path of an etcd binary");
        let log = std::fs::File::create(lab.root.path().join(format!("{}.log", self.member))).unwrap();
        let child = Command::new(program)
            .args(["--name", self.member, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--initial-cluster", &initial.join(","), "--initial-cluster-state", state])
            .args(["--initial-cluster-token", &lab.etcd.token, "--data-dir"])
            .arg(host.path(DATA))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        lab.running.lock().unwrap().insert(self.member.to_owned(), child);
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        if self.started()? {
            self.lab.kill(self.member);
        }
        Ok(())
    }

    fn started(&mut self) -> Result<bool> {
        Ok(self.lab.running.lock().unwrap().contains_key(self.member))
    }

    fn names(&mut self, _: &[(String, Record)]) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    fn event(&mut self, what: &str) {
        self.events.push(what.to_owned());
    }

    fn client_url(&self, member: Option<&str>) -> String {
        self.lab.url(member.unwrap_or(self.member))
    }

    fn peer_address(&self, member: &Member) -> Option<String> {
        Some(member.peer_urls.first()?.trim_start_matches("http://").to_owned())
    }
}

fn told(events: &[String], what: &str) -> bool {
    events.iter().any(|it| it.contains(what))
}

#[test]
#[ignore = "needs KOPS_ETCD, the path of an etcd binary"]
fn a_cluster_lives_through_the_rows() {
    let lab = Lab::new();
    // Row 1, all at once.
    let events = lab.boot_all(&["a", "b", "c"]);
    assert!(events.iter().all(|it| told(it, "row 1") || told(it, "row 5")), "{events:?}");
    assert!(lab.store().read("control-plane/initialized").unwrap().is_some());
    // The ids in the log are those of the list.
    let members = lab.members("a");
    for member in &members {
        let Disk::Holds { member: id, .. } = wal::read(&lab.host(&member.name), DATA).unwrap() else {
            panic!("no data")
        };
        assert_eq!(id, member.id);
    }
    lab.key_value("a", "put", r#"{"key": "aw==", "value": "dg=="}"#);
    // Row 3: power lost, same disk.
    lab.kill("b");
    assert!(told(&lab.boot("b"), "row 3"));
    assert_eq!(
        lab.members("a").iter().map(|it| it.id).collect::<Vec<_>>(),
        members.iter().map(|it| it.id).collect::<Vec<_>>()
    );
    // Row 7: disk lost.
    let kept = self::copy(&lab, "c");
    lab.lose("c");
    let events = lab.boot("c");
    assert!(told(&events, "row 7") && told(&events, "promoting"), "{events:?}");
    assert!(lab.key_value("c", "range", r#"{"key": "aw=="}"#).contains("dg=="));
    // Row 4: the removed member's disk comes back; then, empty, row 7 again.
    lab.lose("c");
    std::fs::rename(kept, lab.root.path().join("c")).unwrap();
    let events = lab.boot("c");
    assert!(told(&events, "row 4"), "{events:?}");
    assert!(lab.host("c").list("/mnt").unwrap().iter().any(|it| it.starts_with("etcd.aside-")));
    assert!(lab.members("a").iter().all(|it| it.started && !it.learner) && lab.members("a").len() == 3);
    // A snapshot is whole: the database, then its hash.
    let mut bytes = Vec::new();
    Gateway::new(Http::direct(&Tls::default()).unwrap()).snapshot(&lab.url("c"), &mut bytes).unwrap();
    let (database, hash) = bytes.split_at(bytes.len() - 32);
    let hex: String = hash.iter().fold(String::new(), |text, it| format!("{text}{it:02x}"));
    assert_eq!(kops_node::hash::sha256(database), hex);
}

/// The directory of a machine, as it is now.
fn copy(lab: &Lab, member: &str) -> std::path::PathBuf {
    let to = lab.root.path().join(format!("{member}.kept"));
    let copied = Command::new("cp").arg("-a").arg(lab.root.path().join(member)).arg(&to).status().unwrap();
    assert!(copied.success());
    to
}

#[test]
#[ignore = "needs KOPS_ETCD, the path of an etcd binary"]
fn a_first_member_that_comes_late_completes_the_quorum() {
    let lab = Lab::new();
    lab.boot_all(&["a", "b"]);
    lab.key_value("a", "put", r#"{"key": "aw==", "value": "dg=="}"#);
    lab.lose("b");
    // No quorum: `a` alone has the data, `c` never ran. It may start, and then `b` is replaced.
    let events = lab.boot("c");
    assert!(told(&events, "row 5"), "{events:?}");
    assert!(lab.key_value("c", "range", r#"{"key": "aw=="}"#).contains("dg=="));
    assert!(told(&lab.boot("b"), "row 7"));
    assert_eq!(lab.members("a").len(), 3);
}
