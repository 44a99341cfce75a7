//! The task that renews a lease, detects its loss, and releases it at the end.
//!
//! This task also releases the lease, so that it happens even if no one waits for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Held, lost, poll};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// Three times within the time to live: two renewals may fail.
fn interval(ttl: Duration) -> Duration {
    ttl / 3
}

/// How long the holder may go without a renewal; the rest of the time to live is for stopping its work.
fn deadline(ttl: Duration) -> Duration {
    ttl * 5 / 6
}

/// How to end a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Release it; its epoch is kept.
    Free,
    /// Remove its object.
    Remove,
}

pub(super) struct Heartbeat {
    pub(super) clock: Arc<dyn Clock>,
    /// When the last successful write was started, in the clock's monotonic time.
    pub(super) alive: Duration,
    /// How to end; if the sender is dropped, the lease is released.
    pub(super) end: oneshot::Receiver<Ending>,
    pub(super) lost: CancellationToken,
    pub(super) why: Arc<OnceLock<String>>,
}

impl Heartbeat {
    /// Renews the lease until it has to be ended; if it is lost, cancels the work.
    pub(super) async fn run(mut self, mut held: Held) -> Result<()> {
        match self.keep(&mut held).await {
            Ok(ending) => held.end(ending).await,
            Err(why) => {
                let error = lost(&why);
                // Set the reason first, because it may be read as soon as the work is cancelled.
                let _ = self.why.set(why);
                self.lost.cancel();
                Err(error)
            }
        }
    }

    async fn keep(&mut self, held: &mut Held) -> Result<Ending, String> {
        let ttl = held.record.ttl();
        let mut wait = interval(ttl);
        loop {
            tokio::select! {
                ending = &mut self.end => return Ok(ending.unwrap_or(Ending::Free)),
                () = self.clock.sleep(wait) => {}
            }
            let begun = self.clock.elapsed();
            let left = (self.alive + deadline(ttl)).saturating_sub(begun);
            let mut renewed = held.record.clone();
            renewed.renew(self.clock.now());
            let outcome = tokio::select! {
                outcome = held.write(renewed) => outcome,
                () = self.clock.sleep(left) => Err(Error::new(ErrorKind::Unavailable, "the store does not respond")),
            };
            match outcome {
                Ok(()) => {
                    self.alive = begun;
                    wait = interval(ttl);
                }
                Err(error) if error.kind() == ErrorKind::Locked => return Err(error.message().to_owned()),
                Err(error) => {
                    let left = (self.alive + deadline(ttl)).saturating_sub(self.clock.elapsed());
                    if left.is_zero() {
                        return Err(format!(
                            "it could not be renewed for {} s: {error}",
                            deadline(ttl).as_secs()
                        ));
                    }
                    wait = poll(ttl).min(left);
                }
            }
        }
    }
}
