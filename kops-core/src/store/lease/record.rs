//! The content of a lease's object.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::Process;
use crate::store::StoreKey;
use crate::{Error, ErrorKind, Result};

/// The holder of a lease, shown to everyone whose request is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The operator, usually `user@host`.
    pub who: String,
    /// The operation, usually a command.
    pub purpose: String,
    /// The process ID on its machine.
    pub pid: u32,
    /// The unique identity of the process, if the system supports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

impl Holder {
    /// This process, on behalf of `who`, for `purpose`.
    pub fn new(who: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { who: who.into(), purpose: purpose.into(), pid: std::process::id(), process: Process::this() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, {})", self.who, self.pid, self.purpose)
    }
}

/// The content of a lease's object, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Record {
    /// Increases with each acquisition.
    pub epoch: u64,
    /// The holder; none after a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// When it was acquired, on the holder's wall clock.
    pub acquired: Timestamp,
    /// When it was last renewed, on the holder's wall clock.
    pub renewed: Timestamp,
    pub(super) ttl_seconds: u32,
    /// Makes the content of each renewal, and so its version, different, even if the clock does not advance.
    pub(super) renewals: u64,
    pub(super) nonce: String,
}

impl Record {
    pub(super) fn held(epoch: u64, holder: Holder, nonce: String, ttl: Duration, now: Timestamp) -> Self {
        let ttl_seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
        Self { epoch, holder: Some(holder), acquired: now, renewed: now, ttl_seconds, renewals: 0, nonce }
    }

    pub(super) fn renew(&mut self, now: Timestamp) {
        self.renewed = now;
        self.renewals += 1;
    }

    pub(super) fn free(&mut self) {
        self.holder = None;
    }

    /// The time to live without a renewal.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds.max(1).into())
    }

    /// When it expires without a renewal, on the holder's wall clock.
    pub fn expires(&self) -> Timestamp {
        self.renewed.checked_add(self.ttl()).unwrap_or(Timestamp::MAX)
    }

    /// Whether its holder is this process.
    pub(super) fn is_of_this_process(&self) -> bool {
        let process = self.holder.as_ref().and_then(|holder| holder.process.as_ref());
        process.is_some_and(|process| Process::this().as_ref() == Some(process))
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| Error::internal("a lock cannot be serialised").with_source(error))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The error for a contender: the holder, since when, and what to do.
    pub(super) fn refusal(&self, store: &str, key: &StoreKey, now: Timestamp) -> Error {
        let holder = self.holder.as_ref().map_or_else(|| "someone".to_owned(), Holder::to_string);
        let age = |since| now.duration_since(since).max(SignedDuration::ZERO).as_secs();
        Error::new(
            ErrorKind::Locked,
            format!(
                "the lock {store}/{key} is held by {holder} since {}, {} s ago; last renewed {} s ago, expires {} \
                 unless renewed",
                second(self.acquired),
                age(self.acquired),
                age(self.renewed),
                second(self.expires()),
            ),
        )
        .with_hint("wait until it is released; if its holder died, it expires, and the next run takes it over")
    }
}

fn second(time: Timestamp) -> Timestamp {
    time.round(Unit::Second).unwrap_or(time)
}
