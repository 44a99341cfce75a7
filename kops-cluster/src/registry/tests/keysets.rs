//! Keysets that a plan was made with are stored once, and never replace others.

use super::*;
use crate::pki::{KUBERNETES_CA, Keysets};

fn drafted(ids: &mut Keysets) -> Vec<crate::pki::Keyset> {
    ids.generate_missing("2026-11-30T12:00:00Z".parse().unwrap()).unwrap()
}

#[tokio::test]
async fn what_was_generated_for_a_plan_is_what_is_stored() {
    let store = FaultyStore::default();
    let (cluster, spec) = (cluster(&store), Cluster::named(NAME));
    let mut ids = cluster.keysets(&spec).await.unwrap();
    let new = drafted(&mut ids);
    assert_eq!((new.len(), ids.missing().count()), (4, 0));
    assert!(drafted(&mut ids).is_empty());

    cluster.create_keysets(&new).await.unwrap();
    assert_eq!(cluster.keysets(&spec).await.unwrap(), ids);
    cluster.create_keysets(&new).await.unwrap(); // as after a lost answer
    assert_eq!(cluster.ensure_keysets(&spec).await.unwrap(), ids);
}

#[tokio::test]
async fn keysets_of_somebody_else_are_not_replaced() {
    let store = FaultyStore::default();
    let (cluster, spec) = (cluster(&store), Cluster::named(NAME));
    let new = drafted(&mut Keysets::to_be_created(&spec));
    let theirs = cluster.ensure_keysets(&spec).await.unwrap();
    let error = cluster.create_keysets(&new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("was created in the meantime"), "{error}");
    assert_eq!(cluster.keysets(&spec).await.unwrap(), theirs);
    assert_eq!(theirs.ids(KUBERNETES_CA).len(), 1);
}
