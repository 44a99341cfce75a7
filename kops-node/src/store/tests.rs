//! What every store must do; `conformance` is called for each of them.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::testing::{http, serve};

/// What holds for every store. `conditional`: it compares versions.
pub(crate) fn conformance(store: &dyn Store, conditional: bool) {
    assert_eq!(store.read("control-plane/none").unwrap(), None);
    assert!(store.write("control-plane/a", b"one", Precondition::None).unwrap());
    let one = store.read("control-plane/a").unwrap().unwrap();
    assert_eq!(one.bytes, b"one");
    assert!(!store.write("control-plane/a", b"x", Precondition::Absent).unwrap(), "it is there");
    assert!(store.write("control-plane/initialized", b"i", Precondition::Absent).unwrap());
    assert!(store.write("control-plane/a", b"two", Precondition::Version(&one.version)).unwrap());
    if conditional {
        assert!(
            !store.write("control-plane/a", b"x", Precondition::Version(&one.version)).unwrap(),
            "it changed"
        );
    }
    assert_eq!(store.read("control-plane/a").unwrap().unwrap().bytes, b"two");
    let key = "backups/etcd/main/2026-11-30T00:00:00Z a+b.db";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; 300_000]).unwrap();
    store.upload(key, file.path()).unwrap();
    assert_eq!(store.read(key).unwrap().unwrap().bytes.len(), 300_000);
    let mut back = Vec::new();
    store.fetch(key, &mut back).unwrap();
    assert!(back.len() == 300_000 && store.fetch("backups/none", &mut back).is_err());
    assert_eq!(store.list("backups/etcd/main/").unwrap(), [key]);
    assert_eq!(store.list("control-plane/").unwrap(), ["control-plane/a", "control-plane/initialized"]);
    store.delete(key).unwrap();
    store.delete(key).unwrap();
    assert_eq!(store.read(key).unwrap(), None);
}

#[test]
fn a_directory_is_a_store() {
    let root = tempfile::tempdir().unwrap();
    conformance(&Directory::new(root.path()), true);
    assert!(Directory::new(root.path()).read("../passwd").is_err());
}

#[test]
fn names_begin_with_their_directory() {
    for (directory, prefix) in [("", ""), ("/", ""), ("a/b", "a/b/"), ("/a/b/", "a/b/")] {
        assert_eq!(super::name_prefix(directory), prefix);
    }
}

#[test]
fn a_plain_web_server_is_a_store() {
    let root = tempfile::tempdir().unwrap();
    let files = Directory::new(root.path());
    let url = serve(move |seen| {
        let key =
            seen.path.trim_start_matches('/').replace("%20", " ").replace("%3A", ":").replace("%2B", "+");
        let condition = match (seen.header("if-none-match"), seen.header("if-match")) {
            ("*", _) => Precondition::Absent,
            (_, "") => Precondition::None,
            (_, version) => Precondition::Version(version),
        };
        let names = |it: Vec<String>| {
            let names: Vec<_> = it.iter().filter_map(|it| it.strip_prefix(&format!("{key}/"))).collect();
            serde_json::to_vec(&names).unwrap()
        };
        match seen.method.as_str() {
            "PUT" if files.write(&key, &seen.body, condition).unwrap() => (200, vec![], vec![]),
            "PUT" => (412, vec![], vec![]),
            "DELETE" => files.delete(&key).map(|()| (204, vec![], vec![])).unwrap(),
            _ if root.path().join(&key).is_dir() => (200, vec![], names(files.list(&key).unwrap())),
            _ => match files.read(&key).unwrap() {
                Some(it) => (200, vec![("etag".to_owned(), it.version)], it.bytes),
                None => (404, vec![], vec![]),
            },
        }
    });
    conformance(&Server::new(http(), &url), true);
}

#[test]
fn one_machine_at_a_time_holds_a_lease() {
    let root = tempfile::tempdir().unwrap();
    let store = Directory::new(root.path());
    let (a, b) = (Leases { store: &store, holder: "a" }, Leases { store: &store, holder: "b" });
    let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
    let later = now + Duration::from_mins(11);
    let (key, ten) = ("control-plane/change", Duration::from_mins(10));
    assert_eq!(a.look(key, now).unwrap(), Held::Free);
    assert_eq!(a.take(key, now, ten).unwrap(), Held::Mine);
    assert_eq!(b.take(key, now, ten).unwrap(), Held::Other("a".to_owned()));
    assert_eq!(a.take(key, now, ten).unwrap(), Held::Mine, "it may hold on");
    assert_eq!(b.take(key, later, ten).unwrap(), Held::Mine, "it ended by itself");
    a.release(key, later).unwrap();
    assert_eq!(b.look(key, later).unwrap(), Held::Mine, "only the holder releases");
    b.release(key, later).unwrap();
    assert_eq!(a.look(key, later).unwrap(), Held::Free);
}
