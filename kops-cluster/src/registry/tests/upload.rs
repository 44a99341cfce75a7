//! What machines find is written once, or replaced when it differs.

use super::*;
use crate::bundle::{StoreFiles, sha256};

fn files() -> StoreFiles {
    let mut files = StoreFiles::new();
    for (directory, content) in
        [("igconfig/node/nodes", "{}"), ("igconfig/node/more", "[]"), (PROGRAM, "program")]
    {
        files.insert(at(directory, content), content.as_bytes());
    }
    files.insert(GROUPS, b"nodes, more".as_slice());
    files
}

const PROGRAM: &str = "kops-node/amd64";
const GROUPS: &str = "igconfig/groups.json";

fn at(directory: &str, content: &str) -> String {
    format!("{directory}/{}", sha256(content.as_bytes()))
}

#[tokio::test]
async fn files_are_written_once() {
    let store = FaultyStore::default();
    let cluster = cluster(&store);
    let mut written = cluster.upload(&files()).await.unwrap();
    written.sort();
    let [nodes, more] = [at("igconfig/node/nodes", "{}"), at("igconfig/node/more", "[]")];
    assert_eq!(written, [GROUPS.to_owned(), more, nodes, at(PROGRAM, "program")]);
    assert_eq!(text(&store, &format!("{NAME}/{}", at(PROGRAM, "program"))).await, "program");
    assert_eq!(cluster.upload(&files()).await.unwrap(), Vec::<String>::new());

    // Two operators at once: what is there stays.
    let mut more = files();
    more.insert(at("igconfig/node/nodes", "new"), b"new".as_slice());
    assert_eq!(cluster.upload(&more).await.unwrap(), [at("igconfig/node/nodes", "new")]);
}

#[tokio::test]
async fn what_differs_is_replaced() {
    let store = FaultyStore::default();
    let cluster = cluster(&store);
    cluster.upload(&files()).await.unwrap();
    let mut fewer = files();
    fewer.insert(GROUPS, b"nodes".as_slice());
    assert_eq!(cluster.upload(&fewer).await.unwrap(), [GROUPS]);
    assert_eq!(text(&store, &format!("{NAME}/{GROUPS}")).await, "nodes");
}

#[tokio::test]
async fn what_machines_have_written_goes_with_the_cluster() {
    let store = written_by_kops().await;
    let cluster = cluster(&store);
    cluster.upload(&files()).await.unwrap();
    for key in ["control-plane/a", "join/nodes", "machines/nodes/i-1/status"] {
        write(&store, &format!("{NAME}/{key}"), "{}").await;
    }
    cluster.delete(ClusterDeletion::KnownOnly).await.unwrap();
    let left = store.inner.list(&Prefix::new(NAME).unwrap(), None).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}
