//! What a lease's object says.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::Process;
use crate::store::StoreKey;
use crate::{Error, ErrorKind, Result};

/// Who holds a lease, and what for: shown to everybody who is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The operator, usually `user@host`.
    pub who: String,
    /// The operation, usually a command.
    pub purpose: String,
    /// The process number on its machine.
    pub pid: u32,
    /// The process so that it can be told from every other, where the system allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

impl Holder {
    /// This process, working for somebody on something.
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
pub struct Record {
    /// Grows with each acquisition.
    pub epoch: u64,
    /// Who holds it; nobody after a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// When it was acquired, on the holder's wall clock.
    pub acquired: Timestamp,
    /// When it was last renewed, on the holder's wall clock.
    pub renewed: Timestamp,
    pub(super) ttl_seconds: u32,
    /// Makes the content of each renewal different, and so its version, also when the clock does not move.
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

    /// How long it lives without being renewed.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds.max(1).into())
    }

    /// When it expires if it is not renewed, on the holder's wall clock.
    pub fn expires(&self) -> Timestamp {
        self.renewed.checked_add(self.ttl()).unwrap_or(Timestamp::MAX)
    }

    /// Whether a holder in this very process has it.
    pub(super) fn is_of_this_process(&self) -> bool {
        let process = self.holder.as_ref().and_then(|holder| holder.process.as_ref());
        process.is_some_and(|process| Process::this().as_ref() == Some(process))
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| Error::internal("a lock cannot be written").with_source(error))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// Tells another contender who is at work, since when, and what to do.
    pub(super) fn refusal(&self, store: &str, key: &StoreKey, now: Timestamp) -> Error {
        let holder = self.holder.as_ref().map_or_else(|| "somebody".to_owned(), Holder::to_string);
        let age = |since| now.duration_since(since).max(SignedDuration::ZERO).as_secs();
        Error::new(
            ErrorKind::Locked,
            format!(
                "{holder} is at work since {}, {} s ago, and said so last {} s ago; the lock {store}/{key} is theirs \
                 until {} unless they renew it",
                second(self.acquired),
                age(self.acquired),
                age(self.renewed),
                second(self.expires()),
            ),
        )
        .with_hint("wait until they are done; if they died, the lock expires by itself and the next run takes it over")
    }
}

fn second(time: Timestamp) -> Timestamp {
    time.round(Unit::Second).unwrap_or(time)
}
