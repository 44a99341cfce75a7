//! Every public future of the store can be given to any executor: that it compiles is the test, and a body that is
//! never polled runs nothing.

use std::sync::Arc;

use kops_core::clock::Clock;
use kops_core::store::lease;
use kops_core::store::{
    Intent, IntentLog as _, Journal, Lease, LeaseRequest, MemoryStore, Operation, Precondition, Prefix,
    RetryingStore, StateStore, StateStoreExt as _, StoreKey, Stores,
};
use tokio_util::sync::CancellationToken;

fn sends(_: impl Send) {}

struct All {
    store: Arc<dyn StateStore>,
    retrying: RetryingStore<MemoryStore>,
    clock: Arc<dyn Clock>,
    stores: Stores,
    key: StoreKey,
    prefix: Prefix,
    request: LeaseRequest,
    leases: (Lease, Lease),
    journal: Journal,
    intent: Intent,
}

fn all(of: All) {
    let (store, key) = (&*of.store, &of.key);
    sends(of.stores.open(""));
    sends(store.get(key));
    sends(store.put(key, Vec::new(), Precondition::Any));
    sends(store.delete(key, None));
    sends(store.list(&of.prefix, None));
    sends(store.directories(&of.prefix));
    sends(store.read(key));
    sends(store.get_all(Vec::new()));
    sends(store.check());
    sends(of.retrying.get(key));
    sends(lease::holder(store, key));
    sends(of.request.clone().acquire(of.store.clone(), key.clone(), of.clock.clone()));
    // With work that borrows, as a program's does.
    let work = |operation: Operation| async move {
        let _cancel = operation.cancel();
        store.check().await
    };
    let cancel = CancellationToken::new();
    sends(of.request.hold(of.store.clone(), key.clone(), of.clock.clone(), cancel, work));
    sends(of.leases.0.release());
    sends(of.leases.1.remove());
    sends(of.journal.entries());
    sends(of.journal.intend("", "", &[]));
    sends(of.journal.done(&of.intent, ""));
    sends(of.journal.abandon(&of.intent));
    sends(of.journal.forget(""));
}

#[test]
fn every_public_future_of_the_store_is_send() {
    let _ = all;
}
