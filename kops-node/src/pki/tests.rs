use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::leaves::{KUBECONFIGS, first_end, refresh, trust_all};
use super::*;
use crate::machine::testing::TestHost;
use crate::store::{Directory, Precondition};

/// A self-signed certificate and its key, by openssl.
fn authority(days: &str) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=ca",
        ])
        .args(["-days", days, "-keyout", &path("key"), "-out", &path("crt")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (std::fs::read_to_string(path("crt")).unwrap(), std::fs::read_to_string(path("key")).unwrap())
}

fn keyset(primary: &str, keys: &[(&str, &(String, String), bool)]) -> String {
    let mut text = "apiVersion: kops.k8s.io/v1alpha2\nkind: Keyset\nspec:\n  keys:\n".to_owned();
    for (id, (certificate, key), distrusted) in keys {
        let distrust =
            if *distrusted { "  - distrustTimestamp: \"2026-01-01T00:00:00Z\"\n    id" } else { "  - id" };
        text = format!(
            "{text}{distrust}: \"{id}\"\n    privateMaterial: {}\n    publicMaterial: {}\n",
            STANDARD.encode(key),
            STANDARD.encode(certificate)
        );
    }
    format!("{text}  primaryID: \"{primary}\"\n  type: Keypair\n")
}

fn reference(name: &str, file: &str, ids: &[&str]) -> Reference {
    let ids = ids.iter().map(|it| (*it).to_owned()).collect();
    Reference { name: name.to_owned(), file: file.to_owned(), ids }
}

#[test]
fn the_primary_comes_first_then_all_that_are_trusted() {
    let (host, root) = (TestHost::quiet(), tempfile::tempdir().unwrap());
    let store = Directory::new(root.path());
    let (old, new, gone) = (authority("1"), authority("1"), authority("1"));
    let text = keyset("2", &[("1", &old, false), ("2", &new, false), ("0", &gone, true)]);
    for name in ["kubernetes-ca", "service-account"] {
        let key = format!("pki/private/{name}/keyset.yaml");
        store.write(&key, text.as_bytes(), Precondition::None).unwrap();
    }
    let all =
        [reference("kubernetes-ca", "ca", &["1", "2"]), reference("service-account", "sa", &["1", "2"])];
    assert!(install(&host, &store, &all).unwrap());
    assert!(!install(&host, &store, &all).unwrap(), "nothing to do the second time");
    assert_eq!(host.text("/etc/kubernetes/pki/ca.crt"), format!("{}{}", new.0, old.0));
    assert_eq!(host.text("/etc/kubernetes/pki/sa.key"), new.1);
    let public = host.text("/etc/kubernetes/pki/sa.pub");
    assert_eq!(public.matches("BEGIN PUBLIC KEY").count(), 2);
    let key = host.path("/etc/kubernetes/pki/sa.key");
    let derived = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(key).output().unwrap().stdout;
    assert!(public.starts_with(&*String::from_utf8_lossy(&derived)), "the primary's");
}

#[test]
fn another_state_than_the_bundles_is_refused() {
    let (host, root) = (TestHost::quiet(), tempfile::tempdir().unwrap());
    let store = Directory::new(root.path());
    let wanted = [reference("kubernetes-ca", "ca", &["1"])];
    let error = install(&host, &store, &wanted).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Waiting);
    let text = keyset("2", &[("2", &authority("1"), false)]);
    store.write("pki/private/kubernetes-ca/keyset.yaml", text.as_bytes(), Precondition::None).unwrap();
    let error = install(&host, &store, &wanted).unwrap_err().to_string();
    assert!(error.contains("has keys 2, but this machine's bundle requires 1"), "{error}");
}

#[test]
fn nothing_of_a_broken_keyset_is_shown() {
    let error = Keyset::parse(b"spec: {keys: [{id: 1, privateMaterial: hunter2, ]").unwrap_err();
    assert_eq!(error.to_string(), "reading a keyset: it is not in kOps' format");
}

#[test]
fn leaves_are_made_anew_when_what_they_depend_on_changes() {
    let host = TestHost::quiet();
    host.put("/etc/kubernetes/pki/ca.crt", "one");
    host.put("/etc/kubernetes/pki/apiserver.crt", "leaf");
    assert!(!refresh(&host, &["10.0.0.1"]).unwrap(), "the first time they may be there already");
    assert!(!refresh(&host, &["10.0.0.1"]).unwrap());
    assert_eq!(host.text("/etc/kubernetes/pki/apiserver.crt"), "leaf");
    assert!(refresh(&host, &["10.0.0.2"]).unwrap());
    assert_eq!(host.read("/etc/kubernetes/pki/apiserver.crt").unwrap(), None);
    host.put("/etc/kubernetes/pki/ca.crt", "two");
    assert!(refresh(&host, &["10.0.0.2"]).unwrap());
}

#[test]
fn kubeconfigs_trust_all_authorities_of_a_rotation() {
    let host = TestHost::quiet();
    let (a, b) = (authority("1").0, authority("1").0);
    let config = "clusters:\n- cluster:\n    certificate-authority-data: eA==\n  name: c\nusers: []\n";
    for name in KUBECONFIGS {
        host.put(&format!("/etc/kubernetes/{name}"), config);
    }
    host.put("/etc/kubernetes/pki/ca.crt", &a);
    trust_all(&host).unwrap();
    assert_eq!(host.text("/etc/kubernetes/admin.conf"), config, "one authority: as kubeadm made it");
    host.put("/etc/kubernetes/pki/ca.crt", &format!("{a}{b}"));
    trust_all(&host).unwrap();
    let changed = leaves::kubeconfig("x", host.text("/etc/kubernetes/admin.conf").as_bytes()).unwrap();
    let data = changed["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap();
    assert_eq!(STANDARD.decode(data).unwrap(), format!("{a}{b}").into_bytes());
}

#[test]
fn the_end_that_comes_first_is_found() {
    let host = TestHost::quiet();
    assert_eq!(first_end(&host).unwrap(), None);
    host.put("/etc/kubernetes/pki/apiserver.crt", &authority("300").0);
    host.put("/etc/kubernetes/pki/etcd/peer.crt", &authority("20").0);
    let (leaf, end) = first_end(&host).unwrap().unwrap();
    let days = end.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert!(leaf == "etcd/peer" && (19..=20).contains(&days), "{leaf} {end}");
}
