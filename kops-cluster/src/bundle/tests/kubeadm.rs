//! What is rendered, in the eyes of kubeadm itself: `kubeadm config validate`, by those of its minor versions that are in
//! the cache of kops-node's lab (`~/.cache/kubelab/bin/v1.X.Y/kubeadm`), or that `KOPS_KUBEADM` lists, with commas between.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::*;

/// The directory of the lab's programs.
fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let caches = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|it| it.join(".cache")));
    set("KUBELAB_CACHE").or_else(|| caches().map(|it| it.join("kubelab"))).unwrap_or_default().join("bin")
}

/// Every kubeadm that is there, with its version.
fn programs() -> Vec<(String, PathBuf)> {
    let own = std::env::var_os("KOPS_KUBEADM");
    let built = std::fs::read_dir(cache()).into_iter().flatten().flatten();
    let built = built.map(|it| it.path().join("kubeadm"));
    let own = own.unwrap_or_default().into_string().unwrap();
    let listed: Vec<PathBuf> = own.split(',').map(PathBuf::from).collect();
    let all = listed.into_iter().chain(built).filter(|it| it.is_file());
    let version = |path: PathBuf| {
        let output = Command::new(&path).args(["version", "-o", "short"]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| (text.trim().trim_start_matches('v').to_owned(), path))
    };
    all.filter_map(version).collect()
}

fn validate(kubeadm: &Path, documents: &[Value], what: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    let text: Vec<_> = documents.iter().map(ToString::to_string).collect();
    std::fs::write(&file, text.join("\n---\n")).unwrap();
    let output = Command::new(kubeadm).args(["config", "validate", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("unknown field"),
        "{what}: {said}\n{}",
        text.join("\n---\n")
    );
    assert!(!said.contains("strict decoding error"), "{what}: {said}");
}

/// A cluster with as many settings as go together.
fn rich(version: &str) -> (Cluster, Vec<InstanceGroup>) {
    let (mut cluster, groups) = ha(version);
    let spec = &mut cluster.spec;
    let set = |value: Value| Some(Opaque(value));
    spec.kube_api_server = set(json!({
        "auditPolicyFile": "/srv/audit.yaml", "auditLogPath": "/var/log/audit.log", "runtimeConfig": {"api/all": "true"},
        "featureGates": {"AllAlpha": "false"}, "serviceAccountIssuer": "https://issuer.example.com",
        "additionalServiceAccountIssuers": ["https://old.example.com"], "env": [{"name": "GODEBUG", "value": "x=1"}],
    }));
    spec.kube_controller_manager =
        set(json!({"nodeCIDRMaskSize": 25, "leaderElection": {"leaderElect": true}}));
    spec.kube_scheduler = set(json!({"qps": 50, "burst": 100, "maxPersistentVolumes": 20}));
    spec.kube_proxy = set(
        json!({"proxyMode": "ipvs", "ipvsScheduler": "rr", "conntrackMaxPerCore": 1, "ipvsSyncPeriod": "30s"}),
    );
    spec.kubelet = set(json!({
        "maxPods": 50, "evictionSoft": "memory.available<10%", "evictionSoftGracePeriod": "memory.available=1m",
        "enforceNodeAllocatable": "pods", "memorySwapBehavior": "LimitedSwap", "cpuCFSQuotaPeriod": "100ms", "logFormat": "json",
        "kubeReserved": {"cpu": "100m"}, "featureGates": {"AllAlpha": "false"}, "imageMaximumGCAge": "24h",
    }));
    spec.encryption_config = Some(true);
    (cluster, groups)
}

#[test]
fn kubeadm_accepts_what_is_rendered() {
    let programs = programs();
    if programs.is_empty() {
        let cache = cache();
        let why = format!("NOT TESTED: there is no kubeadm in {} and none in KOPS_KUBEADM", cache.display());
        assert!(std::env::var_os("KOPS_CI").is_none(), "{why}");
        // not eprintln!, which is not shown of a test that passes
        drop(writeln!(std::io::stderr(), "{why}"));
        return;
    }
    // Continuous integration builds two minor versions.
    let minors = programs.iter().map(|(it, _)| it.split('.').nth(1));
    let several = minors.collect::<std::collections::BTreeSet<_>>().len() > 1;
    assert!(std::env::var_os("KOPS_CI").is_none() || several, "one minor version only: {programs:?}");
    for (version, kubeadm) in programs {
        for (name, (cluster, groups)) in [("plain", ha(&version)), ("rich", rich(&version))] {
            let control_plane = bundle(&cluster, &groups, "control-plane-us-test-1a");
            validate(&kubeadm, &control_plane.kubeadm.cluster, &format!("{version} {name} cluster"));
            let mut etcd = control_plane.kubeadm.etcd.clone();
            etcd[1]["etcd"]["local"]["dataDir"] = "/mnt/etcd-main/etcd".into(); // the machine's part
            validate(&kubeadm, &etcd, &format!("{version} {name} etcd"));
            let mut join = bundle(&cluster, &groups, "nodes-us-test-1a").kubeadm.join;
            let directory = tempfile::tempdir().unwrap();
            let discovery = directory.path().join("discovery.json");
            std::fs::write(&discovery, "{}").unwrap();
            join[0]["discovery"] = json!({"file": {"kubeConfigPath": discovery}});
            validate(&kubeadm, &join, &format!("{version} {name} join"));
        }
    }
}
