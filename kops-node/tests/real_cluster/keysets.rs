//! The cluster's authorities and keys, in kOps' layout: ECDSA, made by openssl.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kops_node::bundle::Keyset;
use kops_node::store::{Directory, Precondition, Store as _};

/// By name, and as kubeadm calls their files.
const KEYSETS: [(&str, &str); 4] = [
    ("kubernetes-ca", "ca"),
    ("apiserver-aggregator-ca", "front-proxy-ca"),
    ("etcd-clients-ca", "etcd/ca"),
    ("service-account", "sa"),
];

/// Makes them all, puts them into the store, and gives what a bundle says of them.
pub(crate) fn make(store: &Path) -> Vec<Keyset> {
    let store = Directory::new(store);
    let make = |(at, (name, file)): (usize, &(&str, &str))| {
        let id = (7_000 + at).to_string();
        let key = format!("pki/private/{name}/keyset.yaml");
        assert!(store.write(&key, keyset(name, &id).as_bytes(), Precondition::Absent).unwrap());
        Keyset { name: (*name).to_owned(), file: (*file).to_owned(), ids: vec![id] }
    };
    KEYSETS.iter().enumerate().map(make).collect()
}

fn keyset(name: &str, id: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |it: &str| folder.path().join(it);
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
        ])
        .args(["-subj", &format!("/CN={name}"), "-set_serial", id])
        .args(["-addext", "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign"])
        .arg("-keyout")
        .arg(path("key"))
        .arg("-out")
        .arg(path("crt"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let encoded = |it: &str| STANDARD.encode(std::fs::read(path(it)).unwrap());
    let (private, public) = (ec_private_key(&path("key")), encoded("crt"));
    format!(
        "apiVersion: kops.k8s.io/v1alpha2\nkind: Keyset\nspec:\n  keys:\n  - id: \"{id}\"\n    \
         privateMaterial: {private}\n    publicMaterial: {public}\n  primaryID: \"{id}\"\n  type: Keypair\n"
    )
}

/// The key in the form that kubeadm writes and reads (`EC PRIVATE KEY`).
fn ec_private_key(file: &Path) -> String {
    let key = Command::new("openssl").args(["ec", "-in"]).arg(file).output().unwrap();
    assert!(key.status.success(), "{key:?}");
    STANDARD.encode(key.stdout)
}
