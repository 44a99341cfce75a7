//! Keysets, secrets and kubeconfigs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{CREATE, HA, desk};
use crate::common::Desk;

const KEYSETS: [&str; 4] = ["apiserver-aggregator-ca", "etcd-ca", "kubernetes-ca", "service-account"];

fn keypairs(desk: &Desk, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["get", "keypairs", "--name", HA, "-o", "json"];
    arguments.extend(more);
    serde_json::from_str(&desk.ok(&arguments)).unwrap()
}

fn keys_of(desk: &Desk) -> Vec<(PathBuf, Vec<u8>)> {
    let pki =
        desk.files("state").into_iter().filter(|(path, _)| path.to_string_lossy().contains("/pki/private/"));
    pki.collect()
}

#[test]
fn keysets_are_created_once_and_by_applying_only() {
    let desk = Desk::new();
    desk.ok(&CREATE);
    let shown = desk.run(&["update", "cluster", HA, "--detailed-exitcode"]);
    assert_eq!(shown.code, Some(2));
    assert!(
        shown.err.contains("Will create the keysets apiserver-aggregator-ca, etcd-ca, "),
        "{}",
        shown.err
    );
    assert!(keys_of(&desk).is_empty(), "a plan writes nothing");

    desk.ok(&["update", "cluster", HA, "--yes"]);
    let keys = keys_of(&desk);
    assert_eq!(keys.len(), 4);
    desk.ok(&["update", "cluster", HA, "--yes"]);
    assert_eq!(keys_of(&desk), keys);
    let shown = desk.run(&["update", "cluster", HA, "--detailed-exitcode"]);
    assert_eq!((shown.code, shown.err.contains("keysets")), (Some(0), false), "{}", shown.err);

    let found = keypairs(&desk, &[]);
    let names: BTreeSet<_> = found.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(KEYSETS));
    assert!(
        found.iter().all(|it| it["isPrimary"] == true && it["hasPrivateKey"] == true && it["isCA"] == true)
    );
    let table = desk.ok(&["get", "keypairs", "kubernetes-ca", "--name", HA]);
    let heading: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "ID", "ISSUED", "EXPIRES", "PRIMARY", "HASPRIVATE"]);
    assert_eq!(table.lines().count(), 2, "{table}");

    desk.ok(&["delete", "cluster", HA, "--yes"]);
    assert!(keys_of(&desk).is_empty());
}

#[test]
fn further_key_pairs_are_added_and_none_is_shown() {
    let desk = desk();
    let printed = desk.ok(&["create", "keypair", "kubernetes-ca", "--name", HA]);
    assert!(printed.contains("of kubernetes-ca: trusted."), "{printed}");
    desk.ok(&["create", "keypair", "all", "--name", HA, "--primary"]);
    let found = keypairs(&desk, &["kubernetes-ca"]);
    let primary: Vec<_> = found.iter().map(|it| it["isPrimary"].as_bool().unwrap()).collect();
    assert_eq!(primary, [false, false, true]);
    assert_eq!(keypairs(&desk, &[]).len(), 9);

    // An enterprise's authority.
    let ran = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Example/CN=Root", "-days", "30"])
        .args(["-keyout", "ca.key", "-out", "ca.crt"])
        .current_dir(desk.path(""))
        .output()
        .unwrap();
    assert!(ran.status.success());
    let create = ["create", "keypair", "kubernetes-ca", "--name", HA, "--cert", "ca.crt"];
    let error = desk.fails(&[&create[..], &["--primary"]].concat());
    assert!(error.contains("it has no private key"), "{error}");
    let error = desk.fails(&[&create[..], &["--key", "ca.crt"]].concat());
    assert!(error.contains("ca.crt: the text is not a private key"), "{error}");
    desk.ok(&[&create[..], &["--key", "ca.key", "--primary"]].concat());
    let found = keypairs(&desk, &["kubernetes-ca"]);
    assert!(
        found.iter().any(|it| it["subject"] == "CN=Root,O=Example" && it["isPrimary"] == true),
        "{found:?}"
    );
    let error = desk.fails(&[&create[..], &["--key", "ca.key"]].concat());
    assert!(error.contains("has this certificate already"), "{error}");

    let error = desk.fails(&["create", "keypair", "kubelet", "--name", HA]);
    assert!(error.contains("no key pairs can be added"), "{error}");
    let error = desk.fails(&["create", "keypair", "my-ca", "--name", HA]);
    assert!(error.contains("its first key pair must be primary"), "{error}");
    let error = desk.fails(&["get", "keypairs", "my-ca", "--name", HA]);
    assert!(error.contains("has no keyset my-ca") && error.contains("kubernetes-ca"), "{error}");
}

#[test]
fn secrets_are_created_replaced_on_demand_and_never_shown() {
    let desk = desk();
    let good = "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n- {secret: hunter2}\n";
    let file = desk.write("encryption.yaml", good);
    let create = ["create", "secret", "encryptionconfig", "-f", &file, "--name", HA];
    let printed = desk.ok(&create);
    assert!(!printed.contains("hunter2"));
    let stored = fs::read_to_string(desk.path("state").join(HA).join("secrets/encryptionconfig")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert!(stored["Data"].is_string(), "kOps' format: {stored}");
    let error = desk.fails(&create);
    assert!(error.contains("has a secret encryptionconfig already") && error.contains("--force"), "{error}");
    desk.ok(&[&create[..], &["--force"]].concat());

    let docker = ["create", "secret", "dockerconfig", "-f", "-", "--name", HA];
    let wrong = desk.run_with(&docker, "{\"password\": \"hunter2\"}");
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.contains("neither auths nor credHelpers") && !wrong.err.contains("hunter2"),
        "{}",
        wrong.err
    );
    assert_eq!(desk.run_with(&docker, "{\"auths\": {}}").code, Some(0));

    let shown = desk.ok(&["get", "secrets", "--name", HA]);
    assert_eq!(shown, "TYPE    NAME\nSecret  dockerconfig\nSecret  encryptionconfig\n");
    assert!(desk.fails(&["get", "secrets", "kube", "--name", HA]).contains("has no secret kube"));
}

#[test]
fn a_kubeconfig_is_merged_and_for_its_owner_alone() {
    let desk = desk();
    let config = desk.write("config", "kind: Config\nusers:\n- {name: me, user: {token: hunter2}}\n");
    let run = desk.run(&["export", "kubeconfig", HA, "--kubeconfig", &config]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.err.contains("no credentials were written"), "{}", run.err);

    let run = desk.run(&["export", "kubeconfig", HA, "--admin=1h", "--kubeconfig", &config]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.err.contains("valid until 20") && !run.err.contains("PRIVATE"), "{}", run.err);
    let written = fs::read_to_string(&config).unwrap();
    for line in ["current-context: ha.example.com", "server: https://api.ha.example.com", "token: hunter2"] {
        assert!(written.contains(line), "{line}: {written}");
    }
    assert!(written.contains("client-key-data") && !written.contains("tls-server-name"), "{written}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // At home by default, for another host, by another name.
    desk.ok(&["update", "cluster", HA, "--yes", "--admin", "--api-server", "192.0.2.1:6443"]);
    let written = fs::read_to_string(desk.path(".kube/config")).unwrap();
    assert!(written.contains("server: https://192.0.2.1:6443"), "{written}");
    assert!(written.contains("tls-server-name: api.internal.ha.example.com"), "{written}");
    desk.ok(&["export", "kubeconfig", HA, "--internal"]);
    let written = fs::read_to_string(desk.path(".kube/config")).unwrap();
    assert!(written.contains("server: https://api.internal.ha.example.com"), "{written}");
    assert!(written.contains("client-key-data"), "earlier credentials stay: {written}");

    let error = desk.fails(&["update", "cluster", HA, "--admin"]);
    assert!(error.contains("only after the plan is applied"), "{error}");
    let error = desk.fails(&["export", "kubeconfig", HA, "--admin=soon"]);
    assert!(error.contains("15m or 18h"), "{error}");
}

#[test]
fn a_cluster_without_names_is_reached_by_its_load_balancer() {
    let desk = Desk::new();
    let create = [
        "create",
        "cluster",
        "lb.example.com",
        "--cloud=memory",
        "--zones=zone-1a",
        "--dns=none",
        "--api-loadbalancer-type=public",
    ];
    desk.ok(&create);
    let export = ["export", "kubeconfig", "lb.example.com", "--admin"];
    let error = desk.fails(&export);
    assert!(error.contains("kops update cluster lb.example.com --yes"), "{error}");
    desk.ok(&["update", "cluster", "lb.example.com", "--yes"]);
    desk.ok(&export);
    let written = fs::read_to_string(desk.path(".kube/config")).unwrap();
    assert!(written.contains("tls-server-name: api.internal.lb.example.com"), "{written}");
    assert!(!written.contains("https://api.lb.example.com"), "{written}");
}
