//! Leases: at most one operation changes a scope at a time.
//!
//! A lease is a small object. It is acquired by a conditional write, renewed three times within its time to live (by
//! the *heartbeat*, a separate task), and marked as free at the end. A holder that died no longer renews it, and the
//! lease can be taken over.
//!
//! # Detecting dead holders
//! The clocks of two operators may differ by any amount, so **the wall clock never decides a takeover**. A contender
//! watches the object: if its version has not changed for the complete time to live, *measured by the contender's own
//! monotonic clock*, the holder is dead or has stopped. It has stopped because it measures as well: if it could not
//! renew for five sixths of the time to live, by its own monotonic clock since the start of the last successful
//! renewal, it cancels its work. The remaining sixth is for stopping. No assumption about the two clocks is needed.
//!
//! The wall-clock times in the object are for users, and decide only whether to watch. If the lease is valid by the
//! wall clock, a contender with patience watches, and others are rejected at once ([`ErrorKind::Locked`], with the
//! holder, its purpose, and the times of acquisition and expiry). If it has expired, or its holder was a process of
//! the same machine that is gone (see [`Process`]), every contender watches and then takes over. If the process is
//! known to be gone, it is watched for only a twelfth of the time to live, because the cloud may still be carrying
//! out its last requests.
//!
//! # Losing a lease
//! Work under a lease uses [`Lease::lost`], a token that is cancelled if the lease is lost: taken over, removed, or
//! not renewed in time. Requests in flight at that moment are not undone; the identity classes of kinds and the
//! fingerprint of the plan make an overlap of seconds harmless. [`Lease::epoch`] increases with each acquisition and
//! is kept after releases, for services that can reject requests of an earlier holder.
//!
//! # Known weaknesses
//! The monotonic clock of a suspended machine stops: if it is resumed after a takeover, it works until its next
//! heartbeat, which is at most a third of the time to live. And a lease only excludes programs that use it, which the
//! original kOps does not.

mod heartbeat;
mod operation;
mod process;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::heartbeat::{Ending, Heartbeat};
pub use self::operation::Operation;
pub use self::process::Process;
pub use self::record::{Holder, Record};
use super::{Precondition, StateStore, StoreKey, Version};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// Long enough to survive a disruption of the cloud during an apply, short enough to wait for.
const TTL: Duration = Duration::from_mins(1);
/// How often a failed write with an unknown result is checked and retried.
const ATTEMPTS: u32 = 4;
/// How long a contender waits, in intervals, for a lease that this process holds: if the lease was just dropped, its
/// release is still being written, which takes some tenths of a second.
const LETTING_GO: Duration = Duration::from_millis(500);
const LETTING_GO_STEP: Duration = Duration::from_millis(50);

/// How often a waiting contender polls: often enough to notice a release soon.
fn poll(ttl: Duration) -> Duration {
    ttl / 12
}

type OnWait = Arc<dyn Fn(&Record, Duration) + Send + Sync>;

/// A request for a lease.
///
/// ```
/// use std::sync::Arc;
///
/// use kops_core::clock::SystemClock;
/// use kops_core::store::{Holder, StoreKey, LeaseRequest, MemoryStore, StateStore};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
/// let clock = Arc::new(SystemClock::new());
/// let key = StoreKey::new(".kops/ha.example.com/lock")?;
///
/// let ours = LeaseRequest::new(Holder::new("ann@desk", "update cluster"));
/// let lease = ours.acquire(store.clone(), key.clone(), clock.clone()).await?;
///
/// let theirs = LeaseRequest::new(Holder::new("bob@lap", "delete cluster"));
/// let refused = theirs.acquire(store.clone(), key.clone(), clock.clone()).await.unwrap_err();
/// assert!(refused.to_string().contains("ann@desk"));
///
/// // … work, stopping when `lease.lost()` is cancelled …
/// lease.release().await?;
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct LeaseRequest {
    holder: Holder,
    ttl: Duration,
    patience: Duration,
    on_wait: Option<OnWait>,
}

impl LeaseRequest {
    /// A request for a lease of one minute, rejected at once if it is held.
    pub fn new(holder: Holder) -> Self {
        Self { holder, ttl: TTL, patience: Duration::ZERO, on_wait: None }
    }

    /// Sets the time to live without a heartbeat: whole seconds, at least one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let rounded_up = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        self.ttl = Duration::from_secs(rounded_up.max(1));
        self
    }

    /// Sets how long to wait for a living holder before the request is rejected.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets a function that is called before each wait, with the current record and the duration of the wait.
    pub fn on_wait(mut self, on_wait: impl Fn(&Record, Duration) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Arc::new(on_wait));
        self
    }

    /// Acquires the lease, and starts its heartbeat on the current tokio runtime.
    ///
    /// If this future is dropped while it writes, what it may have written is released in the background, as if the
    /// [`Lease`] were dropped. [`LeaseRequest::hold`] acquires the lease, works, and releases it, as one operation.
    ///
    /// # Errors
    /// `Locked` if the lease is held; any error of the store.
    pub async fn acquire(
        self,
        store: Arc<dyn StateStore>,
        key: StoreKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Lease> {
        let nonce = nonce();
        let began = clock.elapsed();
        let mut watch = Watch::default();
        let mut attempts = ATTEMPTS;
        let mut written = began;
        let mut doubtful =
            Doubtful { store: store.clone(), key: key.clone(), nonce: nonce.clone(), writes: false };
        loop {
            let found = Found::read(&*store, &key).await?;
            let wanted = match found {
                None => (1, Precondition::Absent),
                // An earlier write of this request whose response was lost.
                Some(found) if found.record.nonce == nonce => {
                    doubtful.writes = false;
                    let held = Held { store, key, record: found.record, version: found.version };
                    return Ok(Lease::start(held, clock, written));
                }
                Some(found) => match watch.judge(&found, &*clock) {
                    // A damaged record may hold any number.
                    Verdict::Free => {
                        (found.record.epoch.saturating_add(1), Precondition::Match(found.version))
                    }
                    Verdict::Alive { .. } if clock.elapsed().saturating_sub(began) >= self.patience => {
                        if found.record.is_of_this_process() && clock.elapsed() < began + LETTING_GO {
                            clock.sleep(LETTING_GO_STEP).await;
                            continue;
                        }
                        return Err(found.record.refusal(&store.location(), &key, clock.now()));
                    }
                    Verdict::Alive { wait } | Verdict::Doubtful { wait } => {
                        let wait = wait.min(poll(found.record.ttl()));
                        if let Some(on_wait) = &self.on_wait {
                            on_wait(&found.record, wait);
                        }
                        clock.sleep(wait).await;
                        continue;
                    }
                },
            };
            let (epoch, condition) = wanted;
            written = clock.elapsed();
            let record = Record::held(epoch, self.holder.clone(), nonce.clone(), self.ttl, clock.now());
            doubtful.writes = true;
            let outcome = store.put(&key, record.to_bytes()?, condition).await;
            // A conflict: the next poll shows whether it was an earlier write of this request.
            doubtful.writes = outcome
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::Conflict || error.kind().is_ambiguous());
            match outcome {
                Ok(version) => return Ok(Lease::start(Held { store, key, record, version }, clock, written)),
                // Someone else was faster, or the write was retried by a lower layer: the next poll shows which.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.kind().is_transient() && attempts > 1 => {
                    attempts -= 1;
                    clock.sleep(error.retry_after().unwrap_or_else(|| poll(self.ttl))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl fmt::Debug for LeaseRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseRequest")
            .field("holder", &self.holder)
            .field("ttl", &self.ttl)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// The holder of the lease at a key, if there is one; reads only.
///
/// # Errors
/// Any error of the store; `Invalid` if the object is not a lease.
pub async fn holder(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Record>> {
    Ok(Found::read(store, key).await?.map(|found| found.record).filter(|record| record.holder.is_some()))
}

/// A lease that is held, and renewed until it is released, lost or dropped.
///
/// Dropping it releases it, too: its heartbeat task releases it in the background. This takes a moment, which a
/// contender in the same process waits for. It is not released if the runtime that it was acquired on shuts down or
/// is no longer driven, or if the store does not respond; then it expires. [`Lease::release`] returns whether it
/// worked.
pub struct Lease {
    epoch: u64,
    lost: CancellationToken,
    why: Arc<OnceLock<String>>,
    /// Tells the heartbeat how to end; if dropped, the lease is released.
    end: oneshot::Sender<Ending>,
    heartbeat: JoinHandle<Result<()>>,
}

impl Lease {
    fn start(held: Held, clock: Arc<dyn Clock>, alive: Duration) -> Self {
        let (lost, why) = (CancellationToken::new(), Arc::default());
        let (end, ended) = oneshot::channel();
        let epoch = held.record.epoch;
        let heartbeat = Heartbeat { clock, alive, end: ended, lost: lost.clone(), why: Arc::clone(&why) };
        Self { epoch, lost, why, end, heartbeat: tokio::spawn(heartbeat.run(held)) }
    }

    /// The epoch, which increases with each acquisition of this lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A token that is cancelled when the lease is lost, so that the work under it stops.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Checks that the lease is still held, as far as is known.
    ///
    /// # Errors
    /// `Locked`, with the reason, if it was lost.
    pub fn check(&self) -> Result<()> {
        self.why.get().map_or(Ok(()), |why| Err(lost(why)))
    }

    /// Releases the lease; its epoch is kept. Continues in the background if this future is dropped.
    ///
    /// # Errors
    /// `Locked` if it was lost before; otherwise any error of the store, in which case the lease expires.
    pub async fn release(self) -> Result<()> {
        self.end(Ending::Free).await
    }

    /// Releases the lease and removes its object, because what it protected is gone. Continues in the background if
    /// this future is dropped.
    ///
    /// # Errors
    /// Those of [`Lease::release`].
    pub async fn remove(self) -> Result<()> {
        self.end(Ending::Remove).await
    }

    async fn end(self, ending: Ending) -> Result<()> {
        // The receiver is gone if the lease was lost before, which is what the heartbeat returns then.
        let _ = self.end.send(ending);
        self.heartbeat
            .await
            .map_err(|error| Error::internal("the heartbeat of a lock was aborted").with_source(error))?
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("epoch", &self.epoch)
            .field("lost", &self.why.get())
            .finish_non_exhaustive()
    }
}

/// The object as last read.
struct Found {
    record: Record,
    version: Version,
}

impl Found {
    async fn read(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Self>> {
        let Some(object) = store.get(key).await? else { return Ok(None) };
        let record = Record::from_bytes(&object.bytes).map_err(|error| {
            Error::invalid(format!("{}/{key} is not a lock in a supported format", store.location()))
                .with_hint("use the program that wrote it, or delete it if no operation is in progress")
                .with_source(error)
        })?;
        Ok(Some(Self { record, version: object.version }))
    }
}

/// The object as last written.
struct Held {
    store: Arc<dyn StateStore>,
    key: StoreKey,
    record: Record,
    version: Version,
}

impl Held {
    /// Writes the next record; `Locked` if the lease was taken over.
    async fn write(&mut self, record: Record) -> Result<()> {
        let mut outcome = self.put(&record).await;
        if is_conflict(&outcome) {
            self.catch_up().await?;
            outcome = self.put(&record).await;
        }
        self.version = outcome?;
        self.record = record;
        Ok(())
    }

    /// Deletes the object; `Locked` if the lease was taken over.
    async fn delete(&mut self) -> Result<()> {
        let mut outcome = self.store.delete(&self.key, Some(&self.version)).await;
        if is_conflict(&outcome) {
            self.catch_up().await?;
            outcome = self.store.delete(&self.key, Some(&self.version)).await;
        }
        outcome
    }

    async fn put(&self, record: &Record) -> Result<Version> {
        self.store.put(&self.key, record.to_bytes()?, Precondition::Match(self.version.clone())).await
    }

    /// After a conflict: an earlier write may have succeeded although its response was lost.
    async fn catch_up(&mut self) -> Result<()> {
        let lost = match Found::read(&*self.store, &self.key).await? {
            Some(found) if found.record.nonce == self.record.nonce => {
                self.version = found.version;
                return Ok(());
            }
            Some(Found { record: Record { holder: Some(thief), .. }, .. }) => {
                format!("it was taken over by {thief}")
            }
            Some(_) => "it was taken over and released again".to_owned(),
            None => "it was removed".to_owned(),
        };
        Err(Error::new(ErrorKind::Locked, lost))
    }

    /// Releases or removes the lease.
    async fn end(mut self, ending: Ending) -> Result<()> {
        let outcome = match ending {
            Ending::Free => {
                let mut record = self.record.clone();
                record.free();
                self.write(record).await
            }
            Ending::Remove => self.delete().await,
        };
        outcome.map_err(|error| match error.kind() {
            ErrorKind::Locked => lost(error.message()),
            _ => error.with_hint(format!("the lock expires within {} s", self.record.ttl().as_secs())),
        })
    }
}

/// A lease that may have been written without our knowledge; if dropped, it is released.
struct Doubtful {
    store: Arc<dyn StateStore>,
    key: StoreKey,
    nonce: String,
    /// Whether a write is in flight, or has an unknown result.
    writes: bool,
}

impl Drop for Doubtful {
    fn drop(&mut self) {
        // Without a runtime, nothing can be done: the lease expires.
        if self.writes
            && let Ok(runtime) = Handle::try_current()
        {
            let (store, key, nonce) = (self.store.clone(), self.key.clone(), std::mem::take(&mut self.nonce));
            runtime.spawn(async move {
                if let Ok(Some(Found { record, version })) = Found::read(&*store, &key).await
                    && record.nonce == nonce
                {
                    // There is no one to report an error to.
                    let _ = Held { store, key, record, version }.end(Ending::Free).await;
                }
            });
        }
    }
}

fn is_conflict<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict)
}

fn lost(why: &str) -> Error {
    Error::new(ErrorKind::Locked, format!("the lock was lost: {why}"))
        .with_hint("run the command again; completed steps are kept")
}

/// What a contender has observed.
#[derive(Default)]
struct Watch {
    unchanged: Option<(Version, Duration)>,
    seen_alive: bool,
}

enum Verdict {
    /// Not held, or no longer held.
    Free,
    /// Held according to its times, or renewed while watching; can be taken over after `wait` unless it is renewed.
    Alive { wait: Duration },
    /// Apparently dead; certain after `wait`.
    Doubtful { wait: Duration },
}

impl Watch {
    fn judge(&mut self, found: &Found, clock: &dyn Clock) -> Verdict {
        let now = clock.elapsed();
        let Some(holder) = &found.record.holder else { return Verdict::Free };
        let since = match &self.unchanged {
            Some((version, since)) if *version == found.version => *since,
            before => {
                self.seen_alive |= before.is_some();
                self.unchanged = Some((found.version.clone(), now));
                now
            }
        };
        let gone = holder.process.as_ref().is_some_and(Process::is_gone);
        let ttl = found.record.ttl();
        let needed = if gone { poll(ttl) } else { ttl };
        let wait = needed.saturating_sub(now.saturating_sub(since));
        if wait.is_zero() {
            Verdict::Free
        } else if gone || (clock.now() > found.record.expires() && !self.seen_alive) {
            Verdict::Doubtful { wait }
        } else {
            Verdict::Alive { wait }
        }
    }
}

/// A unique identifier of an acquisition. The hasher's keys are the standard library's randomness.
fn nonce() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
