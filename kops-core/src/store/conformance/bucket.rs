//! The rules for a state store in a bucket, in addition to the contract: it is opened by its URL, stays within its
//! prefix, retries transient failures and explains permanent ones.
//!
//! A cloud's crate connects its service in a [`BucketFixture`], and calls [`run`] from one test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{content, ensure, run_except};
use crate::clock::{Clock, SystemClock};
use crate::cloud::causes;
use crate::store::{Entry, Holder, LeaseRequest, Precondition, Prefix, StateStore, StoreKey, Stores};
use crate::{Error, ErrorKind, Result};

/// Content that errors must never contain.
const CONTENT: &str = "hunter2";

/// An object store to be tested, real or emulated, with a separate, empty account.
///
/// Its functions panic on failure, like tests.
#[async_trait]
pub trait BucketFixture: Send + Sync {
    /// An opener of stores with valid credentials, with this clock, and with another address of the service if there
    /// is one.
    fn stores(&self, clock: Arc<dyn Clock>, endpoint: Option<&str>) -> Stores;

    /// Creates a bucket, and returns its URL.
    fn make(&self) -> String;

    /// The URL of a bucket that does not exist, and the command that would create it, as shown in hints.
    fn missing(&self) -> (String, String);

    /// Puts an empty object into a bucket, by its name there.
    fn put(&self, bucket: &str, object: &str);

    /// Makes the next write or deletion of an object fail.
    fn fail(&self, bucket: &str, verb: Verb, how: Mishap);

    /// The number of writes that have reached the service.
    fn writes(&self) -> usize;

    /// Denies everything from now on.
    fn deny(&self);

    /// Rules of [the contract](super) that the service does not support, according to the store's documentation.
    fn cannot(&self) -> &[&str] {
        &[]
    }
}

/// A call that should fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A call that writes an object.
    Put,
    /// A call that deletes an object.
    Delete,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The service throttles.
    Throttled,
    /// The service is unavailable.
    Unavailable,
    /// The connection is interrupted before anything is done.
    Dropped,
    /// The connection is interrupted after the service has carried out the call.
    Lost,
}

type Rule = for<'a> fn(&'a dyn BucketFixture) -> BoxFuture<'a, Result<()>>;

/// The rules, by name.
const RULES: [(&str, Rule); 9] = [
    ("contract", |fixture| Box::pin(contract(fixture))),
    ("prefix", |fixture| Box::pin(prefix(fixture))),
    ("not-a-key", |fixture| Box::pin(not_a_key(fixture))),
    ("lease", |fixture| Box::pin(lease(fixture))),
    ("what-passes", |fixture| Box::pin(what_passes(fixture))),
    ("missing", |fixture| Box::pin(missing(fixture))),
    ("denied", |fixture| Box::pin(denied(fixture))),
    ("no-answer", |fixture| Box::pin(no_answer(fixture))),
    ("urls", |fixture| Box::pin(urls(fixture))),
];

/// Runs all rules, each with a fixture of its own.
///
/// # Errors
/// `Failed`, with a line for each broken rule.
pub async fn run<F: BucketFixture>(new: impl Fn() -> F) -> Result<()> {
    let mut broken = Vec::new();
    for (name, rule) in RULES {
        if let Err(error) = rule(&new()).await {
            broken.push(format!("{name}: {error}"));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Failed, format!("the store in a bucket breaks rules\n{}", broken.join("\n"))))
}

async fn open(fixture: &dyn BucketFixture, url: &str) -> Result<Arc<dyn StateStore>> {
    fixture.stores(Arc::new(SystemClock::new()), None).open(url).await
}

/// The contract is kept under a prefix, and at the root of a bucket with other objects.
async fn contract(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let under = open(fixture, &format!("{bucket}/some/clusters")).await?;
    run_except(under.clone(), fixture.cannot()).await?;
    under.put(&StoreKey::new("other")?, vec![], Precondition::Any).await?;
    // A thousand objects take a while, and paging does not depend on the prefix.
    let without: Vec<&str> = fixture.cannot().iter().copied().chain(["pages"]).collect();
    run_except(open(fixture, &bucket).await?, &without).await
}

/// Objects are under the prefix of the URL; other objects and placeholders of folders are ignored.
async fn prefix(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let (under, root) = (open(fixture, &format!("{bucket}/clusters/")).await?, open(fixture, &bucket).await?);
    ensure(root.location() == bucket, format!("`{bucket}` is at {}", root.location()))?;
    let location = under.location();
    ensure(location == format!("{bucket}/clusters"), format!("`{bucket}/clusters/` is at {location}"))?;
    under.put(&StoreKey::new("x/config")?, vec![], Precondition::Absent).await?;
    root.put(&StoreKey::new("clustersx/config")?, vec![], Precondition::Absent).await?;
    fixture.put(&bucket, "clusters/");
    fixture.put(&bucket, "clusters/empty/");
    let listed =
        |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>();
    let seen = listed(under.list(&Prefix::root(), None).await?);
    ensure(seen == ["x/config"], format!("under the prefix is `x/config`, listed are {seen:?}"))?;
    let all = listed(root.list(&Prefix::root(), None).await?);
    ensure(all == ["clusters/x/config", "clustersx/config"], format!("at the root are {all:?}"))?;
    let top = root.directories(&Prefix::root()).await?;
    ensure(top == ["clusters", "clustersx"], format!("the directories at the root are {top:?}"))
}

/// An object whose name is not a key is reported, and not skipped: otherwise a cluster might be deleted without it.
async fn not_a_key(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    fixture.put(&bucket, "clusters/a//b");
    let store = open(fixture, &format!("{bucket}/clusters")).await?;
    let error = failed(store.list(&Prefix::root(), None).await, ErrorKind::Invalid)?;
    says(&error, &format!("{bucket} contains an object that does not belong to a state store"))?;
    says(&error, "`a//b`")
}

/// A lease in a bucket excludes others, and is passed on.
async fn lease(fixture: &dyn BucketFixture) -> Result<()> {
    let store = open(fixture, &fixture.make()).await?;
    let (key, clock) = (StoreKey::new(".kops/x.example.com/lock")?, Arc::new(SystemClock::new()));
    let acquire = |who: &str| {
        let request = LeaseRequest::new(Holder::new(who, "update cluster"));
        request.acquire(store.clone(), key.clone(), clock.clone())
    };
    let lease = acquire("ann@desk").await?;
    says(&failed(acquire("bob@lap").await, ErrorKind::Locked)?, "ann@desk")?;
    lease.release().await?;
    let lease = acquire("bob@lap").await?;
    ensure(lease.epoch() == 2, format!("the second lease has epoch {}", lease.epoch()))?;
    lease.remove().await
}

/// Transient failures are retried, and a write whose response was lost is recognised.
async fn what_passes(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let store = open(fixture, &format!("{bucket}/clusters")).await?;
    for how in [Mishap::Throttled, Mishap::Unavailable, Mishap::Dropped, Mishap::Lost] {
        let key = StoreKey::new(format!("{how:?}"))?;
        let before = fixture.writes();
        fixture.fail(&bucket, Verb::Put, how);
        let version = store.put(&key, CONTENT.into(), Precondition::Absent).await?;
        let writes = fixture.writes() - before;
        ensure(writes == 2, format!("a write that is {how:?} once takes {writes} calls"))?;
        ensure(content(&*store, &key).await? == Some(CONTENT.into()), "what was written is not there")?;
        fixture.fail(&bucket, Verb::Delete, how);
        store.delete(&key, Some(&version)).await?;
        ensure(store.get(&key).await?.is_none(), format!("a deletion that is {how:?} once does nothing"))?;
    }
    Ok(())
}

/// Every call reports a bucket that does not exist, with the command that creates it, and does not create it.
async fn missing(fixture: &dyn BucketFixture) -> Result<()> {
    let (bucket, command) = fixture.missing();
    let store = open(fixture, &bucket).await?;
    for error in every_call(&*store, ErrorKind::NotFound).await? {
        says(&error, &format!("{bucket}, does not exist"))?;
        says(&error, &format!("`{command}`"))?;
    }
    Ok(())
}

/// Every call reports a bucket to which access is denied, with the required permissions.
async fn denied(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let store = open(fixture, &bucket).await?;
    // First it is allowed, so that the call itself is denied.
    store.list(&Prefix::root(), None).await?;
    fixture.deny();
    for error in every_call(&*store, ErrorKind::Denied).await? {
        says(&error, "no access to the ")?;
        says(&error, &bucket)?;
        says(&error, "a state store requires ")?;
    }
    Ok(())
}

/// A service that does not respond is reported, after the maximum time of retries.
async fn no_answer(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let endpoint = "http://127.0.0.1:1";
    let clock = Arc::new(Hasty::default());
    let opened = fixture.stores(clock, Some(endpoint)).open(&bucket).await;
    let read = match opened {
        // A store that connects when it is opened may fail here.
        Err(error) => Err(error),
        Ok(store) => store.get(&StoreKey::new("a")?).await,
    };
    says(&failed(read, ErrorKind::Unavailable)?, endpoint)
}

/// A malformed URL is reported with the correct form.
async fn urls(fixture: &dyn BucketFixture) -> Result<()> {
    let bucket = fixture.make();
    let (scheme, names) = bucket.split_once("://").unwrap_or_default();
    let mut wrong =
        vec![(format!("{scheme}:///prefix"), "has no "), (format!("{bucket}/a//b"), "not a valid key")];
    // Every prefix of the URL that ends before the bucket's name.
    let mut known: VecDeque<&str> = names.split('/').collect();
    while known.pop_back().is_some() {
        let begun = known.iter().copied().collect::<Vec<_>>().join("/");
        wrong.push((format!("{scheme}://{begun}"), "has no "));
    }
    for (url, why) in wrong {
        let error = failed(open(fixture, &url).await, ErrorKind::Invalid)?;
        says(&error, why)?;
        says(&error, &format!("use {scheme}://"))?;
    }
    Ok(())
}

/// The error of a call, which must be of this kind and contain no content.
fn failed<T>(outcome: Result<T>, kind: ErrorKind) -> Result<Error> {
    match outcome {
        Ok(_) => Err(Error::new(ErrorKind::Failed, format!("expected {kind}, but the call succeeded"))),
        Err(error) if error.kind() == kind => {
            let shown = format!("{error:?} {}", causes(&error));
            ensure(!shown.contains(CONTENT), "an error contains an object's content")?;
            Ok(error)
        }
        Err(error) => Err(Error::new(ErrorKind::Failed, format!("expected {kind}, not: {error}"))),
    }
}

async fn every_call(store: &dyn StateStore, kind: ErrorKind) -> Result<Vec<Error>> {
    let a = StoreKey::new("a")?;
    let version = || crate::store::Version::new("1");
    Ok(vec![
        failed(store.get(&a).await, kind)?,
        failed(store.put(&a, CONTENT.into(), Precondition::Absent).await, kind)?,
        failed(store.put(&a, CONTENT.into(), Precondition::Match(version())).await, kind)?,
        failed(store.delete(&a, None).await, kind)?,
        failed(store.delete(&a, Some(&version())).await, kind)?,
        failed(store.list(&Prefix::root(), None).await, kind)?,
        failed(store.directories(&Prefix::root()).await, kind)?,
    ])
}

fn says(error: &Error, words: &str) -> Result<()> {
    let text = error.to_string();
    ensure(text.contains(words), format!("`{words}` is missing in: {text}"))
}

/// A clock whose waits end at once.
#[derive(Debug, Default)]
struct Hasty(Mutex<Duration>);

#[async_trait]
impl Clock for Hasty {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        SystemClock::new().now()
    }

    async fn sleep(&self, wait: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += wait;
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests;
