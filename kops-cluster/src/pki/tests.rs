//! openssl, which shares no code with this, judges what is signed here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::spec::{self, ApiObject as _, Mode};
use kops_core::ErrorKind;

fn now() -> Timestamp {
    // openssl compares with the machine's clock.
    Timestamp::now()
}

/// A directory in which openssl works.
struct Openssl(tempfile::TempDir);

impl Openssl {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn run(&self, line: &str) -> String {
        let ran = Command::new("openssl").args(line.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(ran.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn clients_of(authority: &Keypair, openssl: &Openssl) -> Keypair {
    let client =
        Client::new("kubecfg-ann, of sales").group("system:masters").lifetime(Duration::from_hours(18));
    let signed = authority.sign(&client, now()).unwrap();
    openssl.write("ca.crt", authority.certificate().pem());
    openssl.write("client.crt", signed.certificate().pem());
    openssl.write("client.key", signed.private_key().unwrap().reveal());
    openssl.run("verify -x509_strict -purpose sslclient -CAfile ca.crt client.crt");
    assert_eq!(openssl.run("x509 -noout -pubkey -in client.crt"), openssl.run("pkey -pubout -in client.key"));
    signed
}

#[test]
fn a_new_authority_signs_clients() {
    let openssl = Openssl::new();
    let keyset = Keyset::generate(KUBERNETES_CA, now()).unwrap();
    let authority = keyset.primary();
    let client = clients_of(authority, &openssl);
    let subject = openssl.run("x509 -noout -subject -nameopt RFC2253 -in client.crt");
    assert_eq!(subject.trim(), r"subject=CN=kubecfg-ann\, of sales,O=system:masters");
    assert_eq!(client.certificate().issuer(), authority.certificate().subject());
    let lasts = client.certificate().not_after().duration_since(now());
    assert!((64_700..=64_800).contains(&lasts.as_secs()), "{lasts:?}");
    let shown = openssl.run("x509 -noout -ext keyUsage,extendedKeyUsage,basicConstraints -in client.crt");
    assert!(shown.contains("TLS Web Client Authentication") && shown.contains("CA:FALSE"), "{shown}");

    // The id is the certificate's number, and part of its subject, as kOps has it.
    let number =
        openssl.run("x509 -noout -serial -in ca.crt").trim().trim_start_matches("serial=").to_owned();
    let number = u128::from_str_radix(&number, 16).unwrap().to_string();
    assert_eq!(authority.id(), number);
    let subject = openssl.run("x509 -noout -subject -nameopt RFC2253 -in ca.crt");
    assert_eq!(subject.trim(), format!("subject=CN=kubernetes-ca,serialNumber={number}"));
    assert!(authority.certificate().is_authority() && !client.certificate().is_authority());
    let years = authority.certificate().not_after().duration_since(now()).as_hours() / (365 * 24);
    assert!((9..=10).contains(&years));
}

#[test]
fn keys_of_kops_and_of_enterprises_sign() {
    for (generate, convert) in [
        ("genrsa -traditional -out ca.pem 2048", None), // kOps' own
        ("genpkey -algorithm RSA -out ca.pem", None),
        ("ecparam -genkey -name prime256v1 -out ca.pem", None), // with another block before the key
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ca.pem", None),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.pem",
            Some("ec -in ca.pem -out ca.pem"),
        ),
    ] {
        let openssl = Openssl::new();
        openssl.run(generate);
        convert.map(|line| openssl.run(line));
        openssl.run("req -x509 -new -key ca.pem -subj /O=Example/CN=Root -addext keyUsage=keyCertSign -days 30 -out ca.crt");
        let key = PrivateKey::from_pem(&openssl.read("ca.pem")).unwrap();
        let certificate = Certificate::from_pem(&openssl.read("ca.crt")).unwrap();
        let authority = Keypair::existing(certificate, Some(key.clone())).unwrap();
        clients_of(&authority, &openssl);
        // Or a certificate of our own with their key.
        clients_of(&Keypair::self_signed("kubernetes-ca", key, now()).unwrap(), &openssl);
    }
}

#[test]
fn what_cannot_sign_is_rejected_and_not_shown() {
    let openssl = Openssl::new();
    openssl.run("genpkey -algorithm ED25519 -out ed.pem");
    openssl.run("genrsa -out small.pem 1024");
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.pem");
    for (file, kind) in [
        ("ed.pem", ErrorKind::Unsupported),
        ("small.pem", ErrorKind::Invalid),
        ("p521.pem", ErrorKind::Unsupported),
    ] {
        let text = openssl.read(file);
        let key = PrivateKey::from_pem(&text).unwrap();
        let error = Keypair::self_signed("kubernetes-ca", key, now()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains("P-256") && !error.to_string().contains(text.lines().nth(1).unwrap())
        );
    }
    for text in [
        "",
        "hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2",
    ] {
        let error = PrivateKey::from_pem(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let one = Keypair::generate("kubernetes-ca", now()).unwrap();
    let other = Keypair::generate("kubernetes-ca", now()).unwrap();
    let error = Keypair::existing(one.certificate().clone(), other.private_key().cloned()).unwrap_err();
    assert!(error.message().contains("not that of the certificate"), "{error}");
    let leaf = one.sign(&Client::new("ann"), now()).unwrap();
    let error = Keypair::existing(leaf.certificate().clone(), None).unwrap_err();
    assert!(error.message().contains("not an authority's"), "{error}");
    let error = Certificate::from_pem("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")
        .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn later_keys_have_higher_ids_and_others_are_trusted() {
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    let mut keyset = Keyset::generate(KUBERNETES_CA, at(0)).unwrap();
    let first = keyset.primary().id().to_owned();
    let second =
        keyset.add(Keypair::generate(KUBERNETES_CA, at(1)).unwrap(), false, at(1)).unwrap().to_owned();
    assert!(second.parse::<u128>().unwrap() > first.parse::<u128>().unwrap());
    assert_eq!(keyset.primary().id(), first, "a further key does not sign yet");
    assert_eq!(keyset.bundle().matches("BEGIN CERTIFICATE").count(), 2);
    assert!(keyset.bundle().starts_with(keyset.primary().certificate().pem()));

    // A certificate with a low number, and one with the highest possible.
    let openssl = Openssl::new();
    for (number, id) in [
        ("7", None),
        (
            "0x7fffffffffffffffffffffffffffffffffffffff",
            Some("730750818665451459101842416358141509827966271487"),
        ),
    ] {
        openssl.run(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout k -subj /CN=x -set_serial {number} -out c"
        ));
        let foreign = Keypair::existing(Certificate::from_pem(&openssl.read("c")).unwrap(), None).unwrap();
        let error = keyset.add(foreign.clone(), true, at(2)).unwrap_err();
        assert!(error.message().contains("it has no private key"), "{error}");
        let got = keyset.add(foreign.clone(), false, at(2)).unwrap().to_owned();
        assert!(id.is_none_or(|id| got == id) && got != number, "{got}");
        let error = keyset.add(foreign, false, at(3)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    let last = keyset.add(Keypair::generate(KUBERNETES_CA, at(9)).unwrap(), true, at(9)).unwrap().to_owned();
    assert_eq!(last, "730750818665451459101842416358141509827966271488");
    assert_eq!(keyset.primary().id(), last);
    assert_eq!(keyset.trusted().count(), 5);
}

#[test]
fn a_keyset_survives_its_document() {
    let mut keyset = Keyset::generate(SERVICE_ACCOUNT, now()).unwrap();
    keyset.add(Keypair::generate(SERVICE_ACCOUNT, now()).unwrap(), false, now()).unwrap();
    let mut document = keyset.document();
    let yaml = document.to_yaml().unwrap();
    assert!(yaml.starts_with("apiVersion: kops.k8s.io/v1alpha2\nkind: Keyset\n"), "{yaml}");
    let (read, _) = spec::Keyset::from_yaml(&yaml, Mode::Strict).unwrap();
    assert_eq!(Keyset::from_document(&read).unwrap(), keyset);

    document.spec.keys[1].distrust_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
    let read = Keyset::from_document(&document).unwrap();
    assert_eq!((read.trusted().count(), read.keypairs().len()), (1, 2));
    assert_eq!(read.document(), document);

    document.spec.keys[0].distrust_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
    let error = Keyset::from_document(&document).unwrap_err();
    assert!(error.message().contains("missing or distrusted"), "{error}");
    document.spec.keys[0].public_material = Some("aHVudGVyMg==".to_owned());
    let error = Keyset::from_document(&document).unwrap_err().to_string();
    assert!(error.contains("keyset service-account: its key") && !error.contains("hunter2"), "{error}");
}

#[test]
fn nothing_shows_a_private_key() {
    let keyset = Keyset::generate(KUBERNETES_CA, now()).unwrap();
    let key = keyset.primary().private_key().unwrap();
    let secret = key.reveal().lines().nth(1).unwrap();
    assert!(!format!("{keyset:?} {key:?} {:?}", keyset.document()).contains(secret));
}
