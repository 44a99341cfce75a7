//! Every public future can be spawned. It is enough that this compiles.

use std::collections::BTreeSet;
use std::sync::Arc;

use kops_core::apply::EventStream;
use kops_core::cloud::{
    Cloud, Context, Create, Delete, DynHandler, Limiter, Machines, Memo, Permissions, Priority, Query, Scope,
    Update,
};
use kops_core::graph::{Document, Key, TaskGraph};
use kops_core::plan::Plan;
use kops_core::store::{
    Intent, IntentLog, Lease, LeaseRequest, Precondition, Prefix, StateStore, StateStoreExt as _, StoreKey,
    Stores, Version,
};
use kops_core::testing::{MemoryCloud, Saboteur};
use kops_core::{Engine, RunOptions, clock::Clock};

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
    spawn(async move { clock.sleep(std::time::Duration::ZERO).await });
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn handlers(
    handler: &dyn DynHandler,
    query: &Query<'_>,
    create: Create<'_, Document>,
    update: Update<'_, Document>,
    delete: Delete<'_, Document>,
) {
    send(handler.list(query));
    send(handler.create(create));
    send(handler.update(update));
    send(handler.delete(delete));
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
    send(async { cloud.clock().sleep(std::time::Duration::ZERO).await });
    send(machines.members(scope, cx));
    send(machines.detach(scope, "", cx));
    send(machines.deregister(scope, "", cx));
    send(machines.terminate(scope, "", cx));
    send(permissions.missing(graph, scope, cx));
    send(limiter.admit("", Priority::default()));
    send(limiter.run("", true, cx, async { Ok(()) }));
    send(memo.get_or_try("", async || Ok(0)));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn stores(store: &Arc<dyn StateStore>, stores: &Stores, key: &StoreKey, prefix: &Prefix, version: &Version) {
    send(stores.open(""));
    send(store.get(key));
    send(store.put(key, Vec::new(), Precondition::Any));
    send(store.delete(key, Some(version)));
    send(store.list(prefix, None));
    send(store.directories(prefix));
    send(store.read(key));
    send(store.get_all(vec![key.clone()]));
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn leases(
    (store, key, clock): (Arc<dyn StateStore>, StoreKey, Arc<dyn Clock>),
    request: LeaseRequest,
    one: Lease,
    other: Lease,
) {
    let of = (store.clone(), key.clone());
    spawn(async move { kops_core::store::lease::holder(&*of.0, &of.1).await });
    spawn(async move { request.acquire(store, key, clock).await });
    spawn(one.release());
    spawn(other.remove());
}

#[expect(dead_code, reason = "what it says is said to the compiler")]
fn journals(journal: &dyn IntentLog, intent: &Intent) {
    send(journal.intend("", "", &[]));
    send(journal.done(intent, ""));
    send(journal.abandon(intent));
    send(journal.forget(""));
    send(journal.entries());
}
