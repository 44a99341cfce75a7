use std::sync::Arc;

use serde_json::json;

use super::node::Join;
use super::*;
use crate::cloud::{Attached, Cloud};
use crate::etcd::MemberId;
use crate::http::{Http, Tls};
use crate::joining;
use crate::kubeadm::tests::{bundle, identity};
use crate::machine::testing::{TestHost, says};
use crate::status::{Journal, Status};
use crate::store::{Directory, Precondition, Store as _};
use crate::testing::{TestClock, ok, serve};

#[derive(Debug)]
struct Alone;

impl Cloud for Alone {
    fn identity(&self) -> Result<Identity> {
        Ok(identity())
    }

    fn volume(
        &self,
        candidates: &[String],
        volume: &crate::bundle::Volume,
        _: &Identity,
    ) -> Result<Attached> {
        crate::cloud::planned(candidates, volume)
    }

    fn machines(&self, _: &str) -> Result<Vec<joining::Machine>> {
        Ok(Vec::new())
    }
}

struct Quiet;

impl Journal for Quiet {
    fn line(&self, _: &str) {}
}

struct Case {
    host: TestHost,
    clock: TestClock,
    root: tempfile::TempDir,
    bundle: Bundle,
}

impl Case {
    fn node() -> Self {
        let mut bundle = bundle();
        bundle.role = Role::Node;
        bundle.api.balancer = Some("10.0.0.9".to_owned());
        bundle.kubeadm.join = vec![
            json!({"kind": "JoinConfiguration", "nodeRegistration": {}, "timeouts": {"discovery": "3m0s"}}),
        ];
        Self::of(bundle, TestHost::quiet())
    }

    fn of(bundle: Bundle, host: TestHost) -> Self {
        host.put("/sys/fs/cgroup/cgroup.controllers", "");
        Self { host, clock: TestClock::real(), root: tempfile::tempdir().unwrap(), bundle }
    }

    fn store(&self) -> Directory {
        Directory::new(self.root.path())
    }

    fn publish(&self) {
        let expires = self.clock.now() + Duration::from_mins(90);
        let join = Join { discovery: json!({"kind": "Config", "token": "secret"}), expires };
        let bytes = serde_json::to_vec(&join).unwrap();
        self.store().write("join/nodes", &bytes, Precondition::None).unwrap();
    }

    fn boot(&self) -> (Result<()>, Status) {
        self.with(|boot, reporter| boot.attempt(reporter))
    }

    fn with(&self, run: impl FnOnce(&Boot<'_>, &mut Reporter<'_>) -> Result<()>) -> (Result<()>, Status) {
        let store = self.store();
        let world = World {
            cloud: Arc::new(Alone),
            store: Arc::new(store.clone()),
            http: Http::direct(&Tls::default()).unwrap(),
        };
        let me = identity();
        let status = Status {
            node: me.node_name.clone(),
            state: State::Booting,
            since: self.clock.now(),
            kubernetes_version: self.bundle.kubernetes_version.clone(),
            bundle: String::new(),
            attempts: 0,
            events: Vec::new(),
        };
        let key = "machines/nodes/i-1/status".to_owned();
        let mut reporter = Reporter {
            store: &store,
            clock: &self.clock,
            journal: &Quiet,
            key,
            status,
            written: None,
            unwritten: false,
        };
        let boot =
            Boot { host: &self.host, clock: &self.clock, bundle: &self.bundle, world: &world, me: &me };
        let result = run(&boot, &mut reporter);
        (result, reporter.status)
    }
}

#[test]
fn a_node_joins_with_the_keepers_token() {
    let case = Case::node();
    case.publish();
    case.boot().0.unwrap();
    let ran = case.host.ran();
    assert!(ran.contains(&"kubeadm join --config /var/lib/kops/join.yaml".to_owned()), "{ran:?}");
    assert!(!ran.iter().any(|it| it.contains("reset")));
    let document = case.host.text("/var/lib/kops/join.yaml");
    assert!(document.contains(r#""kubeConfigPath":"/var/lib/kops/discovery.conf""#), "{document}");
    assert_eq!(case.host.read("/var/lib/kops/discovery.conf").unwrap(), None, "the token does not stay");
    assert!(case.host.text("/etc/hosts").contains("10.0.0.9 api.internal.ha.example.com"));
}

#[test]
fn a_node_without_a_control_plane_says_so() {
    let case = Case::node();
    let (result, status) = case.boot();
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Waiting);
    assert!(error.to_string().contains("no valid join token"), "{error}");
    assert!(status.events.iter().any(|it| it.what.contains("waiting for a control plane")));
    let stored = case.store().read("machines/nodes/i-1/status").unwrap().unwrap();
    let stored: Status = serde_json::from_slice(&stored.bytes).unwrap();
    assert_eq!(stored.events, status.events, "what it waits for is in the store while it waits");
}

#[test]
fn a_broken_join_object_is_told_and_not_quoted() {
    let broken: [&[u8]; 8] = [
        b"",
        b"{",
        b"null",
        b"\"secret\"",
        b"\xff\xfe",
        br#"{"discovery": {"token": "secret"}}"#,
        br#"{"discovery": {"token": "secret"}, "expires": "secret"}"#,
        br#"{"discovery": {"token": "secret"}, "expires": 9223372036854775808}"#,
    ];
    for broken in broken {
        let case = Case::node();
        case.store().write("join/nodes", broken, Precondition::None).unwrap();
        let (result, status) = case.boot();
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let told = format!("{error} {status:?}");
        assert!(told.contains("it is not a join object") && !told.contains("secret"), "{told}");
        assert!(!case.host.ran().iter().any(|it| it.starts_with("kubeadm join")), "{told}");
    }
}

#[test]
fn a_join_that_was_cut_off_begins_anew() {
    let case = Case::node();
    case.publish();
    case.host.put("/var/lib/kubelet/config.yaml", "x");
    case.boot().0.unwrap();
    let ran = case.host.ran();
    let reset = ran.iter().position(|it| it == "kubeadm reset -f").unwrap();
    assert!(reset < ran.iter().position(|it| it.starts_with("kubeadm join")).unwrap());
}

#[test]
fn a_node_that_was_off_for_a_year_asks_for_another_certificate() {
    let case = Case::node();
    case.publish();
    case.host.put("/etc/kubernetes/kubelet.conf", "x");
    case.boot().0.unwrap();
    assert!(case.host.text("/etc/kubernetes/bootstrap-kubelet.conf").contains("secret"));
    assert_eq!(case.host.ran().last().unwrap(), "systemctl start kubelet");
}

#[test]
fn cgroup_v1_is_told_with_what_to_do() {
    let mut bundle = bundle();
    bundle.kubernetes_version = "v1.35.4".to_owned();
    let host = TestHost::quiet();
    let error = check(&host, &bundle).unwrap_err().to_string();
    assert!(
        error.contains("does not run on cgroup v1") && error.contains("unified_cgroup_hierarchy"),
        "{error}"
    );
    bundle.kubernetes_version = "v1.34.9".to_owned();
    check(&host, &bundle).unwrap();
}

#[test]
fn a_control_plane_goes_no_further_than_an_unmounted_volume() {
    let case = Case::of(bundle(), TestHost::quiet());
    let error = case.boot().0.unwrap_err();
    assert_eq!(error.to_string(), "finding etcd's volume: nothing is mounted at /mnt/etcd-main");
    assert_eq!(case.host.read("/mnt/etcd-main/etcd/.kops-disk").unwrap(), None);
}

#[test]
fn certificates_come_before_kubeconfigs_before_the_kubelet() {
    let host = TestHost::new(|it| {
        (it == "kubeadm init phase kubelet-start --config /var/lib/kops/cluster.yaml")
            .then(|| crate::machine::testing::fails(1, "stop here"))
    });
    host.put("/proc/self/mounts", "/dev/sdb /mnt/etcd-main ext4 rw 0 0\n");
    let case = Case::of(bundle(), host);
    let error = case.boot().0.unwrap_err().to_string();
    assert!(error.ends_with("exit status 1: stop here"), "{error}");
    let phases: Vec<_> = case
        .host
        .ran()
        .iter()
        .filter_map(|it| it.strip_prefix("kubeadm init phase ").map(str::to_owned))
        .collect();
    let short: Vec<_> = phases.iter().map(|it| it.split(" --").next().unwrap()).collect();
    assert_eq!(short[5..], ["certs all", "kubeconfig all", "kubelet-start"]);
    let record = Record::read(&case.store(), "a").unwrap().unwrap();
    assert_eq!((record.instance.as_str(), record.address.as_str()), ("i-1", "10.0.0.1"));
    let hosts = case.host.text("/etc/hosts");
    assert!(
        hosts.contains("127.0.0.1 api.internal.ha.example.com\n127.0.0.1 api.ha.example.com\n"),
        "{hosts}"
    );
    assert!(hosts.contains("10.0.0.1 a.etcd.internal.ha.example.com"));
    let unit = case.host.text("/etc/systemd/system/kubelet.service.d/20-kops-etcd.conf");
    assert!(unit.contains("RequiresMountsFor=/mnt/etcd-main") && unit.contains("kops-node guard"));
}

#[test]
fn whoever_comes_does_what_is_needed_once_and_says_so_last() {
    let case = Case::of(bundle(), TestHost::quiet());
    let uploaded = Arc::new(std::sync::Mutex::new((0, Vec::new())));
    let seen = uploaded.clone();
    let url = serve(move |it| {
        let mut seen = seen.lock().unwrap();
        let path = it.path.split('?').next().unwrap();
        match (it.method.as_str(), path) {
            ("PATCH", _) => {
                seen.1.push(path.rsplit('/').next().unwrap().to_owned());
                ok("{}")
            }
            (_, "/readyz") => {
                seen.0 += 1;
                (if seen.0 > 2 { 200 } else { 500 }, vec![], vec![]) // not at once
            }
            (_, "/api/v1/nodes") => ok(r#"{"items": []}"#),
            (_, "/apis/rbac.authorization.k8s.io/v1") => ok(json!({"resources": [
                {"name": "clusterroles", "kind": "ClusterRole"}, {"name": "clusterrolebindings", "kind": "ClusterRoleBinding"},
            ]}).to_string()),
            _ => (404, vec![], vec![]),
        }
    });
    let api = crate::kube::Api::new(crate::testing::http(), &url);
    let (result, _) = case.with(|boot, reporter| {
        let kubeadm = crate::kubeadm::Kubeadm { host: boot.host, bundle: boot.bundle, me: boot.me };
        control_plane::finish(boot, &kubeadm, &api, reporter)
    });
    result.unwrap();
    let ran = case.host.ran();
    let phases: Vec<_> =
        ran.iter().filter_map(|it| it.strip_prefix("kubeadm init phase ")?.split(" --").next()).collect();
    assert_eq!(phases, ["kubelet-finalize all", "mark-control-plane", "addon all", "upload-config all"]);
    assert!(uploaded.lock().unwrap().1.contains(&"kubeadm:kubelet-bootstrap".to_owned()));
}

#[test]
fn an_old_manifest_does_not_start_over_another_disk() {
    let host = TestHost::new(|_| Some(says("")));
    let memory = Memory { member: Some(MemberId(7)), data: "/mnt/etcd".to_owned(), ..Memory::default() };
    host.put(&Memory::file("main"), &serde_json::to_string(&memory).unwrap());
    host.put(&manifest_of("main"), "x");
    let disk = |id: u8| {
        let record = [8, 1, 3 << 3 | 2, 4, 8, id, 16, 99];
        let path = host.path("/mnt/etcd/member/wal");
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("0.wal"), [&8_u64.to_le_bytes()[..], &record].concat()).unwrap();
    };
    disk(7);
    assert!(!guard(&host).unwrap());
    disk(8);
    assert!(guard(&host).unwrap(), "another member's");
    host.put(&manifest_of("main"), "x");
    std::fs::remove_dir_all(host.path("/mnt/etcd/member")).unwrap();
    assert!(guard(&host).unwrap(), "empty");
}

#[test]
fn add_ons_follow_when_all_control_planes_run_the_version() {
    let all = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert!(due(None, "v1.34.4", &[], 3));
    let (old, new) = ("v1.34.4", "v1.35.1");
    assert!(!due(Some(old), new, &all(&[new, new, old]), 3));
    assert!(!due(Some(old), new, &all(&[new, new]), 3), "one is missing");
    assert!(due(Some(old), new, &all(&[new, new, new]), 3));
    assert!(!due(Some(new), new, &all(&[new, new, new]), 3));
    assert!(!due(Some(new), old, &all(&[new, new, old]), 3), "an old machine that comes back");
}

#[test]
fn how_much_memory_was_used_is_known() {
    let host = TestHost::quiet();
    assert_eq!(memory(&host), None);
    host.put("/proc/self/status", "Name:\tkops-node\nVmPeak:\t  123456 kB\nVmHWM:\t    9216 kB\n");
    assert_eq!(memory(&host), Some(9));
}
