//! A lease: at most one operation works on a cluster at a time.
//!
//! The lease is one small object. Whoever creates it by a conditional write holds it, renews it three times
//! within its time to live (the *heartbeat*, a task of its own), and marks it free at the end. A holder that
//! died renews no more, and its lease can be taken over.
//!
//! # When is a holder dead?
//! The clocks of two operators may disagree by any amount, so **the wall clock never decides a takeover**. A
//! contender watches the object: when its version has not changed for a whole time to live, *measured on the
//! contender's own monotonic clock*, the holder is dead or has stopped. It has stopped, because the holder
//! measures as well: when it has not managed to renew for five sixths of the time to live, on its own
//! monotonic clock from the moment it began the last successful renewal, it cancels its work. The remaining
//! sixth is for the work to stop. No assumption about two clocks is left.
//!
//! The wall-clock times in the object are for people, and decide one thing only: whether watching is worth
//! it. If the object says that it lives, a contender that was told to be patient watches, and any other is
//! refused at once ([`ErrorKind::Locked`], with who, what for, since when and
//! until when). If it says that it expired, or its holder was a process of this very machine that is gone
//! (see [`Process`]), every contender watches and then takes over. A process that is known to be gone
//! is watched for a twelfth of the time to live only: the cloud may still be carrying out its last requests.
//!
//! # What a lost lease means
//! Work goes on under [`Lease::lost`], a token that is cancelled when the lease is lost: taken over, removed,
//! or not renewed in time. Requests under way at that moment are not undone; the identity classes of the
//! kinds and the fingerprint of the plan keep an overlap of seconds harmless. [`Lease::epoch`] grows with each
//! acquisition and is kept across releases, for whoever can reject the requests of an earlier holder.
//!
//! # Known weaknesses
//! A suspended machine's monotonic clock stands still: woken after a takeover, it works on until its next
//! heartbeat, at most a third of the time to live. And a lease binds only those who ask for it: the original
//! kOps knows of none.

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

/// Long enough for an hour of a cloud's bad minutes not to end an apply, short enough to wait for.
const TTL: Duration = Duration::from_secs(60);
/// A failed write whose outcome is unknown is looked at and repeated this often.
const ATTEMPTS: u32 = 4;
/// How long a contender waits, in steps, for a lease that this very process holds: whoever was dropped a moment ago is
/// still writing that it is free, which takes a store some tenths of a second.
const LETTING_GO: Duration = Duration::from_millis(500);
const LETTING_GO_STEP: Duration = Duration::from_millis(50);

/// How often a waiting contender looks: often enough to notice a release soon.
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
    /// For a minute at a time, refused at once when somebody else is at work.
    pub fn new(holder: Holder) -> Self {
        Self { holder, ttl: TTL, patience: Duration::ZERO, on_wait: None }
    }

    /// How long the lease lives without a heartbeat: whole seconds, at least one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let rounded_up = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        self.ttl = Duration::from_secs(rounded_up.max(1));
        self
    }

    /// How long to wait for a holder that is alive, before being refused.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Called before each wait with who holds the lease and how long the wait is: a program shows it.
    pub fn on_wait(mut self, on_wait: impl Fn(&Record, Duration) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Arc::new(on_wait));
        self
    }

    /// Takes the lease, and starts its heartbeat on the current tokio runtime.
    ///
    /// When this future is dropped while it writes, what it may have written is let go in the background, as by
    /// dropping the [`Lease`]. [`LeaseRequest::hold`] takes the lease, works, and lets it go, as one operation.
    ///
    /// # Errors
    /// `Locked` when somebody else holds it; whatever the store says.
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
                // An earlier write of ours whose answer was lost.
                Some(found) if found.record.nonce == nonce => {
                    doubtful.writes = false;
                    let held = Held { store, key, record: found.record, version: found.version };
                    return Ok(Lease::start(held, clock, written));
                }
                Some(found) => match watch.judge(&found, &*clock) {
                    Verdict::Free => (found.record.epoch + 1, Precondition::Match(found.version)),
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
            // Conflict: the next look says whether it was an earlier write of our own.
            doubtful.writes = outcome
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::Conflict || error.kind().is_ambiguous());
            match outcome {
                Ok(version) => return Ok(Lease::start(Held { store, key, record, version }, clock, written)),
                // Somebody was faster, or our own write was repeated below us: the next look says which.
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

/// Who holds the lease at a key, if anybody does; looks only.
///
/// # Errors
/// Whatever the store says; `Invalid` when the object is no lease.
pub async fn holder(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Record>> {
    Ok(Found::read(store, key).await?.map(|found| found.record).filter(|record| record.holder.is_some()))
}

/// A lease that is held, and renewed until it is released, lost or dropped.
///
/// Dropping it lets it go as well: the task of its heartbeat then frees it in the background, as well as it can.
/// That takes a moment, which a contender in the same process waits for. It does not happen when the runtime that the
/// lease was acquired on shuts down or is no longer driven, or when the store does not answer: then the lease expires
/// by itself. [`Lease::release`] says whether it worked.
pub struct Lease {
    epoch: u64,
    lost: CancellationToken,
    why: Arc<OnceLock<String>>,
    /// Tells the heartbeat how to end; dropped, it frees the lease.
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

    /// Grows with each acquisition of this lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Is cancelled when the lease is lost, so that the work under it stops.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Whether the lease is still held, as far as is known.
    ///
    /// # Errors
    /// `Locked`, with how it was lost.
    pub fn check(&self) -> Result<()> {
        self.why.get().map_or(Ok(()), |why| Err(lost(why)))
    }

    /// Frees the lease for the next one; the epoch stays known. Goes on in the background when this future is dropped.
    ///
    /// # Errors
    /// `Locked` when it was lost before; what the store says otherwise: the lease then expires by itself.
    pub async fn release(self) -> Result<()> {
        self.end(Ending::Free).await
    }

    /// Frees the lease and removes its object: what it protected is gone. Goes on in the background when this future
    /// is dropped.
    ///
    /// # Errors
    /// As [`Lease::release`].
    pub async fn remove(self) -> Result<()> {
        self.end(Ending::Remove).await
    }

    async fn end(self, ending: Ending) -> Result<()> {
        // Nobody hears it when the lease was lost before, which is what the heartbeat returns then.
        let _ = self.end.send(ending);
        self.heartbeat
            .await
            .map_err(|error| Error::internal("the heartbeat of a lock broke off").with_source(error))?
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

/// The object as it was last seen.
struct Found {
    record: Record,
    version: Version,
}

impl Found {
    async fn read(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Self>> {
        let Some(object) = store.get(key).await? else { return Ok(None) };
        let record = Record::from_bytes(&object.bytes).map_err(|error| {
            Error::invalid(format!("{}/{key} is no lock that this program can read", store.location()))
                .with_hint("use the program that wrote it; or delete it, if nobody is at work")
                .with_source(error)
        })?;
        Ok(Some(Self { record, version: object.version }))
    }
}

/// The object as we wrote it last.
struct Held {
    store: Arc<dyn StateStore>,
    key: StoreKey,
    record: Record,
    version: Version,
}

impl Held {
    /// Writes the next record; `Locked` when the lease is somebody else's by now.
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

    /// Deletes the object; `Locked` when the lease is somebody else's by now.
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

    /// After a conflict: an earlier write of ours may have arrived although its answer did not.
    async fn catch_up(&mut self) -> Result<()> {
        let lost = match Found::read(&*self.store, &self.key).await? {
            Some(found) if found.record.nonce == self.record.nonce => {
                self.version = found.version;
                return Ok(());
            }
            Some(Found { record: Record { holder: Some(thief), .. }, .. }) => format!("{thief} took it over"),
            Some(_) => "somebody took it over and is done already".to_owned(),
            None => "somebody removed it".to_owned(),
        };
        Err(Error::new(ErrorKind::Locked, lost))
    }

    /// Lets go.
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
            _ => error
                .with_hint(format!("the lock expires by itself within {} s", self.record.ttl().as_secs())),
        })
    }
}

/// A lease that may have been written without our knowing: dropped so, it is let go.
struct Doubtful {
    store: Arc<dyn StateStore>,
    key: StoreKey,
    nonce: String,
    /// Whether a write is under way, or of unknown outcome.
    writes: bool,
}

impl Drop for Doubtful {
    fn drop(&mut self) {
        // Without a runtime nothing can be done: the lease expires by itself.
        if self.writes
            && let Ok(runtime) = Handle::try_current()
        {
            let (store, key, nonce) = (self.store.clone(), self.key.clone(), std::mem::take(&mut self.nonce));
            runtime.spawn(async move {
                if let Ok(Some(Found { record, version })) = Found::read(&*store, &key).await
                    && record.nonce == nonce
                {
                    // Nobody is left to tell.
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
        .with_hint("what was done stays done; run the command again for the rest")
}

/// What a contender has seen so far.
#[derive(Default)]
struct Watch {
    unchanged: Option<(Version, Duration)>,
    seen_alive: bool,
}

enum Verdict {
    /// Nobody holds it, or nobody does any more.
    Free,
    /// Says it lives, or was seen to; can be taken over after `wait` unless it is renewed.
    Alive { wait: Duration },
    /// Looks dead; certain after `wait`.
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

/// Tells one acquisition from all others. The hasher's keys are the standard library's own randomness.
fn nonce() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
