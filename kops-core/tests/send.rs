//! Every public future can be given to any executor: that it compiles is the test, and a body that is never polled
//! runs nothing.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "sources/public_futures.rs"]
mod public_futures;
mod sources;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kops_core::apply::EventStream;
use kops_core::clock::Clock;
use kops_core::cloud::{
    Adopt, Cloud, Context, Create, Delete, DynHandler, Limiter, Lookup, Machines, Memo, Permissions,
    Priority, Query, Scope, Update,
};
use kops_core::graph::{Document, Key, TaskGraph};
use kops_core::plan::Plan;
use kops_core::store::conformance::bucket;
use kops_core::store::{
    Bucket, Intent, IntentLog, Lease, LeaseRequest, MemoryStore, Operation, Precondition, Prefix, Range,
    RetryingStore, StateStore, StateStoreExt as _, StoreKey, StoreOpener, StoreUrl, Stores, Version, lease,
};
use kops_core::testing::conformance::{self, Fixture};
use kops_core::testing::{MemoryCloud, Saboteur};
use kops_core::{CancellationToken, Engine, RunOptions};

fn spawn<T>(_: impl Future<Output = T> + Send + 'static) {}

fn send<T>(_: impl Future<Output = T> + Send) {}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn the_engine(engine: Engine, graph: TaskGraph, plan: Plan, keys: BTreeSet<Key>) {
    let options = RunOptions::new;
    let all = move || (engine.clone(), graph.clone(), plan.clone(), keys.clone());
    macro_rules! spawned {
        ($($engine:ident, $graph:ident, $plan:ident, $keys:ident: $call:expr;)*) => {$({
            let ($engine, $graph, $plan, $keys) = all();
            spawn(async move {
                let _ = (&$graph, &$plan, &$keys);
                let _ = $call.await;
            });
        })*};
    }
    spawned! {
        e, g, p, k: e.observe(&g);
        e, g, p, k: e.observe_with(&g, options());
        e, g, p, k: e.plan(&g);
        e, g, p, k: e.plan_with(&g, options());
        e, g, p, k: e.plan_prefetched(&g, e.prefetch(), options());
        e, g, p, k: e.outputs(&g);
        e, g, p, k: e.plan_deletion(&k);
        e, g, p, k: e.plan_deletion_with(&k, options());
        e, g, p, k: e.apply(&p);
        e, g, p, k: e.apply_with(&p, options());
        e, g, p, k: e.apply_now(&p);
        e, g, p, k: e.apply_now_with(&p, options());
        e, g, p, k: e.apply_saved(&p.saved(), &g);
        e, g, p, k: e.apply_saved_with(&p.saved(), &g, options());
    }
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn events_and_clouds(
    mut events: EventStream,
    memory: MemoryCloud,
    saboteur: Saboteur,
    clock: Arc<dyn Clock>,
) {
    spawn(async move { events.next().await });
    spawn(async move { memory.crashed().await });
    spawn(async move { saboteur.crashed().await });
    spawn(async move { clock.sleep(Duration::ZERO).await });
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn handlers(
    handler: &dyn DynHandler,
    (scope, query, cx): (&Scope, &Query<'_>, &Context),
    create: Create<'_, Document>,
    update: Update<'_, Document>,
    adopt: Adopt<'_, Document>,
    delete: Delete<'_, Document>,
) {
    send(handler.prefetch(scope, cx));
    send(handler.list(query));
    send(handler.create(create));
    send(handler.update(update));
    send(handler.adopt(adopt));
    send(handler.delete(delete));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn lookups<L: Lookup>(lookup: &L, query: &Query<'_>) {
    send(lookup.look_up(&[""], query));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn what_clouds_have(
    cloud: &dyn Cloud,
    machines: &dyn Machines,
    permissions: &dyn Permissions,
    limiter: &Limiter,
    memo: &Memo,
    (graph, scope, cx): (&TaskGraph, &Scope, &Context),
) {
    send(async { cloud.clock().sleep(Duration::ZERO).await });
    send(machines.members(scope, cx));
    send(machines.detach(scope, "", cx));
    send(machines.deregister(scope, "", cx));
    send(machines.terminate(scope, "", cx));
    send(permissions.missing(graph, scope, cx));
    send(limiter.admit("", Priority::default()));
    send(limiter.run("", true, cx, async { Ok(()) }));
    send(memo.get_or_try("", async || Ok(0)));
    send(kops_core::cloud::pages(|_| std::future::ready(Ok((vec![0], None)))));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn stores(
    (stores, opener, url): (&Stores, &dyn StoreOpener, &StoreUrl),
    store: &Arc<dyn StateStore>,
    retrying: &RetryingStore<MemoryStore>,
    (bucket, range): (&dyn Bucket, Range<'_>),
    (key, prefix, version): (&StoreKey, &Prefix, &Version),
) {
    send(stores.open(""));
    send(opener.open(url));
    send(store.get(key));
    send(store.put(key, Vec::new(), Precondition::Any));
    send(store.delete(key, Some(version)));
    send(store.list(prefix, None));
    send(store.directories(prefix));
    send(store.read(key));
    send(store.get_all(vec![key.clone()]));
    send(store.check());
    send(retrying.get(key));
    send(bucket.get_object(""));
    send(bucket.put_object("", Vec::new(), &Precondition::Any));
    send(bucket.delete_object("", Some(version)));
    send(bucket.list_objects(range));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn leases(
    (store, key, clock): (Arc<dyn StateStore>, StoreKey, Arc<dyn Clock>),
    request: LeaseRequest,
    one: Lease,
    other: Lease,
) {
    let of = (store.clone(), key.clone());
    spawn(async move { lease::holder(&*of.0, &of.1).await });
    spawn(async move { request.acquire(store, key, clock).await });
    spawn(one.release());
    spawn(other.remove());
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn operations(held: &Arc<dyn StateStore>, key: StoreKey, clock: Arc<dyn Clock>, request: LeaseRequest) {
    // With work that borrows, as a program's does.
    let store = &**held;
    let work = |operation: Operation| async move {
        let _cancel = operation.cancel();
        store.check().await
    };
    send(request.hold(held.clone(), key, clock, CancellationToken::new(), work));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn journals(journal: &dyn IntentLog, intent: &Intent) {
    send(journal.intend("", "", &[]));
    send(journal.done(intent, ""));
    send(journal.abandon(intent));
    send(journal.forget(""));
    send(journal.entries());
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn suites_of_stores<F: bucket::BucketFixture>(
    store: Arc<dyn StateStore>,
    fixture: impl Fn() -> F + Send + Sync,
) {
    use kops_core::store::conformance;

    send(conformance::run(store.clone()));
    send(conformance::run_except(store, &[]));
    send(bucket::run(fixture));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn the_suite(fixture: &dyn Fixture) {
    send(conformance::run(fixture));
    send(conformance::run_only(fixture, |_| true));
    send(conformance::lowered(fixture));
    send(conformance::classified(fixture));
    send(conformance::repeated(fixture));
    send(conformance::stable(fixture));
    send(conformance::stale(fixture));
    send(conformance::changed(fixture));
    send(conformance::drifted(fixture));
    send(conformance::throttled(fixture));
    send(conformance::lost_answers(fixture));
    send(conformance::failed_anywhere(fixture));
    send(conformance::crashed_anywhere(fixture));
    send(conformance::cancelled(fixture));
    send(conformance::deleted(fixture));
    send(conformance::foreign(fixture));
    send(conformance::taken_name(fixture));
    send(conformance::elsewhere(fixture));
    send(conformance::shared(fixture));
    send(conformance::adopted(fixture));
    send(conformance::lifecycles(fixture));
    send(conformance::pages(fixture));
    send(conformance::budget(fixture));
    send(conformance::unsupported(fixture));
    send(conformance::secrets(fixture));
}

#[test]
fn no_public_future_is_missing_above() {
    let missing = public_futures::not_listed(env!("CARGO_MANIFEST_DIR"), include_str!("send.rs"));
    assert!(missing.is_empty(), "add {missing:?}");
}
