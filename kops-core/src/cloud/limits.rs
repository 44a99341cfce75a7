//! Pacing calls within a cloud's rate limits.
//!
//! Clouds limit calls with token buckets and reply *throttled* if one is empty. A [`Limiter`] simulates buckets of
//! the same size, so that calls wait on the client, in order of priority, rather than being rejected in arbitrary
//! order. A call first takes a token and then a slot (one of a limited number of calls in flight): while waiting for
//! a token, it occupies no slot.
//!
//! Known weakness: other programs of the same account use the cloud's bucket, too. If the cloud throttles
//! nevertheless, [`Limiter::throttled`] empties the simulated bucket and halves its refill rate for a while.

use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Context, Priority};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenBucket {
    /// Its name, as passed to [`Limiter::admit`].
    pub name: &'static str,
    /// The maximum number of tokens: how many calls can be made at once.
    pub capacity: f64,
    /// The refill rate, in tokens per second.
    pub per_second: f64,
}

impl TokenBucket {
    /// A bucket with this capacity and refill rate per second.
    pub const fn new(name: &'static str, capacity: f64, per_second: f64) -> Self {
        Self { name, capacity, per_second }
    }
}

/// How long a bucket refills at half its rate after the cloud throttled.
const CAUTION: Duration = Duration::from_secs(30);

/// Admits calls as buckets and slots allow, by priority. Clones share their state.
#[derive(Clone, Debug)]
pub struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buckets: HashMap<&'static str, Level>,
    /// Calls with a token that wait for a slot.
    ready: BinaryHeap<Waiter>,
    free_slots: usize,
    next: u64,
}

#[derive(Debug)]
struct Level {
    bucket: TokenBucket,
    tokens: f64,
    at: Duration,
    cautious_until: Duration,
    waiting: BinaryHeap<Waiter>,
    /// Whether a task sleeps until the next token.
    watched: bool,
}

#[derive(Debug)]
struct Waiter {
    priority: Priority,
    number: u64,
    admit: oneshot::Sender<Permit>,
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Waiter {}
impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiter {
    /// The highest priority is the greatest; among equals, the first to arrive.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.priority.cmp(&other.priority).then(other.number.cmp(&self.number))
    }
}

/// The permission to make one call; dropping it frees the slot.
#[must_use = "the slot is freed as soon as the permit is dropped"]
pub struct Permit {
    // `None`: the permit was not received, so there is no slot to free.
    shared: Option<Arc<Shared>>,
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            let mut state = shared.lock();
            state.free_slots += 1;
            state.fill_slots(shared);
        }
    }
}

impl Limiter {
    /// A limiter with these buckets, full, and a maximum number of calls in flight.
    pub fn new(clock: Arc<dyn Clock>, buckets: impl IntoIterator<Item = TokenBucket>, slots: usize) -> Self {
        let at = clock.elapsed();
        let buckets = buckets
            .into_iter()
            .map(|bucket| {
                let level = Level {
                    bucket,
                    tokens: bucket.capacity,
                    at,
                    cautious_until: Duration::ZERO,
                    waiting: BinaryHeap::new(),
                    watched: false,
                };
                (bucket.name, level)
            })
            .collect();
        let state = State { buckets, ready: BinaryHeap::new(), free_slots: slots.max(1), next: 0 };
        Self { shared: Arc::new(Shared { clock, state: Mutex::new(state) }) }
    }

    /// Waits for a token of the bucket and then for a slot. A bucket that does not exist is unlimited.
    ///
    /// Dropping the future gives up its place in the queue.
    pub async fn admit(&self, bucket: &str, priority: Priority) -> Permit {
        let (admit, admitted) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            let number = state.next;
            state.next += 1;
            let waiter = Waiter { priority, number, admit };
            let now = self.shared.clock.elapsed();
            if let Some(level) = state.buckets.get_mut(bucket) {
                level.waiting.push(waiter);
                let name = level.bucket.name;
                state.draw(name, now);
                self.watch(&mut state, name);
            } else {
                state.ready.push(waiter);
            }
            state.fill_slots(&self.shared);
        }
        match admitted.await {
            Ok(permit) => permit,
            // A sender is removed from its queue only by sending, so this is unreachable, and harmless if reached.
            Err(_) => std::future::pending().await,
        }
    }

    /// Makes a call once a token of the bucket and a slot are available. If the cloud throttles it, the simulated
    /// bucket is emptied, too.
    ///
    /// If the call is cancelled, it is not made, or aborted if it is `read_only`. A changing call in flight is still
    /// awaited, because its effect would be unknown otherwise; it ends within the timeout of an attempt.
    ///
    /// # Errors
    /// Those of the request; [`Cancelled`](ErrorKind::Cancelled) if it was cancelled.
    pub async fn run<T>(
        &self,
        bucket: &str,
        read_only: bool,
        cx: &Context,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let cancelled = || Error::new(ErrorKind::Cancelled, "the call was cancelled");
        let _permit = tokio::select! {
            // A permit may be available at once, but a cancelled call must not be made.
            biased;
            () = cx.cancel.cancelled() => return Err(cancelled()),
            permit = self.admit(bucket, cx.priority) => permit,
        };
        let answer = tokio::select! {
            answer = request => answer,
            () = cx.cancel.cancelled(), if read_only => return Err(cancelled()),
        };
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Throttled) {
            self.throttled(bucket);
        }
        answer
    }

    /// Records that the cloud throttled although this bucket was not empty.
    pub fn throttled(&self, bucket: &str) {
        let now = self.shared.clock.elapsed();
        if let Some(level) = self.shared.lock().buckets.get_mut(bucket) {
            level.refill(now);
            level.tokens = 0.0;
            level.cautious_until = now + CAUTION;
        }
    }

    /// Starts a task that sleeps until the bucket's next token while calls wait for it.
    fn watch(&self, state: &mut State, name: &'static str) {
        let Some(level) = state.buckets.get_mut(name) else { return };
        if level.watched || level.waiting.is_empty() {
            return;
        }
        level.watched = true;
        let mut wait = level.until_next();
        let shared = self.shared.clone();
        tokio::spawn(async move {
            loop {
                shared.clock.sleep(wait).await;
                let now = shared.clock.elapsed();
                let mut state = shared.lock();
                state.draw(name, now);
                state.fill_slots(&shared);
                let Some(level) = state.buckets.get_mut(name) else { return };
                if level.waiting.is_empty() {
                    level.watched = false;
                    return;
                }
                wait = level.until_next();
            }
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves calls for which there is a token to the queue for slots.
    fn draw(&mut self, name: &str, now: Duration) {
        let Some(level) = self.buckets.get_mut(name) else { return };
        level.refill(now);
        while level.tokens >= 1.0 {
            let Some(waiter) = level.waiting.pop() else { break };
            if waiter.admit.is_closed() {
                continue;
            }
            level.tokens -= 1.0;
            self.ready.push(waiter);
        }
    }

    fn fill_slots(&mut self, shared: &Arc<Shared>) {
        while self.free_slots > 0 {
            let Some(waiter) = self.ready.pop() else { break };
            match waiter.admit.send(Permit { shared: Some(shared.clone()) }) {
                // If the receiver is dropped now, the permit inside frees the slot.
                Ok(()) => self.free_slots -= 1,
                // A call that no longer waits takes no slot: this permit must not free one, nor lock again.
                Err(mut permit) => permit.shared = None,
            }
        }
    }
}

impl Level {
    fn rate(&self, now: Duration) -> f64 {
        if now < self.cautious_until { self.bucket.per_second / 2.0 } else { self.bucket.per_second }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate(now)).min(self.bucket.capacity);
        self.at = now;
    }

    fn until_next(&self) -> Duration {
        let missing = (1.0 - self.tokens).max(0.0);
        // A little longer than necessary, so that rounding never wakes it too early.
        Duration::from_secs_f64(missing / self.rate(self.at).max(0.001)) + Duration::from_micros(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn limiter(slots: usize) -> (Limiter, Arc<SystemClock>) {
        let clock = Arc::new(SystemClock::new());
        let bucket = TokenBucket { name: "writes", capacity: 2.0, per_second: 1.0 };
        (Limiter::new(clock.clone(), [bucket], slots), clock)
    }

    fn seconds(n: u64) -> Priority {
        Priority(Duration::from_secs(n))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_the_rest_is_paced() {
        let (limiter, clock) = limiter(10);
        for _ in 0..5 {
            drop(limiter.admit("writes", Priority::default()).await);
        }
        let took = clock.elapsed().as_secs_f64();
        assert!((2.9..3.2).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_most_urgent_goes_first() {
        let (limiter, _) = limiter(10);
        drop(limiter.admit("writes", seconds(0)).await);
        drop(limiter.admit("writes", seconds(0)).await);
        let order = Arc::new(Mutex::new(Vec::new()));
        let calls = [30_u64, 90, 10, 50].map(|urgency| {
            let (limiter, order) = (limiter.clone(), order.clone());
            tokio::spawn(async move {
                let _permit = limiter.admit("writes", seconds(urgency)).await;
                order.lock().unwrap().push(urgency);
            })
        });
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [90, 50, 30, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_token_holds_no_slot() {
        let (limiter, clock) = limiter(1);
        drop(limiter.admit("writes", seconds(1)).await);
        drop(limiter.admit("writes", seconds(1)).await);
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { drop(limiter.admit("writes", seconds(1)).await) }
        });
        tokio::task::yield_now().await;
        drop(limiter.admit("other", seconds(0)).await);
        assert_eq!(clock.elapsed().as_millis(), 0);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_nobody_took_frees_its_slot() {
        let (limiter, _) = limiter(1);
        let held = limiter.admit("other", seconds(0)).await;
        let mut waiting = Box::pin(limiter.admit("other", seconds(0)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(held);
        drop(waiting);
        drop(limiter.admit("other", seconds(0)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_costs_neither_token_nor_slot() {
        let (limiter, clock) = limiter(1);
        let held = limiter.admit("other", seconds(0)).await;
        let gave_up = tokio::time::timeout(Duration::from_secs(1), limiter.admit("other", seconds(9)));
        assert!(gave_up.await.is_err());
        drop(held);
        drop(limiter.admit("other", seconds(0)).await);
        assert_eq!(clock.elapsed().as_secs(), 1);
    }
}
