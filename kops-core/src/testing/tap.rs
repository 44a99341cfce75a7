//! Counting calls and injecting faults; used by [`MemoryCloud`](super::MemoryCloud) for each request, and by
//! [`Saboteur`](super::Saboteur) for each call of a handler.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::fault::{Call, Fault, Op, Script};
use crate::{Error, ErrorKind, Result};

/// Numbers of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    counts: BTreeMap<(String, Op), u64>,
    most_in_flight: usize,
}

impl Calls {
    /// All calls.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Calls that change the cloud.
    pub fn mutating(&self) -> u64 {
        self.counts.iter().filter(|((_, op), _)| op.mutates()).map(|(_, count)| count).sum()
    }

    /// Calls of a kind and operation.
    pub fn of(&self, kind: &str, op: Op) -> u64 {
        self.counts.get(&(kind.to_owned(), op)).copied().unwrap_or(0)
    }

    /// The calls, as `Kind:operation`, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> {
        self.counts.iter().map(|((kind, op), count)| (format!("{kind}:{op}"), *count))
    }

    /// The number of calls of each kind and operation.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&str, Op, u64)> {
        self.counts.iter().map(|((kind, op), count)| (kind.as_str(), *op, *count))
    }

    /// The calls that were made after `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (call, count) in &mut since.counts {
            *count -= earlier.counts.get(call).copied().unwrap_or(0).min(*count);
        }
        since
    }

    /// The maximum number of concurrent calls.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight
    }
}

#[derive(Default)]
pub(super) struct Tap {
    state: Mutex<State>,
    dead: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    calls: Calls,
    in_flight: usize,
    number: u64,
    mutations: u64,
    /// Mutations that may be retried, by their identity, with their numbers.
    known: BTreeMap<String, u64>,
    script: Option<Script>,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl Tap {
    /// Resets the counts, and injects the faults of a script from now on.
    pub(super) fn inject(&self, script: Script) {
        self.start_over(Some(script));
    }

    /// Resets the counts, and stops injecting faults.
    pub(super) fn reset(&self) {
        self.start_over(None);
    }

    fn start_over(&self, script: Option<Script>) {
        let mut state = self.lock();
        *state = State { script, in_flight: state.in_flight, ..State::default() };
    }

    pub(super) fn calls(&self) -> Calls {
        self.lock().calls.clone()
    }

    /// The number of mutations, each counted once regardless of retries.
    pub(super) fn mutations(&self) -> u64 {
        self.lock().mutations
    }

    /// Returns after a crash.
    pub(super) async fn crashed(&self) {
        // The sender belongs to `self`, so it exists while this waits.
        let _ = self.dead.subscribe().wait_for(|dead| *dead).await;
    }

    /// Lets calls through again after a crash. Those in flight never return.
    pub(super) fn revive(&self) {
        self.dead.send_replace(false);
    }

    /// Makes a call: counts it and injects the script's fault. Faults that the server has to implement are passed to
    /// `work`. A mutation with the `identity` of an earlier one has its number.
    pub(super) async fn call<T, F: Future<Output = Result<T>>>(
        &self,
        kind: &str,
        op: Op,
        identity: Option<&str>,
        work: impl FnOnce(Option<Fault>) -> F,
    ) -> Result<T> {
        if *self.dead.borrow() {
            pending::<()>().await;
        }
        let (_flight, fault) = self.begin(kind, op, identity);
        match fault {
            Some(Fault::Refuse(error)) => return Err(injected(error, kind, op)),
            Some(Fault::CrashBefore) => self.die().await,
            _ => {}
        }
        let done = work(fault).await;
        match fault {
            Some(Fault::Lose) => Err(injected(ErrorKind::Unavailable, kind, op)),
            Some(Fault::CrashAfter) => self.die().await,
            // A crash elsewhere in the meantime also stops this call.
            _ if *self.dead.borrow() => pending().await,
            _ => done,
        }
    }

    fn begin(&self, kind: &str, op: Op, identity: Option<&str>) -> (Flight<'_>, Option<Fault>) {
        let mut state = self.lock();
        let state = &mut *state;
        state.number += 1;
        let known = identity.map(|identity| format!("{kind}:{op}:{identity}"));
        let repeated = known.as_ref().and_then(|known| state.known.get(known)).copied();
        let mutations = repeated.unwrap_or_else(|| {
            state.mutations += u64::from(op.mutates());
            state.mutations
        });
        if let Some(known) = known {
            state.known.insert(known, mutations);
        }
        let nth = state.calls.counts.entry((kind.to_owned(), op)).or_default();
        *nth += 1;
        let call = Call { kind, op, number: state.number, nth: *nth, mutations };
        let fault = state.script.as_mut().and_then(|script| script(&call));
        state.in_flight += 1;
        state.calls.most_in_flight = state.calls.most_in_flight.max(state.in_flight);
        (Flight(self), fault)
    }

    async fn die<T>(&self) -> T {
        self.dead.send_replace(true);
        pending().await
    }

    // A panic elsewhere leaves counters off by one, at worst.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight.
struct Flight<'a>(&'a Tap);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

fn injected(kind: ErrorKind, of: &str, op: Op) -> Error {
    Error::new(kind, "an injected fault").with_call(format!("memory:{of}:{op}"))
}
