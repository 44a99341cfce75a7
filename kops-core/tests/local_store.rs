//! The directory as a store: several processes, killed ones, and directories that do not let us.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kops_core::ErrorKind;
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::store::{
    LocalStore, Precondition, Prefix, StateStore as _, StateStoreExt as _, StoreKey, conformance,
};

fn key(key: &str) -> StoreKey {
    StoreKey::new(key).unwrap()
}

fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

#[tokio::test]
async fn conforms() {
    let root = tempfile::tempdir().unwrap();
    conformance::run(Arc::new(LocalStore::new(root.path()))).await.unwrap();
    // What is left when everything was deleted: the lock, and nothing else.
    assert_eq!(files(root.path()), [root.path().join(".kops-local/lock")].into());
}

#[tokio::test]
async fn a_missing_directory_is_an_error_and_stays_missing() {
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("store");
    let store = LocalStore::new(&root);
    let a = key("a");
    let outcomes = [
        store.get(&a).await.map(drop),
        store.put(&a, vec![], Precondition::Any).await.map(drop),
        store.delete(&a, None).await,
        store.list(&Prefix::root(), None).await.map(drop),
        store.directories(&Prefix::root()).await.map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let says = format!("the directory of the state store, {0}, does not exist", root.display());
        assert!(error.message().contains(&says), "{error}");
        assert!(error.hint().unwrap().contains(&format!("mkdir -p {}", root.display())), "{error}");
    }
    assert!(!root.exists());

    let store = LocalStore::create(&root).unwrap();
    assert!(store.get(&a).await.unwrap().is_none());
    store.put(&a, vec![], Precondition::Absent).await.unwrap();
}

#[tokio::test]
async fn a_file_is_no_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = LocalStore::new(file.path()).get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is a file"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_cannot_be_written_says_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // To root every directory of the disk is writable; those of /sys are to nobody.
    let ours = fs::write(root.path().join("probe"), "").is_ok();
    let root = if ours { Path::new("/sys/kernel") } else { root.path() };

    let store = LocalStore::new(root);
    assert!(store.get(&key("a")).await.unwrap().is_none());
    let error = store.put(&key("a"), vec![], Precondition::Any).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains(&format!("cannot create {}/.kops-local", root.display())), "{error}");
    assert!(error.hint().unwrap().contains("writable for you"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("store");
    let store = LocalStore::create(&root).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    store.put(&key("x/pki/private/ca/keyset.yaml"), b"1".to_vec(), Precondition::Any).await.unwrap();
    let file = root.join("x/pki/private/ca/keyset.yaml");
    // Not even when an earlier program left it open to all.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    store.put(&key("x/pki/private/ca/keyset.yaml"), b"2".to_vec(), Precondition::Any).await.unwrap();
    assert_eq!(mode(&file), 0o600);
    for directory in [&root, &root.join("x"), &root.join("x/pki/private/ca"), &root.join(".kops-local")] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
}

#[tokio::test]
async fn an_object_below_an_object_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let store = LocalStore::new(root.path());
    store.put(&key("a"), vec![], Precondition::Any).await.unwrap();
    let error = store.put(&key("a/b/c"), vec![], Precondition::Any).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is an object, so there can be none below it"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_no_key_can_name_is_named_instead_of_overlooked() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a\\b"), "").unwrap();
    let error = LocalStore::new(root.path()).list(&Prefix::root(), None).await.unwrap_err();
    assert!(error.to_string().contains("a\\b does not have a valid object name"), "{error}");
}

/// Several processes count up together; no step is lost.
#[tokio::test]
async fn processes_race_without_a_lost_update() {
    const PROCESSES: usize = 4;
    const STEPS: usize = 50;
    let root = tempfile::tempdir().unwrap();
    let store = LocalStore::new(root.path());
    store.put(&key("counter"), b"0".to_vec(), Precondition::Absent).await.unwrap();
    let children: Vec<_> = (0..PROCESSES).map(|_| child("count", root.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let counted = store.read(&key("counter")).await.unwrap().bytes;
    assert_eq!(String::from_utf8(counted).unwrap(), (PROCESSES * STEPS).to_string());
}

/// A writer is killed again and again, at any moment: what is read is always one whole content, the next
/// writer finds no lock held, and nothing is left lying about.
#[tokio::test]
async fn a_killed_writer_leaves_no_half_file_and_no_lock() {
    let (root, clock) = (tempfile::tempdir().unwrap(), SystemClock::new());
    let store = LocalStore::new(root.path());
    let object = key("x/config");
    let mut written = 0;
    for round in 0..30_u64 {
        let mut writer = child("write", root.path());
        clock.sleep(Duration::from_millis(20 + round * 3)).await;
        writer.kill().unwrap();
        writer.wait().unwrap();
        if let Some(found) = store.get(&object).await.unwrap() {
            written += 1;
            let content = (found.bytes.len(), found.bytes.first().copied());
            assert!(found.bytes.windows(2).all(|pair| pair[0] == pair[1]), "a mixture: {content:?}");
            assert!(
                [(SIZES[0], Some(b'0')), (SIZES[1], Some(b'1'))].contains(&content),
                "half a file: {content:?}"
            );
        }
        store.put(&key("x/other"), round.to_string().into_bytes(), Precondition::Any).await.unwrap();
        let keys: Vec<_> =
            store.list(&Prefix::root(), None).await.unwrap().into_iter().map(|entry| entry.key).collect();
        assert!(keys.iter().all(|key| ["x/config", "x/other"].contains(&key.as_str())), "{keys:?}");
    }
    assert!(written > 10, "the writers were killed before they wrote: {written}");
    assert!(!root.path().join(".kops-local/unfinished").exists());
}

const SIZES: [usize; 2] = [1_000_000, 700_000];
const ROOT: &str = "KOPS_TEST_ROOT";
const ROLE: &str = "KOPS_TEST_ROLE";

/// This test program once more, in one of the roles of [`a_child`].
fn child(role: &str, root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child", "--include-ignored"])
        .env(ROLE, role)
        .env(ROOT, root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "a role in the tests above, which start it"]
async fn a_child() {
    let (Some(role), Some(root)) = (std::env::var_os(ROLE), std::env::var_os(ROOT)) else { return };
    let store = LocalStore::new(root);
    if role == "count" {
        for _ in 0..50 {
            count(&store).await;
        }
    } else {
        loop {
            for (digit, size) in [(b'0', SIZES[0]), (b'1', SIZES[1])] {
                store.put(&key("x/config"), vec![digit; size], Precondition::Any).await.unwrap();
            }
        }
    }
}

async fn count(store: &LocalStore) {
    loop {
        let object = store.read(&key("counter")).await.unwrap();
        let next = String::from_utf8(object.bytes).unwrap().parse::<usize>().unwrap() + 1;
        match store.put(&key("counter"), next.to_string().into(), Precondition::Match(object.version)).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
}
