use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::clock::SystemClock;
use crate::store::{MemoryStore, Prefix, StateStoreExt as _};
use crate::testing::{FaultyStore, StoreFault};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_mins(1);

/// Virtual time, with a wall clock that may be wrong.
#[derive(Debug)]
struct TestClock {
    time: SystemClock,
    start: Timestamp,
}

impl TestClock {
    fn off_by(skew: SignedDuration) -> Arc<dyn Clock> {
        let start: Timestamp = "2026-08-01T12:00:00Z".parse().unwrap();
        Arc::new(Self { time: SystemClock::new(), start: start + skew })
    }

    fn right() -> Arc<dyn Clock> {
        Self::off_by(SignedDuration::ZERO)
    }
}

#[async_trait]
impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        self.time.elapsed()
    }
    fn now(&self) -> Timestamp {
        self.start + self.elapsed()
    }
    async fn sleep(&self, wait: Duration) {
        self.time.sleep(wait).await;
    }
}

fn since(clock: &Arc<dyn Clock>, began: Duration) -> Duration {
    clock.elapsed().saturating_sub(began)
}

fn key() -> StoreKey {
    StoreKey::new(".kops/ha.example.com/lock").unwrap()
}

/// A holder on an unknown machine.
fn remote(who: &str) -> Holder {
    Holder { process: None, pid: 4711, ..Holder::new(who, "update cluster") }
}

fn request(who: &str) -> LeaseRequest {
    LeaseRequest::new(remote(who))
}

fn memory() -> Arc<dyn StateStore> {
    Arc::new(MemoryStore::named("test"))
}

async fn acquire(
    request: LeaseRequest,
    store: &Arc<dyn StateStore>,
    clock: &Arc<dyn Clock>,
) -> Result<Lease> {
    request.acquire(store.clone(), key(), clock.clone()).await
}

/// The holder dies: its lease is neither renewed nor released.
fn kill(lease: &Lease) {
    lease.heartbeat.abort();
}

async fn record(store: &dyn StateStore) -> Record {
    Record::from_bytes(&store.read(&key()).await.unwrap().bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_holds_it_and_the_others_are_told() {
    let (store, clock) = (memory(), TestClock::right());
    let lease = acquire(request("ann@desk"), &store, &clock).await.unwrap();
    clock.sleep(30 * SECOND).await;
    let error = acquire(request("bob@lap"), &store, &clock).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert_eq!(
        error.to_string(),
        "locked: the lock memory://test/.kops/ha.example.com/lock is held by ann@desk (process 4711, update cluster) \
         since 2026-08-01T12:00:00Z, 30 s ago; last renewed 10 s ago, expires 2026-08-01T12:01:20Z unless renewed \
         (wait until it is released; if its holder died, it expires, and the next run takes it over)"
    );
    lease.check().unwrap();
    lease.release().await.unwrap();
    assert!(holder(&*store, &key()).await.unwrap().is_none());
    acquire(request("bob@lap"), &store, &clock).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_gets_it() {
    let (store, clock) = (memory(), TestClock::right());
    for _ in 0..10 {
        let all = (0..20).map(|n| acquire(request(&n.to_string()), &store, &clock));
        let mut held = Vec::new();
        for outcome in futures_util::future::join_all(all).await {
            match outcome {
                Ok(lease) => held.push(lease),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Locked),
            }
        }
        assert_eq!(held.len(), 1);
        held.remove(0).release().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_epoch_grows_across_releases_and_takeovers() {
    let (store, clock) = (memory(), TestClock::right());
    let first = acquire(request("a"), &store, &clock).await.unwrap();
    assert_eq!(first.epoch(), 1);
    first.release().await.unwrap();
    let second = acquire(request("b"), &store, &clock).await.unwrap();
    assert_eq!(second.epoch(), 2);
    kill(&second);
    let third = acquire(request("c").patience(2 * TTL), &store, &clock).await.unwrap();
    assert_eq!(third.epoch(), 3);
    third.remove().await.unwrap();
    assert!(store.list(&Prefix::root(), None).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_it_for_hours() {
    let (store, clock) = (memory(), TestClock::right());
    let lease = acquire(request("a"), &store, &clock).await.unwrap();
    let contender = acquire(request("b").patience(3600 * SECOND), &store, &clock).await;
    assert_eq!(contender.unwrap_err().kind(), ErrorKind::Locked);
    assert!(!lease.lost().is_cancelled());
    assert!(record(&*store).await.renewals >= 170);
}

#[tokio::test(start_paused = true)]
async fn a_patient_contender_gets_it_soon_after_the_release() {
    let (store, clock) = (memory(), TestClock::right());
    let lease = acquire(request("a"), &store, &clock).await.unwrap();
    let began = clock.elapsed();
    let waits = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = waits.clone();
    let contender = request("b").patience(600 * SECOND).on_wait(move |record, wait| {
        seen.lock().unwrap().push((record.holder.as_ref().unwrap().who.clone(), wait));
    });
    let (released, acquired) = tokio::join!(
        async {
            clock.sleep(200 * SECOND).await;
            lease.release().await
        },
        acquire(contender, &store, &clock)
    );
    released.unwrap();
    acquired.unwrap();
    assert!(since(&clock, began) <= 205 * SECOND);
    let waits = waits.lock().unwrap();
    assert!(
        waits.len() >= 40 && waits.iter().all(|(who, wait)| who == "a" && *wait <= 5 * SECOND),
        "{waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_holders_lease_is_taken_over_when_it_expired_and_not_before() {
    let (store, clock) = (memory(), TestClock::right());
    kill(&acquire(request("a"), &store, &clock).await.unwrap());
    clock.sleep(59 * SECOND).await;
    assert_eq!(acquire(request("b"), &store, &clock).await.unwrap_err().kind(), ErrorKind::Locked);
    clock.sleep(2 * SECOND).await;
    // Expired by the wall clock: certain after watching it unchanged for the time to live, without patience.
    let began = clock.elapsed();
    acquire(request("b"), &store, &clock).await.unwrap();
    assert_eq!(since(&clock, began), TTL);
}

/// Wall clocks hours apart, in either direction: a living holder is never robbed, a dead one always succeeded.
#[tokio::test(start_paused = true)]
async fn no_clock_skew_robs_a_live_holder() {
    for hours in [-24, -1, 0, 1, 24] {
        let (store, clock) = (memory(), TestClock::right());
        let skewed = TestClock::off_by(SignedDuration::from_hours(hours));
        let lease = acquire(request("a"), &store, &clock).await.unwrap();
        let error = acquire(request("b"), &store, &skewed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{hours} h");
        let error = acquire(request("b").patience(10 * TTL), &store, &skewed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{hours} h");
        lease.check().unwrap();
        kill(&lease);
        acquire(request("b").patience(2 * TTL), &store, &skewed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_watch_a_dead_lease_one_takes_it() {
    let (store, clock) = (memory(), TestClock::right());
    kill(&acquire(request("a"), &store, &clock).await.unwrap());
    clock.sleep(2 * TTL).await;
    let (b, c) = tokio::join!(acquire(request("b"), &store, &clock), acquire(request("c"), &store, &clock));
    assert_eq!([&b, &c].iter().filter(|outcome| outcome.is_ok()).count(), 1, "{b:?} {c:?}");
    assert_eq!(b.err().or(c.err()).unwrap().kind(), ErrorKind::Locked);
}

#[tokio::test(start_paused = true)]
async fn who_is_robbed_stops_at_the_next_heartbeat_and_says_by_whom() {
    let (store, clock) = (memory(), TestClock::right());
    let lease = acquire(request("a"), &store, &clock).await.unwrap();
    let thief = Record::held(9, remote("thief@night"), "other".to_owned(), TTL, clock.now());
    store.put(&key(), thief.to_bytes().unwrap(), Precondition::Any).await.unwrap();
    let began = clock.elapsed();
    lease.lost().cancelled().await;
    assert!(since(&clock, began) <= TTL / 3);
    let error = lease.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(
        error.to_string().contains("it was taken over by thief@night (process 4711, update cluster)"),
        "{error}"
    );
    // Releasing does not release the thief's lease.
    assert_eq!(lease.release().await.unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(holder(&*store, &key()).await.unwrap().unwrap().holder.unwrap().who, "thief@night");
}

#[tokio::test(start_paused = true)]
async fn a_removed_lease_is_lost() {
    let (store, clock) = (memory(), TestClock::right());
    let lease = acquire(request("a"), &store, &clock).await.unwrap();
    store.delete(&key(), None).await.unwrap();
    let error = lease.release().await.unwrap_err();
    assert!(error.to_string().contains("it was removed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn two_heartbeats_may_fail() {
    let (store, clock) = (FaultyStore::default(), TestClock::right());
    let lease = acquire(request("a"), &(Arc::new(store.clone()) as _), &clock).await.unwrap();
    store.script([StoreFault::Refuse, StoreFault::LoseAnswer, StoreFault::LoseAnswer]);
    clock.sleep(10 * TTL).await;
    lease.check().unwrap();
    lease.release().await.unwrap();
}

/// The holder stops before anyone may take over: this makes takeovers by watching sound.
#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_it_can_be_taken_over() {
    for fault in [StoreFault::Refuse, StoreFault::Hang] {
        let (store, clock) = (FaultyStore::default(), TestClock::right());
        let lease = acquire(request("a"), &(Arc::new(store.clone()) as _), &clock).await.unwrap();
        store.script([fault; 100]);
        let began = clock.elapsed();
        lease.lost().cancelled().await;
        let stopped = since(&clock, began);
        assert!(stopped <= TTL * 5 / 6, "{stopped:?}");
        assert!(stopped >= TTL * 2 / 3, "{stopped:?}");
        assert!(lease.check().unwrap_err().to_string().contains("could not be renewed for 50 s"));
        let unfailing: Arc<dyn StateStore> = Arc::new(store.inner.clone());
        acquire(request("b").patience(2 * TTL), &unfailing, &clock).await.unwrap();
        assert!(since(&clock, began) >= TTL);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_do_not_lock_oneself_out() {
    let (store, clock) = (FaultyStore::default(), TestClock::right());
    let erased: Arc<dyn StateStore> = Arc::new(store.clone());
    store.script([StoreFault::LoseAnswer]);
    let lease = acquire(request("a"), &erased, &clock).await.unwrap();
    assert_eq!(lease.epoch(), 1);
    let lock = key();
    assert_eq!(store.calls(), [format!("get {lock}"), format!("put {lock}"), format!("get {lock}")]);
    // It is not known whether a renewal that timed out was carried out.
    store.script([StoreFault::LoseAnswer]);
    clock.sleep(21 * SECOND).await;
    lease.release().await.unwrap();
    store.script([StoreFault::Refuse, StoreFault::Refuse]);
    let lease = acquire(request("b"), &erased, &clock).await.unwrap();
    lease.remove().await.unwrap();
    store.script([StoreFault::Refuse; 10]);
    assert_eq!(acquire(request("c"), &erased, &clock).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_process_of_this_machine_that_is_gone_is_succeeded_soon() {
    let (store, clock) = (memory(), TestClock::right());
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let mut killed = remote("a");
    killed.process = Process::of(child.id());
    assert!(killed.process.is_some());
    kill(&acquire(LeaseRequest::new(killed), &store, &clock).await.unwrap());

    assert_eq!(acquire(request("b"), &store, &clock).await.unwrap_err().kind(), ErrorKind::Locked);
    child.kill().unwrap();
    child.wait().unwrap();
    let began = clock.elapsed();
    acquire(request("b"), &store, &clock).await.unwrap();
    assert_eq!(since(&clock, began), TTL / 12);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_lock_is_left_alone() {
    let (store, clock) = (memory(), TestClock::right());
    store.put(&key(), b"precious".to_vec(), Precondition::Any).await.unwrap();
    let error = acquire(request("a"), &store, &clock).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is not a lock in a supported format"), "{error}");
    assert_eq!(store.read(&key()).await.unwrap().bytes, b"precious");
}

#[tokio::test]
async fn a_record_is_readable_json() {
    let now = "2026-08-01T12:00:00Z".parse().unwrap();
    let record = Record::held(3, remote("ann@desk"), "n".to_owned(), TTL, now);
    let json: serde_json::Value = serde_json::from_slice(&record.to_bytes().unwrap()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "epoch": 3,
            "holder": {"who": "ann@desk", "purpose": "update cluster", "pid": 4711},
            "acquired": "2026-08-01T12:00:00Z",
            "renewed": "2026-08-01T12:00:00Z",
            "ttlSeconds": 60,
            "renewals": 0,
            "nonce": "n"
        })
    );
    assert_eq!(record.expires(), "2026-08-01T12:01:00Z".parse().unwrap());
    assert_eq!(LeaseRequest::new(remote("a")).ttl(Duration::from_millis(1500)).ttl, 2 * SECOND);
    assert_eq!(LeaseRequest::new(remote("a")).ttl(Duration::ZERO).ttl, SECOND);
}

/// A holder in this very process.
fn here(who: &str) -> LeaseRequest {
    LeaseRequest::new(Holder::new(who, "update cluster"))
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lease_is_let_go() {
    let (store, clock) = (memory(), TestClock::right());
    // As the handler of a request whose client disconnected.
    let (theirs, clock_of_theirs) = (store.clone(), clock.clone());
    let (held, holds) = oneshot::channel();
    let handler = tokio::spawn(async move {
        let _lease = acquire(here("a"), &theirs, &clock_of_theirs).await.unwrap();
        held.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    holds.await.unwrap();
    handler.abort();
    let began = clock.elapsed();
    let next = acquire(here("b"), &store, &clock).await.unwrap();
    assert_eq!(next.epoch(), 2);
    assert!(since(&clock, began) <= LETTING_GO);
    // If it continues, it is not waited for any longer.
    assert_eq!(acquire(here("c"), &store, &clock).await.unwrap_err().kind(), ErrorKind::Locked);
    next.check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_or_release_dropped_half_way_leaves_nothing_locked() {
    let (store, clock) = (FaultyStore::default(), TestClock::right());
    let erased: Arc<dyn StateStore> = Arc::new(store.clone());
    // It has written, and waits before retrying what it believes to have failed; or waits for a response that never
    // comes.
    for fault in [StoreFault::LoseAnswer, StoreFault::Hang] {
        store.script([fault]);
        let acquiring = acquire(here("a"), &erased, &clock);
        assert!(tokio::time::timeout(SECOND, acquiring).await.is_err());
        let next = acquire(here("b"), &erased, &clock).await.unwrap();
        // Polled once: told to end, and waiting for it.
        let mut release = Box::pin(next.release());
        assert!(futures_util::poll!(&mut release).is_pending());
        drop(release);
        acquire(here("c"), &erased, &clock).await.unwrap().release().await.unwrap();
    }
}

mod operations {
    use super::*;
    use crate::store::Operation;

    async fn hold<T, F: Future<Output = Result<T>>>(
        store: &Arc<dyn StateStore>,
        cancel: &CancellationToken,
        work: impl FnOnce(Operation) -> F,
    ) -> Result<T> {
        request("a").hold(store.clone(), key(), TestClock::right(), cancel.clone(), work).await
    }

    async fn is_free(store: &dyn StateStore) -> bool {
        holder(store, &key()).await.unwrap().is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn the_lock_is_held_during_the_work_and_free_behind_it() {
        let (store, cancel) = (memory(), CancellationToken::new());
        let inside = store.clone();
        let done = hold(&store, &cancel, |operation| async move {
            assert!(!operation.was_begun_before() && !is_free(&*inside).await);
            Ok(7)
        });
        assert_eq!(done.await.unwrap(), 7);
        assert!(is_free(&*store).await);
        let failed: Result<()> = hold(&store, &cancel, |operation| async move {
            assert!(operation.was_begun_before());
            Err(Error::not_found("nothing"))
        })
        .await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(is_free(&*store).await && store.get(&key()).await.unwrap().is_some());
        hold(&store, &cancel, |operation| async move {
            operation.remove_lock();
            Ok(())
        })
        .await
        .unwrap();
        assert!(store.get(&key()).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_stops_the_work_and_frees_the_lock() {
        let (store, cancel) = (memory(), CancellationToken::new());
        let outside = cancel.clone();
        let stopped = hold(&store, &cancel, |operation| async move {
            outside.cancel();
            operation.cancel().cancelled().await;
            Ok("stopped")
        });
        assert_eq!(stopped.await.unwrap(), "stopped");
        assert!(is_free(&*store).await);
        // Nothing has been started by then.
        let before = store.read(&key()).await.unwrap();
        let refused: Result<()> = hold(&store, &cancel, |_| async { panic!("begun") }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(store.read(&key()).await.unwrap(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lock_stops_the_work_and_is_told_from_a_failure() {
        let cancel = CancellationToken::new();
        for fails in [false, true] {
            let store = memory();
            let thief = store.clone();
            let outcome = hold(&store, &cancel, |operation| async move {
                let record =
                    Record::held(9, remote("thief@night"), "other".to_owned(), TTL, Timestamp::UNIX_EPOCH);
                thief.put(&key(), record.to_bytes()?, Precondition::Any).await?;
                operation.cancel().cancelled().await;
                if fails { Err(Error::new(ErrorKind::Cancelled, "stopped half way")) } else { Ok(()) }
            });
            let error = outcome.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked);
            assert!(
                error.message().contains("the lock was lost: it was taken over by thief@night"),
                "{error}"
            );
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(cause.is_some_and(|cause| cause.contains("stopped half way")), fails);
            // The caller's own token may be used for other work.
            assert!(!cancel.is_cancelled());
            assert_eq!(holder(&*store, &key()).await.unwrap().unwrap().holder.unwrap().who, "thief@night");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_operation_lets_go() {
        let (store, cancel) = (memory(), CancellationToken::new());
        let endless = hold(&store, &cancel, |_| std::future::pending::<Result<()>>());
        assert!(tokio::time::timeout(SECOND, endless).await.is_err());
        // In the background: by the next time that this task waits.
        TestClock::right().sleep(SECOND).await;
        assert!(is_free(&*store).await);
    }

    #[tokio::test(start_paused = true)]
    async fn that_a_lock_could_not_be_freed_takes_nothing_from_a_success() {
        let store = FaultyStore::default();
        let (erased, cancel): (Arc<dyn StateStore>, _) = (Arc::new(store.clone()), CancellationToken::new());
        let script = store.clone();
        let done = hold(&erased, &cancel, |_| async move {
            script.script([StoreFault::Refuse]);
            Ok("done")
        });
        assert_eq!(done.await.unwrap(), "done");
        let store = FaultyStore::default();
        let (erased, script): (Arc<dyn StateStore>, _) = (Arc::new(store.clone()), store.clone());
        let left = hold(&erased, &cancel, |operation| async move {
            operation.remove_lock();
            script.script([StoreFault::Refuse]);
            Ok(())
        });
        assert_eq!(left.await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
